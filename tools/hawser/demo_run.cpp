#include "demo_run.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <hawser/hawser.hpp>

namespace tool::demo {

namespace {

constexpr std::chrono::milliseconds tick{2};
constexpr std::uint64_t gate_percent = 60; // of each producer's share; after the latest kill

std::uint64_t sum(const ledger& notes, std::atomic<std::uint64_t> worker_record::*counter,
                  std::optional<worker_role> role = {}) {
    const std::uint32_t producers = notes.header().producers;
    std::span<worker_record> some = notes.workers();
    if (role == worker_role::producer) some = some.first(producers);
    if (role == worker_role::consumer) some = some.subspan(producers);
    std::uint64_t total = 0;
    for (const worker_record& record : some) total += record.*counter;
    return total;
}

// A kill that is still to come.
struct intention {
    worker_role role;
    activity wanted;
    std::uint64_t after_messages;
};

class runner {
  public:
    runner(ledger& notes, const settings& wanted, const watcher& watch)
        : notes_(notes), wanted_(wanted), watch_(watch), workers_(notes), random_(wanted.seed) {
        if (wanted.kill) plan_kills();
        if (intentions_.empty()) notes_.header().gate_open = 1;
    }

    outcome run() {
        open_mailbox();
        if (!keeper_) return std::move(made_);
        work();
        workers_.kill_all();
        keeper_.reset();
        sum_up();
        return std::move(made_);
    }

  private:
    void plan_kills() {
        const std::uint64_t all = notes_.header().chunks;
        intentions_.push_back({worker_role::consumer, activity::writing, part(all, 15, 30)});
        const activity held = random_() % 2 == 0 ? activity::filling : activity::sending;
        intentions_.push_back({worker_role::producer, held, part(all, 35, 55)});
        for (worker_record& record : notes_.workers().first(notes_.header().producers)) {
            const std::uint64_t first = record.next_chunk;
            record.gate_chunk = first + (record.end_chunk - first) * gate_percent / 100;
        }
    }

    std::uint64_t part(std::uint64_t of, std::uint64_t from_percent, std::uint64_t to_percent) {
        return of * (from_percent + random_() % (to_percent - from_percent)) / 100;
    }

    // The demo's own end keeps the mailbox there, and the stream open while a producer is replaced.
    void open_mailbox() {
        hawser::options how = wanted_.mailbox;
        how.create = hawser::create_policy::create;
        how.max_message = wanted_.message_bytes;
        how.participants = std::max(64U, 2 * (wanted_.producers + wanted_.consumers) + 8);
        auto opened = hawser::sender::open(notes_.header().address.data(), how);
        if (opened)
            keeper_.emplace(*std::move(opened));
        else
            made_.unopened = opened.why();
    }

    void work() {
        if (const int sys = workers_.start_all(); sys != 0) {
            made_.problems.push_back(fmt::format("can't start a worker: {}", std::strerror(sys)));
            return;
        }
        moved_ns_ = now_ns();
        while (made_.problems.empty()) {
            if (stop_asked() != 0) {
                made_.stopped = true;
                return;
            }
            for (std::string& accident : workers_.bury())
                made_.problems.push_back(std::move(accident));
            step();
            const bool over = !any_running();
            watch_(workers_, made_.kills, over);
            if (over) return;
            std::this_thread::sleep_for(tick);
        }
    }

    void step() {
        const std::uint64_t received = sum(notes_, &worker_record::messages, worker_role::consumer);
        if (!intentions_.empty() && is_time_for(intentions_.front(), received)) {
            const intention next = intentions_.front();
            intentions_.erase(intentions_.begin());
            kill(next);
            if (intentions_.empty()) notes_.header().gate_open = 1;
        }
        if (keeper_ && all_delivered() && workers_ready()) end_stream();
        notice_hang();
    }

    // Also when no more would come before it: every producer waits for the kills, or is done.
    bool is_time_for(const intention& next, std::uint64_t received) const {
        if (received >= next.after_messages) return true;
        const auto producers = notes_.workers().first(notes_.header().producers);
        const bool held_back = std::ranges::all_of(producers, [](const worker_record& record) {
            const auto doing = static_cast<activity>(record.doing.load());
            return doing == activity::done || doing == activity::held_back;
        });
        return held_back &&
               received >= sum(notes_, &worker_record::messages, worker_role::producer);
    }

    void kill(const intention& what) {
        std::vector<std::size_t> living;
        for (std::size_t i = 0; i < workers_.members().size(); ++i) {
            const crew_member& member = workers_.members()[i];
            if (member.role == what.role && member.running) living.push_back(i);
        }
        killing done;
        if (living.empty() ||
            !workers_.kill_while(living[random_() % living.size()], what.wanted, done)) {
            made_.problems.push_back(fmt::format(
                "no {} was left to be killed in the middle of its work", name_of(what.role)));
            return;
        }
        done.messages_before = sum(notes_, &worker_record::messages, worker_role::consumer);
        if (const int sys = workers_.replace(done); sys != 0)
            made_.problems.push_back(
                fmt::format("can't start a successor: {}", std::strerror(sys)));
        made_.kills.push_back(done);
    }

