#include "lane.hpp"

#include <algorithm>
#include <array>

#include "lane_hawser.hpp"

namespace tool::bench {

const char* name_of(wait_class wait) noexcept {
    constexpr std::array names{"spin", "block", "adaptive"};
    return names[static_cast<std::size_t>(wait)];
}

const char* name_of(payload what) noexcept {
    constexpr std::array names{"touched", "filled", "loaned"};
    return names[static_cast<std::size_t>(what)];
}

// Eight sums side by side: what bounds it is memory, not the additions.
std::uint64_t read_all(std::span<const std::byte> bytes) noexcept {
    constexpr std::size_t width = 8;
    std::array<std::uint64_t, width> sums{};
    const std::byte* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= sizeof sums; left -= sizeof sums, at += sizeof sums) {
        std::array<std::uint64_t, width> words;
        std::memcpy(words.data(), at, sizeof words);
        for (std::size_t i = 0; i < width; ++i) sums[i] += words[i];
    }
    std::uint64_t sum = 0;
    for (const std::uint64_t one : sums) sum += one;
    for (; left > 0; --left, ++at) sum += static_cast<std::uint64_t>(*at);
    return sum;
}

bool lane_kind::can_wait(wait_class wait) const {
    return std::ranges::find(waits, wait) != waits.end();
}

std::vector<lane_kind>& lane_kinds() {
    static std::vector<lane_kind> kinds = hawser_lanes();
    return kinds;
}

const lane_kind& find_lane(const std::string& name) {
    for (const lane_kind& kind : lane_kinds())
        if (kind.name == name) return kind;
    throw std::out_of_range("there is no lane " + name);
}

std::vector<missing_peer>& missing_peers() {
    static std::vector<missing_peer> missing;
    return missing;
}

} // namespace tool::bench
