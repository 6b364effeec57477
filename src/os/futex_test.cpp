#include "os/futex.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "os/clock.hpp"
#include "support/child.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::os {
namespace {

using word_type = std::atomic<std::uint32_t>;
constexpr std::int64_t hour_ns = 3'600'000'000'000; // the watchdog is quicker

TEST(Futex, AWordThatHasChangedIsNoReasonToSleep) {
    const word_type word{5};
    EXPECT_EQ(futex_wait(&word, 4, hour_ns), futex_outcome::changed);
}

TEST(Futex, TheTimeIsOverNotBeforeItIs) {
    const word_type word{5};
    constexpr std::int64_t time_ns = 2'000'000;
    const std::int64_t start_ns = monotonic_ns();
    auto outcome = futex_outcome::interrupted;
    while (outcome != futex_outcome::timed_out) outcome = futex_wait(&word, 5, time_ns);
    EXPECT_GE(monotonic_ns() - start_ns, time_ns);
}

TEST(Futex, WhereNobodySleepsNobodyIsWoken) {
    const word_type word{5};
    EXPECT_EQ(futex_wake(&word, 1), 0);
    EXPECT_EQ(futex_wake(&word, 0x7fff'ffff), 0);
}

TEST(Futex, WakesAtMostSoManyAndSaysHowMany) {
    const word_type word{5};
    std::atomic<int> up{0};
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 3; ++i) {
        sleepers.emplace_back([&] {
            EXPECT_EQ(futex_wait(&word, 5, hour_ns), futex_outcome::woken);
            ++up;
        });
    }
    // Each wake finds at most one, so three of them were three sleepers.
    for (int woken = 0; woken < 3;) {
        const int now = futex_wake(&word, 1);
        ASSERT_LE(now, 1);
        woken += now;
        if (now == 0) std::this_thread::yield();
    }
    for (std::thread& one : sleepers) one.join();
    EXPECT_EQ(up.load(), 3);
    EXPECT_EQ(futex_wake(&word, 10), 0);
}

TEST(Futex, WakesAcrossProcesses) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const test::shared<word_type> word;
    test::child sleeper("sleeper",
                        [&] { EXPECT_EQ(futex_wait(&*word, 0, hour_ns), futex_outcome::woken); });
    test::until([&] { return futex_wake(&*word, 1) == 1; });
    sleeper.end_well();
}

TEST(Clock, GoesForwards) {
    const std::int64_t first = monotonic_ns();
    const std::int64_t second = monotonic_ns();
    EXPECT_LE(first, second);
    EXPECT_GT(realtime_ns(), 1'600'000'000LL * 1'000'000'000) << "nanoseconds, since 1970";
}

} // namespace
} // namespace hawser::os
