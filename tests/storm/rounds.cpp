// The rounds of the storm: kind after kind until the time is over, and what they come to.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>

#include <sys/prctl.h>

#include "scene.hpp"
#include "storm.hpp"
#include "support/place.hpp"

namespace hawser::storm {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::size_t shm_between_kernel = 4; // one of the kernel's kinds, or a removal, after four

std::size_t own_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

// Which kind comes next. Each comes once before any comes twice.
class deck {
  public:
    explicit deck(const settings& chosen) : random_(chosen.seed) {
        const auto& all = all_kinds();
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].name.find(chosen.kind) == std::string::npos) continue;
            (all[i].shared_memory() && !all[i].removals ? mailboxes_ : others_).push_back(i);
        }
        std::shuffle(mailboxes_.begin(), mailboxes_.end(), random_);
        std::shuffle(others_.begin(), others_.end(), random_);
    }
    [[nodiscard]] bool empty() const { return mailboxes_.empty() && others_.empty(); }
    std::size_t next() {
        const bool other = drawn_++ % (shm_between_kernel + 1) == shm_between_kernel;
        const bool from_others = mailboxes_.empty() || (other && !others_.empty());
        if (from_others) return others_[next_other_++ % others_.size()];
        return mailboxes_[next_mailbox_++ % mailboxes_.size()];
    }

  private:
    std::mt19937_64 random_;
    std::vector<std::size_t> mailboxes_;
    std::vector<std::size_t> others_;
    std::size_t drawn_ = 0;
    std::size_t next_mailbox_ = 0;
    std::size_t next_other_ = 0;
};

// The sums over all rounds.
struct sums {
    std::map<std::string, bool> kinds;
    happened events;
    verdict fates;
    std::array<std::uint64_t, static_cast<std::size_t>(tally::count)> tallies{};
    std::uint64_t left_for_gc = 0;
    std::uint64_t failures = 0;
    outcome rounds;
    // Where a wait is the library's own; where a stopped process may hold all the memory that a
    // large message needs; and the kernel's facilities.
    histogram stalls[3], own_stalls[3], lateness;
};

void add(happened& to, const happened& more) {
    to.kills += more.kills;
    to.stops += more.stops;
    to.forks += more.forks;
    to.execs += more.execs;
    to.joins += more.joins;
    to.leaves += more.leaves;
    to.looks += more.looks;
    to.removals += more.removals;
    to.massacres += more.massacres;
}

void add(verdict& to, const verdict& more) {
    to.messages += more.messages;
    to.stored += more.stored;
    to.once += more.once;
    to.again += more.again;
    to.lost += more.lost;
    to.dropped += more.dropped;
    to.removed += more.removed;
    to.uncommitted += more.uncommitted;
    to.ambiguous += more.ambiguous;
    to.unexplained += more.unexplained;
}

void add(sums& to, const scene& done) {
    const book& notes = done.notes();
    const kind& of = done.of();
    to.kinds[of.name] = true;
    add(to.events, done.what_happened());
    add(to.fates, done.said());
    for (std::size_t i = 0; i < to.tallies.size(); ++i)
        to.tallies[i] += notes.counted(static_cast<tally>(i));
    to.left_for_gc += done.left_for_gc();
    to.failures += done.failures().size();
    ++(done.failures().empty() ? to.rounds.passed : to.rounds.failed);
    const std::size_t of_stalls = !of.shared_memory() ? 2 : of.large() ? 1 : 0;
    to.stalls[of_stalls].add(notes.stalls);
    to.own_stalls[of_stalls].add(notes.own_stalls);
    to.lateness.add(notes.lateness);
}

void print_round(std::size_t number, const scene& done, const settings& chosen) {
    const verdict& said = done.said();
    std::printf("%4zu %-48s %9s sent %8s again %7s lost/dropped/removed %4llu kills %3llu stops"
                "  longest stall %s\n",
                number, done.of().name.c_str(), with_commas(said.stored).c_str(),
                with_commas(said.again).c_str(),
                with_commas(said.lost + said.dropped + said.removed).c_str(),
                static_cast<unsigned long long>(done.what_happened().kills),
                static_cast<unsigned long long>(done.what_happened().stops),
                in_words(done.notes().stalls.longest()).c_str());
    for (const std::string& what : done.failures())
        std::printf("FAILED --seed %llu --kind '%s': %s\n",
                    static_cast<unsigned long long>(chosen.seed), done.of().name.c_str(),
                    what.c_str());
    std::fflush(stdout);
}

