// Pieces of text that the error messages and the canonical forms of the contract are made of.
//
// - Blocks: never. Allocates: the strings. Threads, fork, signals: pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// What an address writes as %XX: its own punctuation, and whatever would not survive a shell or a
// terminal. Bytes above 0x7F stay, so that names in UTF-8 remain readable.
[[nodiscard]] constexpr bool needs_escape(char letter) noexcept {
    const auto byte = static_cast<unsigned char>(letter);
    return byte <= 0x20 || byte == 0x7F || letter == '%' || letter == '?' || letter == '&';
}

[[nodiscard]] constexpr std::array<char, 3> escape_of(char letter) noexcept {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(letter);
    return {'%', digits[byte >> 4U], digits[byte & 0xFU]};
}

// Text as a part of an address.
void append_escaped(std::string& to, std::string_view text);

// At most so many bytes of text, never a part of a letter in UTF-8.
[[nodiscard]] std::string_view cut(std::string_view text, std::size_t size) noexcept;

// Text for a person: in single quotes, control characters escaped, cut with "…" where it is long.
[[nodiscard]] std::string in_quotes(std::string_view text);

// Text as it was typed, with only control characters escaped: safe to show on a terminal.
[[nodiscard]] std::string printable(std::string_view text);

// "block, fail, drop_oldest"
[[nodiscard]] std::string joined(std::span<const std::string_view> words);

// "; did you mean 'capacity'?", or nothing where no known word is near.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       std::span<const std::string_view> known);

// A number of digits of that base and nothing else; nothing where it is no number or too large.
[[nodiscard]] std::optional<std::uint64_t> parse_count(std::string_view text,
                                                       int base = 10) noexcept;

// "16MiB" where that is exact, else "16777217". parse_size() reads it back.
[[nodiscard]] std::string size_text(std::uint64_t size_bytes);

// "0600"
[[nodiscard]] std::string mode_text(std::uint32_t mode);

} // namespace detail
} // namespace v1
} // namespace hawser
