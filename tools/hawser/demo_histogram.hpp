// A log-linear histogram of durations in shared memory: 16 steps in each power of two, so a
// percentile is at most 6 % off, over the whole range of 64 bits.
//
// - Blocks, allocates: never. Threads, processes: anyone may add; a sum of several is a plain copy.
// - A crash in the middle of add() loses that one sample.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tool::demo {

class latency_histogram {
  public:
    static constexpr unsigned step_bits = 4;
    static constexpr std::size_t steps = std::size_t{1} << step_bits;
    static constexpr std::size_t buckets = (64 - step_bits + 1) * steps;

    void add(std::uint64_t ns) noexcept { ++counts_[bucket_of(ns)]; }
    [[nodiscard]] std::uint64_t count(std::size_t bucket) const noexcept {
        return counts_[bucket].load();
    }

    static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
        if (ns < steps) return static_cast<std::size_t>(ns);
        const unsigned exponent = static_cast<unsigned>(std::bit_width(ns)) - 1 - step_bits;
        const std::uint64_t step = (ns >> exponent) - steps;
        return (exponent + 1) * steps + static_cast<std::size_t>(step);
    }
    // The largest duration that falls into the bucket.
    static constexpr std::uint64_t upper_ns(std::size_t bucket) noexcept {
        if (bucket < steps) return bucket;
        const std::size_t exponent = bucket / steps - 1;
        const std::uint64_t first = (steps + bucket % steps) << exponent;
        return first + ((std::uint64_t{1} << exponent) - 1);
    }

  private:
    std::array<std::atomic<std::uint64_t>, buckets> counts_{};
};

static_assert(latency_histogram::bucket_of(15) == 15 && latency_histogram::bucket_of(16) == 16);
static_assert(latency_histogram::upper_ns(latency_histogram::bucket_of(1'000'000)) >= 1'000'000);
static_assert(latency_histogram::bucket_of(~std::uint64_t{0}) == latency_histogram::buckets - 1);
static_assert(latency_histogram::upper_ns(latency_histogram::buckets - 1) == ~std::uint64_t{0});

// The sum of several histograms, for one question at a time.
class latency_sum {
  public:
    void add(const latency_histogram& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            counts_[i] += other.count(i);
            total_ += other.count(i);
        }
    }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

    // The duration that `fraction` of all samples do not exceed; 0 without samples.
    [[nodiscard]] std::uint64_t percentile_ns(double fraction) const noexcept {
        const auto wanted = std::max<std::uint64_t>(
            1, static_cast<std::uint64_t>(fraction * static_cast<double>(total_) + 0.999'999));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted) return latency_histogram::upper_ns(i);
        }
        return 0;
    }

  private:
    std::array<std::uint64_t, latency_histogram::buckets> counts_{};
    std::uint64_t total_ = 0;
};

} // namespace tool::demo
