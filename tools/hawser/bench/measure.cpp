#include "measure.hpp"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace tool::bench {
namespace {

// Two lanes of one kind, made before the members are.
struct two_lanes {
    std::unique_ptr<flow> there;
    std::unique_ptr<flow> back;
};
two_lanes make_two(const lane_kind& kind, lane_plan plan) {
    plan.stem = "there";
    auto there = kind.make(plan);
    plan.stem = "back";
    return {std::move(there), kind.make(plan)};
}

constexpr std::size_t most_ends = 64;
struct tally {
    signals told;
    counter sent[most_ends];
    counter got[most_ends];
};

using counts = std::vector<std::uint64_t>;
counts look_at(const counter (&of)[most_ends], unsigned many) {
    counts seen;
    for (unsigned i = 0; i < many; ++i) seen.push_back(of[i].messages);
    return seen;
}

std::vector<double> rates(const counts& before, const counts& after, double seconds) {
    std::vector<double> found;
    for (std::size_t i = 0; i < before.size(); ++i)
        found.push_back(static_cast<double>(after[i] - before[i]) / seconds);
    return found;
}

// Some need a while until both sides know each other.
void await_first(const tally& seen, unsigned receivers) {
    const counts none(receivers, 0);
    const std::uint64_t end = now_ns() + 3'000'000'000U;
    while (look_at(seen.got, receivers) == none && now_ns() < end) rest(milliseconds(1));
}

// Senders end first, so that receivers drain what they sent and few have to be killed.
void end_flow(crew& all, signals& told, std::chrono::milliseconds farewell) {
    told.stop_senders = true;
    rest(std::max<std::chrono::nanoseconds>(farewell / 4, milliseconds(2)));
    told.stop_receivers = true;
    all.dismiss(std::max(farewell, milliseconds(3)));
}

// To the end of the case, whichever way it ends.
void until_stopped(const std::function<void()>& work) {
    try {
        work();
    } catch (const lane_plan::stopped&) {
        return;
    }
}

} // namespace

figures round_trip(const lane_kind& kind, const lane_plan& plan, placement where,
                   milliseconds span) {
    struct outcome {
        trip_figures found;
        std::atomic<bool> done{false};
    };
    const shared<outcome> both_see;
    const two_lanes lanes = make_two(kind, plan);
    crew both(where, kind.farewell.count() > 0);
    both.add(1, [&](crew::board& board) {
        lanes.there->open_receiver();
        lanes.back->open_sender();
        board.arrive();
        lanes.there->echo(*lanes.back);
        while (!both_see->done) rest(milliseconds(1)); // its last answer may still be on its way
        lanes.there->close();
        lanes.back->close();
    });
    both.add(0, [&](crew::board& board) {
        lanes.there->open_sender();
        lanes.back->open_receiver();
        board.arrive();
        both_see->found = lanes.there->trips(*lanes.back, span);
        both_see->done = true;
        lanes.there->close();
        lanes.back->close();
    });
    both.start();
    both.finish(span * 20 + milliseconds(5000));
    const trip_figures& found = both_see->found;
    const tail& each = found.each_ns;
    return {{"ns", found.ns},
            {"p50_ns", each.p50},
            {"p99_ns", each.p99},
            {"p999_ns", each.p999},
            {"max_ns", each.max},
            {"per_s", 1e9 / found.ns},
            {"trips", static_cast<double>(found.trips)}};
}

figures one_way(const lane_kind& kind, lane_plan plan, placement where, milliseconds window) {
    const shared<tally> seen;
    plan.told = &seen->told;
    plan.stem = "flow";
    const auto lane = kind.make(plan);
    crew all(where, kind.farewell.count() > 0);
    for (unsigned i = 0; i < plan.receivers; ++i)
        all.add(plan.senders + i, [&, i](crew::board& board) {
            lane->open_receiver();
            board.arrive();
            until_stopped([&] { lane->receive_all_day(seen->told, seen->got[i]); });
            lane->close();
        });
    for (unsigned i = 0; i < plan.senders; ++i)
        all.add(i, [&, i](crew::board& board) {
            lane->open_sender();
            board.arrive();
            until_stopped([&] { lane->send_all_day(seen->told, seen->sent[i]); });
            lane->close();
        });
    all.start();
    await_first(*seen, plan.receivers);
    rest(window / 4);
    const counts got_before = look_at(seen->got, plan.receivers);
    const counts sent_before = look_at(seen->sent, plan.senders);
    const std::uint64_t begin = now_ns();
    rest(window);
    // On a busy machine nobody may have run in it.
    for (int more = 0; more < 10 && look_at(seen->got, plan.receivers) == got_before; ++more)
        rest(window);
    const counts got_after = look_at(seen->got, plan.receivers);
    const counts sent_after = look_at(seen->sent, plan.senders);
    const double seconds = static_cast<double>(now_ns() - begin) / 1e9;
    end_flow(all, seen->told, kind.farewell);

    const std::vector<double> got = rates(got_before, got_after, seconds);
    const std::vector<double> sent = rates(sent_before, sent_after, seconds);
    double per_s = 0;
    for (const double one : got) per_s += one;
    if (per_s <= 0) throw std::runtime_error("no message arrived");
    const bool in_order = plan.senders == 1 && plan.receivers == 1 && !kind.loses;
    if (in_order && seen->got[0].out_of_order != 0)
        throw std::runtime_error("messages were lost or came out of order");
    return {{"per_s", per_s},
            {"ns", 1e9 / per_s},
            {"bytes_per_s", per_s * static_cast<double>(plan.size)},
            {"slowest_receiver_share", least_share_of(got)},
            {"slowest_sender_share", least_share_of(sent)}};
}

