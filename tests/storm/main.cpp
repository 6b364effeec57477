// The storm: processes that send and receive are killed, stopped, forked and replaced at random
// moments, on every kind of mailbox, against a ledger. docs/design/storm.md says what is checked.
//
//   hawser_storm [--for T] [--frozen T] [--seed S] [--kind TEXT] [--sample] [--list]
//                [--only storm|frozen|recovery]
//
// T is a time with its unit: 60s, 10m. --kind takes the kinds whose names contain TEXT (--list
// prints them). A seed repeats what the conductor and each player choose, but not how the kernel
// schedules them, so a failure need not come again.
// Statistical: no failure in N kills says that the rate is below 3/N (at 95 %), no more.

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>

#include <sys/resource.h>

#include "kinds.hpp"
#include "player.hpp"
#include "storm.hpp"

namespace hawser::storm {

void print_figure(const std::string& name, const std::string& value, const std::string& target) {
    std::printf("figure: %s = %s%s\n", name.c_str(), value.c_str(),
                target.empty() ? "" : (" (target: " + target + ")").c_str());
}

std::string in_words(std::int64_t ns) {
    std::array<char, 48> text{};
    const auto value = static_cast<double>(ns);
    if (ns < 1'000'000)
        std::snprintf(text.data(), text.size(), ns < 10'000 ? "%.1f us" : "%.0f us", value / 1e3);
    else
        std::snprintf(text.data(), text.size(), ns < 100'000'000 ? "%.1f ms" : "%.0f ms",
                      value / 1e6);
    return text.data();
}

std::string with_commas(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3)
        text.insert(static_cast<std::size_t>(at), ",");
    return text;
}

} // namespace hawser::storm

namespace {

using namespace hawser;
using namespace hawser::storm;

[[noreturn]] void refuse(const std::string& why) {
    std::fprintf(stderr,
                 "storm: %s\nusage: hawser_storm [--for T] [--frozen T] [--seed S] [--kind TEXT] "
                 "[--only storm|frozen|recovery] [--sample] [--list]\n",
                 why.c_str());
    std::exit(2);
}

std::int64_t time_from(const std::string& word) {
    const auto parsed = parse_duration(word.ends_with("m") ? word + "in" : word);
    if (!parsed || parsed->count() <= 0)
        refuse("'" + word + "' is no time: give a number with its unit, 60s or 10m");
    return parsed->count();
}

struct arguments {
    settings chosen;
    std::string only;
};

arguments read_arguments(int count, char** words) {
    arguments read;
    read.chosen.seed = std::random_device{}();
    bool frozen_given = false;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        if (word == "--sample") {
            read.chosen.sample = true;
            read.chosen.storm_ns = 6'000'000'000;
            read.chosen.frozen_ns = 1'000'000'000;
            continue;
        }
        if (word == "--list") {
            for (const kind& one : all_kinds()) std::printf("%s\n", one.name.c_str());
            std::exit(0);
        }
        if (i + 1 == count) refuse("unknown argument, or without its value: " + word);
        const std::string value = words[++i];
        if (word == "--for")
            read.chosen.storm_ns = time_from(value);
        else if (word == "--frozen")
            read.chosen.frozen_ns = time_from(value);
        else if (word == "--seed")
            read.chosen.seed = std::strtoull(value.c_str(), nullptr, 10);
        else if (word == "--kind")
            read.chosen.kind = value;
        else if (word == "--only")
            read.only = value;
        else
            refuse("unknown argument " + word);
        frozen_given = frozen_given || word == "--frozen";
    }
    constexpr std::int64_t long_ns = 300'000'000'000;
    if (!frozen_given && read.chosen.storm_ns >= long_ns) read.chosen.frozen_ns = 60'000'000'000;
    if (read.only.empty() && !read.chosen.kind.empty()) read.only = "storm";
    return read;
}

std::string load_average() {
    std::ifstream file("/proc/loadavg");
    std::string one;
    std::string five;
    file >> one >> five;
    return one + " (1 min), " + five + " (5 min)";
}

void add(outcome& to, const outcome& more) {
    to.passed += more.passed;
    to.failed += more.failed;
}

} // namespace

int main(int count, char** words) {
    if (count == 5 && std::strcmp(words[1], "--play") == 0) play_after_exec(words + 2);
    const arguments read = read_arguments(count, words);
    // Queues of several rounds may be there at a time; only root may raise it.
    const rlimit larger{64UL << 20U, 64UL << 20U};
    ::setrlimit(RLIMIT_MSGQUEUE, &larger);
    std::printf("storm, seed %llu; load of the machine before it: %s\n",
                static_cast<unsigned long long>(read.chosen.seed), load_average().c_str());
    std::fflush(stdout);
    const auto wanted = [&](const char* part) { return read.only.empty() || read.only == part; };
    outcome all;
    if (wanted("storm")) add(all, storm::storm(read.chosen));
    if (wanted("frozen")) add(all, frozen_peer(read.chosen));
    if (wanted("recovery")) add(all, recovery_time(read.chosen));
    print_figure("storm load of the machine", load_average());
    std::printf("storm: %zu passed, %zu failed\n", all.passed, all.failed);
    return all.failed == 0 && all.passed != 0 ? 0 : 1;
}
