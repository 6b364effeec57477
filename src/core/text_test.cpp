#include "core/text.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "core/nearest.hpp"

namespace hawser::detail {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::array words{"capacity"sv,    "max_message"sv, "max_memory"sv, "drop_oldest"sv,
                           "drop_newest"sv, "any"sv,         "all"sv,        "no"sv};

TEST(nearest, finds_what_a_slip_of_the_hand_meant) {
    EXPECT_EQ(nearest("capcity", words), "capacity");
    EXPECT_EQ(nearest("cpaacity", words), "capacity");
    EXPECT_EQ(nearest("Capacity", words), "capacity");
    EXPECT_EQ(nearest("max-message", words), "max_message");
    EXPECT_EQ(nearest("max_memery", words), "max_memory");
    EXPECT_EQ(nearest("ant", words), "any");
}

TEST(nearest, finds_what_was_begun) {
    EXPECT_EQ(nearest("cap", words), "capacity");
    EXPECT_EQ(nearest("drop", words), "drop_oldest");
}

TEST(nearest, suggests_nothing_that_is_far_off) {
    EXPECT_EQ(nearest("", words), "");
    EXPECT_EQ(nearest("speed", words), "");
    EXPECT_EQ(nearest("xy", words), "");
    EXPECT_EQ(nearest("yes", words), "");
    EXPECT_EQ(nearest(std::string(65, 'c'), words), "");
    EXPECT_EQ(nearest("capacity", {}), "");
}

TEST(text, escapes_what_an_address_or_a_terminal_would_misread) {
    std::string text;
    append_escaped(text, "a?b&c%d e\n\x1B\x7F\xC3\xA4/:@=");
    EXPECT_EQ(text, "a%3Fb%26c%25d%20e%0A%1B%7F\xC3\xA4/:@=");
}

TEST(text, quotes_without_control_characters_and_cuts) {
    EXPECT_EQ(in_quotes("a b"), "'a b'");
    EXPECT_EQ(in_quotes("\x1B[31m"), "'%1B[31m'");
    EXPECT_EQ(in_quotes(std::string(48, 'x')), "'" + std::string(48, 'x') + "'");
    EXPECT_EQ(in_quotes(std::string(49, 'x')), "'" + std::string(48, 'x') + "…'");
}

TEST(text, cuts_between_letters) {
    EXPECT_EQ(cut("abc", 3), "abc");
    EXPECT_EQ(cut("abc", 2), "ab");
    EXPECT_EQ(cut("a\xC3\xA4", 2), "a");
    EXPECT_EQ(cut("\xC3\xA4", 1), "");
}

TEST(text, counts_are_digits_and_nothing_else) {
    EXPECT_EQ(parse_count("0"), 0U);
    EXPECT_EQ(parse_count("007"), 7U);
    EXPECT_EQ(parse_count("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
    EXPECT_EQ(parse_count("777", 8), 0777U);
    EXPECT_EQ(parse_count("fF", 16), 255U);
    for (const auto* text : {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "1.0", "1'000", "8x",
                             "18446744073709551616", "99999999999999999999"})
        EXPECT_FALSE(parse_count(text)) << text;
    EXPECT_FALSE(parse_count("8", 8));
    EXPECT_FALSE(parse_count("-1", 16));
    EXPECT_FALSE(parse_count("1\0"sv));
}

TEST(text, sizes_have_the_largest_exact_unit) {
    EXPECT_EQ(size_text(0), "0");
    EXPECT_EQ(size_text(1), "1");
    EXPECT_EQ(size_text(1023), "1023");
    EXPECT_EQ(size_text(1024), "1KiB");
    EXPECT_EQ(size_text(1536), "1536");
    EXPECT_EQ(size_text(64U << 20U), "64MiB");
    EXPECT_EQ(size_text(1ULL << 40U), "1TiB");
    EXPECT_EQ(size_text(~0ULL), "18446744073709551615");
}

TEST(text, modes_have_four_octal_digits) {
    EXPECT_EQ(mode_text(0), "0000");
    EXPECT_EQ(mode_text(0600), "0600");
    EXPECT_EQ(mode_text(0777), "0777");
    EXPECT_EQ(mode_text(01777), "1777");
    EXPECT_EQ(mode_text(~0U), "37777777777");
}

} // namespace
} // namespace hawser::detail
