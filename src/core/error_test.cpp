#include <hawser/error.hpp>

#include <cerrno>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hawser/result.hpp>

namespace hawser {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(error, every_code_has_a_name_of_its_own) {
    std::set<std::string_view> names;
    for (int code = 1; code <= static_cast<int>(errc::system); ++code)
        names.insert(name_of(static_cast<errc>(code)));
    EXPECT_EQ(names.size(), 14U);
    EXPECT_EQ(names.count("unknown"), 0U);
    EXPECT_EQ(name_of(errc::would_block), "would_block");
    EXPECT_EQ(name_of(errc::peer_died), "peer_died");
    EXPECT_EQ(name_of(errc::system), "system");
}

TEST(error, a_code_that_is_none_is_unknown) {
    EXPECT_EQ(name_of(static_cast<errc>(0)), "unknown");
    EXPECT_EQ(name_of(static_cast<errc>(15)), "unknown");
    EXPECT_EQ(name_of(static_cast<errc>(255)), "unknown");
    EXPECT_EQ((error{static_cast<errc>(0), "send"}.describe()), "send: unknown");
}

TEST(error, describes_operation_address_code_and_reason) {
    const error why = error{errc::too_big, "send"}.at("shm:orders").because("it has 9000 bytes.");
    EXPECT_EQ(why.describe(), "send shm:orders: too_big: it has 9000 bytes.");
}

TEST(error, describes_the_errno) {
    const error why = error{errc::permission, "open", EACCES}.at("shm:a");
    EXPECT_THAT(why.describe(), StartsWith("open shm:a: permission: "));
    EXPECT_THAT(why.describe(), HasSubstr("(errno 13: Permission denied)"));
}

TEST(error, without_a_reason_says_what_the_code_means) {
    EXPECT_EQ((error{errc::timed_out, "receive"}.describe()),
              "receive: timed_out: the time given is over; nothing was sent or received");
}

TEST(error, is_cut_at_its_size_and_copies_what_it_has) {
    const error why =
        error{errc::system, "open"}.at(std::string(1000, 'a')).because(std::string(1000, 'b'));
    const error copy = why; // NOLINT(performance-unnecessary-copy-initialization)
    EXPECT_EQ(copy.address(), std::string(160, 'a'));
    EXPECT_EQ(copy.detail(), std::string(384, 'b'));
}

TEST(error, value_throws_it) {
    const result<int> failed = error{errc::not_found, "open"}.at("shm:a");
    try {
        static_cast<void>(failed.value());
        FAIL() << "value() of an error returned";
    } catch (const exception& thrown) {
        EXPECT_EQ(thrown.code(), errc::not_found);
        EXPECT_EQ(thrown.why().address(), "shm:a");
        EXPECT_THAT(thrown.what(), StartsWith("open shm:a: not_found"));
    }
}

TEST(result, holds_a_value_or_an_error) {
    result<std::string> good = std::string("text");
    ASSERT_TRUE(good);
    EXPECT_EQ(*good, "text");
    EXPECT_FALSE(good.is(errc::closed));

    result<std::string> bad = error{errc::closed, "receive"};
    ASSERT_FALSE(bad);
    EXPECT_TRUE(bad.is(errc::closed));
    EXPECT_FALSE(bad.is(errc::system));
    EXPECT_EQ(std::move(bad).value_or("other"), "other");
}

TEST(result, moves_between_value_and_error) {
    result<std::string> one = std::string(100, 'x');
    result<std::string> other = error{errc::closed, "receive"};
    one = std::move(other);
    EXPECT_TRUE(one.is(errc::closed));
    other = result<std::string>(std::string(100, 'y'));
    ASSERT_TRUE(other);
    EXPECT_EQ(*other, std::string(100, 'y'));
}

TEST(result, of_nothing_is_success_or_an_error) {
    const result<void> good;
    EXPECT_TRUE(good);
    EXPECT_NO_THROW(good.value());
    const result<void> bad = error{errc::system, "open", EIO};
    EXPECT_FALSE(bad);
    EXPECT_EQ(bad.why().sys(), EIO);
    EXPECT_THROW(bad.value(), exception);
}

} // namespace
} // namespace hawser
