// `--raw`: the bytes of a stream, without messages, from stdin or to stdout.
//
// - Sending connects and receiving listens, unless the flags say the other way; a pipe, a FIFO or a
//   terminal is opened.
// - Blocks: until the other side is there, and for its bytes or its room; Ctrl-C ends it. Moves
//   bytes inside the kernel (splice) where one side is a pipe.
#pragma once

#include <string>
#include <vector>

#include <hawser/options.hpp>

#include "context.hpp"
#include "flags.hpp"

namespace tool {

struct raw_flags {
    bool on = false;
    bool listen = false;
    bool connect = false;
};

// --raw, --listen, --connect. Gives --raw, for excludes().
CLI::Option* add_raw(CLI::App* verb, raw_flags& into, const std::string& help);

struct raw_work {
    std::string address;
    hawser::options wanted;
    raw_flags flags;
    maybe_duration timeout;         // for the other side to be there
    std::vector<std::string> texts; // sent before the files
    std::vector<std::string> files; // - is stdin
    bool verbose = false;
};

// Each gives the exit code; errors are reported.
int send_raw(const context& here, const raw_work& work);
int receive_raw(const context& here, const raw_work& work);

} // namespace tool
