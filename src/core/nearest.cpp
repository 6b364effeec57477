#include "core/nearest.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

// Longer words are near nothing; the bound keeps the rows of the distance on the stack.
constexpr std::size_t longest_word = 64;

char folded(char letter) noexcept {
    if (letter >= 'A' && letter <= 'Z') return static_cast<char>(letter - 'A' + 'a');
    return letter == '-' ? '_' : letter;
}

bool begins_with(std::string_view known, std::string_view word) noexcept {
    return word.size() <= known.size() &&
           std::equal(word.begin(), word.end(), known.begin(),
                      [](char left, char right) { return folded(left) == folded(right); });
}

// Optimal string alignment: insertions, deletions, substitutions and swapped neighbours, one each.
std::size_t distance(std::string_view left, std::string_view right) noexcept {
    using row = std::array<std::size_t, longest_word + 1>;
    row before_last{};
    row last{};
    row current{};
    for (std::size_t j = 0; j <= right.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= left.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const char a = folded(left[i - 1]);
            const char b = folded(right[j - 1]);
            const std::size_t changed = last[j - 1] + (a == b ? 0 : 1);
            current[j] = std::min({changed, last[j] + 1, current[j - 1] + 1});
            const bool swapped =
                i > 1 && j > 1 && a == folded(right[j - 2]) && folded(left[i - 2]) == b;
            if (swapped) current[j] = std::min(current[j], before_last[j - 2] + 1);
        }
        before_last = last;
        last = current;
    }
    return last[right.size()];
}

} // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) noexcept {
    if (word.empty() || word.size() > longest_word) return {};
    std::string_view best;
    std::size_t best_distance = longest_word;
    for (const std::string_view candidate : known) {
        if (candidate.size() > longest_word) continue;
        // One slip in three letters still looks like a slip; a beginning (`drop`, `cap`) always
        // does.
        const std::size_t allowed =
            candidate.size() < 3 ? 0 : std::max<std::size_t>(1, candidate.size() / 3);
        const std::size_t apart = distance(word, candidate);
        const bool near = apart <= allowed || (word.size() > 1 && begins_with(candidate, word));
        if (near && apart < best_distance) {
            best = candidate;
            best_distance = apart;
        }
    }
    return best;
}

} // namespace detail
} // namespace v1
} // namespace hawser
