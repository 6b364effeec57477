// Kill it anywhere, stop it anywhere, fork it anywhere: every operation, at each of its
// instructions. See docs/design/kill-anywhere.md.
//
//   hawser_crash [--kill] [--stop] [--fork] [--nested] [--sample | --every] [--part I/N] [--seed S]
//                [--op NAME [--state I] [--k K]] [--list]
//
// Without a mode all four are run. --part takes each Nth operation, so that several processes share
// the work. A failure prints the arguments that repeat it.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include <sched.h>

#include <hawser/hawser.hpp>

#include "modes.hpp"
#include "support/place.hpp"

namespace {

using namespace hawser;
using namespace hawser::crash;

using number = unsigned long long;

struct settings {
    bool kill = false;
    bool stop = false;
    bool fork = false;
    bool nested = false;
    bool list = false;
    std::string only;
    unsigned part = 0;
    unsigned parts = 1;
    extent how;

    [[nodiscard]] bool all() const { return !kill && !stop && !fork && !nested; }
};

[[noreturn]] void wrong_argument(const std::string& what) {
    std::fprintf(stderr, "crash: %s\n", what.c_str());
    std::exit(2);
}

void read_part(settings& chosen, const std::string& text) {
    if (std::sscanf(text.c_str(), "%u/%u", &chosen.part, &chosen.parts) != 2 ||
        chosen.part >= chosen.parts)
        wrong_argument("--part needs I/N, with I from 0 to N-1");
}

settings read_arguments(int count, char** words) {
    settings chosen;
    chosen.how.seed = std::random_device{}();
    const std::pair<const char*, bool*> flags[] = {
        {"--kill", &chosen.kill},       {"--stop", &chosen.stop}, {"--fork", &chosen.fork},
        {"--nested", &chosen.nested},   {"--list", &chosen.list}, {"--sample", &chosen.how.sample},
        {"--every", &chosen.how.every},
    };
    const std::pair<const char*, std::uint64_t*> numbers[] = {
        {"--k", &chosen.how.k}, {"--state", &chosen.how.state}, {"--seed", &chosen.how.seed}};
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        bool known = false;
        for (const auto& [name, flag] : flags)
            if (word == name) *flag = known = true;
        if (known) continue;
        if (i + 1 == count) wrong_argument("unknown argument, or one without its value: " + word);
        const char* const value = words[++i];
        for (const auto& [name, to] : numbers)
            if (word == name) *to = std::strtoull(value, nullptr, 10), known = true;
        if (word == "--op") chosen.only = value, known = true;
        if (word == "--part") read_part(chosen, value), known = true;
        if (!known) wrong_argument("unknown argument " + word);
    }
    if (chosen.how.only_one() && chosen.all()) chosen.kill = true;
    return chosen;
}

// Stepping is a dialogue of two processes: on one CPU it takes half as long. In parts each takes
// one of those that there are.
void take_a_cpu(const settings& chosen) {
    if (chosen.parts == 1) return;
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    unsigned index = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed) || index++ != chosen.part) continue;
        cpu_set_t own;
        CPU_ZERO(&own);
        CPU_SET(cpu, &own);
        ::sched_setaffinity(0, sizeof own, &own);
    }
}

struct totals {
    std::uint64_t operations = 0;
    std::uint64_t points = 0;
    std::uint64_t failures = 0;
    std::uint64_t states = 0;
    std::uint64_t besides = 0; // tally::besides, in all …
    std::uint64_t longest = 0; // … and the most of them
    std::uint64_t exact = 0;   // operations of which every instruction was tried
    std::uint64_t whole = 0;   // … of which at least every state was tried
};

using mode = tally (*)(const operation&, const extent&);
using choice = bool (*)(const operation&);

