// hawser bench: what a message costs here, beside what the machine itself costs.
#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "bench_pair.hpp"
#include "bench_transports.hpp"
#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser bench", "round trip and rate of 64-byte messages, as ratios to the machine's floor"},
    {"hawser bench --size 4KiB --runs 9", "larger messages, more runs"},
    {"hawser bench --transports", "all transports of this build beside each other"},
}};

struct bench_flags {
    std::string size = "64B";
    std::uint64_t runs = 5;
    std::uint64_t messages = 1'000'000;
    bool transports = false;
};

enum class measure : std::uint8_t { round_trip, one_way };

struct bench_case {
    std::string name;
    std::string options;
    measure what = measure::round_trip;
    std::vector<double> ns{};     // one for each run
    std::vector<double> ratios{}; // to the floor of the same run
};

// Two mailboxes that go when the scope ends, however it ends.
class two_mailboxes {
  public:
    explicit two_mailboxes(const std::string& options) : options_(options) {}
    ~two_mailboxes() {
        for (const auto& name : {there_, back_})
            static_cast<void>(hawser::remove_mailbox("shm:" + name, hawser::removal::by_force));
    }
    two_mailboxes(const two_mailboxes&) = delete;
    two_mailboxes& operator=(const two_mailboxes&) = delete;
    [[nodiscard]] std::string there() const { return "shm:" + there_ + options_; }
    [[nodiscard]] std::string back() const { return "shm:" + back_ + options_; }

  private:
    std::string options_;
    std::string there_ = fmt::format("bench-{}-there", ::getpid());
    std::string back_ = fmt::format("bench-{}-back", ::getpid());
};

// Both sides have opened before the clock starts, so neither pays for the other's start.
double round_trip_ns(const bench_case& what, std::size_t size, std::uint64_t messages) {
    constexpr std::uint64_t in_batch = 1000;
    const two_mailboxes names(what.options);
    const std::uint64_t batches = std::max<std::uint64_t>(messages / in_batch / 4, 10);
    double found = 0;
    run_pair(
        [&] {
            auto in = hawser::receiver::open(names.there()).value();
            auto out = hawser::sender::open(names.back()).value();
            for (std::uint64_t i = 0; i < batches * in_batch + 1; ++i)
                out.send(in.receive().value().bytes()).value();
        },
        [&] {
            auto in = hawser::receiver::open(names.back()).value();
            auto out = hawser::sender::open(names.there()).value();
            const std::vector<std::byte> bytes(size, std::byte{'h'});
            out.send(bytes).value();
            in.receive().value();
            found = median_ns(batches, in_batch, [&](std::uint64_t count) {
                for (std::uint64_t i = 0; i < count; ++i) {
                    out.send(bytes).value();
                    in.receive().value();
                }
            });
        });
    return found;
}

// Time for each message at the receiving side, from the first to the last.
double one_way_ns(const bench_case& what, std::size_t size, std::uint64_t messages) {
    const two_mailboxes names(what.options);
    double found = 0;
    run_pair(
        [&] {
            auto out = hawser::sender::open(names.there()).value();
            auto ready = hawser::receiver::open(names.back()).value();
            ready.receive().value();
            const std::vector<std::byte> bytes(size, std::byte{'h'});
            for (std::uint64_t i = 0; i < messages + 1; ++i) out.send(bytes).value();
            ready.receive().value(); // stays until all is read
        },
        [&] {
            auto in = hawser::receiver::open(names.there()).value();
            auto ready = hawser::sender::open(names.back()).value();
            ready.send("go").value();
            in.receive().value();
            found = median_ns(1, messages, [&](std::uint64_t count) {
                for (std::uint64_t i = 0; i < count; ++i) in.receive().value();
            });
            ready.send("done").value();
        });
    return found;
}

std::vector<bench_case> all_cases() {
    return {
        {"round trip, wait=spin", "?wait=spin", measure::round_trip},
        {"round trip, wait=spin, order=sender", "?wait=spin&order=sender", measure::round_trip},
        {"round trip, wait=adaptive", "?wait=adaptive", measure::round_trip},
        {"one way, wait=spin", "?wait=spin", measure::one_way},
        {"one way, wait=spin, order=sender", "?wait=spin&order=sender", measure::one_way},
        {"one way, wait=adaptive", "?wait=adaptive", measure::one_way},
    };
}

