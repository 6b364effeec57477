#include "bench/statistics.hpp"

#include <array>
#include <numeric>

#include <gtest/gtest.h>

namespace tool::bench {
namespace {

TEST(Statistics, MedianIsTheMiddleWhateverTheOrder) {
    EXPECT_EQ(median_of({}), 0);
    EXPECT_EQ(median_of({7}), 7);
    EXPECT_EQ(median_of({9, 1, 5}), 5);
    EXPECT_EQ(median_of({4, 1, 2, 100}), 3);
}

TEST(Statistics, PercentileIsTheNearestRank) {
    std::vector<std::uint64_t> samples(1000);
    std::iota(samples.begin(), samples.end(), 1U);
    EXPECT_EQ(percentile_of(samples, 0), 1U);
    EXPECT_EQ(percentile_of(samples, 0.5), 500U);
    EXPECT_EQ(percentile_of(samples, 0.99), 990U);
    EXPECT_EQ(percentile_of(samples, 0.999), 999U);
    EXPECT_EQ(percentile_of(samples, 1), 1000U);
    EXPECT_EQ(percentile_of({}, 0.5), 0U);
}

TEST(Statistics, APercentileBetweenTwoSamplesIsTheUpperOne) {
    const std::array<std::uint64_t, 3> samples{10, 20, 30};
    EXPECT_EQ(percentile_of(samples, 0.34), 20U);
    EXPECT_EQ(percentile_of(samples, 0.5), 20U);
    EXPECT_EQ(percentile_of(samples, 0.99), 30U);
}

TEST(Statistics, TailSortsForItself) {
    std::array<std::uint64_t, 5> samples{50, 10, 40, 20, 30};
    const tail found = tail_of(samples);
    EXPECT_EQ(found.p50, 30);
    EXPECT_EQ(found.p99, 50);
    EXPECT_EQ(found.max, 50);
}

TEST(Statistics, LeastShareTellsStarvation) {
    EXPECT_EQ(least_share_of(std::array{5.0, 5.0}), 1);
    EXPECT_EQ(least_share_of(std::array{0.0, 10.0}), 0);
    EXPECT_EQ(least_share_of(std::array{5.0, 15.0}), 0.5);
    EXPECT_EQ(least_share_of(std::array{0.0, 0.0}), 0);
}

TEST(Statistics, AFloorMovesEitherWay) {
    EXPECT_FALSE(moved(100, 100, 0.25));
    EXPECT_FALSE(moved(100, 124, 0.25));
    EXPECT_TRUE(moved(100, 126, 0.25));
    EXPECT_TRUE(moved(126, 100, 0.25));
}

} // namespace
} // namespace tool::bench
