// The list of cases: groups × lanes × ways to wait, to place and to fill.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "measure_life.hpp"
#include "output/human.hpp"
#include "suite.hpp"

namespace tool::bench {
namespace {

// How long each thing is measured, once.
struct spans {
    milliseconds trip{60};
    milliseconds trip_by_size{24};
    milliseconds window{60};
    milliseconds window_by_size{40};
    milliseconds crowd{150};
    milliseconds fairness{1000};
    milliseconds paced{400};
    milliseconds idle{1000};
};
constexpr spans quick_spans{milliseconds(20),  milliseconds(10), milliseconds(25),
                            milliseconds(20),  milliseconds(60), milliseconds(1000),
                            milliseconds(200), milliseconds(300)};

const char* name_of(placement where) {
    return where == placement::pinned ? "pinned" : "unpinned";
}

class list {
  public:
    explicit list(const suite_plan& plan) : plan_(plan), time_(plan.quick ? quick_spans : spans{}) {
        if (plan.quick) sizes_ = {64, 4096, 65536};
    }

    void brief();
    void everything();
    std::vector<bench_case> take() { return std::move(cases_); }

  private:
    void add(bench_case one);
    bench_case describe(const std::string& group, const lane_kind& kind, const lane_plan& plan,
                        placement where) const;
    void add_trip(const lane_kind& kind, const lane_plan& plan, placement where, milliseconds span);
    void add_rate(const lane_kind& kind, const lane_plan& plan, placement where,
                  milliseconds window);
    void small_messages();
    void by_size();
    void loaned();
    void crowds();
    void paced_load();
    void idle_receivers();
    void life();
    void scale();
    void command_line();
    void simple(const std::string& group, const std::string& lane, const std::string& variant,
                const std::string& primary, std::function<figures()> measure);

