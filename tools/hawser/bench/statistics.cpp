#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tool::bench {

double median_of(std::vector<double> values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    if (values.size() % 2 == 1) return values[middle];
    return (values[middle - 1] + values[middle]) / 2;
}

std::uint64_t percentile_of(std::span<const std::uint64_t> sorted, double fraction) {
    if (sorted.empty()) return 0;
    const auto count = static_cast<double>(sorted.size());
    // A fraction such as 0.999 is not exact; without this, 1000 × 0.999 would be the 1000th.
    constexpr double rounding = 1e-9;
    const double rank = std::ceil(fraction * count - rounding * count);
    const double index = std::clamp(rank - 1, 0.0, count - 1);
    return sorted[static_cast<std::size_t>(index)];
}

tail tail_of(std::span<std::uint64_t> samples) {
    std::ranges::sort(samples);
    const auto at = [&](double fraction) {
        return static_cast<double>(percentile_of(samples, fraction));
    };
    return {at(0.5), at(0.99), at(0.999), at(1)};
}

double least_share_of(std::span<const double> rates) {
    if (rates.empty()) return 0;
    const double mean =
        std::accumulate(rates.begin(), rates.end(), 0.0) / static_cast<double>(rates.size());
    return mean > 0 ? *std::ranges::min_element(rates) / mean : 0;
}

bool moved(double before, double after, double tolerance) {
    return std::max(before, after) > std::min(before, after) * (1 + tolerance);
}

} // namespace tool::bench
