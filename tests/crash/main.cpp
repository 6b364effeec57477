// Kill-anywhere: every operation, killed by a real SIGKILL after each of its instructions. See
// docs/design/kill-anywhere.md.
//
//   hawser_crash [--every | --sample] [--op NAME [--k K]] [--list]
//
// --every: each instruction of each operation. Long operations have 20,000, so that is 200 million
// steps for one of them; without --every the steps of an operation are limited to 20 million, with
// --sample to 100,000, and the kill points are spread evenly. A failure prints the operation and
// the k that repeat it.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <hawser/hawser.hpp>

#include "operations.hpp"
#include "stepper.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"
#include "support/watchdog.hpp"

namespace {

using namespace hawser;
using namespace hawser::crash;

struct settings {
    std::string only;
    std::uint64_t steps = 20'000'000; // of one operation, all kill points together
    std::uint64_t k = UINT64_MAX;
    bool list = false;
};

struct tally {
    std::uint64_t points = 0;
    std::uint64_t failures = 0;
    std::uint64_t instructions = 0;
    double worst_check_ms = 0;
};

// One kill. What is wrong, or nothing.
std::string kill_at(const operation& op, const scene& at, std::uint64_t k, stepped& ran) {
    at.said->done = false;
    at.said->taken = false;
    op.prepare(at);
    ran = run_and_kill([&] { op.act(at); }, k);
    if (ran.failed) return "the victim ended by itself";
    return op.check(at);
}

// Kill points that are so far apart take about so many steps together: the sum of all k.
std::uint64_t stride_for(std::uint64_t instructions, std::uint64_t steps) {
    return instructions * instructions / 2 / steps + 1;
}

tally try_all(const operation& op, const settings& chosen) {
    static test::shared<victims_word> said;
    const scene at{test::unique_name("crash"), op.options, &*said};
    tally result;
    // Two that live through all of it: what is broken once stays broken for them.
    std::optional<sender> out;
    std::optional<receiver> in;
    if (op.survivors) {
        out.emplace(sender::open(at.address()).value());
        in.emplace(receiver::open(at.address()).value());
    }
    stepped whole;
    const auto attempt = [&](std::uint64_t k) {
        const test::watchdog limit(std::chrono::seconds(60), op.name + " --k " + std::to_string(k));
        stepped ran;
        const std::string wrong = kill_at(op, at, k, ran);
        ++result.points;
        whole = ran;
        if (wrong.empty()) return;
        ++result.failures;
        std::printf("FAILED %s --k %llu: %s\n", op.name.c_str(), static_cast<unsigned long long>(k),
                    wrong.c_str());
    };
    if (chosen.k != UINT64_MAX) return attempt(chosen.k), result;
    // To its end, twice: the first time may be longer than all others. How long is it?
    attempt(UINT64_MAX);
    attempt(UINT64_MAX);
    result.instructions = whole.instructions;
    const std::uint64_t stride = stride_for(whole.instructions, chosen.steps);
    // Lengths differ a little from run to run (how long a spin lasts), so go on until it ends
    // before the kill.
    const std::uint64_t last = whole.instructions + stride;
    for (std::uint64_t k = 0; k <= last && result.failures < 5; k += stride) attempt(k);
    return result;
}

settings read_arguments(int count, char** words) {
    settings chosen;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> const char* {
            if (i + 1 < count) return words[++i];
            std::fprintf(stderr, "crash: %s needs a value\n", word.c_str());
            std::exit(2);
        };
        if (word == "--sample")
            chosen.steps = 100'000;
        else if (word == "--every")
            chosen.steps = UINT64_MAX;
        else if (word == "--op")
            chosen.only = value();
        else if (word == "--k")
            chosen.k = std::strtoull(value(), nullptr, 10);
        else if (word == "--list")
            chosen.list = true;
        else {
            std::fprintf(stderr, "crash: unknown argument %s\n", word.c_str());
            std::exit(2);
        }
    }
    return chosen;
}

} // namespace

int main(int count, char** words) {
    const settings chosen = read_arguments(count, words);
    test::private_directory();
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::printf("%-32s %12s %12s %8s %8s\n", "operation", "instructions", "kill points", "failed",
                "seconds");
    for (const auto& op : operations()) {
        if (!chosen.only.empty() && chosen.only != op.name) continue;
        if (chosen.list) {
            std::printf("%s\n", op.name.c_str());
            continue;
        }
        const auto start = std::chrono::steady_clock::now();
        const tally result = try_all(op, chosen);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        std::printf("%-32s %12llu %12llu %8llu %8.1f\n", op.name.c_str(),
                    static_cast<unsigned long long>(result.instructions),
                    static_cast<unsigned long long>(result.points),
                    static_cast<unsigned long long>(result.failures), took.count());
        std::fflush(stdout);
        passed += result.points - result.failures;
        failed += result.failures;
    }
    if (chosen.list) return 0;
    if (passed + failed == 0) std::fprintf(stderr, "crash: no such operation; --list shows them\n");
    const auto left = test::left_over();
    for (const auto& name : left) std::printf("left behind: %s\n", name.c_str());
    failed += left.size();
    std::printf("crash: %llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
                static_cast<unsigned long long>(failed));
    return failed == 0 && passed > 0 ? 0 : 1;
}
