// Deterministic scheduler tests: the shipped templates of src/sync in a mailbox in miniature, on a
// machine that decides who runs, which value a load returns, who is killed and when.
//
//   hawser_schedules [--sample] [--seed N] [--random N] [--only plays|faults|orders]
//                    [--play NAME] [--fault NAME | --weaken NAME] [--replay CHOICES] [--list]
//
// Each play is searched in full within its bounds (table in scenarios.cpp; the narrow ones with
// --sample), then N times by chance. Then what is broken on purpose has to be found: faults, and
// each memory order made weaker that is not in the list of those which this model does not need
// (faults.cpp). --sample begins with seed 1, so that it is always the same. A failure prints the
// choices; --play NAME --replay CHOICES shows them step by step, with the same --fault or --weaken
// if there was one.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "faults.hpp"
#include "scenarios.hpp"

namespace {

using namespace hawser::schedules;

struct settings {
    bool sample = false;
    std::uint64_t seed = 0;
    std::uint64_t random = 0; // executions by chance of each play; 0: as many as usual
    std::string only;
    std::string play;
    std::string fault;
    std::string weaken;
    std::optional<std::string> replay;
    bool list = false;

    [[nodiscard]] bool does(const char* part) const { return only.empty() || only == part; }
};

struct totals {
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t executions = 0;
    std::uint64_t random = 0;
    std::uint64_t steps = 0;
    std::uint64_t faults = 0;
    std::uint64_t orders_found = 0;
    std::uint64_t orders_not_needed = 0;
    double seconds = 0;
};

class stopwatch {
  public:
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

  private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct result {
    bool failed = false;
    std::uint64_t executions = 0;
    std::uint64_t steps = 0;
    std::uint64_t kills = 0;
    double seconds = 0;
    std::string why;
    std::string choices;
};

// Until one fails, all are through, or there were `most`.
result run(const play& one, path choices, std::uint64_t most) {
    const stopwatch watch;
    result all;
    while (!all.failed && all.executions < most && choices.next()) {
        const machine::ending end = perform(one, choices);
        ++all.executions;
        all.steps += end.steps;
        all.kills += end.crashes;
        all.failed = end.failed;
    }
    if (all.failed) {
        all.why = the_machine().failure();
        all.choices = choices.text();
    }
    all.seconds = watch.seconds();
    return all;
}

// A long list of choices of which most do not matter: leaves out what can be left out.
void shorten(const play& one, result& bad) {
    const auto split = [](const std::string& text) {
        std::vector<std::string> parts;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = std::min(text.find(',', at), text.size());
            parts.push_back(text.substr(at, end - at));
            at = end + 1;
        }
        return parts;
    };
    constexpr int rounds = 3;
    for (int round = 0; round < rounds; ++round) {
        std::vector<std::string> parts = split(bad.choices);
        for (std::size_t out = 0; out < parts.size(); ++out) {
            std::string fewer;
            for (std::size_t i = 0; i < parts.size(); ++i)
                if (i != out) fewer += (fewer.empty() ? "" : ",") + parts[i];
            const result again = run(one, path::replay(fewer), 1);
            if (!again.failed || again.choices.size() >= bad.choices.size()) continue;
            bad.choices = again.choices;
            bad.why = again.why;
            parts = split(bad.choices);
            --out;
        }
    }
}

std::string text_of(const bounds& at_most) {
    std::string text;
    for (std::size_t i = 1; i < deviation_kinds; ++i)
        if (at_most[i] != 0)
            text += ' ' + std::string(name_of(static_cast<deviation>(i))) + ' ' +
                    std::to_string(at_most[i]);
    return "any " + std::to_string(at_most[0]) + " of" + text;
}

const play& play_of(const std::string& name) {
    for (const play& one : plays())
        if (name == one.name) return one;
    throw std::invalid_argument("there is no play '" + name + "'; --list shows them");
}

class suite {
  public:
    explicit suite(const settings& how) : how_(how) {}

