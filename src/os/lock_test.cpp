#include "os/lock.hpp"

#include <cerrno>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "os/file.hpp"
#include "os/process.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

constexpr std::uint64_t far = std::uint64_t{1} << 48; // the bytes need not exist

class Lock : public testing::Test {
  protected:
    unique_fd file_ = make_unnamed(test::private_directory()).value();
    // Other descriptions of the same file.
    unique_fd again(access_kind access = access_kind::read_write) const {
        return open_again(file_.get(), access).value();
    }
};

TEST_F(Lock, TwoDescriptionsConflictAndOneDoesNotWithItself) {
    const unique_fd other = again();
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    EXPECT_FALSE(try_lock(other.get(), far, lock_kind::exclusive).value());
    EXPECT_FALSE(try_lock(other.get(), far, lock_kind::shared).value());
    EXPECT_TRUE(try_lock(other.get(), far + 1, lock_kind::exclusive).value());
    EXPECT_TRUE(try_lock(other.get(), far - 1, lock_kind::exclusive).value());
}

TEST_F(Lock, SharedOnesAgreeAndKeepTheExclusiveOut) {
    const unique_fd second = again(access_kind::read_only);
    const unique_fd third = again();
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::shared).value());
    EXPECT_TRUE(try_lock(second.get(), far, lock_kind::shared).value());
    EXPECT_FALSE(try_lock(third.get(), far, lock_kind::exclusive).value());
    unlock(file_.get(), far);
    EXPECT_FALSE(try_lock(third.get(), far, lock_kind::exclusive).value());
    unlock(second.get(), far);
    EXPECT_TRUE(try_lock(third.get(), far, lock_kind::exclusive).value());
}

TEST_F(Lock, UnlockGivesBackJustTheRange) {
    const unique_fd other = again();
    for (std::uint64_t i = 0; i < 4; ++i)
        ASSERT_TRUE(try_lock(file_.get(), far + i, lock_kind::exclusive).value());
    unlock(file_.get(), far + 1, 2);
    EXPECT_FALSE(try_lock(other.get(), far, lock_kind::exclusive).value());
    EXPECT_TRUE(try_lock(other.get(), far + 1, lock_kind::exclusive).value());
    EXPECT_TRUE(try_lock(other.get(), far + 2, lock_kind::exclusive).value());
    EXPECT_FALSE(try_lock(other.get(), far + 3, lock_kind::exclusive).value());
}

TEST_F(Lock, ClosingTheLastDescriptorReleases) {
    unique_fd other = again();
    unique_fd twin(::fcntl(other.get(), F_DUPFD_CLOEXEC, 0)); // the same description
    ASSERT_TRUE(try_lock(other.get(), far, lock_kind::exclusive).value());
    EXPECT_TRUE(try_lock(twin.get(), far, lock_kind::exclusive).value());
    other.reset();
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    twin.reset();
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
}

TEST_F(Lock, AMappingKeepsTheDescriptionAndSoItsLocks) {
    ASSERT_TRUE(set_size(file_.get(), page_bytes()));
    unique_fd other = again();
    auto mapped = mapping::of(other.get(), page_bytes(), access_kind::read_write).value();
    ASSERT_TRUE(try_lock(other.get(), far, lock_kind::exclusive).value());
    other.reset();
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    { const mapping gone = std::move(mapped); }
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
}

TEST_F(Lock, FirstLockedSeesOthersOnlyAndTakesNothing) {
    const unique_fd other = again();
    const unique_fd looking = again(access_kind::read_only);
    EXPECT_EQ(first_locked(looking.get(), far, 10), none_locked);
    ASSERT_TRUE(try_lock(other.get(), far + 3, lock_kind::exclusive).value());
    ASSERT_TRUE(try_lock(file_.get(), far + 7, lock_kind::shared).value());
    EXPECT_EQ(first_locked(looking.get(), far, 10), far + 3);
    EXPECT_EQ(first_locked(looking.get(), far + 3, 1), far + 3);
    EXPECT_EQ(first_locked(looking.get(), far + 4, 10), far + 7);
    EXPECT_EQ(first_locked(looking.get(), far, 3), none_locked) << "the end is not in the range";
    EXPECT_EQ(first_locked(looking.get(), far + 8, 10), none_locked);
    EXPECT_EQ(first_locked(other.get(), far, 10), far + 7) << "not one's own";
    EXPECT_TRUE(try_lock(other.get(), far + 1, lock_kind::exclusive).value());
}

