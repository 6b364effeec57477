// How long to spin before sleeping, learned from what lately paid off.
//
// Sleeping costs a wake-up of some 50 µs when the waker is on another CPU; spinning costs a CPU. So
// spin at most as long as a wake-up would cost, and only while waits lately ended within that time:
// then spinning is never worse than twice the best that could have been done (the classic
// ski-rental argument). On one CPU the other side can't run while we spin, so don't.
//
// - Private to one waiter. Blocks, allocates, system calls: never.
#pragma once

#include <algorithm>
#include <cstdint>

namespace hawser::sync {

// Tells the CPU that this is a spin loop.
inline void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
}

class spinner {
  public:
    explicit spinner(bool allowed) noexcept
        : budget_ns_(allowed ? most_ns : 0), allowed_(allowed) {}

    [[nodiscard]] std::int64_t budget_ns() const noexcept { return budget_ns_; }

    // A wait that spun is over after waited_ns in all, asleep at the end or not.
    void learn(std::int64_t waited_ns) noexcept {
        if (!allowed_) return;
        if (waited_ns <= worth_ns)
            budget_ns_ = std::min(most_ns, std::max(budget_ns_ * 2, least_ns));
        else
            budget_ns_ = budget_ns_ / 2 < least_ns ? 0 : budget_ns_ / 2;
    }

  private:
    static constexpr std::int64_t most_ns = 50'000;
    static constexpr std::int64_t least_ns = 3'000;
    // A wait that slept took a wake-up longer than it had to: what ends within this would have
    // ended while spinning.
    static constexpr std::int64_t worth_ns = 150'000;

    std::int64_t budget_ns_;
    bool allowed_;
};

} // namespace hawser::sync
