// All that is known of the options is one table, `fields`: name, place, spelling and range of each.
// What can be done with options is a loop over it, so that no function can forget one.
#include <hawser/options.hpp>

#include <array>
#include <limits>
#include <tuple>

#include "core/options_check.hpp"
#include "core/text.hpp"
#include "core/words.hpp"

namespace hawser {
inline namespace v1 {

namespace {

using std::string_view_literals::operator""sv;

// Each in the order of its enumerators.
constexpr std::array sharing_words{"pair"sv, "one"sv, "any"sv, "all"sv};
constexpr std::array order_words{"total"sv, "sender"sv};
constexpr std::array full_words{"block"sv, "fail"sv, "drop_oldest"sv, "drop_newest"sv};
constexpr std::array create_words{"open_or_create"sv, "create"sv, "open"sv};
constexpr std::array delivery_words{"at_least_once"sv, "at_most_once"sv};
constexpr std::array wait_words{"adaptive"sv, "spin"sv, "block"sv};
constexpr std::array trust_words{"all"sv, "none"sv};
constexpr std::array persist_words{"no"sv, "yes"sv}; // in the order false, true

// Linux has names of users and groups of 32 bytes; directories such as LDAP have longer ones.
constexpr std::size_t longest_account = 255;

// One option. read() knows the spelling, in_range() the values; write() is what read() takes back.
template <typename T>
struct field {
    std::string_view name;
    std::optional<T> options::*place;
    std::string_view accepted; // for error texts; words stand for themselves
    std::span<const std::string_view> words;
    result<T> (*read)(std::string_view text);
    bool (*in_range)(const T& value);
    std::string (*write)(const T& value);
};

error unreadable(const std::string& why) {
    return error{errc::invalid_argument, "set_option"}.because(why);
}

template <typename T>
result<T> read_number(std::string_view text, int base) {
    const auto value = detail::parse_count(text, base);
    if (value && *value <= std::numeric_limits<T>::max()) return static_cast<T>(*value);
    return unreadable(detail::in_quotes(text) +
                      (base == 8 ? " is not an octal number." : " is not a number in range."));
}

result<std::uint64_t> read_capacity(std::string_view text) {
    if (text == "unbounded") return unbounded;
    auto value = read_number<std::uint64_t>(text, 10);
    // Spelled out it would be 2^64 - 1 messages, which nobody means.
    if (value && *value == unbounded) return unreadable("a number can't mean unbounded.");
    return value;
}

result<std::string> read_account(std::string_view text) {
    return std::string(text);
}

template <const auto& Words, typename T>
result<T> read_word(std::string_view text) {
    if (const auto index = detail::index_of(text, Words)) return static_cast<T>(*index);
    const std::string meant = detail::did_you_mean(text, Words);
    return unreadable(detail::in_quotes(text) + " is none of its values" +
                      (meant.empty() ? "." : meant));
}

template <typename T>
constexpr field<T> number_field(std::string_view name, std::optional<T> options::*place,
                                std::string_view accepted, bool (*in_range)(const T&)) {
    return {name,
            place,
            accepted,
            {},
            [](std::string_view text) { return read_number<T>(text, 10); },
            in_range,
            [](const T& value) { return std::to_string(value); }};
}

constexpr field<std::uint64_t> size_field(std::string_view name,
                                          std::optional<std::uint64_t> options::*place,
                                          std::string_view accepted,
                                          bool (*in_range)(const std::uint64_t&)) {
    return {name, place, accepted, {}, parse_size, in_range, [](const std::uint64_t& value) {
                return detail::size_text(value);
            }};
}

template <const auto& Words, typename T>
constexpr field<T> word_field(std::string_view name, std::optional<T> options::*place) {
    return {name,
            place,
            {},
            Words,
            read_word<Words, T>,
            [](const T& value) { return detail::is_enumerator(value, Words); },
            [](const T& value) { return std::string(detail::word_of(value, Words)); }};
}

constexpr field<std::uint64_t> capacity_field{
    "capacity",
    &options::capacity,
    "0 (a sender waits for its receiver), 1 to 1048575, or unbounded",
    {},
    read_capacity,
    [](const std::uint64_t& value) { return value <= 1'048'575 || value == unbounded; },
    [](const std::uint64_t& value) {
        return value == unbounded ? "unbounded" : std::to_string(value);
    }};

constexpr field<std::uint32_t> mode_field{
    "mode",
    &options::mode,
    "permission bits in octal, 0 to 0777, such as 0600",
    {},
    [](std::string_view text) { return read_number<std::uint32_t>(text, 8); },
    [](const std::uint32_t& value) { return value <= 0777; },
    [](const std::uint32_t& value) { return detail::mode_text(value); }};

constexpr field<std::string> account_field(std::string_view name,
                                           std::optional<std::string> options::*place,
                                           std::string_view accepted) {
    return {name,
            place,
            accepted,
            {},
            read_account,
            [](const std::string& value) {
                return !value.empty() && value.size() <= longest_account &&
                       value.find('\0') == std::string::npos;
            },
            [](const std::string& value) { return value; }};
}

// In the order of the declaration, which is the order of to_text().
constexpr std::tuple fields{
    capacity_field,
    size_field("max_message", &options::max_message, "1B to 1TiB",
               [](const std::uint64_t& value) { return value >= 1 && value <= 1ULL << 40U; }),
    // Room for sixteen of the largest messages; it has to be less than what a process can map.
    size_field("max_memory", &options::max_memory, "1B to 16TiB",
               [](const std::uint64_t& value) { return value >= 1 && value <= 1ULL << 44U; }),
    number_field<std::uint32_t>(
        "participants", &options::participants, "1 to 2047",
        [](const std::uint32_t& value) { return value >= 1 && value <= 2047; }),
    number_field<std::uint32_t>(
        "loans", &options::loans, "2 to 32",
        [](const std::uint32_t& value) { return value >= 2 && value <= 32; }),
    word_field<sharing_words>("sharing", &options::sharing),
    word_field<order_words>("order", &options::order),
    word_field<full_words>("full", &options::full),
    word_field<delivery_words>("delivery", &options::delivery),
    word_field<wait_words>("wait", &options::wait),
    word_field<create_words>("create", &options::create), mode_field,
    account_field("group", &options::group, "a group's name or number, 1 to 255 bytes"),
    number_field<std::uint32_t>("history", &options::history, "0 to 4294967295",
                                [](const std::uint32_t&) { return true; }),
    word_field<persist_words>("persist", &options::persist),
    word_field<trust_words>("trust", &options::trust),
    account_field("host", &options::host, "a user's name or number, 1 to 255 bytes")};

// use(field) for each until one says true; whether one did.
template <typename Use>
bool any_field(Use use) {
    return std::apply([&](const auto&... one) { return (use(one) || ...); }, fields);
}

constexpr auto field_names =
    std::apply([](const auto&... one) { return std::array{one.name...}; }, fields);

template <typename T>
std::string accepted_by(const field<T>& one) {
    return " Accepted: " +
           (one.words.empty() ? std::string(one.accepted) : detail::joined(one.words)) + ".";
}

template <typename T>
std::string assignment(const field<T>& one, const T& value) {
    return std::string(one.name) + "=" + detail::printable(one.write(value));
}

template <typename T>
result<void> check_field(const field<T>& one, const T& value, const char* operation) {
    if (one.in_range(value)) return {};
    std::string shown = assignment(one, value);
    if (shown.size() > 64) shown = std::string(one.name);
    return error{errc::invalid_argument, operation}.because(shown + " is out of range." +
                                                            accepted_by(one));
}

template <typename T>
result<void> set_field(options& these, const field<T>& one, std::string_view text) {
    auto value = one.read(text);
    if (!value)
        return unreadable(std::string(one.name) + ": " + std::string(value.why().detail()) +
                          accepted_by(one));
    auto good = check_field(one, *value, "set_option");
    if (good) these.*one.place = std::move(*value);
    return good;
}

template <typename T>
result<void> merge_field(options& these, const options& those, const field<T>& one) {
    std::optional<T>& mine = these.*one.place;
    const std::optional<T>& other = those.*one.place;
    if (mine && other && *mine != *other)
        return error{errc::invalid_argument, "merge_options"}.because(
            std::string(one.name) + " is asked for twice with different values, " +
            detail::in_quotes(one.write(*mine)) + " and " + detail::in_quotes(one.write(*other)) +
            ". Keep one of them.");
    if (other) mine = other;
    return {};
}

error unknown_option(std::string_view name) {
    const std::string meant = detail::did_you_mean(name, field_names);
    return unreadable("there is no option " + detail::in_quotes(name) +
                      (meant.empty() ? "." : meant) + " Options: " + detail::joined(field_names) +
                      ".");
}

} // namespace

result<void> options::set(std::string_view name, std::string_view value) {
    result<void> outcome;
    const bool known = any_field([&](const auto& one) {
        if (one.name != name) return false;
        outcome = set_field(*this, one, value);
        return true;
    });
    if (!known) return unknown_option(name);
    return outcome;
}

result<options> options::merged_with(const options& other) const {
    options both = *this;
    result<void> outcome;
    const bool conflict = any_field([&](const auto& one) {
        outcome = merge_field(both, other, one);
        return !outcome;
    });
    if (conflict) return outcome.why();
    return both;
}

std::string options::to_text() const {
    std::string text;
    any_field([&](const auto& one) {
        const std::string assigned = detail::option_text(*this, one.name);
        if (!text.empty() && !assigned.empty()) text += '&';
        text += assigned;
        return false;
    });
    return text;
}

namespace detail {

result<void> check_ranges(const options& wanted) {
    result<void> outcome;
    any_field([&](const auto& one) {
        const auto& value = wanted.*one.place;
        if (value) outcome = check_field(one, *value, "check_options");
        return !outcome;
    });
    return outcome;
}

std::string option_text(const options& wanted, std::string_view name) {
    std::string text;
    any_field([&](const auto& one) {
        const auto& value = wanted.*one.place;
        if (one.name != name || !value) return false;
        text = std::string(one.name) + '=';
        append_escaped(text, one.write(*value));
        return true;
    });
    return text;
}

} // namespace detail

std::string_view name_of(sharing_policy value) noexcept {
    return detail::word_of(value, sharing_words);
}

std::string_view name_of(order_policy value) noexcept {
    return detail::word_of(value, order_words);
}

std::string_view name_of(full_policy value) noexcept {
    return detail::word_of(value, full_words);
}

std::string_view name_of(create_policy value) noexcept {
    return detail::word_of(value, create_words);
}

std::string_view name_of(delivery_policy value) noexcept {
    return detail::word_of(value, delivery_words);
}

std::string_view name_of(wait_mode value) noexcept {
    return detail::word_of(value, wait_words);
}

std::string_view name_of(trust_policy value) noexcept {
    return detail::word_of(value, trust_words);
}

} // namespace v1
} // namespace hawser
