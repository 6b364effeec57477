#include "run_words.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace tool::pipeline {
namespace {

// Flags before the programs whose value is a word of its own. (With `=` they are one word.)
constexpr std::array<std::string_view, 4> flags_with_value{"--color", "--report", "--report-json",
                                                           "--separator"};

bool takes_next_word(const std::string& flag) {
    return std::ranges::find(flags_with_value, flag) != flags_with_value.end();
}

// The first word from `at` on that is neither a flag nor the value of one.
std::size_t after_flags(const std::vector<std::string>& words, std::size_t at) {
    while (at < words.size() && words[at] != "--" && words[at].starts_with('-'))
        at += takes_next_word(words[at]) ? 2U : 1U;
    return std::min(at, words.size());
}

} // namespace

void set_programs_aside(std::vector<std::string>& words, context& here) {
    const std::size_t verb = after_flags(words, 0);
    if (verb == words.size() || words[verb] != "run") return;
    const std::size_t dashes = after_flags(words, verb + 1);
    const bool marked = dashes < words.size() && words[dashes] == "--";
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(dashes);
    here.programs.assign(std::make_move_iterator(first + (marked ? 1 : 0)),
                         std::make_move_iterator(words.end()));
    words.erase(first, words.end());
}

std::vector<std::vector<std::string>> split_stages(const std::vector<std::string>& words,
                                                   std::string_view separator) {
    std::vector<std::vector<std::string>> stages(1);
    for (const std::string& word : words) {
        if (word == separator)
            stages.emplace_back();
        else
            stages.back().push_back(word);
    }
    return stages;
}

} // namespace tool::pipeline
