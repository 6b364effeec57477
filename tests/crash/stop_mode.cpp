// Stopped at k while others go on: nothing of the stopped one is taken, nobody waits for it, and
// when it goes on, its operation comes out right.
//
// - A process that its tracer has stopped executes nothing, as under SIGSTOP; every tenth case
//   uses a real SIGSTOP and SIGCONT all the same.

#include <algorithm>
#include <cstdio>

#include "audit.hpp"
#include "modes.hpp"
#include "support/watchdog.hpp"

namespace hawser::crash {

namespace {

using clock = std::chrono::steady_clock;

std::uint64_t us_since(clock::time_point start) {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(clock::now() - start).count());
}

// What an observer sees of a living process: its slots, and what they hold.
std::string seen_of(const scene& at, pid_t pid) {
    if (at.path().empty()) return {};
    const auto info = inspect_mailbox(at.where);
    std::string seen;
    for (const auto& who : info ? info->participants : std::vector<participant_info>{})
        if (who.alive && who.pid == static_cast<std::uint32_t>(pid))
            seen += std::to_string(who.slot) + " " + std::string(name_of(who.role)) + " holds " +
                    std::to_string(who.messages_held) + "; ";
    return seen;
}

std::uint32_t flagged(const ledger& book) {
    std::uint32_t sum = 0;
    for (const auto& line : book.lines) sum += line.again;
    return sum;
}

// Others go on past the one that stands.
std::string others_go_on(const stage& on, pid_t stopped) {
    const scene& at = on.at();
    const std::string before = seen_of(at, stopped);
    if (auto wrong = on.played().meanwhile ? on.played().meanwhile(at) : pass_a_batch(at);
        !wrong.empty())
        return wrong;
    if (const auto after = seen_of(at, stopped); after != before)
        return "of the stopped one was '" + before + "' and is '" + after + "'";
    return at.survivors ? audit_with_one_stopped(at.name()) : std::string{};
}

std::string stop_at(stage& on, std::uint64_t k, const route* known, std::uint64_t& batch_us) {
    visit there(on, k, known);
    victim& who = there.who();
    if (who.failed()) return "the victim ended by itself";
    const bool for_real = k % 10 == 0 && !who.at_end();
    if (for_real) who.stop_for_real();
    const auto start = clock::now();
    std::string wrong = others_go_on(on, who.pid());
    batch_us = std::max(batch_us, us_since(start));
    const bool ended = for_real ? who.go_on_to_end() : who.finish();
    if (!ended && wrong.empty()) wrong = "when it went on, the victim did not come to its end";
    if (wrong.empty() && on.died_before() == 0 && flagged(*on.at().book) != 0)
        wrong = "a message is flagged as redelivered, and nobody died";
    who.kill();
    const std::string after = on.played().check(on.at());
    return wrong.empty() ? after : wrong;
}

} // namespace

bool can_be_stopped(const operation& op) {
    return op.survivors || op.meanwhile;
}

tally stop_everywhere(const operation& op, const extent& how) {
    tally result;
    stage on(op);
    const auto attempt = [&](std::uint64_t k, const route* known) {
        const std::string arguments = "--stop --op " + op.name + " --k " + std::to_string(k);
        const test::watchdog limit(std::chrono::minutes(5), arguments);
        try {
            result.note(stop_at(on, k, known, result.besides), arguments);
        } catch (const std::exception& why) {
            result.note(why.what(), arguments);
        }
    };
    if (how.only_one()) return attempt(how.k, nullptr), result;
    attempt(to_the_end, nullptr);
    result.besides = 0;
    const exploration& found = explore_once(on, result);
    const auto points = spread(result.instructions, how.most(3, 400));
    result.all_instructions = points.size() > result.instructions;
    for (const std::uint64_t k : points) {
        if (result.hopeless()) break;
        attempt(k, &found.way);
    }
    return result;
}