totals run_mode(const char* name, mode run, std::span<const operation> all, choice suits,
                const settings& chosen) {
    totals sum;
    std::printf("\n%-8s %-34s %12s %8s %8s %8s %8s\n", "mode", "operation", "instructions",
                "states", "points", "failed", "seconds");
    unsigned index = 0;
    for (const auto& op : all) {
        if (!suits(op) || (!chosen.only.empty() && chosen.only != op.name)) continue;
        if (index++ % chosen.parts != chosen.part) continue;
        const auto start = std::chrono::steady_clock::now();
        const tally result = run(op, chosen.how);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        std::printf("%-8s %-34s %12llu %8llu %8llu %8llu %8.1f\n", name, op.name.c_str(),
                    static_cast<number>(result.instructions), static_cast<number>(result.states),
                    static_cast<number>(result.points), static_cast<number>(result.failures),
                    took.count());
        std::fflush(stdout);
        ++sum.operations;
        sum.points += result.points;
        sum.failures += result.failures;
        sum.states += result.states;
        sum.besides += result.besides;
        sum.longest = std::max(sum.longest, result.besides);
        sum.exact += result.all_instructions ? 1 : 0;
        sum.whole += result.all_states ? 1 : 0;
    }
    return sum;
}

void figure(const char* name, std::uint64_t value, const char* more = "") {
    std::printf("figure: %s = %llu%s\n", name, static_cast<number>(value), more);
}

bool any(const operation&) {
    return true;
}

void figures(const std::string& name, const totals& sum) {
    figure((name + ": operations").c_str(), sum.operations);
    figure((name + ": points tried").c_str(), sum.points);
    figure((name + ": points survived").c_str(), sum.points - sum.failures, " (target: all)");
}

totals run_kill(const settings& chosen) {
    const totals sum = run_mode("kill", kill_everywhere, operations(), any, chosen);
    figures("kill", sum);
    figure("kill: operations tried at every instruction", sum.exact);
    figure("kill: operations tried in every state that a kill can leave", sum.whole);
    figure("kill: states that kills can leave", sum.states);
    return sum;
}

totals run_stop(const settings& chosen) {
    totals sum = run_mode("stop", stop_everywhere, operations(), can_be_stopped, chosen);
    figures("stop", sum);
    figure("stop: operations tried at every instruction", sum.exact);
    figure("stop: longest batch of 12 messages past a stopped one, in microseconds", sum.longest);
    if (chosen.only.empty() && chosen.part == 0) {
        const tally door = stop_in_the_door(chosen.how);
        sum.points += door.points;
        sum.failures += door.failures;
    }
    return sum;
}

totals run_fork(const settings& chosen) {
    const totals sum = run_mode("fork", fork_everywhere, operations(), any, chosen);
    figures("fork", sum);
    figure("fork: forks that waited for the operation to leave the allocator or a list",
           sum.besides);
    return sum;
}

totals run_nested(const settings& chosen) {
    const auto all = nested_operations();
    const totals sum = run_mode("nested", nested_everywhere, all, any, chosen);
    figures("nested", sum);
    figure("nested: states of the first victims", sum.states);
    figure("nested: states of the repairers, all first states together", sum.besides);
    figure("nested: pairs tried in every state of both", sum.whole);
    return sum;
}

int list() {
    for (const auto& op : operations()) std::printf("%s\n", op.name.c_str());
    for (const auto& op : nested_operations()) std::printf("%s\n", op.name.c_str());
    return 0;
}

} // namespace

int main(int count, char** words) {
    const settings chosen = read_arguments(count, words);
    if (chosen.list) return list();
    test::private_directory();
    take_a_cpu(chosen);
    std::uint64_t points = 0;
    std::uint64_t failures = 0;
    const auto add = [&](const totals& sum) { points += sum.points, failures += sum.failures; };
    if (chosen.kill || chosen.all()) add(run_kill(chosen));
    if (chosen.stop || chosen.all()) add(run_stop(chosen));
    if (chosen.fork || chosen.all()) add(run_fork(chosen));
    if (chosen.nested || chosen.all()) add(run_nested(chosen));
    if (points == 0) std::fprintf(stderr, "crash: no such operation; --list shows them\n");
    const auto left = test::left_over();
    for (const auto& name : left) std::printf("left behind: %s\n", name.c_str());
    failures += left.size();
    std::printf("crash: %llu passed, %llu failed\n",
                static_cast<number>(points > failures ? points - failures : 0),
                static_cast<number>(failures));
    return failures == 0 && points > 0 ? 0 : 1;
}