// One or several mailboxes at once, for so long.
void play_round(std::vector<std::unique_ptr<scene>>& scenes, std::int64_t length_ns) {
    for (auto& one : scenes) one->begin();
    const std::int64_t ends_ns = now_ns() + length_ns;
    const auto over = [&] {
        return now_ns() >= ends_ns ||
               std::ranges::all_of(scenes, [](const auto& one) { return one->over_early(); });
    };
    while (!over()) {
        for (auto& one : scenes) one->go_on(ends_ns);
        let_pass(200'000);
    }
    for (auto& one : scenes) one->end();
}

std::string percentiles_of(const histogram& of) {
    return "p50 " + in_words(of.below(0.5)) + ", p99 " + in_words(of.below(0.99)) + ", p99.9 " +
           in_words(of.below(0.999)) + ", longest " + in_words(of.longest()) + " (" +
           with_commas(of.count()) + ")";
}

void print_stalls(const sums& all) {
    constexpr const char* where[] = {"shm, small messages", "shm, large messages",
                                     "kernel facilities"};
    for (std::size_t i = 0; i < std::size(where); ++i) {
        if (all.stalls[i].count() == 0) continue;
        print_figure(std::string("storm survivor stall after a kill or stop, ") + where[i],
                     percentiles_of(all.stalls[i]),
                     i == 0 ? "p50 300 us, p99.9 5 ms, longest 100 ms" : "");
        print_figure(std::string("storm the same without its own waits for a CPU, ") + where[i],
                     percentiles_of(all.own_stalls[i]));
    }
    print_figure("storm control: lateness of a 1 ms wait in the same processes",
                 percentiles_of(all.lateness));
}

void print_figures(const sums& all) {
    const auto say = [](const char* name, std::uint64_t value, const char* target = "") {
        print_figure(std::string("storm ") + name, with_commas(value), target);
    };
    say("rounds", all.rounds.passed + all.rounds.failed);
    say("kinds of mailboxes", all.kinds.size());
    say("SIGKILLs", all.events.kills);
    say("SIGSTOPs", all.events.stops);
    say("forks in a participant", all.events.forks);
    say("execs in a participant", all.events.execs);
    say("processes that joined", all.events.joins);
    say("processes that left in good order", all.events.leaves);
    say("gc, info and ls beside it", all.events.looks);
    say("removals by force", all.events.removals);
    say("kills of all at once", all.events.massacres);
    say("messages whose send returned", all.fates.stored);
    say("delivered once", all.fates.once);
    say("delivered, and again flagged", all.fates.again);
    say("lost with a killed receiver, where the kind allows it", all.fates.lost);
    say("dropped and counted", all.fates.dropped);
    say("removed by force with their mailbox", all.fates.removed);
    say("refused, or killed inside send and never seen", all.fates.uncommitted);
    say("killed inside send, and delivered", all.fates.ambiguous);
    say("messages unexplained", all.fates.unexplained, "0");
    say("messages looked at again while in use",
        all.tallies[static_cast<std::size_t>(tally::checked_again)]);
    say("calls of a fork child refused",
        all.tallies[static_cast<std::size_t>(tally::forks_refused)]);
    say("names left by kills for gc", all.left_for_gc);
    say("failures of any kind, leaks included", all.failures, "0");
    if (all.failures == 0 && all.events.kills != 0) {
        char bound[96];
        std::snprintf(bound, sizeof bound, "%.2g for each kill (3/N, at 95 %%)",
                      3.0 / static_cast<double>(all.events.kills));
        print_figure("storm bound on the rate of failures", bound);
    }
    print_stalls(all);
}

// Of this process and in the directory, when no mailbox is there any more.
std::string what_is_left(std::size_t descriptors_before) {
    std::string left;
    const std::size_t descriptors = own_descriptors();
    if (descriptors != descriptors_before)
        left = std::to_string(descriptors) + " descriptors, before it " +
               std::to_string(descriptors_before) + "; ";
    if (scene::tend_all()) left += "a child; ";
    for (const std::string& name : test::left_over()) left += name + "; ";
    test::sweep_left_over();
    return left;
}

} // namespace

outcome storm(const settings& chosen) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    deck kinds(chosen);
    if (kinds.empty()) {
        std::printf("FAILED there is no kind with '%s' in its name; --list shows them\n",
                    chosen.kind.c_str());
        return {0, 1};
    }
    test::private_directory();
    std::mt19937_64 random(chosen.seed);
    auto all = std::make_unique<sums>();
    const std::int64_t ends_ns = now_ns() + chosen.storm_ns;
    for (std::size_t number = 1; now_ns() < ends_ns; ++number) {
        const std::size_t at_once = number % 4 == 0 ? 2 : 1;
        const std::int64_t usual_ns = chosen.sample ? second_ns / 2 : second_ns;
        std::int64_t length_ns =
            usual_ns + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(usual_ns));
        if (!chosen.sample && number % 10 == 0) length_ns *= 4;
        const std::size_t open_before = own_descriptors();
        {
            std::vector<std::unique_ptr<scene>> scenes;
            for (std::size_t i = 0; i < at_once; ++i)
                scenes.push_back(std::make_unique<scene>(
                    std::to_string(number) + (i == 0 ? "a" : "b"), kinds.next(), random()));
            play_round(scenes, length_ns);
            for (const auto& one : scenes) {
                add(*all, *one);
                print_round(number, *one, chosen);
            }
        }
        const std::string left = what_is_left(open_before);
        if (left.empty()) continue;
        std::printf("FAILED --seed %llu: after round %zu: %s\n",
                    static_cast<unsigned long long>(chosen.seed), number, left.c_str());
        ++all->failures;
        ++all->rounds.failed;
    }
    print_figures(*all);
    return all->rounds;
}

} // namespace hawser::storm
