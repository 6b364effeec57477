#include "transports.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "crew.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "routes.hpp"
#include "shared.hpp"
#include "statistics.hpp"
#include "terminal/terminal.hpp"

namespace tool {
namespace {

using bench::median_ns;
using bench::median_of;
using bench::run_pair;
using bench::shared;
using std::chrono::milliseconds;

constexpr std::size_t small = 64;
constexpr std::size_t large = 64UL * 1024;
// Long enough for the clock, short enough for eleven schemes.
constexpr std::uint64_t trips = 4'000;
constexpr std::uint64_t small_messages = 60'000;
constexpr std::uint64_t large_bytes = 256ULL << 20U;
// When nothing has come for so long, the rest of a lossy facility is lost.
constexpr milliseconds silence{300};

struct scheme_figures {
    hawser::transport_info about;
    std::size_t large_size = large; // or the largest that the facility takes
    std::vector<double> trip_ns;
    std::vector<double> message_ns;
    std::vector<double> bytes_per_s;
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
};

struct flow {
    double seconds = 0;
    std::uint64_t received = 0;
};

// Each side opens its receiver, then both their senders: nobody sends into the void.
struct two_ends {
    hawser::receiver in;
    hawser::sender out;
};
two_ends open_both(const route& hears, const route& speaks, meeting_point& met) {
    auto in = hears.open_receiver().value();
    met.arrive();
    auto out = speaks.open_sender().value();
    return {std::move(in), std::move(out)};
}

// A lossy facility may lose a message of a round trip; then it is sent again.
hawser::message answer_of(two_ends& ends, std::span<const std::byte> bytes, bool reliable) {
    if (reliable) return ends.in.receive().value();
    for (;;) {
        auto got = ends.in.receive_for(silence);
        if (got) return std::move(*got);
        if (!got.is(hawser::errc::timed_out)) throw hawser::exception(got.why());
        ends.out.send(bytes).value();
    }
}

double measure_trip_ns(const hawser::transport_info& about) {
    const route there = make_route(about.scheme, "there");
    const route back = make_route(about.scheme, "back");
    meeting_point met;
    const bool reliable = about.can.reliable;
    const shared<double> found;
    run_pair(
        [&] {
            auto ends = open_both(there, back, met);
            // Ends with an empty message.
            for (;;) {
                auto got = ends.in.receive().value();
                if (got.empty()) break;
                ends.out.send(got.bytes()).value();
            }
        },
        [&] {
            auto ends = open_both(back, there, met);
            const std::vector<std::byte> bytes(small, std::byte{'h'});
            const auto trip = [&](std::uint64_t count) {
                for (std::uint64_t i = 0; i < count; ++i) {
                    ends.out.send(bytes).value();
                    static_cast<void>(answer_of(ends, bytes, reliable));
                }
            };
            trip(100);
            *found = median_ns(20, trips / 20, trip);
            for (int i = 0; i < (reliable ? 1 : 5); ++i) ends.out.send("").value();
        });
    return *found;
}

// Time from the first message received to the last. Where messages may be lost, from the start: the
// few that are left of many would make a rate of their own.
flow measure_flow(const hawser::transport_info& about, std::size_t size, std::uint64_t messages) {
    using clock = std::chrono::steady_clock;
    const route there = make_route(about.scheme, "flow");
    meeting_point met;
    meeting_point done;
    const shared<flow> found;
    run_pair(
        [&] {
            met.arrive();
            auto out = there.open_sender().value();
            const std::vector<std::byte> bytes(size, std::byte{'h'});
            for (std::uint64_t i = 0; i < messages; ++i) {
                const auto sent = out.send(bytes);
                // What the network refuses is as lost as what it drops; what is refused here is
                // not.
                const bool refused =
                    !sent && (about.can.reliable || sent.is(hawser::errc::too_big));
                if (refused) throw hawser::exception(sent.why());
            }
            done.arrive();
        },
        [&] {
            auto in = there.open_receiver().value();
            met.arrive();
            std::optional<clock::time_point> begin;
            if (!about.can.reliable) begin = clock::now();
            clock::time_point last;
            while (found->received < messages) {
                auto got = about.can.reliable ? in.receive() : in.receive_for(silence);
                if (!got && got.is(hawser::errc::timed_out)) break;
                if (!got) throw hawser::exception(got.why());
                last = clock::now();
                if (!begin) begin = last;
                ++found->received;
            }
            if (begin) found->seconds = std::chrono::duration<double>(last - *begin).count();
            done.arrive();
        });
    return *found;
}

void measure_one(scheme_figures& one) {
    one.trip_ns.push_back(measure_trip_ns(one.about));
    const flow few = measure_flow(one.about, small, small_messages);
    one.message_ns.push_back(few.seconds * 1e9 /
                             static_cast<double>(std::max<std::uint64_t>(few.received, 1)));
    one.sent += small_messages;
    one.lost += small_messages - few.received;
    const std::uint64_t many = std::min<std::uint64_t>(large_bytes / one.large_size, 40'000);
    const flow bytes = measure_flow(one.about, one.large_size, many);
    const double moved = static_cast<double>(bytes.received * one.large_size);
    one.bytes_per_s.push_back(bytes.seconds > 0 ? moved / bytes.seconds : 0);
}

std::vector<scheme_figures> all_schemes() {
    std::vector<scheme_figures> all;
    for (const auto& about : hawser::transports()) {
        if (!has_route(about.scheme)) continue;
        scheme_figures one;
        one.about = about;
        one.large_size = std::min<std::uint64_t>(large, largest_message(about));
        all.push_back(std::move(one));
    }
    return all;
}

bool print_text(const context& here, const std::vector<scheme_figures>& all, std::uint64_t runs) {
    fmt::print(
        "Messages between two processes on two CPUs; medians of {} runs, each run all schemes "
        "in turn.\nAs everybody gets it: default options, blocking calls.\n\n",
        runs);
    table rows({{"scheme"},
                {"64 B round trip", align::right},
                {"64 B one way", align::right},
                {"large messages", align::right},
                {"of", align::right},
                {"lost", align::right}});
    for (const scheme_figures& one : all) {
        const double lost = static_cast<double>(one.lost) / static_cast<double>(one.sent);
        rows.add({std::string(one.about.scheme),
                  fmt::format("{:.2f} us", median_of(one.trip_ns) / 1000),
                  human_rate(1e9 / median_of(one.message_ns)),
                  fmt::format("{:.2f} GB/s", median_of(one.bytes_per_s) / 1e9),
                  human_size(one.large_size),
                  one.about.can.reliable ? "" : fmt::format("{:.2f} %", lost * 100)});
    }
    return rows.print(here);
}

bool print_json(const std::vector<scheme_figures>& all, double floor_ns) {
    json document = envelope("bench_transports");
    document["floor_ns"] = floor_ns;
    for (const scheme_figures& one : all)
        document["transports"].push_back({{"scheme", one.about.scheme},
                                          {"round_trip_ns", median_of(one.trip_ns)},
                                          {"one_way_ns", median_of(one.message_ns)},
                                          {"bytes_per_s", median_of(one.bytes_per_s)},
                                          {"small_bytes", small},
                                          {"large_bytes", one.large_size},
                                          {"sent", one.sent},
                                          {"lost", one.lost},
                                          {"round_trips_ns", one.trip_ns},
                                          {"one_ways_ns", one.message_ns},
                                          {"rates_bytes_per_s", one.bytes_per_s}});
    return print_document(document);
}

} // namespace

exit_code bench_transports(const context& here, std::uint64_t runs) {
    std::vector<scheme_figures> all = all_schemes();
    const double floor = bench::floor_ns(milliseconds(20));
    for (std::uint64_t run = 0; run < runs; ++run) {
        for (scheme_figures& one : all) {
            if (is_terminal(stream::err))
                fmt::print(stderr, "\r\x1b[Krun {} of {}: {}", run + 1, runs, one.about.scheme);
            measure_one(one);
        }
    }
    if (is_terminal(stream::err)) fmt::print(stderr, "\r\x1b[K");
    const bool written = here.json ? print_json(all, floor) : print_text(here, all, runs);
    return written ? exit_ok : exit_failed;
}

} // namespace tool
