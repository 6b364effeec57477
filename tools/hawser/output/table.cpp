#include "output/table.hpp"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "output/human.hpp"

namespace tool {
namespace {

// Characters, not bytes. Wide and combining characters are not told apart; names rarely have them.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool put(std::string_view text, std::FILE* into = stdout) {
    return std::fwrite(text.data(), 1, text.size(), into) == text.size();
}

} // namespace

void table::add(const std::vector<std::string>& cells) {
    std::vector<std::string>& row = rows_.emplace_back();
    for (const std::string& cell : cells) row.push_back(printable(cell));
}

bool table::print(const context& here, stream where) const {
    std::FILE* const into = where == stream::err ? stderr : stdout;
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
        std::size_t widest = width_of(columns_[c].title);
        for (const auto& row : rows_) widest = std::max(widest, width_of(row[c]));
        widths.push_back(widest);
    }
    const auto line = [&](const auto& cell_of) {
        std::string text;
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            const std::string& cell = cell_of(c);
            const std::string gap(widths[c] - width_of(cell), ' ');
            text += columns_[c].side == align::right ? gap + cell : cell + gap;
            text += "  ";
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text;
    };
    const auto title = line([&](std::size_t c) -> const std::string& { return columns_[c].title; });
    bool written = put(paint(here, where, ink::dim, title) + '\n', into);
    for (const auto& row : rows_)
        written &=
            put(line([&](std::size_t c) -> const std::string& { return row[c]; }) + '\n', into);
    return written && std::fflush(into) == 0;
}

bool print_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
    std::size_t widest = 0;
    for (const auto& [name, value] : facts) widest = std::max(widest, width_of(name));
    bool written = true;
    for (const auto& [name, value] : facts)
        written &= put(fmt::format("{:<{}}  {}\n", name, widest, printable(value)));
    return written && std::fflush(stdout) == 0;
}

} // namespace tool