    int run_all() {
        std::printf("seed %llu\n", static_cast<unsigned long long>(how_.seed));
        if (how_.does("plays")) run_plays();
        if (how_.does("faults") && how_.play.empty()) find_faults();
        if (how_.does("orders") && how_.play.empty()) find_weakenings();
        print_figures();
        std::printf("schedules: %llu passed, %llu failed\n",
                    static_cast<unsigned long long>(all_.passed),
                    static_cast<unsigned long long>(all_.failed));
        return all_.failed == 0 ? 0 : 1;
    }

    // One execution, step by step.
    int replay() {
        the_machine().trace(true);
        const result one = run(play_of(how_.play), path::replay(*how_.replay), 1);
        std::printf("%s\n", one.failed ? one.why.c_str() : "no failure");
        return one.failed ? 1 : 0;
    }

  private:
    void count(const result& one) {
        all_.executions += one.executions;
        all_.steps += one.steps;
        all_.seconds += one.seconds;
    }

    void report(const play& one, const char* how, result done) {
        std::printf("  %-14s %-11s %10llu executions, %8llu kills, %5.1f s  %s\n", one.name, how,
                    static_cast<unsigned long long>(done.executions),
                    static_cast<unsigned long long>(done.kills), done.seconds,
                    done.failed ? "FAILED" : "ok");
        if (done.failed) {
            shorten(one, done);
            std::printf("FAILED %s: %s\n  --play %s --replay %s\n", one.name, done.why.c_str(),
                        one.name, done.choices.empty() ? "0:0" : done.choices.c_str());
        }
        std::fflush(stdout);
        ++(done.failed ? all_.failed : all_.passed);
    }

    void run_plays() {
        for (const play& one : plays()) {
            if (!how_.play.empty() && how_.play != one.name) continue;
            const bounds& within = how_.sample ? one.sample : one.full;
            const result every = run(one, path::exhaustive(within), UINT64_MAX);
            count(every);
            report(one, "exhaustive", every);
            constexpr std::uint64_t usual = 500'000;
            constexpr std::uint64_t few = 3'000;
            const std::uint64_t most = how_.random != 0 ? how_.random : how_.sample ? few : usual;
            const result some = run(one, path::random(how_.seed, one.by_chance()), most);
            count(some);
            all_.random += some.executions;
            report(one, "by chance", some);
        }
    }

    // Does any of the plays fail, by chance? All a little, then all for longer.
    bool is_found(const std::vector<const play*>& in, const std::vector<std::uint64_t>& rounds,
                  result& how, const play*& where) {
        for (const std::uint64_t most : rounds) {
            for (const play* one : in) {
                where = one;
                how = run(*one, path::random(how_.seed, one->by_chance()), most);
                if (!how.failed) continue;
                shorten(*one, how);
                return true;
            }
        }
        return false;
    }

    void say_found(const std::string& name, const char* option, const play& where,
                   const result& how) {
        std::printf("  found  %-58s %s\n         --play %s %s '%s' --replay %s\n", name.c_str(),
                    how.why.c_str(), where.name, option, name.c_str(),
                    how.choices.empty() ? "0:0" : how.choices.c_str());
        std::fflush(stdout);
        ++all_.passed;
    }

    void find_faults() {
        for (const broken_part& part : broken_parts()) {
            const broken_meanwhile broken(part.what);
            std::vector<const play*> in;
            for (const char* name : part.plays) in.push_back(&play_of(name));
            result how;
            const play* where = nullptr;
            if (is_found(in, {1'000, 10'000, 1'000'000}, how, where)) {
                ++all_.faults;
                say_found(part.name, "--fault", *where, how);
            } else {
                std::printf("FAILED fault %s (%s) was not found\n", part.name, part.says);
                ++all_.failed;
            }
        }
    }

