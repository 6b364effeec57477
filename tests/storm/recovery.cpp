// How long one census takes to repair a dead participant.
//
// The dead is a sender that had nothing, or a receiver with all its loans in use, in mailboxes of
// several sizes, with and without blocks. The census is called directly and timed; what it has done
// is looked at. The longest of all tries counts the scheduler, too.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "ledger.hpp"
#include "player.hpp"
#include "segment/participant.hpp"
#include "storm.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::storm {

namespace {

struct setting {
    const char* name;
    const char* address;
    bool receiver;         // the dead
    std::size_t bytes;     // of each message
    std::uint64_t holds;   // messages in use by the dead
    std::uint64_t waiting; // and queued
    bool lost = false;     // with delivery=at_most_once: they are freed, not kept
};

constexpr setting all_settings[] = {
    {"1,536 chunks, a sender with nothing", "shm:recovery", false, 64, 0, 0},
    {"1,536 chunks, a receiver with 8 small messages", "shm:recovery", true, 64, 8, 0},
    {"1,536 chunks, a receiver with 8 blocks, 500 others in use", "shm:recovery", true, 3000, 8,
     500},
    {"264,192 chunks, a receiver with 32 small messages",
     "shm:recovery?order=sender&capacity=4096&loans=32", true, 64, 32, 0},
    {"264,192 chunks, a receiver with 32 blocks, 4,000 others in use",
     "shm:recovery?order=sender&capacity=4096&loans=32&max_memory=1GiB", true, 3000, 32, 4000},
    {"264,192 chunks, a receiver with 32 blocks that are freed, 4,000 others in use",
     "shm:recovery?order=sender&capacity=4096&loans=32&max_memory=1GiB&delivery=at_most_once", true,
     3000, 32, 4000, true},
};

struct tried {
    std::int64_t took_ns = 0;
    std::int64_t idle_ns = 0; // a census that finds nobody dead
    std::uint32_t chunks = 0;
    bool well = false;
};

pid_t start_victim(const setting& of, std::atomic<bool>& ready) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::string name = "shm:recovery";
    if (!of.receiver) {
        const auto out = sender::open(name).value();
        ready.store(true);
        for (;;) ::pause();
    }
    auto in = receiver::open(name).value();
    std::vector<message> held;
    while (held.size() < of.holds) held.push_back(in.receive().value());
    ready.store(true);
    for (;;) ::pause();
}

// One mailbox, one death, one census.
tried try_once(const setting& of) {
    tried result;
    test::shared<std::atomic<bool>> ready;
    auto out = sender::open(of.address).value();
    const auto repairer = segment::participant::join("recovery", {}, segment::slot_state::sender);
    if (!repairer) return result;
    const std::string text(of.bytes, 'x');
    for (std::uint64_t i = 0; i < of.holds + of.waiting; ++i) out.send(text).value();
    const pid_t victim = start_victim(of, *ready);
    test::until([&] { return ready->load(); });
    const std::int64_t before = now_ns();
    (*repairer)->census();
    result.idle_ns = now_ns() - before;
    ::kill(victim, SIGKILL);
    ::waitpid(victim, nullptr, 0);
    const std::int64_t begin = now_ns();
    (*repairer)->census();
    result.took_ns = now_ns() - begin;
    result.chunks = (*repairer)->memory().plan().chunks;
    const auto seen = inspect_mailbox("shm:recovery").value();
    const auto dead = std::ranges::count_if(seen.participants, [](const auto& one) {
        return !one.alive && one.role != participant_role::none && one.messages_held == 0;
    });
    result.well = seen.counters.reaped == 1 && seen.held == (of.lost ? 0 : of.holds) && dead == 0;
    (*repairer)->retire();
    remove_mailbox("shm:recovery", removal::by_force).value();
    return result;
}

outcome try_setting(const setting& of, std::size_t times) {
    std::vector<std::int64_t> took_ns;
    std::vector<std::int64_t> idle_ns;
    std::uint32_t chunks = 0;
    for (std::size_t i = 0; i < times; ++i) {
        const tried one = try_once(of);
        if (!one.well) {
            std::printf("FAILED --only recovery: %s: the census did not repair it\n", of.name);
            return {0, 1};
        }
        took_ns.push_back(one.took_ns);
        idle_ns.push_back(one.idle_ns);
        chunks = one.chunks;
    }
    std::ranges::sort(took_ns);
    std::ranges::sort(idle_ns);
    const std::int64_t median_ns = took_ns[took_ns.size() / 2];
    print_figure(std::string("recovery, ") + of.name,
                 in_words(median_ns) + " (longest of " + std::to_string(times) + ": " +
                     in_words(took_ns.back()) +
                     "; a census with nobody dead: " + in_words(idle_ns[idle_ns.size() / 2]) +
                     "), for 1,024 chunks " + in_words(median_ns * 1024 / chunks),
                 "1 ms for 1,024 chunks");
    return {1, 0};
}

} // namespace

outcome recovery_time(const settings& chosen) {
    test::private_directory();
    outcome all;
    for (const setting& of : all_settings) {
        const outcome one = try_setting(of, chosen.sample ? 3 : 21);
        all.passed += one.passed;
        all.failed += one.failed;
    }
    const auto left = test::left_over();
    if (!left.empty()) std::printf("FAILED --only recovery: left behind: %s\n", left[0].c_str());
    all.failed += left.size();
    return all;
}

} // namespace hawser::storm
