// One mailbox in the storm, from its first participant to the census when the last has gone.
//
// - The conductor is one process without hawser's end points: all that touches the library runs in
//   players and helpers, so a hang is never the conductor's own.
// - Survivors (one sender and, where several may receive, one receiver) are never killed or
//   stopped. All others are, at random.
// - A failure is a line in failures(); after one the scene only clears away.
// - Threads: none. Fork: all the time. Ends every process that it made.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "judge.hpp"
#include "kinds.hpp"
#include "ledger.hpp"
#include "player.hpp"

namespace hawser::storm {

struct happened {
    std::uint64_t kills = 0;
    std::uint64_t stops = 0;
    std::uint64_t forks = 0;
    std::uint64_t execs = 0;
    std::uint64_t joins = 0;
    std::uint64_t leaves = 0;
    std::uint64_t looks = 0; // gc, info, ls
    std::uint64_t removals = 0;
    std::uint64_t massacres = 0; // everybody at once
};

class scene {
  public:
    // label: unique among scenes of this run. place: of the kind in all_kinds().
    scene(std::string label, std::size_t place, std::uint64_t seed);
    ~scene();
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;

    void begin();
    // Something happens to somebody.
    void go_on(std::int64_t ends_ns);
    // Ends it in good order, or with a massacre; then the ledger is judged.
    void end();
    [[nodiscard]] bool over_early() const; // something is wrong, or the ledger is full

    // For all scenes together: looks after those who ended, those whose stop is over, and those who
    // hang. False when no child of this process is left.
    static bool tend_all();
    // Children of this process that are known.
    static std::size_t members_of_all();

    [[nodiscard]] const kind& of() const noexcept { return kind_; }
    [[nodiscard]] const book& notes() const noexcept { return *ledger_; }
    [[nodiscard]] const happened& what_happened() const noexcept { return happened_; }
    [[nodiscard]] const verdict& said() const noexcept { return verdict_; }
    [[nodiscard]] const std::vector<std::string>& failures() const noexcept { return failures_; }
    [[nodiscard]] std::size_t left_for_gc() const noexcept { return left_for_gc_; }

  private:
    struct member {
        pid_t pid;
        role as;
        std::uint32_t life;
        bool survivor;
        bool doomed = false;
        bool leaving = false;
        std::int64_t stopped_until_ns = 0;
    };

    // A child of this process has ended. False if it is not of this scene.
    bool ended(pid_t process, int status);
    void tend();
    void spawn(role as, bool survivor);
    // A child that does one thing with hawser.
    member& help(const std::function<void()>& body);
    void help_and_wait(const char* what, const std::function<void()>& body);
    bool wait_until(const char* what, const std::function<bool()>& is_so);

    void one_event(std::int64_t ends_ns);
    member* somebody(role as = role::none);
    void kill(member& one);
    void stop(member& one);
    void tell(member& one, order what);
    void look_around();
    void remove_by_force();
    void kill_all(bool survivors_too);
    void keep_up_the_number();
    void let_go_on(member& one);
    void adopt_new_lives();
    void check_for_hang();
    void report_hang(const std::string& what);

    void clear_the_stage();
    void drain();
    void after_the_massacre();
    void wait_for_children();
    void clear_away();
    void look_for_leftovers();
    void take_census(std::size_t receivers);
    [[nodiscard]] std::size_t living(role as) const;
    [[nodiscard]] bool at_work(const member& one) const;
    [[nodiscard]] life& life_of(const member& one) const;
    [[nodiscard]] std::uint64_t chance(std::uint64_t of) { return random_() % of; }
    void fail(const std::string& what);

    std::string label_;
    std::string name_; // of the mailbox
    const kind& kind_;
    ledger ledger_;
    std::unique_ptr<hawser::pipe> link_;
    stage stage_;
    std::mt19937_64 random_;
    std::vector<member> members_;
    std::vector<std::string> failures_;
    happened happened_;
    deeds deeds_;
    verdict verdict_;
    std::size_t left_for_gc_ = 0;
    std::int64_t next_event_ns_ = 0;
    bool hung_ = false;
};

} // namespace hawser::storm