namespace {

constexpr std::size_t most_paced = 8192;
struct pacing {
    std::uint64_t late_ns[most_paced] = {};
    double cpu_percent = 0;
};

std::uint64_t cpu_time_ns() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(used.tv_nsec);
}

// Sleeps until shortly before, then looks at the clock: the sender is on time whoever it measures.
void wait_until(std::uint64_t when_ns) {
    constexpr std::uint64_t shortly_ns = 150'000;
    const std::uint64_t now = now_ns();
    if (when_ns > now + shortly_ns) rest(std::chrono::nanoseconds(when_ns - now - shortly_ns));
    while (now_ns() < when_ns) {
    }
}

} // namespace

figures paced(const lane_kind& kind, lane_plan plan, placement where, unsigned per_second,
              milliseconds span) {
    constexpr std::uint64_t warm = 20;
    const std::uint64_t count = std::min<std::uint64_t>(
        static_cast<std::uint64_t>(span.count()) * per_second / 1000 + 1, most_paced);
    const shared<pacing> found;
    plan.stem = "paced";
    const auto lane = kind.make(plan);
    crew both(where, kind.farewell.count() > 0);
    both.add(1, [&](crew::board& board) {
        lane->open_receiver();
        board.arrive();
        std::uint64_t cpu = 0;
        std::uint64_t begin = 0;
        for (std::uint64_t i = 0; i < warm + count; ++i) {
            if (i == warm) cpu = cpu_time_ns();
            if (i == warm) begin = now_ns();
            const std::uint64_t meant = lane->receive_word();
            if (i >= warm) found->late_ns[i - warm] = now_ns() - meant;
        }
        found->cpu_percent = 100.0 * static_cast<double>(cpu_time_ns() - cpu) /
                             static_cast<double>(now_ns() - begin);
        lane->close();
    });
    both.add(0, [&](crew::board& board) {
        lane->open_sender();
        board.arrive();
        const std::uint64_t step = 1'000'000'000U / per_second;
        const std::uint64_t first = now_ns() + 20'000'000U;
        for (std::uint64_t i = 0; i < warm + count; ++i) {
            wait_until(first + i * step);
            lane->send_word(first + i * step);
        }
        rest(milliseconds(20)); // what a library still holds may leave
        lane->close();
    });
    both.start();
    both.finish(span * 10 + milliseconds(5000));
    const tail late = tail_of({found->late_ns, count});
    return {{"p50_ns", late.p50},
            {"p99_ns", late.p99},
            {"max_ns", late.max},
            {"receiver_cpu_percent", found->cpu_percent}};
}

namespace {

// The time that all threads of a process have run, by the scheduler's own account.
double run_ns(pid_t process) {
    double sum = 0;
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), gone)) {
        std::ifstream file(thread.path() / "schedstat");
        double ran = 0;
        file >> ran;
        sum += ran;
    }
    return sum;
}

bool asleep(pid_t process) {
    std::ifstream file(fmt::format("/proc/{}/stat", process));
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    return name_end != std::string::npos && line.size() > name_end + 2 && line[name_end + 2] == 'S';
}

} // namespace

figures idle(const lane_kind& kind, lane_plan plan, milliseconds span) {
    plan.stem = "idle";
    const auto lane = kind.make(plan);
    crew all(placement::unpinned);
    std::vector<pid_t> receivers;
    for (unsigned i = 0; i < plan.receivers; ++i)
        receivers.push_back(all.add(i, [&](crew::board& board) {
            lane->open_receiver();
            board.arrive();
            lane->receive_word(); // never comes
        }));
    all.start(std::chrono::seconds(60));
    const std::uint64_t settled = now_ns() + 2'000'000'000U;
    while (!std::ranges::all_of(receivers, asleep) && now_ns() < settled) rest(milliseconds(5));
    rest(milliseconds(300)); // let those that wait longer and longer come to rest
    std::vector<double> before;
    before.reserve(receivers.size());
    for (const pid_t one : receivers) before.push_back(run_ns(one));
    const std::uint64_t begin = now_ns();
    rest(span);
    double ran = 0;
    for (std::size_t i = 0; i < receivers.size(); ++i) ran += run_ns(receivers[i]) - before[i];
    const double percent = 100.0 * ran / static_cast<double>(now_ns() - begin);
    all.dismiss(milliseconds(0));
    return {{"cpu_percent", percent}};
}

} // namespace tool::bench
