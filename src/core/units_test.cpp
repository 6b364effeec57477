#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hawser/options.hpp>

#include "core/random_input.hpp"
#include "core/text.hpp"

namespace hawser {
namespace {

using std::chrono::nanoseconds;
using std::string_view_literals::operator""sv;
using testing::HasSubstr;

constexpr std::uint64_t most_bytes = std::numeric_limits<std::uint64_t>::max();

// The reason of a refusal, or "" where the text was accepted.
template <typename T>
std::string reason(const result<T>& outcome) {
    if (outcome) return {};
    EXPECT_EQ(outcome.why().code(), errc::invalid_argument);
    return std::string(outcome.why().detail());
}

TEST(parse_size, knows_each_unit) {
    const std::pair<std::string_view, std::uint64_t> cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"1B", 1},
        {"1kB", 1'000},
        {"1MB", 1'000'000},
        {"1GB", 1'000'000'000},
        {"1TB", 1'000'000'000'000},
        {"4KiB", 4096},
        {"1MiB", 1ULL << 20U},
        {"1GiB", 1ULL << 30U},
        {"1TiB", 1ULL << 40U},
        {"64k", 65536},
        {"2M", 2ULL << 20U},
        {"2G", 2ULL << 30U},
        {"2T", 2ULL << 40U},
        {"0004KiB", 4096},
        {"18446744073709551615", most_bytes},
        {"18446744073709551615B", most_bytes},
        {"16777215TiB", 16777215ULL << 40U},
    };
    for (const auto& [text, bytes] : cases) {
        const auto parsed = parse_size(text);
        ASSERT_TRUE(parsed) << text << ": " << reason(parsed);
        EXPECT_EQ(*parsed, bytes) << text;
    }
}

TEST(parse_size, takes_fractions_that_are_whole_bytes) {
    EXPECT_EQ(parse_size("1.5MB").value(), 1'500'000U);
    EXPECT_EQ(parse_size("1.5KiB").value(), 1536U);
    EXPECT_EQ(parse_size("0.001kB").value(), 1U);
    EXPECT_EQ(parse_size("4.000").value(), 4U);
    EXPECT_EQ(parse_size("0.0009765625k").value(), 1U);
    EXPECT_EQ(parse_size("1." + std::string(3000, '0') + "KiB").value(), 1024U);
    // 2^-40 TiB needs all of its forty digits.
    EXPECT_EQ(parse_size("0.0000000000009094947017729282379150390625TiB").value(), 1U);
}

TEST(parse_size, refuses_fractions_of_a_byte) {
    for (const auto* text : {"0.3B", "0.5", "1.0001kB", "0.1KiB", "0.00000000000001TiB"})
        EXPECT_THAT(reason(parse_size(text)), HasSubstr("whole number of bytes")) << text;
}

TEST(parse_size, refuses_what_does_not_fit_in_64_bits) {
    for (const auto* text :
         {"18446744073709551616", "99999999999999999999", "16777216TiB", "18014398509481984KiB",
          "17179869184.0G", "18446744073709551.616kB", "99999999999999999999999999999999999TiB"})
        EXPECT_THAT(reason(parse_size(text)), HasSubstr("too large")) << text;
}

TEST(parse_size, refuses_what_is_no_size) {
    for (const auto text :
         {""sv,      "-1"sv,  "-0"sv,    "+1"sv,    " 1"sv,          "KiB"sv,    "abc"sv,
          ".5k"sv,   "1.k"sv, "1."sv,    "4 KiB"sv, "4KIB"sv,        "4KB"sv,    "4K"sv,
          "4b"sv,    "1e3"sv, "1e400"sv, "0x10"sv,  "1,000"sv,       "1.2.3k"sv, "4KiB "sv,
          "4KiBs"sv, "4\0"sv, "inf"sv,   "nan"sv,   "\xEF\xBC\x91"sv})
        EXPECT_NE(reason(parse_size(text)), "") << text;
}

TEST(parse_size, says_what_was_meant) {
    EXPECT_THAT(reason(parse_size("4KIB")), HasSubstr("did you mean 'KiB'?"));
    EXPECT_THAT(reason(parse_size("4K")), HasSubstr("did you mean 'k'?"));
    EXPECT_THAT(reason(parse_size("4KB")), HasSubstr("did you mean 'kB'?"));
    EXPECT_THAT(reason(parse_size("4 KiB")), HasSubstr("space"));
    EXPECT_THAT(reason(parse_size("-4")), HasSubstr("negative"));
    EXPECT_THAT(reason(parse_size("4x")), HasSubstr("Units: B, kB, MB, GB, TB, KiB"));
}

TEST(parse_duration, knows_each_unit) {
    const std::pair<std::string_view, std::int64_t> cases[] = {
        {"0s", 0},
        {"1ns", 1},
        {"250us", 250'000},
        {"10ms", 10'000'000},
        {"1.5s", 1'500'000'000},
        {"2min", 120'000'000'000},
        {"1h", 3'600'000'000'000},
        {"0.5h", 1'800'000'000'000},
        {"9223372036854775807ns", std::numeric_limits<std::int64_t>::max()},
        {"9223372036.854775807s", std::numeric_limits<std::int64_t>::max()},
    };
    for (const auto& [text, count] : cases) {
        const auto parsed = parse_duration(text);
        ASSERT_TRUE(parsed) << text << ": " << reason(parsed);
        EXPECT_EQ(*parsed, nanoseconds{count}) << text;
    }
}

TEST(parse_duration, needs_its_unit) {
    for (const auto* text : {"0", "10", "1.5"})
        EXPECT_THAT(reason(parse_duration(text)), HasSubstr("has no unit")) << text;
}

TEST(parse_duration, refuses_what_is_none_or_does_not_fit) {
    for (const auto* text : {"", "s", "-1s", "1 s", "1S", "1m", "1d", "1e400s", "1e9ns", "0.3ns",
                             "1.0000000001s", "9223372036854775808ns", "2562048h",
                             "99999999999999999999s", "0x10s", ".5s", "5.s", "infs"})
        EXPECT_NE(reason(parse_duration(text)), "") << text;
    EXPECT_THAT(reason(parse_duration("2562048h")), HasSubstr("too large"));
    EXPECT_THAT(reason(parse_duration("10MS")), HasSubstr("did you mean 'ms'?"));
}

TEST(parse_size, reads_back_what_size_text_writes) {
    auto random = test::seeded_generator();
    for (int round = 0; round < 20'000; ++round) {
        const auto zeros = test::random_number(random, 0U, 63U);
        const std::uint64_t size_bytes =
            test::random_number<std::uint64_t>(random, 0, most_bytes >> zeros) << zeros;
        const auto parsed = parse_size(detail::size_text(size_bytes));
        ASSERT_TRUE(parsed) << size_bytes;
        ASSERT_EQ(*parsed, size_bytes);
    }
}

TEST(parse_size, agrees_with_the_same_size_written_as_a_fraction) {
    auto random = test::seeded_generator();
    for (int round = 0; round < 20'000; ++round) {
        const auto size_bytes = test::random_number<std::uint64_t>(random, 0, most_bytes);
        std::string digits = std::to_string(size_bytes % 1'000'000'000);
        digits.insert(0, 9 - digits.size(), '0');
        const auto text = std::to_string(size_bytes / 1'000'000'000) + "." + digits + "GB";
        ASSERT_EQ(parse_size(text).value(), size_bytes) << text;
    }
}

} // namespace
} // namespace hawser