struct measured {
    std::vector<bench_case> cases = all_cases();
    std::vector<double> floors_ns;
};

// The floor right before and right after each case: on a shared machine it moves.
measured measure_all(const bench_flags& flags, std::size_t size) {
    constexpr std::uint64_t floor_batches = 200;
    measured result;
    for (std::uint64_t run = 0; run < flags.runs; ++run) {
        double floor = ping_pong_ns(floor_batches);
        for (bench_case& one : result.cases) {
            if (is_terminal(stream::err))
                fmt::print(stderr, "\r\x1b[Krun {} of {}: {}", run + 1, flags.runs, one.name);
            const bool trip = one.what == measure::round_trip;
            const double ns = trip ? round_trip_ns(one, size, flags.messages)
                                   : one_way_ns(one, size, flags.messages);
            const double after = ping_pong_ns(floor_batches);
            one.ns.push_back(ns);
            one.ratios.push_back(ns / ((floor + after) / 2));
            result.floors_ns.push_back(floor);
            floor = after;
        }
    }
    if (is_terminal(stream::err)) fmt::print(stderr, "\r\x1b[K");
    return result;
}

bool print_text(const context& here, const measured& found, std::size_t size) {
    const auto [least, most] = std::ranges::minmax(found.floors_ns);
    fmt::print(
        "{} messages between two processes; medians of {} runs, the floor measured beside "
        "each.\nFloor: two-line cache ping-pong, round trip {:.0f} ns (from {:.0f} to {:.0f})\n\n",
        human_size(size), found.cases.front().ns.size(), median_of(found.floors_ns), least, most);
    table rows(
        {{"case"}, {"each", align::right}, {"rate", align::right}, {"of floor", align::right}});
    for (const bench_case& one : found.cases) {
        const double ns = median_of(one.ns);
        rows.add({one.name, fmt::format("{:.1f} ns", ns), human_rate(1e9 / ns),
                  fmt::format("{:.2f}", median_of(one.ratios))});
    }
    return rows.print(here);
}

bool print_json(const measured& found, std::size_t size) {
    json document = envelope("bench");
    document["size_bytes"] = size;
    document["floor_ns"] = median_of(found.floors_ns);
    document["floors_ns"] = found.floors_ns;
    for (const bench_case& one : found.cases)
        document["cases"].push_back({{"name", one.name},
                                     {"options", one.options},
                                     {"median_ns", median_of(one.ns)},
                                     {"median_ratio", median_of(one.ratios)},
                                     {"ns", one.ns},
                                     {"ratios", one.ratios}});
    return print_document(document);
}

exit_code run_bench(const context& here, const bench_flags& flags) {
    const auto size = hawser::parse_size(flags.size);
    if (!size) return fail(here, size.why());
    if (usable_cpus().size() < 2)
        fmt::print(stderr, "hawser bench: only one CPU to run on; the figures show switching "
                           "between processes, not messages\n");
    try {
        if (flags.transports) return bench_transports(here, flags.runs);
        const measured found = measure_all(flags, *size);
        const bool written = here.json ? print_json(found, *size) : print_text(here, found, *size);
        return written ? exit_ok : exit_failed;
    } catch (const hawser::exception& why) {
        return fail(here, why.why());
    } catch (const std::runtime_error& why) {
        fmt::print(stderr, "hawser bench: {}\n", why.what());
        return exit_failed;
    }
}

} // namespace

void add_bench(CLI::App& app, context& here) {
    auto flags = std::make_shared<bench_flags>();
    CLI::App* const verb = add_verb(
        app, "bench", "Measure round trips and rates beside the machine's floor.", examples);
    verb->add_option("--size", flags->size, "bytes of a message")->type_name("SIZE");
    verb->add_option("--runs", flags->runs, "how often each case is measured")
        ->check(CLI::Range(1, 1000));
    verb->add_option("--messages", flags->messages, "messages of one measurement of a rate")
        ->check(CLI::Range(1000, 1'000'000'000));
    verb->add_flag("--transports", flags->transports,
                   "all transports beside each other, with sizes of their own");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_bench(here, *flags); });
}

} // namespace tool
