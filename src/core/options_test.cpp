#include <hawser/options.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/options_check.hpp"
#include "core/random_input.hpp"

namespace hawser {
namespace {

using std::string_view_literals::operator""sv;
using testing::AllOf;
using testing::HasSubstr;

// The reason of a refusal, or "" where the option was accepted.
std::string refusal(std::string_view name, std::string_view value) {
    options some;
    const auto set = some.set(name, value);
    if (set) return {};
    EXPECT_EQ(set.why().code(), errc::invalid_argument);
    EXPECT_EQ(some, options{}) << "a refused option left a trace";
    return std::string(set.why().detail());
}

std::string canonical(std::string_view name, std::string_view value) {
    options some;
    const auto set = some.set(name, value);
    return set ? some.to_text() : "refused: " + std::string(set.why().detail());
}

TEST(options, nothing_set_is_no_text) {
    EXPECT_EQ(options{}.to_text(), "");
}

TEST(options, each_is_set_by_its_name) {
    const std::tuple<std::string_view, std::string_view, std::string_view> cases[] = {
        {"capacity", "0", "capacity=0"},
        {"capacity", "1", "capacity=1"},
        {"capacity", "1048575", "capacity=1048575"},
        {"capacity", "unbounded", "capacity=unbounded"},
        {"max_message", "1", "max_message=1"},
        {"max_message", "1TiB", "max_message=1TiB"},
        {"max_message", "1.5k", "max_message=1536"},
        {"max_memory", "64MiB", "max_memory=64MiB"},
        {"max_memory", "16TiB", "max_memory=16TiB"},
        {"participants", "1", "participants=1"},
        {"participants", "2047", "participants=2047"},
        {"loans", "2", "loans=2"},
        {"loans", "32", "loans=32"},
        {"sharing", "all", "sharing=all"},
        {"order", "sender", "order=sender"},
        {"full", "drop_newest", "full=drop_newest"},
        {"delivery", "at_most_once", "delivery=at_most_once"},
        {"wait", "block", "wait=block"},
        {"create", "open", "create=open"},
        {"mode", "0", "mode=0000"},
        {"mode", "600", "mode=0600"},
        {"mode", "0777", "mode=0777"},
        {"group", "audio", "group=audio"},
        {"group", "a&b=c%", "group=a%26b=c%25"},
        {"history", "0", "history=0"},
        {"history", "4294967295", "history=4294967295"},
        {"persist", "yes", "persist=yes"},
        {"persist", "no", "persist=no"},
    };
    for (const auto& [name, value, text] : cases) EXPECT_EQ(canonical(name, value), text);
}

TEST(options, numbers_beyond_their_range_name_the_range) {
    const std::tuple<std::string_view, std::string_view, std::string_view> cases[] = {
        {"capacity", "1048576", "1 to 1048575, or unbounded"},
        {"capacity", "-1", "1 to 1048575, or unbounded"},
        {"capacity", "18446744073709551615", "1 to 1048575, or unbounded"},
        {"capacity", "99999999999999999999", "1 to 1048575, or unbounded"},
        {"max_message", "0", "1B to 1TiB"},
        {"max_message", "1099511627777", "1B to 1TiB"},
        {"max_message", "99999999999999999999", "1B to 1TiB"},
        {"max_memory", "0", "1B to 16TiB"},
        {"max_memory", "16.5TiB", "1B to 16TiB"},
        {"participants", "0", "1 to 2047"},
        {"participants", "2048", "1 to 2047"},
        {"participants", "4294967297", "1 to 2047"},
        {"loans", "1", "2 to 32"},
        {"loans", "33", "2 to 32"},
        {"mode", "1000", "0 to 0777"},
        {"mode", "37777777777777", "0 to 0777"},
        {"history", "4294967296", "0 to 4294967295"},
        {"history", "-1", "0 to 4294967295"},
    };
    for (const auto& [name, value, range] : cases)
        EXPECT_THAT(refusal(name, value), AllOf(HasSubstr(name), HasSubstr(range)));
}

TEST(options, what_is_no_number_is_refused) {
    for (const auto name :
         {"capacity", "max_message", "max_memory", "participants", "loans", "mode", "history"})
        for (const auto value : {""sv, " 8"sv, "8 "sv, "+8"sv, "0x10"sv, "1e400"sv, "-4"sv, "x"sv,
                                 "4 KiB"sv, "4KIB"sv, "10\0"sv, "Unbounded"sv})
            EXPECT_NE(refusal(name, value), "") << name << "=" << value;
    for (const auto value : {"8", "0o600", "u=rw", "699"})
        EXPECT_THAT(refusal("mode", value), HasSubstr("octal")) << value;
}

TEST(options, unknown_words_name_the_known_ones) {
    EXPECT_THAT(refusal("full", "drop"),
                AllOf(HasSubstr("did you mean 'drop_oldest'?"),
                      HasSubstr("Accepted: block, fail, drop_oldest, drop_newest.")));
    EXPECT_THAT(refusal("sharing", "Any"), HasSubstr("did you mean 'any'?"));
    EXPECT_THAT(refusal("delivery", "at-most-once"), HasSubstr("did you mean 'at_most_once'?"));
    EXPECT_THAT(refusal("persist", "true"), HasSubstr("Accepted: no, yes."));
    EXPECT_THAT(refusal("order", ""), HasSubstr("Accepted: total, sender."));
    EXPECT_THAT(refusal("wait", "adaptive "), HasSubstr("Accepted: adaptive, spin, block."));
    EXPECT_THAT(refusal("create", "x"), HasSubstr("open_or_create, create, open"));
}

TEST(options, unknown_names_name_the_nearest_and_all) {
    EXPECT_THAT(refusal("capcity", "1"), HasSubstr("did you mean 'capacity'?"));
    EXPECT_THAT(refusal("max-message", "1"), HasSubstr("did you mean 'max_message'?"));
    EXPECT_THAT(refusal("speed", "1"),
                HasSubstr("capacity, max_message, max_memory, participants, "
                          "loans, sharing, order, full, delivery, wait, "
                          "create, mode, group, history, persist, trust, host."));
    EXPECT_NE(refusal("", "1"), "");
    EXPECT_NE(refusal("capacity\0"sv, "1"), "");
    EXPECT_NE(refusal(std::string(10'000, 'c'), "1"), "");
}

TEST(options, a_group_has_a_name) {
    EXPECT_EQ(refusal("group", std::string(255, 'g')), "");
    EXPECT_THAT(refusal("group", std::string(256, 'g')), HasSubstr("1 to 255 bytes"));
    EXPECT_THAT(refusal("group", ""), HasSubstr("1 to 255 bytes"));
    EXPECT_THAT(refusal("group", "a\0b"sv), HasSubstr("1 to 255 bytes"));
}

TEST(options, refusals_are_safe_to_show) {
    EXPECT_EQ(refusal("full", "\x1B[2J\n").find('\x1B'), std::string::npos);
    EXPECT_EQ(refusal("\x1B[2J", "1").find('\x1B'), std::string::npos);
}

TEST(options, set_again_replaces) {
    options some;
    some.set("capacity", "4").value();
    some.set("capacity", "8").value();
    EXPECT_EQ(some.capacity, 8U);
    EXPECT_FALSE(some.set("capacity", "x"));
    EXPECT_EQ(some.capacity, 8U);
}

TEST(options, text_is_in_the_order_of_the_declaration) {
    options some;
    for (const auto& [name, value] :
         {std::pair{"persist", "yes"}, {"mode", "660"}, {"full", "fail"}, {"capacity", "64"}})
        some.set(name, value).value();
    EXPECT_EQ(some.to_text(), "capacity=64&full=fail&mode=0660&persist=yes");
}

TEST(options, merging_takes_from_both) {
    options one;
    one.capacity = 4;
    one.group = "audio";
    options other;
    other.capacity = 4;
    other.loans = 3;
    EXPECT_EQ(one.merged_with(other).value().to_text(), "capacity=4&loans=3&group=audio");
    EXPECT_EQ(other.merged_with(one).value(), one.merged_with(other).value());
}

TEST(options, merging_refuses_a_contradiction) {
    options one;
    one.sharing = sharing_policy::one;
    options other;
    other.sharing = sharing_policy::all;
    const auto merged = one.merged_with(other);
    ASSERT_TRUE(merged.is(errc::invalid_argument));
    EXPECT_THAT(std::string(merged.why().detail()),
                AllOf(HasSubstr("sharing"), HasSubstr("'one'"), HasSubstr("'all'")));
}

TEST(options, values_of_a_struct_are_held_to_the_same_ranges) {
    const auto refused = [](auto options::*place, auto value) {
        options some;
        some.*place = value;
        const auto checked = detail::check_ranges(some);
        return checked.is(errc::invalid_argument) &&
               checked.why().detail().find("Accepted: ") != std::string_view::npos;
    };
    EXPECT_TRUE(refused(&options::capacity, 1'048'576U));
    EXPECT_TRUE(refused(&options::capacity, unbounded - 1));
    EXPECT_TRUE(refused(&options::max_message, 0U));
    EXPECT_TRUE(refused(&options::max_message, (1ULL << 40U) + 1));
    EXPECT_TRUE(refused(&options::max_memory, 0U));
    EXPECT_TRUE(refused(&options::max_memory, (1ULL << 44U) + 1));
    EXPECT_TRUE(refused(&options::participants, 0U));
    EXPECT_TRUE(refused(&options::participants, 2048U));
    EXPECT_TRUE(refused(&options::loans, 1U));
    EXPECT_TRUE(refused(&options::loans, 33U));
    EXPECT_TRUE(refused(&options::mode, 01000U));
    EXPECT_TRUE(refused(&options::group, ""));
    EXPECT_TRUE(refused(&options::group, std::string(100'000, 'g')));
    EXPECT_TRUE(refused(&options::sharing, static_cast<sharing_policy>(4)));
    EXPECT_TRUE(refused(&options::order, static_cast<order_policy>(2)));
    EXPECT_TRUE(refused(&options::full, static_cast<full_policy>(4)));
    EXPECT_TRUE(refused(&options::delivery, static_cast<delivery_policy>(2)));
    EXPECT_TRUE(refused(&options::wait, static_cast<wait_mode>(3)));
    EXPECT_TRUE(refused(&options::create, static_cast<create_policy>(3)));

    EXPECT_FALSE(refused(&options::capacity, 0U));
    EXPECT_FALSE(refused(&options::capacity, 1'048'575U));
    EXPECT_FALSE(refused(&options::capacity, unbounded));
    EXPECT_FALSE(refused(&options::max_message, 1U));
    EXPECT_FALSE(refused(&options::max_message, 1ULL << 40U));
    EXPECT_FALSE(refused(&options::participants, 2047U));
    EXPECT_FALSE(refused(&options::loans, 2U));
    EXPECT_FALSE(refused(&options::mode, 0777U));
    EXPECT_TRUE(detail::check_ranges(options{}));
}

TEST(options, one_can_be_written_alone) {
    options some;
    some.capacity = unbounded;
    some.loans = 4;
    EXPECT_EQ(detail::option_text(some, "capacity"), "capacity=unbounded");
    EXPECT_EQ(detail::option_text(some, "mode"), "");
    EXPECT_EQ(detail::option_text(some, "nonsense"), "");
}

TEST(options, words_are_spelled_as_in_an_address) {
    EXPECT_EQ(name_of(sharing_policy::pair), "pair");
    EXPECT_EQ(name_of(order_policy::total), "total");
    EXPECT_EQ(name_of(full_policy::drop_oldest), "drop_oldest");
    EXPECT_EQ(name_of(create_policy::open_or_create), "open_or_create");
    EXPECT_EQ(name_of(delivery_policy::at_least_once), "at_least_once");
    EXPECT_EQ(name_of(wait_mode::spin), "spin");
    EXPECT_EQ(name_of(static_cast<wait_mode>(200)), "unknown");
}

TEST(options, merging_random_ones_agrees_or_names_the_contradiction) {
    auto random = test::seeded_generator();
    for (int round = 0; round < 2'000; ++round) {
        const options one = test::random_options(random);
        const options other = test::random_options(random);
        ASSERT_TRUE(detail::check_ranges(one)) << one.to_text();
        ASSERT_EQ(one.merged_with(one).value(), one);
        ASSERT_EQ(one.merged_with(options{}).value(), one);
        ASSERT_EQ(options{}.merged_with(one).value(), one);
        const auto merged = one.merged_with(other);
        ASSERT_EQ(merged.has_value(), other.merged_with(one).has_value());
        if (!merged) continue;
        ASSERT_EQ(merged->merged_with(other).value(), *merged);
    }
}

} // namespace
} // namespace hawser
