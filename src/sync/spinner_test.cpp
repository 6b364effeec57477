#include "sync/spinner.hpp"

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

constexpr std::int64_t soon_ns = 1'000;       // within what a wake-up costs
constexpr std::int64_t late_ns = 500'000'000; // far beyond

TEST(Spinner, NeverSpinsWhereItMayNot) {
    spinner self(false);
    EXPECT_EQ(self.budget_ns(), 0);
    for (int i = 0; i < 20; ++i) self.learn(soon_ns);
    EXPECT_EQ(self.budget_ns(), 0) << "also after waits that were short";
    self.learn(late_ns);
    EXPECT_EQ(self.budget_ns(), 0);
}

TEST(Spinner, ShrinksToNothingWhileWaitsAreLong) {
    spinner self(true);
    EXPECT_GT(self.budget_ns(), 0);
    std::int64_t before = self.budget_ns();
    for (int i = 0; i < 64 && before > 0; ++i) {
        self.learn(late_ns);
        EXPECT_LT(self.budget_ns(), before);
        before = self.budget_ns();
    }
    EXPECT_EQ(before, 0);
    self.learn(late_ns);
    EXPECT_EQ(self.budget_ns(), 0);
}

TEST(Spinner, GrowsAgainFromNothingUpToWhereItBegan) {
    spinner self(true);
    const std::int64_t most = self.budget_ns();
    while (self.budget_ns() > 0) self.learn(late_ns);
    self.learn(soon_ns);
    std::int64_t before = self.budget_ns();
    EXPECT_GT(before, 0);
    for (int i = 0; i < 64 && before < most; ++i) {
        self.learn(soon_ns);
        EXPECT_GT(self.budget_ns(), before);
        before = self.budget_ns();
    }
    EXPECT_EQ(before, most);
    self.learn(soon_ns);
    EXPECT_EQ(self.budget_ns(), most);
}

TEST(Spinner, AWaitThatSleptAndSoTookAWakeUpLongerStillCountsAsShort) {
    spinner self(true);
    while (self.budget_ns() > 0) self.learn(late_ns);
    self.learn(100'000); // spun 50 µs in vain, and a wake-up of 50 µs
    EXPECT_GT(self.budget_ns(), 0);
}

} // namespace
} // namespace hawser::sync
