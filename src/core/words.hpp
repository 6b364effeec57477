// Enumerators as words: the spelling of an enumeration is an array in the order of its enumerators,
// which begin at 0 and leave no gap.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

template <typename Enum>
[[nodiscard]] constexpr bool is_enumerator(Enum value,
                                           std::span<const std::string_view> words) noexcept {
    return static_cast<std::size_t>(value) < words.size();
}

// "unknown" for a value that is no enumerator: it may come from a cast, or from another version.
template <typename Enum>
[[nodiscard]] constexpr std::string_view word_of(Enum value,
                                                 std::span<const std::string_view> words) noexcept {
    return is_enumerator(value, words) ? words[static_cast<std::size_t>(value)] : "unknown";
}

// The enumerator's value as a number.
[[nodiscard]] constexpr std::optional<std::size_t>
index_of(std::string_view word, std::span<const std::string_view> words) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i)
        if (words[i] == word) return i;
    return std::nullopt;
}

} // namespace detail
} // namespace v1
} // namespace hawser
