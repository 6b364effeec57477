// A program on a pseudo-terminal of its own: what is typed goes in, what it shows comes out.
//
// - Our terminal is in raw mode meanwhile, so that each key, Ctrl-C too, is the program's; it is
// put
//   back on every end but SIGKILL's. The window has the size of ours, and follows it.
// - Standard input may be no terminal: then nothing is echoed, and its end is sent as the key that
//   the program takes for one (Ctrl-D), as long as it reads lines.
// - Blocks: until the program has ended and what it showed is written. SIGTERM and SIGHUP hang up:
//   the program gets SIGHUP.
#pragma once

#include <variant>

#include "run_stage.hpp"

namespace tool::pipeline {

// The exit status of the program as a shell says it, or why it can't be run.
std::variant<int, refusal> run_on_terminal(stage& program);

} // namespace tool::pipeline
