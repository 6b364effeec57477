#include "crew.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>

#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/error.hpp>
#include <hawser/result.hpp>

#include "statistics.hpp"

namespace tool::bench {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::microseconds glance{200};

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

// The first failure is the one that is told; those it causes are not.
void note_failure(crew::board& board, const char* why, bool is_unsupported) {
    if (board.why_written.exchange(true)) return;
    std::snprintf(board.why, sizeof board.why, "%s", why);
    board.is_unsupported = is_unsupported;
    board.failed = true;
}

bool run_member(crew::board& board, const crew::body& work) {
    try {
        work(board);
        return true;
    } catch (const unsupported& why) {
        note_failure(board, why.what(), true);
    } catch (const hawser::exception& why) {
        note_failure(board, why.what(), why.why().code() == hawser::errc::unsupported);
    } catch (const std::exception& why) {
        note_failure(board, why.what(), false);
    }
    return false;
}

} // namespace

namespace {

std::atomic<bool> asked_to_end{false};

void check_signals() {
    if (asked_to_end) throw interrupted("interrupted");
}

} // namespace

void end_tidily_on_signals() {
    struct sigaction action = {};
    action.sa_handler = [](int) { asked_to_end = true; };
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<int> found;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) found.push_back(cpu);
    return found;
}

void rest(std::chrono::nanoseconds time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time);
    const timespec span{seconds.count(), (time - seconds).count()};
    ::nanosleep(&span, nullptr);
}

void crew::board::arrive() noexcept {
    ++arrived;
    // Asleep until it starts, as there may be a thousand; from time to time it looks by itself.
    const timespec patience{0, 100'000'000};
    while (go == 0 && !failed) ::syscall(SYS_futex, &go, FUTEX_WAIT, 0U, &patience, nullptr, 0);
}

pid_t crew::add(unsigned cpu, const body& work) {
    std::fflush(nullptr); // or a clean exit of the child would print it again
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) become_member(cpu, work);
    members_.push_back(child);
    ++added_;
    return child;
}

void crew::become_member(unsigned cpu, const body& work) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::signal(SIGINT, SIG_IGN); // the measuring process ends its members
    ::signal(SIGTERM, SIG_DFL);
    ::prctl(PR_SET_TIMERSLACK, 1); // what wakes by the clock wakes when it said
    const std::vector<int> cpus = usable_cpus();
    if (where_ == placement::pinned) pin_to(cpus[cpu % cpus.size()]);
    const bool well = run_member(*board_, work);
    if (clean_exit_) std::exit(well ? 0 : 1);
    ::_exit(well ? 0 : 1);
}

void crew::reap() {
    check_signals();
    for (pid_t& member : members_) {
        if (member == 0) continue;
        int status = 0;
        if (::waitpid(member, &status, WNOHANG) != member) continue;
        member = 0;
        if (WIFSIGNALED(status))
            note_failure(*board_, "a process of the measurement was killed by a signal", false);
        else if (status != 0)
            note_failure(*board_, "a process of the measurement failed", false);
    }
}

void crew::check() const {
    if (!board_->failed) return;
    if (board_->is_unsupported) throw unsupported(board_->why);
    throw std::runtime_error(board_->why);
}

void crew::start(std::chrono::milliseconds patience) {
    const auto end = clock::now() + patience;
    while (board_->arrived < added_) {
        reap();
        check();
        if (clock::now() > end)
            throw std::runtime_error("a process of the measurement did not get ready in time");
        rest(glance);
    }
    board_->go = 1;
    ::syscall(SYS_futex, &board_->go, FUTEX_WAKE, std::numeric_limits<int>::max());
}

void crew::finish(std::chrono::milliseconds patience) {
    const auto end = clock::now() + patience;
    for (;;) {
        reap();
        check();
        if (std::ranges::all_of(members_, [](pid_t member) { return member == 0; })) return;
        if (clock::now() > end)
            throw std::runtime_error("a process of the measurement did not end in time");
        rest(glance);
    }
}

void crew::dismiss(std::chrono::milliseconds grace) {
    const auto end = clock::now() + grace;
    do {
        reap();
        if (std::ranges::all_of(members_, [](pid_t member) { return member == 0; })) break;
        rest(glance);
    } while (clock::now() < end);
    check();
    kill_all();
}

void crew::kill_all() {
    for (const pid_t member : members_)
        if (member != 0) ::kill(member, SIGKILL);
    for (const pid_t member : members_)
        if (member != 0) ::waitpid(member, nullptr, 0);
    members_.clear();
}

void run_pair(const std::function<void()>& there, const std::function<void()>& here) {
    crew both(placement::pinned);
    both.add(1, [&](crew::board&) { there(); });
    both.add(0, [&](crew::board&) { here(); });
    both.finish(std::chrono::minutes(10));
}

double median_ns(std::uint64_t batches, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& operate) {
    std::vector<double> each;
    each.reserve(batches);
    for (std::uint64_t i = 0; i < batches; ++i) {
        const auto start = clock::now();
        operate(count);
        const std::chrono::duration<double, std::nano> took = clock::now() - start;
        each.push_back(took.count() / static_cast<double>(count));
    }
    return median_of(std::move(each));
}

namespace {

constexpr std::uint64_t trips_in_batch = 200;
constexpr std::uint64_t no_more = ~std::uint64_t{0};

struct two_lines {
    alignas(128) std::atomic<std::uint64_t> ping{0};
    alignas(128) std::atomic<std::uint64_t> pong{0};
    alignas(128) double found = 0;
};

void answer_pings(two_lines& lines) {
    for (std::uint64_t next = 1;; ++next) {
        std::uint64_t seen = 0;
        while ((seen = lines.ping.load(std::memory_order_acquire)) != next)
            if (seen == no_more) return;
        lines.pong.store(next, std::memory_order_release);
    }
}

void send_pings(two_lines& lines, std::chrono::milliseconds span) {
    std::uint64_t sent = 0;
    std::vector<double> batches;
    const auto end = clock::now() + span;
    while (clock::now() < end) {
        batches.push_back(median_ns(1, trips_in_batch, [&](std::uint64_t count) {
            for (const std::uint64_t last = sent + count; sent < last;) {
                lines.ping.store(++sent, std::memory_order_release);
                while (lines.pong.load(std::memory_order_acquire) != sent) {
                }
            }
        }));
    }
    lines.ping.store(no_more, std::memory_order_release);
    lines.found = median_of(std::move(batches));
}

} // namespace

double floor_ns(std::chrono::milliseconds span) {
    const shared<two_lines> lines;
    crew both(placement::pinned);
    both.add(1, [&](crew::board& board) {
        board.arrive();
        answer_pings(*lines);
    });
    both.add(0, [&](crew::board& board) {
        board.arrive();
        send_pings(*lines, span);
    });
    both.start();
    both.finish();
    return lines->found;
}

} // namespace tool::bench
