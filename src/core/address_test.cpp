#include <hawser/address.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/address_check.hpp"
#include "core/random_input.hpp"

namespace hawser {
namespace {

using std::string_view_literals::operator""sv;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// The reason of a refusal, or "" where the address was accepted.
std::string refusal(std::string_view text) {
    const auto parsed = address::parse(text);
    if (parsed) return {};
    EXPECT_EQ(parsed.why().code(), errc::invalid_argument);
    return std::string(parsed.why().detail());
}

struct example {
    std::string_view text;
    std::string_view scheme;
    std::string_view rest;
    std::string_view canonical;
};

TEST(address, is_a_scheme_and_a_rest) {
    const example examples[] = {
        {"shm:orders", "shm", "orders", "shm:orders"},
        {"orders", "shm", "orders", "shm:orders"},
        {"shm:", "shm", "", "shm:"},
        {"pipe:", "pipe", "", "pipe:"},
        {"pipe:3,4", "pipe", "3,4", "pipe:3,4"},
        {"fifo:/tmp/f", "fifo", "/tmp/f", "fifo:/tmp/f"},
        {"/a/b", "shm", "/a/b", "shm:/a/b"},
        {"unix-seqpacket:@name", "unix-seqpacket", "@name", "unix-seqpacket:@name"},
        {"tcp://h:80", "tcp", "//h:80", "tcp://h:80"},
        {"nats://h:4222/a.b", "nats", "//h:4222/a.b", "nats://h:4222/a.b"},
        {"sysv-mq:0x10", "sysv-mq", "0x10", "sysv-mq:0x10"},
        {"shm:a:b", "shm", "a:b", "shm:a:b"},
        {"shm:a=b", "shm", "a=b", "shm:a=b"},
        {"shm:a%3Fb%26c%25", "shm", "a?b&c%", "shm:a%3Fb%26c%25"},
        {"shm:%3f%61", "shm", "?a", "shm:%3Fa"},
        {"shm:a b\n", "shm", "a b\n", "shm:a%20b%0A"},
        {"shm:gr\xC3\xBC\xC3\x9F", "shm", "gr\xC3\xBC\xC3\x9F", "shm:gr\xC3\xBC\xC3\x9F"},
        {"a%3Ab", "shm", "a:b", "shm:a:b"},
    };
    for (const example& one : examples) {
        const auto parsed = address::parse(one.text);
        ASSERT_TRUE(parsed) << one.text << ": " << refusal(one.text);
        EXPECT_EQ(parsed->scheme, one.scheme) << one.text;
        EXPECT_EQ(parsed->rest, one.rest) << one.text;
        EXPECT_EQ(parsed->wanted, options{}) << one.text;
        EXPECT_EQ(parsed->to_text(), one.canonical) << one.text;
        EXPECT_EQ(parsed->name(), one.canonical) << one.text;
    }
}

TEST(address, has_options) {
    const auto parsed = address::parse("orders?full=fail&capacity=64&group=a%26b%3Dc=d").value();
    EXPECT_EQ(parsed.wanted.capacity, 64U);
    EXPECT_EQ(parsed.wanted.full, full_policy::fail);
    EXPECT_EQ(parsed.wanted.group, "a&b=c=d");
    EXPECT_EQ(parsed.name(), "shm:orders");
    EXPECT_EQ(parsed.to_text(), "shm:orders?capacity=64&full=fail&group=a%26b=c=d");
    EXPECT_EQ(address::parse("pipe:?wait=spin").value().to_text(), "pipe:?wait=spin");
    EXPECT_EQ(address::parse("a?%63apacity=%34").value().to_text(), "shm:a?capacity=4");
    EXPECT_EQ(address::parse("a?group=x:y").value().scheme, "shm");
}

TEST(address, the_same_option_twice_must_agree) {
    EXPECT_EQ(address::parse("a?capacity=4&capacity=4").value().to_text(), "shm:a?capacity=4");
    EXPECT_EQ(refusal("a?max_message=4096&max_message=4KiB"), "");
    EXPECT_THAT(refusal("a?capacity=4&full=fail&capacity=8"),
                AllOf(StartsWith("position 24: "), HasSubstr("'4'"), HasSubstr("'8'")));
}

TEST(address, says_where_it_is_wrong_and_what_is_expected) {
    const std::tuple<std::string_view, std::string_view, std::string_view> cases[] = {
        {"", "position 1:", "shm:orders"},
        {":orders", "position 1:", "scheme is expected"},
        {"?capacity=1", "position 1:", "name is expected"},
        {"SHM:orders", "position 1:", "'S' can't be in a scheme"},
        {"shM:orders", "position 3:", "lower case"},
        {"/tmp/a:b", "position 1:", "write shm: in front"},
        {"a_b:c", "position 2:", "'_'"},
        {"\xC3\xA4:c", "position 1:", "'\xC3\xA4'"},
        {"a b:c", "position 2:", "' '"},
        {"shm:a&capacity=4", "position 6:", "begins with '?'"},
        {"shm:a?", "position 7:", "option is expected"},
        {"shm:a?&full=fail", "position 7:", "option is expected"},
        {"shm:a?full=fail&", "position 17:", "option is expected"},
        {"shm:a?persist", "position 14:", "'=' and a value"},
        {"shm:a?persist&full=fail", "position 14:", "'=' and a value"},
        {"shm:a?full=fail?loans=3", "position 16:", "'&', not '?'"},
        {"shm:a?=3", "position 7:", "no option ''"},
        {"shm:a?capcity=3", "position 7:", "did you mean 'capacity'?"},
        {"shm:a?full=fail&loans=99", "position 17:", "2 to 32"},
        {"%", "position 1:", "%25"},
        {"shm:%4", "position 5:", "two hexadecimal digits"},
        {"shm:a%zz", "position 6:", "two hexadecimal digits"},
        {"shm:a%4?loans=3", "position 6:", "two hexadecimal digits"},
        {"shm:a%-1", "position 6:", "two hexadecimal digits"},
        {"shm:a%00", "position 6:", "NUL"},
        {"shm:a?group=%00", "position 13:", "NUL"},
        {"shm:a?group=%4", "position 13:", "two hexadecimal digits"},
        {"shm:a?group=%4&loans=3", "position 13:", "two hexadecimal digits"},
        {"shm:a?%zz=1", "position 7:", "two hexadecimal digits"},
        {"shm:a\0b"sv, "position 6:", "NUL"},
    };
    for (const auto& [text, where, what] : cases)
        EXPECT_THAT(refusal(text), AllOf(StartsWith(where), HasSubstr(what))) << text;
}

TEST(address, an_error_shows_the_text_that_was_given) {
    const auto parsed = address::parse("shm:a\x1B?x");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.why().address(), "shm:a%1B?x");
}

TEST(address, has_at_most_4096_bytes_in_both_forms) {
    EXPECT_EQ(refusal("shm:" + std::string(4092, 'a')), "");
    EXPECT_THAT(refusal("shm:" + std::string(4093, 'a')), HasSubstr("4097"));
    // The scheme that is left out counts, and so does an escape.
    EXPECT_EQ(refusal(std::string(4092, 'a')), "");
    EXPECT_THAT(refusal(std::string(4093, 'a')), HasSubstr("canonical form this one has 4097"));
    EXPECT_THAT(refusal(std::string(2000, ' ')), HasSubstr("canonical form"));
    EXPECT_NE(refusal(std::string(1'000'000, 'a')), "");
}

TEST(address, put_together_by_hand_is_held_to_the_same_limits) {
    EXPECT_TRUE(detail::check_address({"shm", "a b?", {}}));
    EXPECT_TRUE(detail::check_address({"shm", std::string(4092, 'a'), {}}));
    for (const address& wrong :
         {address{}, address{"", "a", {}}, address{"SHM", "a", {}}, address{"s:m", "a", {}},
          address{"shm", std::string("a\0b", 3), {}}, address{"shm", std::string(4093, 'a'), {}}})
        EXPECT_TRUE(detail::check_address(wrong).is(errc::invalid_argument)) << wrong.name();
}

TEST(address, parses_back_to_itself) {
    auto random = test::seeded_generator();
    for (int round = 0; round < 5'000; ++round) {
        address made;
        const auto length = test::random_number<std::size_t>(random, 1, 12);
        while (made.scheme.size() < length) made.scheme += "abcxyz019-"[random() % 10];
        if (random() % 8 != 0) made.rest = test::random_text(random, 900);
        made.wanted = test::random_options(random);
        const std::string text = made.to_text();
        const auto parsed = address::parse(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.why().describe();
        ASSERT_EQ(*parsed, made) << text;
        ASSERT_EQ(parsed->to_text(), text);
    }
}

TEST(address, of_random_text_is_refused_or_parses_back) {
    auto random = test::seeded_generator();
    for (int round = 0; round < 20'000; ++round) {
        const std::string text = test::random_text(random, 24);
        const auto parsed = address::parse(text);
        if (!parsed) continue;
        ASSERT_EQ(address::parse(parsed->to_text()).value(), *parsed) << text;
    }
}

} // namespace
} // namespace hawser