TEST_F(Lock, ADescriptorThatMayNotWriteCannotExclude) {
    const unique_fd reading = again(access_kind::read_only);
    const auto refused = try_lock(reading.get(), far, lock_kind::exclusive);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.why().code(), errc::system);
    EXPECT_EQ(refused.why().sys(), EBADF);
}

TEST_F(Lock, AForkChildThatInheritsTheDescriptorHoldsItToo) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    unique_fd held = again();
    ASSERT_TRUE(try_lock(held.get(), far, lock_kind::exclusive).value());
    const test::beacon never_raised;
    test::child heir("heir", [&] { never_raised.wait(); });
    held.reset();
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    heir.kill();
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
}

TEST_F(Lock, AForkGuardLeavesNothingToTheChild) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    fork_guard first{again()};
    fork_guard held{again()};
    fork_guard last{again()};
    const int number = held.get();
    ASSERT_TRUE(try_lock(number, far, lock_kind::exclusive).value());
    const test::beacon started;
    const test::beacon never_raised;
    test::child heir("heir", [&] {
        EXPECT_LT(held.get(), 0);
        EXPECT_LT(first.get(), 0);
        EXPECT_LT(last.get(), 0);
        EXPECT_EQ(::fcntl(number, F_GETFD), -1);
        EXPECT_EQ(errno, EBADF);
        started.raise();
        never_raised.wait();
    });
    started.wait();
    EXPECT_EQ(held.get(), number) << "the parent keeps it";
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    held.close();
    EXPECT_LT(held.get(), 0);
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    heir.kill();
}

TEST_F(Lock, ADeadProcessHoldsNothing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const test::beacon locked;
    const test::beacon never_raised;
    test::child holder("holder", [&] {
        const unique_fd own = again();
        EXPECT_TRUE(try_lock(own.get(), far, lock_kind::exclusive).value());
        locked.raise();
        never_raised.wait();
    });
    locked.wait();
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value());
    holder.stop();
    EXPECT_FALSE(try_lock(file_.get(), far, lock_kind::exclusive).value()) << "it only stands";
    holder.kill();
    EXPECT_TRUE(try_lock(file_.get(), far, lock_kind::exclusive).value());
}

// --- process -----------------------------------------------------------------------------------

TEST(Process, TheGenerationTellsAChildFromItsParent) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const fork_guard any; // whoever remembers a generation has one
    const unsigned parents = fork_generation();
    test::child one("child", [&] {
        const unsigned own = fork_generation();
        EXPECT_NE(own, parents);
        test::child two("grandchild", [&] {
            EXPECT_NE(fork_generation(), parents);
            EXPECT_NE(fork_generation(), own);
        });
        two.end_well();
    });
    one.end_well();
    EXPECT_EQ(fork_generation(), parents);
}

TEST(Process, GuardsMayGoInAnyOrderAlsoInTheChild) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    auto a = std::make_unique<fork_guard>();
    auto b = std::make_unique<fork_guard>();
    auto c = std::make_unique<fork_guard>();
    b.reset();
    test::child("child", [&] {
        c.reset();
        a.reset();
        const fork_guard again;
    }).end_well();
    a.reset();
    c.reset();
    test::child("with none", [] {}).end_well();
}

TEST(Process, KnowsWhoItIs) {
    const identity self = own_identity();
    EXPECT_EQ(self.pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(self.uid, ::geteuid());
    EXPECT_NE(self.command[0], '\0');
    EXPECT_EQ(self.command.back(), '\0');
}

} // namespace
} // namespace hawser::os
