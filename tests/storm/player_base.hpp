// What sending and receiving players have in common (player.hpp): opening, orders, forks, exec.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>

#include <hawser/hawser.hpp>

#include "kinds.hpp"
#include "player.hpp"

namespace hawser::storm {

// What each message begins with. What follows can be told from the number.
struct record {
    std::uint64_t mark;
    std::uint32_t number; // of its entry
    std::uint32_t sender; // life
    std::uint64_t size;
};

void write_message(std::span<std::byte> into, std::uint32_t number, std::uint32_t sender) noexcept;
// What is wrong with it, or nothing.
std::string read_message(std::span<const std::byte> from, record& out);

class player {
  public:
    player(const stage& where, std::uint32_t me);
    virtual ~player() = default;
    player(const player&) = delete;
    player& operator=(const player&) = delete;

    void run();

  protected:
    // One message, or an attempt at one. False: it is over.
    virtual bool step() = 0;
    virtual bool open() = 0;
    virtual void close() = 0;
    // In a fork child: calls its parent's end point, which must refuse.
    virtual errc touch_as_child() = 0;
    // Also there: destroys all that it has of hawser, with no note in the ledger.
    virtual void abandon() = 0;

    void now(doing what) noexcept;
    void done_one() noexcept { self_.progress.fetch_add(1); }
    [[nodiscard]] bool leaving() const noexcept { return self_.told.load() == order::leave; }
    void complain(const std::string& what) const;
    [[nodiscard]] std::uint64_t chance(std::uint64_t of) { return random_() % of; }
    // By far more often short than long.
    [[nodiscard]] std::int64_t some_ns(std::int64_t most);
    [[nodiscard]] book& notes() const noexcept { return **where_.notes; }
    [[nodiscard]] options wanted();

    // Opens until it succeeds. Empty: told to leave, or something is wrong.
    template <typename End, typename Take>
    std::optional<End> open_end(Take&& take_from_pipe) {
        now(doing::opening);
        const options how = wanted();
        for (;;) {
            auto opened = where_.link != nullptr ? take_from_pipe(*where_.link, how)
                                                 : End::open(notes().address.data(), how);
            if (opened) return std::move(*opened);
            if (!may_come_later(opened.why())) return std::nullopt;
            notes().count(tally::waits_to_open);
            if (leaving()) return std::nullopt;
            let_pass(1'000'000);
        }
    }

    const stage where_;
    const std::uint32_t me_;
    life& self_;
    const kind& kind_;
    const bool survivor_;

  private:
    bool may_come_later(const error& why) const;
    void obey();
    void fork_idle();
    void fork_holding();
    void fork_user();
    void fork_opening();
    void become_another();

    std::mt19937_64 random_;
};

std::unique_ptr<player> make_sender(const stage& where, std::uint32_t me);
std::unique_ptr<player> make_receiver(const stage& where, std::uint32_t me);

} // namespace hawser::storm
