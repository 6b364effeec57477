// What is told of many figures: their median, and how the tail of a distribution lies.
//
// - Blocks, forks, signals: never. Allocates: copies of what it is given. Threads: plain values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tool::bench {

// The middle one; of an even number the mean of the middle two. 0 without values.
double median_of(std::vector<double> values);

// The smallest of `sorted` that at least `fraction` of all do not exceed (nearest rank): of 100
// values the 99th for 0.99. 0 without values.
std::uint64_t percentile_of(std::span<const std::uint64_t> sorted, double fraction);

struct tail {
    double p50 = 0;
    double p99 = 0;
    double p999 = 0;
    double max = 0;
};
// Sorts the samples in place.
tail tail_of(std::span<std::uint64_t> samples);

// The least of them through their mean: 1 when all got the same, 0 when somebody got nothing.
double least_share_of(std::span<const double> rates);

// Did the floor beside a measurement hold still? before and after: what it was; both above 0.
bool moved(double before, double after, double tolerance);

} // namespace tool::bench
