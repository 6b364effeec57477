// What a loop over shared memory may spend before it gives up.
//
// Others write what such a loop reads, so it must not go on for as long as what it reads tells it
// to. Each has a private budget that an honest crowd does not use up.
//
// - Private to one call. Blocks, allocates, system calls: never.
#pragma once

#include <atomic>
#include <cstdint>

namespace hawser::sync {

class budget {
  public:
    explicit constexpr budget(std::uint64_t steps) noexcept : left_(steps) {}

    // False when nothing is left.
    [[nodiscard]] constexpr bool spend() noexcept {
        if (left_ == 0) return false;
        --left_;
        return true;
    }

  private:
    std::uint64_t left_;
};

// Raises a counter that others raise too. A plain store would let a delayed helper lower it. False
// if others changed it each time until the budget was used up.
template <typename Word, typename Value>
bool raise(Word& counter, Value to, budget& tries) noexcept {
    // RELAXED(start): a stale value only costs a turn of the loop
    Value seen = counter.load(std::memory_order_relaxed);
    // SYNC(evidence, hint): release; for the evidence, the CAS on the slot that follows carries
    // it, too. RELAXED(start)
    while (seen < to && !counter.compare_exchange_weak(seen, to, std::memory_order_release,
                                                       std::memory_order_relaxed)) {
        if (!tries.spend()) return false;
    }
    return true;
}

} // namespace hawser::sync
