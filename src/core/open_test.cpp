#include "core/open.hpp"

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hawser/receiver.hpp>

namespace hawser {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A transport that can do nothing that an option may ask for.
constexpr transport_info poor() {
    transport_info info{"poor", "poor:", "a test", {}};
    info.can.ordering = ordering_kind::none;
    info.can.max_message = 4096;
    return info;
}

constexpr transport_info rich() {
    transport_info info = poor();
    info.scheme = "rich";
    info.can.ordering = ordering_kind::total;
    info.can.lives = lifetime_kind::file;
    info.can.survives_kill_of = survival_kind::both;
    info.can.max_message = 1ULL << 40U;
    info.can.capacity_zero = info.can.capacity_bounded = info.can.capacity_unbounded = true;
    info.can.drops_oldest = true;
    info.can.sharing_pair = info.can.sharing_one = true;
    info.can.sharing_any = info.can.sharing_all = true;
    return info;
}

const std::array both{poor(), rich()};

options given(std::string_view text) {
    return address::parse(text).value().wanted;
}

TEST(open, options_of_a_capability_that_lacks_are_unsupported) {
    for (const auto* asked :
         {"capacity=0", "capacity=8", "capacity=unbounded", "max_message=4097", "sharing=pair",
          "sharing=one", "sharing=any", "sharing=all", "order=total", "order=sender",
          "delivery=at_least_once", "full=drop_oldest", "history=1", "persist=yes"}) {
        const options wanted = given("x?" + std::string(asked));
        const auto refused = detail::check_supported(both[0], wanted, both);
        ASSERT_TRUE(refused.is(errc::unsupported)) << asked;
        EXPECT_THAT(
            std::string(refused.why().detail()),
            AllOf(HasSubstr("poor can't do " + std::string(asked)), HasSubstr("these can: rich.")));
        EXPECT_TRUE(detail::check_supported(both[1], wanted, both)) << asked;
    }
}

TEST(open, options_that_need_no_capability_pass) {
    for (const auto* asked :
         {"max_message=4096", "max_memory=1GiB", "participants=9", "loans=9", "full=drop_newest",
          "delivery=at_most_once", "wait=spin", "create=create", "mode=0600", "group=audio",
          "history=0", "persist=no"})
        EXPECT_TRUE(detail::check_supported(both[0], given("x?" + std::string(asked)), both))
            << asked;
    EXPECT_TRUE(detail::check_supported(both[0], options{}, both));
}

TEST(open, an_order_per_sender_is_less_than_a_total_one) {
    transport_info info = poor();
    info.can.ordering = ordering_kind::per_sender;
    EXPECT_TRUE(detail::check_supported(info, given("x?order=sender"), both));
    EXPECT_FALSE(detail::check_supported(info, given("x?order=total"), both));
}

TEST(open, a_refusal_says_so_where_nothing_can) {
    const auto refused =
        detail::check_supported(both[0], given("x?sharing=all"), std::span{both}.first(1));
    ASSERT_FALSE(refused);
    EXPECT_THAT(std::string(refused.why().detail()), HasSubstr("no scheme of this build can"));
}

TEST(open, a_refused_max_message_names_the_limit) {
    const auto refused = detail::check_supported(both[0], given("x?max_message=1MiB"), both);
    ASSERT_FALSE(refused);
    EXPECT_THAT(std::string(refused.why().detail()), HasSubstr("largest message is 4KiB"));
}

TEST(open, an_unknown_scheme_names_the_nearest_and_all) {
    const error near = detail::unknown_scheme("rihc", both);
    EXPECT_EQ(near.code(), errc::unsupported);
    EXPECT_THAT(std::string(near.detail()),
                AllOf(HasSubstr("did you mean 'rich'?"), HasSubstr("Schemes: poor, rich.")));
    EXPECT_THAT(std::string(detail::unknown_scheme("gopher", both).detail()),
                Not(HasSubstr("did you mean")));
}

// The calls below never reach a transport, so they hold with any table.

TEST(open, both_ends_refuse_an_unknown_scheme) {
    const auto out = sender::open("no-such-scheme:x");
    ASSERT_TRUE(out.is(errc::unsupported));
    EXPECT_EQ(out.why().address(), "no-such-scheme:x");
    EXPECT_TRUE(receiver::open("no-such-scheme:x").is(errc::unsupported));
}

TEST(open, both_ends_refuse_a_wrong_address) {
    for (const auto* text : {"", "shm:%zz", "shm:a?loans=1"}) {
        EXPECT_TRUE(sender::open(text).is(errc::invalid_argument)) << text;
        EXPECT_TRUE(receiver::open(text).is(errc::invalid_argument)) << text;
    }
    const address by_hand{"shm", std::string("a\0b", 3), {}};
    EXPECT_TRUE(sender::open(by_hand).is(errc::invalid_argument));
    EXPECT_TRUE(receiver::open(by_hand).is(errc::invalid_argument));
}

TEST(open, both_ends_refuse_values_out_of_range) {
    options wrong;
    wrong.loans = 1;
    const auto out = sender::open("shm:a", wrong);
    ASSERT_TRUE(out.is(errc::invalid_argument));
    EXPECT_EQ(out.why().address(), "shm:a");
    EXPECT_TRUE(receiver::open("shm:a", wrong).is(errc::invalid_argument));
}

TEST(open, both_ends_refuse_a_contradiction) {
    options other;
    other.capacity = 8;
    const auto out = sender::open("shm:a?capacity=4", other);
    ASSERT_TRUE(out.is(errc::invalid_argument));
    EXPECT_THAT(std::string(out.why().detail()), HasSubstr("twice"));
    EXPECT_TRUE(receiver::open("shm:a?capacity=4", other).is(errc::invalid_argument));
}

} // namespace
} // namespace hawser
