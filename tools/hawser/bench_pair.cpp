#include "bench_pair.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <stdexcept>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tool {
namespace {

constexpr std::uint64_t trips_in_batch = 1000;

void pin_to(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(cpu), &set);
    ::sched_setaffinity(0, sizeof set, &set);
}

struct two_lines {
    alignas(128) std::atomic<std::uint64_t> ping;
    alignas(128) std::atomic<std::uint64_t> pong;
};

// One shared pair of lines, as long as the scope lasts.
class shared_lines {
  public:
    shared_lines()
        : memory_(::mmap(nullptr, sizeof(two_lines), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
        if (memory_ == MAP_FAILED) throw std::runtime_error("no memory to share");
        ::new (memory_) two_lines{};
    }
    ~shared_lines() { ::munmap(memory_, sizeof(two_lines)); }
    shared_lines(const shared_lines&) = delete;
    shared_lines& operator=(const shared_lines&) = delete;
    two_lines& operator*() const { return *static_cast<two_lines*>(memory_); }

  private:
    void* memory_;
};

void answer_pings(two_lines& lines, std::uint64_t count) {
    for (std::uint64_t i = 1; i <= count; ++i) {
        while (lines.ping.load(std::memory_order_acquire) != i) {
        }
        lines.pong.store(i, std::memory_order_release);
    }
}

} // namespace

std::vector<int> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    std::vector<int> found;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &set)) found.push_back(cpu);
    return found;
}

void run_pair(const std::function<void()>& there, const std::function<void()>& here) {
    const std::vector<int> cpus = usable_cpus();
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin_to(cpus.back());
        try {
            there();
        } catch (const std::exception& why) {
            std::fprintf(stderr, "hawser bench: the other process failed: %s\n", why.what());
            ::_exit(1);
        }
        ::_exit(0);
    }
    cpu_set_t before;
    ::sched_getaffinity(0, sizeof before, &before);
    pin_to(cpus.front());
    try {
        here();
    } catch (...) {
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
        ::sched_setaffinity(0, sizeof before, &before);
        throw;
    }
    ::sched_setaffinity(0, sizeof before, &before);
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error("the other process of the measurement failed");
}

double median_of(std::vector<double> values) {
    std::ranges::sort(values);
    return values.empty() ? 0 : values[values.size() / 2];
}

double median_ns(std::uint64_t batches, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& operate) {
    using clock = std::chrono::steady_clock;
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

double ping_pong_ns(std::uint64_t batches) {
    const shared_lines shared;
    two_lines& lines = *shared;
    double found = 0;
    run_pair([&] { answer_pings(lines, batches * trips_in_batch); },
             [&] {
                 std::uint64_t sent = 0;
                 found = median_ns(batches, trips_in_batch, [&](std::uint64_t count) {
                     for (const std::uint64_t last = sent + count; sent < last;) {
                         lines.ping.store(++sent, std::memory_order_release);
                         while (lines.pong.load(std::memory_order_acquire) != sent) {
                         }
                     }
                 });
             });
    return found;
}

} // namespace tool