// ---- in the door
// ----------------------------------------------------------------------------------

namespace {

// For how many instructions of an operation it holds the door, and one of them in the middle.
struct held {
    std::uint64_t instructions = 0;
    std::uint64_t of = 0;
    std::uint64_t middle = to_the_end;
};
held how_long(stage& on, door kind) {
    auto who = enter(on);
    std::vector<std::uint64_t> points;
    while (who->step())
        if (door_of(on.at().name()) == kind) points.push_back(who->instructions());
    held found{points.size(), who->instructions(), to_the_end};
    if (!points.empty()) found.middle = points[points.size() / 2];
    who->kill();
    static_cast<void>(on.played().check(on.at()));
    return found;
}

void report(const std::string& what, clock::time_point start, const std::string& outcome) {
    std::printf("figure: stopped in the door: %s = %.1f ms (%s)\n", what.c_str(),
                static_cast<double>(us_since(start)) / 1000, outcome.c_str());
}

std::string said(const result<void>& done) {
    return done ? "done" : std::string(name_of(done.why().code()));
}

// What it costs to come while one is stopped there.
std::string come(const scene& at, const std::string& what) {
    const auto start = clock::now();
    auto late = sender::open(at.address());
    report(what, start, late ? "done" : std::string(name_of(late.why().code())));
    if (!late && !late.is(errc::timed_out)) return "open said " + late.why().describe();
    return {};
}

std::string go(const scene& at, const std::string& what, removal how) {
    const auto start = clock::now();
    const auto done = remove_mailbox(at.where, how);
    report(what, start, said(done));
    return done ? "it was removed while one was joining" : std::string{};
}

std::string in_the_removers_door(const operation& op, tally& result) {
    stage on(op);
    const held found = how_long(on, door::shut);
    std::printf("figure: stopped in the door: close holds it shut = %llu of %llu instructions\n",
                static_cast<unsigned long long>(found.instructions),
                static_cast<unsigned long long>(found.of));
    if (found.instructions == 0) return "the leaver never held the door";
    visit there(on, found.middle, nullptr);
    std::string wrong = come(on.at(), "open, while a remover is stopped (limit 5 s)");
    ++result.points;
    if (!there.who().finish()) wrong += " the remover did not come to its end";
    there.who().kill();
    return wrong.empty() ? on.played().check(on.at()) : wrong;
}

std::string in_the_joiners_door(const operation& op, tally& result) {
    stage on(op);
    const held found = how_long(on, door::ajar);
    std::printf("figure: stopped in the door: open holds it ajar = %llu of %llu instructions\n",
                static_cast<unsigned long long>(found.instructions),
                static_cast<unsigned long long>(found.of));
    if (found.instructions == 0) return "the joiner never held the door";
    visit there(on, found.middle, nullptr);
    const scene& at = on.at();
    std::string wrong = come(at, "open, while a joiner is stopped");
    if (wrong.empty()) wrong = others_go_on(on, there.who().pid());
    if (wrong.empty()) wrong = go(at, "rm, while a joiner is stopped", removal::if_unused);
    if (wrong.empty())
        wrong = go(at, "rm --force, while a joiner is stopped (limit 5 s)", removal::by_force);
    result.points += 3;
    if (!there.who().finish()) wrong += " the joiner did not come to its end";
    there.who().kill();
    return wrong.empty() ? on.played().check(at) : wrong;
}

} // namespace

tally stop_in_the_door(const extent& /*how*/) {
    tally result;
    for (const auto& op : operations()) {
        const test::watchdog limit(std::chrono::minutes(5), "--stop (in the door) " + op.name);
        if (op.name == "close-last")
            result.note(in_the_removers_door(op, result), "--stop (in the door) close-last");
        if (op.name == "total/open-sender")
            result.note(in_the_joiners_door(op, result), "--stop (in the door) total/open-sender");
    }
    return result;
}

} // namespace hawser::crash
