// The words of `hawser run [flags] [--] PROGRAM ARG… ::: PROGRAM ARG…`.
//
// - What belongs to the programs is set aside before the command line is parsed: the parser would
//   take a second `--` away, split "[a,b]" and read `ls` as a verb.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "context.hpp"

namespace tool::pipeline {

// Moves the programs' words of a `run` from words to here.programs; leaves other verbs alone.
void set_programs_aside(std::vector<std::string>& words, context& here);

// One list of words for each program; some may be empty, where a separator has nothing beside it.
std::vector<std::vector<std::string>> split_stages(const std::vector<std::string>& words,
                                                   std::string_view separator);

} // namespace tool::pipeline