    bool all_delivered() {
        // Flags are only ever set, so the first one missing last time is the place to go on.
        const auto delivered = notes_.delivered();
        while (first_missing_ < delivered.size() && delivered[first_missing_] != 0)
            ++first_missing_;
        return first_missing_ == delivered.size();
    }

    // A consumer that opens after the end of the stream would wait for the next one.
    bool workers_ready() const {
        if (workers_.any_running(worker_role::producer)) return false;
        return std::ranges::all_of(workers_.members(), [&](const crew_member& member) {
            return notes_.worker(member.role, member.index).open == member.generation + 1;
        });
    }

    void end_stream() {
        if (auto found = hawser::inspect_mailbox(notes_.header().address.data()); found)
            made_.mailbox = *std::move(found);
        keeper_.reset();
    }

    bool any_running() const {
        return workers_.any_running(worker_role::producer) ||
               workers_.any_running(worker_role::consumer);
    }

    void notice_hang() {
        const std::uint64_t now = now_ns();
        const std::uint64_t moved = sum(notes_, &worker_record::messages);
        const auto alive = static_cast<std::uint64_t>(std::ranges::count_if(
            workers_.members(), [](const crew_member& each) { return each.running; }));
        if (moved != moved_ || alive != alive_) {
            moved_ = moved;
            alive_ = alive;
            moved_ns_ = now;
        }
        const auto patience = static_cast<std::uint64_t>(wanted_.patience.count());
        if (now - moved_ns_ < patience) return;
        made_.problems.push_back(
            fmt::format("nothing has moved for {} s:",
                        std::chrono::duration<double>(wanted_.patience).count()));
        describe_hang();
    }

    // Who is where, and what the mailbox itself says of it.
    void describe_hang() {
        for (const crew_member& member : workers_.members()) {
            if (!member.running) continue;
            const worker_record& record = notes_.worker(member.role, member.index);
            made_.problems.push_back(fmt::format(
                "  {} (pid {}, {} messages) {}", name_of(member.role, member.index), member.pid,
                record.messages.load(), describe(static_cast<activity>(record.doing.load()))));
        }
        const auto delivered = notes_.delivered();
        const auto missing = std::ranges::count_if(
            delivered, [](const std::atomic<std::uint8_t>& flag) { return flag == 0; });
        std::string queue;
        if (const auto found = hawser::inspect_mailbox(notes_.header().address.data()); found)
            queue = fmt::format("; the mailbox holds {} messages, and receivers {}", found->depth,
                                found->held);
        made_.problems.push_back(fmt::format("  {} of {} messages are not delivered{}", missing,
                                             delivered.size(), queue));
    }

    void sum_up() {
        const auto delivered = notes_.delivered();
        made_.delivered = static_cast<std::uint64_t>(std::ranges::count_if(
            delivered, [](const std::atomic<std::uint8_t>& flag) { return flag != 0; }));
        if (made_.delivered < delivered.size() && made_.problems.empty() && !made_.stopped)
            made_.problems.push_back(
                fmt::format("the stream ended, and {} of {} messages had not come",
                            delivered.size() - made_.delivered, delivered.size()));
        const std::string address = notes_.header().address.data();
        made_.mailbox_gone = hawser::inspect_mailbox(address).is(hawser::errc::not_found);
        for (const crew_member& member : workers_.members()) {
            const worker_record& record = notes_.worker(member.role, member.index);
            note_times(record);
            if (!member.killed) note_survivor(member, record);
        }
        if (const auto foreign = sum(notes_, &worker_record::foreign); foreign != 0)
            made_.problems.push_back(
                fmt::format("{} messages came that nobody had sent like that", foreign));
        if (const auto disordered = sum(notes_, &worker_record::disordered); disordered != 0)
            made_.problems.push_back(
                fmt::format("{} messages came behind later ones of the same producer", disordered));
    }

    void note_times(const worker_record& record) {
        const std::uint64_t first = record.first_progress_ns;
        if (first == 0) return;
        made_.began_ns = made_.began_ns == 0 ? first : std::min(made_.began_ns, first);
        made_.ended_ns = std::max<std::uint64_t>(made_.ended_ns, record.last_progress_ns);
    }

    void note_survivor(const crew_member& member, const worker_record& record) {
        const std::string who = name_of(member.role, member.index);
        if (record.longest_gap_ns > made_.longest_gap.ns)
            made_.longest_gap = {record.longest_gap_ns, who};
        if (record.longest_call_ns > made_.longest_call.ns)
            made_.longest_call = {record.longest_call_ns, who};
    }

    ledger& notes_;
    const settings& wanted_;
    const watcher& watch_;
    crew workers_;
    std::mt19937_64 random_;
    std::vector<intention> intentions_;
    std::optional<hawser::sender> keeper_;
    outcome made_;
    std::size_t first_missing_ = 0;
    std::uint64_t moved_ = 0;
    std::uint64_t alive_ = 0;
    std::uint64_t moved_ns_ = 0;
};

} // namespace

outcome run(ledger& notes, const settings& wanted, const watcher& watch) {
    return runner(notes, wanted, watch).run();
}

std::string remove_rest(const std::string& address) {
    const auto removed = hawser::remove_mailbox(address, hawser::removal::by_force);
    if (removed || removed.is(hawser::errc::not_found)) return {};
    return removed.why().describe();
}

} // namespace tool::demo
