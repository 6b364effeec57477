// How long, and how, a call waits.
//
// A deadline is a point on CLOCK_MONOTONIC, so a change of the wall clock or a suspended process
// moves nothing. Time is in nanoseconds; anything too far off to be counted is `never`.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {

// What a blocked call does while there is nothing to do for it.
enum class wait_mode : std::uint8_t {
    adaptive, // spin as long as that lately paid off, then sleep in the kernel
    spin,     // never sleep: the lowest latency, a whole CPU
    block,    // sleep at once: the least CPU
};

class deadline {
  public:
    using clock = std::chrono::steady_clock;

    // The call gives up only for a reason other than time.
    static constexpr deadline never() noexcept { return deadline{never_ns}; }
    // The call does not wait at all (the try_ forms).
    static constexpr deadline now() noexcept { return deadline{now_ns}; }

    static deadline at(clock::time_point when) noexcept {
        const auto since_epoch_ns =
            std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch()).count();
        return deadline{since_epoch_ns > now_ns ? since_epoch_ns : now_ns};
    }

    template <typename Rep, typename Period>
    static deadline after(std::chrono::duration<Rep, Period> patience) noexcept {
        using seconds = std::chrono::duration<double>;
        if (seconds(patience) >= years_100) return never();
        if (patience <= std::chrono::duration<Rep, Period>::zero()) return now();
        return at(clock::now() + std::chrono::ceil<std::chrono::nanoseconds>(patience));
    }

    [[nodiscard]] constexpr bool is_never() const noexcept { return at_ns_ == never_ns; }
    [[nodiscard]] constexpr bool is_now() const noexcept { return at_ns_ == now_ns; }
    [[nodiscard]] constexpr std::int64_t at_ns() const noexcept { return at_ns_; }

  private:
    static constexpr std::int64_t now_ns = 0;
    static constexpr std::int64_t never_ns = std::numeric_limits<std::int64_t>::max();
    static constexpr std::chrono::duration<double> years_100{100.0 * 365 * 24 * 3600};

    explicit constexpr deadline(std::int64_t at_ns) noexcept : at_ns_(at_ns) {}

    std::int64_t at_ns_;
};

} // namespace v1
} // namespace hawser
