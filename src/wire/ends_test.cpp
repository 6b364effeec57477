// How the ends use a facility that waits by itself (System V queues): writers and readers by
// script.
#include "wire/ends.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::wire {
namespace {

using names = std::vector<std::string>;

// Never has room at once; says what it was asked.
class full_writer final : public writer {
  public:
    full_writer(names& asked, bool waits) : asked_(asked), waits_(waits) {}

    result<void> try_write(std::span<const std::byte>, const envelope&) override {
        asked_.emplace_back("try");
        if (asked_.size() > 2) return {};
        return error{errc::would_block, "send"};
    }
    std::optional<result<void>> write_blocking(std::span<const std::byte>,
                                               const envelope&) override {
        asked_.emplace_back("wait");
        if (!waits_) return std::nullopt;
        return result<void>{};
    }
    void abandon() noexcept override { asked_.emplace_back("abandon"); }
    [[nodiscard]] waiting_point room() const noexcept override { return {-1, 0, 1'000'000}; }

  private:
    names& asked_;
    bool waits_;
};

std::unique_ptr<hawser::detail::sending_end> sender_on(names& asked, bool waits,
                                                       const options& wanted = {}) {
    return sender_end::make(std::make_unique<full_writer>(asked, waits), wanted, 100).value();
}

TEST(Ends, ASendWithoutDeadlineWaitsInTheFacility) {
    names asked;
    const auto out = sender_on(asked, true);
    EXPECT_TRUE(out->send({}, deadline::never()));
    EXPECT_EQ(asked, (names{"try", "wait"}));
    EXPECT_EQ(out->stats().sleeps, 1U);
    EXPECT_EQ(out->stats().sent, 1U);
}

TEST(Ends, WhereTheFacilityCanNotWaitItIsAskedAgain) {
    names asked;
    EXPECT_TRUE(sender_on(asked, false)->send({}, deadline::never()));
    EXPECT_EQ(asked, (names{"try", "wait", "try"}));
}

TEST(Ends, OnlyASendThatMayWaitForEverWaitsInTheFacility) {
    names asked;
    EXPECT_TRUE(sender_on(asked, true)->send({}, deadline::now()).is(errc::would_block));
    EXPECT_EQ(asked, (names{"try", "abandon"}));
    asked.clear();
    EXPECT_TRUE(sender_on(asked, true)->send({}, deadline::after(std::chrono::hours(1))));
    EXPECT_EQ(asked, (names{"try", "try", "try"}));
    asked.clear();
    options spinning;
    spinning.wait = wait_mode::spin;
    EXPECT_TRUE(sender_on(asked, true, spinning)->send({}, deadline::never()));
    EXPECT_EQ(asked, (names{"try", "try", "try"}));
    asked.clear();
    options failing;
    failing.full = full_policy::fail;
    const auto failed = sender_on(asked, true, failing)->send({}, deadline::never());
    EXPECT_TRUE(failed.is(errc::would_block));
    EXPECT_EQ(asked, (names{"try", "abandon"}));
}

} // namespace
} // namespace hawser::wire
