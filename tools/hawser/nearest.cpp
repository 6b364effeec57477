#include "nearest.hpp"

#include <algorithm>
#include <cstddef>

namespace tool {
namespace {

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::vector<std::size_t>> cost(a.size() + 1,
                                               std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = cost[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    }
    return cost[a.size()][b.size()];
}

} // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
    // The table is quadratic, and nobody mistypes a word of this length.
    constexpr std::size_t longest = 64;
    if (word.empty() || word.size() > longest) return {};
    std::string best;
    // One mistake in a word of three letters, two in one of six, three in a longer one. The dashes
    // of a flag are no letters.
    const std::size_t letters = word.size() - std::min(word.find_first_not_of('-'), word.size());
    std::size_t allowed = std::min<std::size_t>(3, (letters + 2) / 3);
    for (const std::string& each : known) {
        const bool begins = word.size() >= 3 && each.starts_with(word);
        const std::size_t mistakes = begins ? 1 : distance(word, each);
        if (mistakes > allowed || (mistakes == allowed && !best.empty())) continue;
        best = each;
        allowed = mistakes;
    }
    return best;
}

} // namespace tool
