// Reading and writing addresses. The grammar, after percent-decoding of rest and values:
//
//     [scheme ":"] rest ["?" name "=" value {"&" name "=" value}]
#include <hawser/address.hpp>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/address_check.hpp"
#include "core/text.hpp"

namespace hawser {
inline namespace v1 {

namespace {

constexpr std::size_t longest_address = 4096;
constexpr std::size_t error_address_size = 160; // what error::at() keeps

// The text that is read, kept for the error: it says where, counted from 1.
struct source {
    std::string_view text;

    error wrong(std::size_t offset, const std::string& why) const {
        return error{errc::invalid_argument, "parse_address"}
            .at(detail::cut(detail::printable(text), error_address_size))
            .because("position " + std::to_string(offset + 1) + ": " + why);
    }
};

bool is_scheme_letter(char letter) noexcept {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
}

// The letter at offset, which may be several bytes of UTF-8.
std::string_view letter_at(std::string_view text, std::size_t offset) noexcept {
    std::size_t length = 1;
    while (detail::cut(text.substr(offset), length).empty()) ++length;
    return text.substr(offset, length);
}

// Where the first letter is that a scheme can't have, or npos.
std::size_t bad_scheme_letter(std::string_view scheme) noexcept {
    for (std::size_t i = 0; i < scheme.size(); ++i)
        if (!is_scheme_letter(scheme[i])) return i;
    return std::string_view::npos;
}

std::optional<unsigned> hex_value(std::string_view text, std::size_t offset) noexcept {
    if (offset + 2 > text.size()) return std::nullopt;
    const auto value = detail::parse_count(text.substr(offset, 2), 16);
    return value ? std::optional{static_cast<unsigned>(*value)} : std::nullopt;
}

// [begin, end) of the text without its percent escapes.
result<std::string> decoded(const source& from, std::size_t begin, std::size_t end) {
    const std::string_view part = from.text.substr(0, end);
    std::string bytes;
    for (std::size_t i = begin; i < end; ++i) {
        if (part[i] != '%') {
            bytes.push_back(part[i]);
            continue;
        }
        const auto value = hex_value(part, i + 1);
        if (!value)
            return from.wrong(i, "'%' begins an escape of two hexadecimal digits, such as %3F; "
                                 "write %25 for a '%' itself.");
        if (*value == 0) return from.wrong(i, "an address holds no NUL; take %00 out.");
        bytes.push_back(static_cast<char>(*value));
        i += 2;
    }
    return bytes;
}

result<void> check_text(const source& from) {
    if (from.text.empty()) return from.wrong(0, "the address is empty; write it like shm:orders.");
    if (from.text.size() > longest_address)
        return from.wrong(longest_address, "an address has at most 4096 bytes, this one has " +
                                               std::to_string(from.text.size()) + ".");
    const std::size_t nul = from.text.find('\0');
    if (nul != std::string_view::npos) return from.wrong(nul, "an address holds no NUL.");
    return {};
}

result<void> check_scheme(const source& from, std::string_view scheme) {
    if (scheme.empty())
        return from.wrong(0, "a scheme is expected before ':'; write it like shm:orders.");
    const std::size_t bad = bad_scheme_letter(scheme);
    if (bad == std::string_view::npos) return {};
    return from.wrong(bad, detail::in_quotes(letter_at(scheme, bad)) +
                               " can't be in a scheme, which has lower case letters, digits and "
                               "'-'. If the ':' belongs to the name of a mailbox, write shm: in "
                               "front of it.");
}

// scheme and rest, from the text before the '?'.
result<void> read_name(const source& from, std::size_t end, address& to) {
    const std::string_view head = from.text.substr(0, end);
    const std::size_t colon = head.find(':');
    const bool has_scheme = colon != std::string_view::npos;
    if (has_scheme) {
        if (auto good = check_scheme(from, head.substr(0, colon)); !good) return good;
    }
    const std::size_t begin = has_scheme ? colon + 1 : 0;
    if (!has_scheme && head.empty())
        return from.wrong(0, "a name is expected before '?'; write it like shm:orders.");
    if (const std::size_t ampersand = head.find('&', begin); ampersand != std::string_view::npos)
        return from.wrong(ampersand,
                          "the first option begins with '?', not '&'; in a name write %26.");
    auto rest = decoded(from, begin, end);
    if (!rest) return rest.why();
    to.scheme = has_scheme ? head.substr(0, colon) : "shm";
    to.rest = std::move(*rest);
    return {};
}

// One "name=value" in [begin, end) of the text.
result<void> read_option(const source& from, std::size_t begin, std::size_t end, options& to) {
    const std::string_view text = from.text.substr(begin, end - begin);
    if (text.empty()) return from.wrong(begin, "an option is expected, such as capacity=64.");
    if (const std::size_t question = text.find('?'); question != std::string_view::npos)
        return from.wrong(begin + question,
                          "options are separated by '&', not '?'; in a value write %3F.");
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos)
        return from.wrong(end, "'=' and a value are expected after the option " +
                                   detail::in_quotes(text) + ".");
    const auto name = decoded(from, begin, begin + equals);
    if (!name) return name.why();
    const auto value = decoded(from, begin + equals + 1, end);
    if (!value) return value.why();
    options given;
    if (auto set = given.set(*name, *value); !set)
        return from.wrong(begin, std::string(set.why().detail()));
    auto merged = to.merged_with(given);
    if (!merged) return from.wrong(begin, std::string(merged.why().detail()));
    to = std::move(*merged);
    return {};
}

result<void> read_options(const source& from, std::size_t begin, options& to) {
    while (begin <= from.text.size()) {
        const std::size_t end = std::min(from.text.find('&', begin), from.text.size());
        if (auto good = read_option(from, begin, end, to); !good) return good;
        begin = end + 1;
    }
    return {};
}

} // namespace

result<address> address::parse(std::string_view text) {
    const source from{text};
    if (auto good = check_text(from); !good) return good.why();
    const std::size_t question = text.find('?');
    const bool has_options = question != std::string_view::npos;
    address parsed;
    if (auto good = read_name(from, has_options ? question : text.size(), parsed); !good)
        return good.why();
    if (has_options) {
        if (auto good = read_options(from, question + 1, parsed.wanted); !good) return good.why();
    }
    // Escapes and the default scheme may make it longer, and the canonical form must parse again.
    if (const std::size_t length = parsed.to_text().size(); length > longest_address)
        return from.wrong(text.size(), "an address has at most 4096 bytes; in canonical form this "
                                       "one has " +
                                           std::to_string(length) + ".");
    return parsed;
}

std::string address::to_text() const {
    std::string text = name();
    const std::string given = wanted.to_text();
    if (!given.empty()) (text += '?') += given;
    return text;
}

std::string address::name() const {
    std::string text = scheme + ":";
    detail::append_escaped(text, rest);
    return text;
}

namespace detail {

result<void> check_address(const address& where) {
    const auto wrong = [&](const std::string& why) {
        return error{errc::invalid_argument, "open"}
            .at(cut(where.name(), error_address_size))
            .because(why);
    };
    if (where.scheme.empty() || bad_scheme_letter(where.scheme) != std::string_view::npos)
        return wrong("a scheme has lower case letters, digits and '-', and is not empty.");
    if (where.rest.find('\0') != std::string::npos) return wrong("an address holds no NUL.");
    if (where.name().size() > longest_address) return wrong("an address has at most 4096 bytes.");
    return {};
}

} // namespace detail
} // namespace v1
} // namespace hawser
