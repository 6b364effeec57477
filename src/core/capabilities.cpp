#include <hawser/capabilities.hpp>

#include "core/words.hpp"

namespace hawser {
inline namespace v1 {

namespace {

using std::string_view_literals::operator""sv;

// Each in the order of its enumerators.
constexpr std::array boundary_words{"message"sv, "stream"sv};
constexpr std::array ordering_words{"total"sv, "per_sender"sv, "none"sv};
constexpr std::array lifetime_words{"process"sv, "kernel"sv, "file"sv, "server"sv};
constexpr std::array relation_words{"none"sv, "parent_child"sv};
constexpr std::array survival_words{"neither"sv, "sender"sv, "receiver"sv, "both"sv};

} // namespace

std::string_view name_of(boundary_kind value) noexcept {
    return detail::word_of(value, boundary_words);
}

std::string_view name_of(ordering_kind value) noexcept {
    return detail::word_of(value, ordering_words);
}

std::string_view name_of(lifetime_kind value) noexcept {
    return detail::word_of(value, lifetime_words);
}

std::string_view name_of(relation_kind value) noexcept {
    return detail::word_of(value, relation_words);
}

std::string_view name_of(survival_kind value) noexcept {
    return detail::word_of(value, survival_words);
}

} // namespace v1
} // namespace hawser
