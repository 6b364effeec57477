#include "core/text.hpp"

#include <charconv>
#include <system_error>

#include "core/nearest.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

void append_escape(std::string& to, char letter) {
    const auto escape = escape_of(letter);
    to.append(escape.data(), escape.size());
}

bool is_control(char letter) noexcept {
    const auto byte = static_cast<unsigned char>(letter);
    return byte < 0x20 || byte == 0x7F;
}

bool continues_utf8(char letter) noexcept {
    return (static_cast<unsigned char>(letter) & 0xC0U) == 0x80U;
}

} // namespace

void append_escaped(std::string& to, std::string_view text) {
    for (const char letter : text) {
        if (needs_escape(letter))
            append_escape(to, letter);
        else
            to.push_back(letter);
    }
}

std::string printable(std::string_view text) {
    std::string shown;
    shown.reserve(text.size());
    for (const char letter : text) {
        if (is_control(letter))
            append_escape(shown, letter);
        else
            shown.push_back(letter);
    }
    return shown;
}

std::string_view cut(std::string_view text, std::size_t size) noexcept {
    if (text.size() <= size) return text;
    while (size > 0 && continues_utf8(text[size])) --size;
    return text.substr(0, size);
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 48; // leaves room for the reason in the 384 bytes of a detail
    const std::string_view shown = cut(text, longest);
    return "'" + printable(shown) + (shown.size() < text.size() ? "…'" : "'");
}

std::string joined(std::span<const std::string_view> words) {
    std::string list;
    for (const std::string_view word : words) {
        if (!list.empty()) list += ", ";
        list += word;
    }
    return list;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view meant = nearest(word, known);
    if (meant.empty()) return {};
    return "; did you mean '" + std::string(meant) + "'?";
}

std::optional<std::uint64_t> parse_count(std::string_view text, int base) noexcept {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value, base);
    if (text.empty() || problem != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::string size_text(std::uint64_t size_bytes) {
    struct unit {
        std::string_view name;
        unsigned shift;
    };
    constexpr std::array<unit, 4> units{{{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
    for (const auto& [name, shift] : units) {
        const std::uint64_t whole = size_bytes >> shift;
        if (whole != 0 && whole << shift == size_bytes)
            return std::to_string(whole) + std::string(name);
    }
    return std::to_string(size_bytes);
}

std::string mode_text(std::uint32_t mode) {
    std::array<char, 11> digits{}; // 32 bits are 11 octal digits
    const auto [stop, problem] =
        std::to_chars(digits.data(), digits.data() + digits.size(), mode, 8);
    std::string text(digits.data(), stop);
    return text.size() < 4 ? std::string(4 - text.size(), '0') + text : text;
}

} // namespace detail
} // namespace v1
} // namespace hawser
