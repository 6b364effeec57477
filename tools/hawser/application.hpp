// The command line as a whole: builds the tree of verbs, parses, answers mistakes, runs the verb.
#pragma once

namespace tool {

// What main returns.
int run(int argc, const char* const* argv);

} // namespace tool