    suite_plan plan_;
    spans time_;
    std::vector<std::size_t> sizes_{8, 64, 1024, 4096, 65536, 1U << 20U};
    std::vector<bench_case> cases_;
};

void list::add(bench_case one) {
    const std::string name = one.name();
    const bool wanted = std::ranges::all_of(
        plan_.words, [&](const std::string& word) { return name.find(word) != std::string::npos; });
    if (wanted) cases_.push_back(std::move(one));
}

bench_case list::describe(const std::string& group, const lane_kind& kind, const lane_plan& plan,
                          placement where) const {
    bench_case one;
    one.group = group;
    one.lane = kind.name;
    const std::string shape = fmt::format("{}->{}", plan.senders, plan.receivers);
    one.facts = {{"family", kind.family},
                 {"wait", bench::name_of(plan.wait)},
                 {"size", std::to_string(plan.size)},
                 {"payload", bench::name_of(plan.what)},
                 {"placement", name_of(where)},
                 {"shape", shape}};
    one.variant = fmt::format("{} {} {} {}", human_size(plan.size), bench::name_of(plan.wait),
                              bench::name_of(plan.what), name_of(where));
    if (plan.senders + plan.receivers > 2) one.variant += " " + shape;
    return one;
}

void list::add_trip(const lane_kind& kind, const lane_plan& plan, placement where,
                    milliseconds span) {
    bench_case one = describe("round trip", kind, plan, where);
    one.primary = "ns";
    one.measure = [=, &kind] { return round_trip(kind, plan, where, span); };
    add(std::move(one));
}

void list::add_rate(const lane_kind& kind, const lane_plan& plan, placement where,
                    milliseconds window) {
    if (kind.only_trips) return;
    const bool crowd = plan.senders + plan.receivers > 2;
    bench_case one = describe(crowd ? "many" : "one way", kind, plan, where);
    one.primary = "ns";
    one.measure = [=, &kind] { return one_way(kind, plan, where, window); };
    add(std::move(one));
}

bool is_ours(const lane_kind& kind) {
    return kind.family == "hawser";
}

void list::brief() {
    lane_plan plan;
    plan.size = plan_.size;
    for (const bool rate : {false, true})
        for (const lane_kind& kind : lane_kinds())
            for (const wait_class wait : kind.waits) {
                plan.wait = wait;
                if (rate)
                    add_rate(kind, plan, placement::pinned, time_.window);
                else
                    add_trip(kind, plan, placement::pinned, time_.trip);
            }
}

// Spinning in the kernel's calls, without a CPU of one's own, is what nobody would do.
bool spins_apart(const lane_kind& kind, const lane_plan& plan, placement where) {
    return kind.family == "kernel" && plan.wait == wait_class::spin && where == placement::unpinned;
}

// 64 bytes, every lane in each of its ways to wait.
void list::small_messages() {
    for (const placement where : {placement::pinned, placement::unpinned})
        for (const lane_kind& kind : lane_kinds())
            for (const wait_class wait : kind.waits) {
                lane_plan plan;
                plan.wait = wait;
                plan.size = std::min(plan.size, kind.most_bytes);
                if (spins_apart(kind, plan, where)) continue;
                add_trip(kind, plan, where, time_.trip);
                add_rate(kind, plan, where, time_.window);
            }
}

// Filled by the sender and read to the last byte by the receiver.
void list::by_size() {
    for (const lane_kind& kind : lane_kinds())
        for (const std::size_t size : sizes_) {
            // What only sleeps shows its wake-up at any size.
            if (size > kind.most_bytes || !kind.can_wait(wait_class::spin)) continue;
            lane_plan plan;
            plan.size = size;
            plan.what = payload::filled;
            plan.wait = kind.waits.front();
            add_trip(kind, plan, placement::pinned, time_.trip_by_size);
            add_rate(kind, plan, placement::pinned, time_.window_by_size);
        }
}

void list::loaned() {
    for (const lane_kind& kind : lane_kinds())
        for (const std::size_t size : {64UL, 4096UL, 65536UL, 1UL << 20U}) {
            if (!kind.loans || !kind.can_wait(wait_class::spin)) continue;
            lane_plan plan;
            plan.size = size;
            plan.what = payload::loaned;
            add_trip(kind, plan, placement::pinned, time_.trip);
            add_rate(kind, plan, placement::pinned, time_.window);
        }
}

// More processes than CPUs, so nobody is pinned; everybody waits as it does by default.
void list::crowds() {
    struct shape {
        unsigned senders, receivers;
    };
    for (const shape of : {shape{1, 1}, {2, 2}, {4, 4}, {8, 8}, {4, 1}, {1, 4}})
        for (const lane_kind& kind : lane_kinds()) {
            if (of.senders > 1 && !kind.many_senders) continue;
            if (of.receivers > 1 && !kind.many_receivers) continue;
            lane_plan plan;
            plan.senders = of.senders;
            plan.receivers = of.receivers;
            plan.wait = is_ours(kind) ? wait_class::adaptive : wait_class::block;
            // 1 -> 1 is among the small messages.
            if (of.senders + of.receivers == 2 || !kind.can_wait(plan.wait)) continue;
            const bool compared = is_ours(kind) || kind.name.starts_with("Boost");
            const bool is_long = compared && of.senders == of.receivers && of.senders > 2;
            add_rate(kind, plan, placement::unpinned, is_long ? time_.fairness : time_.crowd);
        }
}

void list::paced_load() {
    constexpr unsigned per_second = 1000;
    constexpr std::array lanes{"hawser",   "futex",  "pipe", "Unix stream",
                               "Boost mq", "ZeroMQ", "nng",  "iceoryx"};
    for (const placement where : {placement::pinned, placement::unpinned})
        for (const lane_kind& kind : lane_kinds())
            for (const wait_class wait : {wait_class::adaptive, wait_class::block}) {
                if (std::ranges::find(lanes, kind.name) == lanes.end() || !kind.can_wait(wait))
                    continue;
                lane_plan plan;
                plan.wait = wait;
                bench_case one = describe("paced", kind, plan, where);
                one.primary = "p50_ns";
                one.facts["per_second"] = std::to_string(per_second);
                one.measure = [=, &kind, span = time_.paced] {
                    return paced(kind, plan, where, per_second, span);
                };
                add(std::move(one));
            }
}

void list::idle_receivers() {
    for (const char* lane : {"hawser", "pipe"})
        for (const unsigned receivers : {1U, 1000U}) {
            const auto kind = std::ranges::find(lane_kinds(), lane, &lane_kind::name);
            if (kind == lane_kinds().end()) continue;
            lane_plan plan;
            plan.receivers = receivers;
            plan.wait = is_ours(*kind) ? wait_class::adaptive : wait_class::block;
            bench_case one = describe("idle", *kind, plan, placement::unpinned);
            one.variant = human_plural(receivers, "receiver");
            one.primary = "cpu_percent";
            one.measure = [=, span = time_.idle] { return idle(*kind, plan, span); };
            add(std::move(one));
        }
}

void list::simple(const std::string& group, const std::string& lane, const std::string& variant,
                  const std::string& primary, std::function<figures()> measure) {
    bench_case one;
    one.group = group;
    one.lane = lane;
    one.variant = variant;
    one.primary = primary;
    one.facts["family"] = lane == "hawser" ? "hawser" : "kernel";
    one.measure = std::move(measure);
    add(std::move(one));
}

void list::life() {
    simple("life", "hawser", "open and close, new", "ns", open_close_new);
    simple("life", "hawser", "open and close, existing", "ns", open_close_existing);
    simple("life", "hawser", "memory of 64 x 256B", "used_bytes", idle_memory);
}

void list::scale() {
    for (const unsigned mailboxes : {10U, 1000U, 10'000U}) {
        if (plan_.quick && mailboxes > 1000) continue;
        simple("scale", "hawser", fmt::format("{} mailboxes", mailboxes), "ns",
               [=] { return many_mailboxes(mailboxes); });
    }
    for (const unsigned participants : {2U, 10U, 100U, 1000U})
        simple("scale", "hawser", fmt::format("{} participants", participants), "ns",
               [=, span = time_.trip] { return many_participants(participants, span); });
}

void list::command_line() {
    const std::uint64_t bytes = plan_.quick ? 64UL << 20U : 1UL << 30U;
    const std::uint64_t lines = plan_.quick ? 500'000 : 5'000'000;
    const std::string copy = fmt::format("{} by 64KiB", human_size(bytes));
    simple("command line", "hawser", copy, "bytes_per_s", [=] { return cli_copy(bytes); });
    simple("command line", "cat", copy, "bytes_per_s", [=] { return cat_copy(bytes); });
    simple("command line", "hawser", "lines", "lines_per_s", [=] { return cli_lines(lines); });
}

void list::everything() {
    small_messages();
    by_size();
    loaned();
    crowds();
    paced_load();
    idle_receivers();
    life();
    scale();
    command_line();
}

} // namespace

std::vector<bench_case> cases_of(const suite_plan& plan) {
    list all(plan);
    if (plan.all)
        all.everything();
    else
        all.brief();
    return all.take();
}

} // namespace tool::bench
