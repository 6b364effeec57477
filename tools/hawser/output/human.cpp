#include "output/human.hpp"

#include <array>
#include <cstddef>

#include <fmt/format.h>

#include <hawser/options.hpp>

namespace tool {
namespace {

struct unit {
    double size;
    std::string_view name;
};

// Up to three digits, and no ".0".
std::string in_unit(double value, const unit& of) {
    const double scaled = value / of.size;
    std::string text = fmt::format("{:.{}f}", scaled, scaled < 9.95 ? 1 : 0);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text.append(of.name);
}

// Bytes of the UTF-8 sequence that begins text, or 0 if it is none (overlong and surrogates too).
std::size_t utf8_length(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead < 0xC2   ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((at(i) & 0xC0) != 0x80) return 0;
    const bool overlong = (lead == 0xE0 && at(1) < 0xA0) || (lead == 0xF0 && at(1) < 0x90);
    const bool surrogate = lead == 0xED && at(1) >= 0xA0;
    const bool beyond = lead == 0xF4 && at(1) >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

// C0, DEL, and the C1 controls that some terminals obey as well.
bool is_control(std::string_view character) noexcept {
    const auto lead = static_cast<unsigned char>(character[0]);
    if (lead < 0x20 || lead == 0x7F) return true;
    return lead == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0;
}

} // namespace

std::string human_size(std::uint64_t bytes) {
    static constexpr std::array<unit, 6> units{{{0x1p60, "EiB"},
                                                {0x1p50, "PiB"},
                                                {0x1p40, "TiB"},
                                                {0x1p30, "GiB"},
                                                {0x1p20, "MiB"},
                                                {0x1p10, "KiB"}}};
    const auto value = static_cast<double>(bytes);
    for (const unit& each : units)
        if (value >= each.size) return in_unit(value, each);
    return fmt::format("{}B", bytes);
}

std::string human_limit(std::uint64_t bytes) {
    std::string text = human_size(bytes);
    const auto read_back = hawser::parse_size(text);
    return read_back && *read_back == bytes ? text : human_count(bytes) + "B";
}

std::string human_duration(std::chrono::nanoseconds span) {
    static constexpr std::array<unit, 6> units{
        {{86400e9, "d"}, {3600e9, "h"}, {60e9, "min"}, {1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}};
    const auto value = static_cast<double>(span.count());
    constexpr double rounds_up = 0.9995; // 999.9ms is shown as 1s, not as 1000ms
    for (const unit& each : units)
        if (value >= each.size * rounds_up) return in_unit(value, each);
    return fmt::format("{}ns", span.count());
}

std::string human_count(std::uint64_t count) {
    std::string text = std::to_string(count);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return text;
}

std::string human_plural(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", human_count(count), noun, count == 1 ? "" : "s");
}

std::string human_rate(double per_second) {
    static constexpr std::array<unit, 3> units{{{1e9, "G/s"}, {1e6, "M/s"}, {1e3, "k/s"}}};
    for (const unit& each : units)
        if (per_second >= each.size) return in_unit(per_second, each);
    return fmt::format("{:.0f}/s", per_second);
}

std::string printable(std::string_view text) {
    std::string shown;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0 || is_control(text)) {
            const std::size_t broken = length == 0 ? 1 : length;
            for (const char byte : text.substr(0, broken))
                shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
            text.remove_prefix(broken);
            continue;
        }
        shown.append(text.substr(0, length));
        text.remove_prefix(length);
    }
    return shown;
}

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

} // namespace tool
