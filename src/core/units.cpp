// Sizes and durations: a number with its unit. Both are exact, so neither knows floating point: a
// text either means a whole number of bytes (nanoseconds) or is refused.
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>

#include <hawser/options.hpp>

#include "core/text.hpp"

namespace hawser {
inline namespace v1 {

namespace {

using std::string_view_literals::operator""sv;

// What there is to know of one kind of quantity. names and factors belong together by index.
struct quantity {
    const char* operation;
    std::string_view noun;
    std::string_view smallest;
    std::string_view example;
    std::span<const std::string_view> names;
    std::span<const std::uint64_t> factors;
    std::uint64_t most;
    bool unit_needed;
};

constexpr std::uint64_t binary(unsigned shift) {
    return std::uint64_t{1} << shift;
}

constexpr std::array size_names{"B"sv,   "kB"sv,  "MB"sv, "GB"sv, "TB"sv, "KiB"sv, "MiB"sv,
                                "GiB"sv, "TiB"sv, "k"sv,  "M"sv,  "G"sv,  "T"sv};
constexpr std::array<std::uint64_t, size_names.size()> size_factors{
    1,          1'000,      1'000'000,  1'000'000'000, 1'000'000'000'000, binary(10), binary(20),
    binary(30), binary(40), binary(10), binary(20),    binary(30),        binary(40)};

constexpr std::array duration_names{"ns"sv, "us"sv, "ms"sv, "s"sv, "min"sv, "h"sv};
constexpr std::array<std::uint64_t, duration_names.size()> duration_factors{
    1, 1'000, 1'000'000, 1'000'000'000, 60'000'000'000, 3'600'000'000'000};

constexpr quantity size_quantity{"parse_size",
                                 "size",
                                 "bytes",
                                 "4KiB",
                                 size_names,
                                 size_factors,
                                 std::numeric_limits<std::uint64_t>::max(),
                                 false};
constexpr quantity duration_quantity{"parse_duration",
                                     "duration",
                                     "nanoseconds",
                                     "250us",
                                     duration_names,
                                     duration_factors,
                                     std::numeric_limits<std::int64_t>::max(),
                                     true};

// "12.5ms" taken apart: "12", "5", "ms".
struct parts {
    std::string_view whole;
    std::string_view fraction;
    std::string_view unit;
    bool has_point = false;
};

error refusal(const quantity& kind, std::string_view text, const std::string& why) {
    return error{errc::invalid_argument, kind.operation}.because(detail::in_quotes(text) + " " +
                                                                 why);
}

std::string_view take_digits(std::string_view& text) noexcept {
    std::size_t length = 0;
    while (length < text.size() && text[length] >= '0' && text[length] <= '9') ++length;
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
}

parts take_apart(std::string_view text) noexcept {
    parts found;
    found.whole = take_digits(text);
    if (!text.empty() && text.front() == '.') {
        found.has_point = true;
        text.remove_prefix(1);
        found.fraction = take_digits(text);
    }
    found.unit = text;
    return found;
}

std::optional<std::string> number_problem(const quantity& kind, std::string_view text,
                                          const parts& found) {
    const std::string example = "; write it like " + std::string(kind.example);
    if (text.empty()) return "is no " + std::string(kind.noun) + example;
    if (text.front() == '-') return "is negative" + example;
    if (found.whole.empty()) return "does not begin with a digit" + example;
    if (found.has_point && found.fraction.empty()) return "has no digit after the point" + example;
    return std::nullopt;
}

std::string unit_problem(const quantity& kind, std::string_view unit) {
    const std::string units = " Units: " + detail::joined(kind.names) + ".";
    if (unit.empty()) return "has no unit; it is part of a " + std::string(kind.noun) + "." + units;
    const std::string meant = detail::did_you_mean(unit, kind.names);
    if (unit.front() == ' ')
        return "has a space before its unit; write it like " + std::string(kind.example) + ".";
    return "has the unknown unit " + detail::in_quotes(unit) + (meant.empty() ? "." : meant) +
           units;
}

std::optional<std::uint64_t> factor_of(const quantity& kind, std::string_view unit) noexcept {
    if (unit.empty() && !kind.unit_needed) return 1;
    for (std::size_t i = 0; i < kind.names.size(); ++i)
        if (kind.names[i] == unit) return kind.factors[i];
    return std::nullopt;
}

// factor × 0.fraction, or nothing where that is not whole. Horner's scheme from the last digit:
// 0.d₁d₂… × factor = (d₁ × factor + 0.d₂… × factor) / 10, and the left side can only be whole if
// what is divided is, so each step may demand it; no number of digits overflows.
std::optional<std::uint64_t> fraction_of(std::uint64_t factor, std::string_view fraction) noexcept {
    std::uint64_t part = 0;
    for (std::size_t i = fraction.size(); i-- > 0;) {
        const std::uint64_t tenfold = static_cast<std::uint64_t>(fraction[i] - '0') * factor + part;
        if (tenfold % 10 != 0) return std::nullopt;
        part = tenfold / 10;
    }
    return part;
}

// whole × factor + part, or nothing where that is more than most.
std::optional<std::uint64_t> sum_of(std::string_view whole, std::uint64_t factor,
                                    std::uint64_t part, std::uint64_t most) noexcept {
    const auto count = detail::parse_count(whole);
    std::uint64_t value = 0;
    if (!count || __builtin_mul_overflow(*count, factor, &value) ||
        __builtin_add_overflow(value, part, &value) || value > most)
        return std::nullopt;
    return value;
}

result<std::uint64_t> parse_quantity(const quantity& kind, std::string_view text) {
    const parts found = take_apart(text);
    if (const auto problem = number_problem(kind, text, found))
        return refusal(kind, text, *problem);
    const auto factor = factor_of(kind, found.unit);
    if (!factor) return refusal(kind, text, unit_problem(kind, found.unit));
    const auto part = fraction_of(*factor, found.fraction);
    if (!part)
        return refusal(kind, text, "is not a whole number of " + std::string(kind.smallest) + ".");
    const auto value = sum_of(found.whole, *factor, *part, kind.most);
    if (!value)
        return refusal(kind, text,
                       "is too large; the most is " + std::to_string(kind.most) + " " +
                           std::string(kind.smallest) + ".");
    return *value;
}

} // namespace

result<std::uint64_t> parse_size(std::string_view text) {
    return parse_quantity(size_quantity, text);
}

result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    const auto value = parse_quantity(duration_quantity, text);
    if (!value) return value.why();
    return std::chrono::nanoseconds{static_cast<std::int64_t>(*value)};
}

} // namespace v1
} // namespace hawser
