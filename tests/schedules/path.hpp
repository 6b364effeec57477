// One execution as the choices made in it, and the ways to make them: all of them within bounds
// (depth first), by chance from a seed, or as written in a string.
//
// Alternative 0 of each choice is what happens if nothing unusual happens: the process goes on, and
// after it the next in the round; a load returns the newest value. Others are deviations of some
// kind, or free (which of two sleepers is woken). So an execution is written as the places where it
// deviates, `12:1,40:3`: at the 12th choice alternative 1, and so on.
//
// - Threads: one. Allocates: grows with the longest execution.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace hawser::schedules {

// What an alternative costs of the bounds.
enum class deviation : std::uint8_t {
    none,
    turn,     // another process than the one whose turn it is: the running one, then the next
    stale,    // a load returns a value that is not the newest
    spurious, // a weak CAS fails for no reason
    crash,    // the process is killed before its next step
    stop,     // it does not move until nobody else can
    give_up,  // a sleeper's deadline passes
    sunk,     // a store of a killed process never came to be, though a later one did
    kinds,
};
inline constexpr std::size_t deviation_kinds = static_cast<std::size_t>(deviation::kinds);
// How many of each kind; at `none`, how many of all kinds together.
using bounds = std::array<std::uint8_t, deviation_kinds>;
const char* name_of(deviation kind);

// The alternatives of one choice, at most 16.
class alternatives {
  public:
    void add(deviation kind) {
        packed_ |= static_cast<std::uint64_t>(kind) << (4 * count_);
        ++count_;
    }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] bool has_place() const { return count_ < 16; }
    [[nodiscard]] deviation operator[](std::uint32_t i) const {
        return static_cast<deviation>(packed_ >> (4 * i) & 0xf);
    }

  private:
    std::uint64_t packed_ = 0;
    std::uint32_t count_ = 0;
};

class path {
  public:
    // Every execution with at most so many deviations of each kind.
    static path exhaustive(const bounds& at_most);
    // Endless. Executions are drawn from the seed, one after the other.
    static path random(std::uint64_t seed, const bounds& at_most);
    // One execution. Throws std::invalid_argument if the text is none.
    static path replay(const std::string& text);

    // A new execution: the first, or the next one. False: there is none left.
    bool next();
    std::uint32_t choose(const alternatives& from);

    // The execution so far.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::uint64_t executions() const { return executions_; }

  private:
    enum class mode : std::uint8_t { exhaustive, random, replay };
    struct point {
        alternatives from;
        std::uint32_t chosen = 0;
    };

    explicit path(mode how, const bounds& at_most) : how_(how), at_most_(at_most) {}
    bool to_the_next_branch();
    void draw_rates();
    std::uint32_t draw(const alternatives& from);
    std::uint64_t random_number();
    [[nodiscard]] bool allowed(deviation kind) const {
        const auto i = static_cast<std::size_t>(kind);
        return kind == deviation::none || (used_[i] < at_most_[i] && used_all_ < at_most_[0]);
    }

    mode how_;
    bounds at_most_;
    void use(deviation kind, int more);

    std::array<std::uint32_t, deviation_kinds> used_{};
    std::uint32_t used_all_ = 0;
    std::vector<point> points_;
    std::size_t depth_ = 0;
    std::uint64_t executions_ = 0;
    std::uint64_t state_ = 0;                                // of the random numbers
    std::array<std::uint32_t, deviation_kinds> per_mille_{}; // how likely, in this execution
    std::map<std::size_t, std::uint32_t> written_;           // of a replay
};

} // namespace hawser::schedules