    void find_weakenings() {
        std::vector<std::uint64_t> rounds{1'000, 10'000};
        if (!how_.sample) rounds.push_back(50'000);
        for (const weakening& one : all_weakenings()) {
            const std::string reason = why_not_needed(one.name);
            if (!reason.empty() && how_.sample) continue; // that takes long to confirm
            const broken_meanwhile broken(one);
            std::vector<const play*> in;
            for (std::size_t i = 0; i < plays().size(); ++i)
                if ((one.at.plays >> i & 1) != 0) in.push_back(&plays()[i]);
            result how;
            const play* where = nullptr;
            const bool found = is_found(in, rounds, how, where);
            if (found && reason.empty()) {
                ++all_.orders_found;
                say_found(one.name, "--weaken", *where, how);
            } else if (found) {
                std::printf("FAILED %s is listed as not needed, but it is\n", one.name.c_str());
                say_found(one.name, "--weaken", *where, how);
                ++all_.failed;
            } else if (reason.empty()) {
                std::printf("FAILED %s was not found\n", one.name.c_str());
                ++all_.failed;
            } else {
                std::printf("  no use %-58s %s\n", one.name.c_str(), reason.c_str());
                ++all_.orders_not_needed;
                ++all_.passed;
            }
            std::fflush(stdout);
        }
    }

    void print_figures() const {
        const auto number = [](const char* name, std::uint64_t value) {
            if (value != 0)
                std::printf("figure: %s = %llu\n", name, static_cast<unsigned long long>(value));
        };
        number("schedules searched in full", all_.executions - all_.random);
        number("schedules by chance", all_.random);
        number("steps of schedules", all_.steps);
        if (all_.seconds > 0)
            std::printf("figure: steps of schedules per second = %.1f million\n",
                        static_cast<double>(all_.steps) / all_.seconds / 1e6);
        number("protocol faults found by schedules", all_.faults);
        number("weakened orders found by schedules", all_.orders_found);
        number("weakened orders that make no difference, with a reason", all_.orders_not_needed);
    }

    settings how_;
    totals all_;
};

settings read(const std::vector<std::string>& arguments) {
    settings how;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& option = arguments[i];
        const auto value = [&] {
            if (i + 1 == arguments.size()) throw std::invalid_argument(option + " needs a value");
            return arguments[++i];
        };
        if (option == "--sample")
            how.sample = true;
        else if (option == "--list")
            how.list = true;
        else if (option == "--seed")
            how.seed = std::stoull(value());
        else if (option == "--random")
            how.random = std::stoull(value());
        else if (option == "--only")
            how.only = value();
        else if (option == "--play")
            how.play = value();
        else if (option == "--fault")
            how.fault = value();
        else if (option == "--weaken")
            how.weaken = value();
        else if (option == "--replay")
            how.replay = value();
        else
            throw std::invalid_argument("unknown argument '" + option + "'");
    }
    if (how.replay && how.play.empty()) throw std::invalid_argument("--replay needs --play");
    if (how.seed == 0) how.seed = how.sample ? 1 : std::random_device{}();
    return how;
}

void list() {
    for (const play& one : plays())
        std::printf("%-14s %s\n  --sample: %s\n  full:     %s\n", one.name, one.says,
                    text_of(one.sample).c_str(), text_of(one.full).c_str());
    for (const broken_part& part : broken_parts())
        std::printf("--fault %-28s %s\n", part.name, part.says);
    for (const weakening& one : all_weakenings()) std::printf("--weaken '%s'\n", one.name.c_str());
}

int run_broken(suite& all, const settings& how) {
    for (const broken_part& part : broken_parts()) {
        if (how.fault != part.name) continue;
        const broken_meanwhile broken(part.what);
        return how.replay ? all.replay() : all.run_all();
    }
    for (const weakening& one : all_weakenings()) {
        if (how.weaken != one.name) continue;
        const broken_meanwhile broken(one);
        return how.replay ? all.replay() : all.run_all();
    }
    throw std::invalid_argument("there is no such fault or order; --list shows them");
}

} // namespace

int main(int argc, char** argv) {
    try {
        settings how = read({argv + 1, argv + argc});
        if (how.list) {
            list();
            return 0;
        }
        if (!how.fault.empty() || !how.weaken.empty()) {
            how.only = "plays";
            suite all(how);
            return run_broken(all, how);
        }
        suite all(how);
        return how.replay ? all.replay() : all.run_all();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "schedules: %s\n", problem.what());
        std::printf("schedules: 0 passed, 1 failed\n");
        return 2;
    }
}
