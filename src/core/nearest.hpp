// The known word that somebody most likely meant: for the "did you mean" of error texts.
//
// - Upper and lower case, '-' and '_' are the same here; so are two neighbours that swapped places.
// - Blocks, allocates: never. Threads, fork, signals: a pure function.
#pragma once

#include <span>
#include <string_view>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// Empty where nothing known is near enough to be worth a suggestion.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> known) noexcept;

} // namespace detail
} // namespace v1
} // namespace hawser
