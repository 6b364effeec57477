// Runs a body in a child process and makes one of its system calls fail.
//
// The child does what it needs, says begin(), does one operation, says end(), and looks at what
// came of it; begin() and end() are system calls that nobody else makes and that the parent sees.
// Between them the parent stops at every system call (ptrace). The chosen one fails in one of two
// ways:
// - it is not made at all: the child gets the errno instead (the rule, for an error means that
//   nothing happened);
// - it is made, and reports the errno all the same (close, whose descriptor is gone either way).
//
// - Blocks until the child has ended. A child that makes no end dies by its own alarm clock.
// - Only the thread that calls the body is looked at. Whom it forks or starts is not.
// - x86-64 only: the register of the result has a name there.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace hawser::faults {

// To be called by the child.
void begin();
void end();

// One system call, as it was made.
struct seen_call {
    long number = 0;
    std::array<std::uint64_t, 6> arguments{};
    std::string about; // of its first argument, if that is a descriptor: what it leads to
    bool nonblocking = false;
};

// What to do to a system call that the child is about to make.
struct fault {
    int error = 0; // 0: none
    bool performed = false;
};
// Asked for each call between begin() and end(), in their order.
using chooser = std::function<fault(const seen_call&)>;

struct run_result {
    bool ended = false;        // end() was reached
    bool in_time = true;       // or its alarm clock rang
    int status = 0;            // as of waitpid
    std::vector<long> results; // of the calls that were asked about, as the kernel gave them
};

run_result run_with_faults(const std::function<void()>& body, const chooser& choose,
                           std::chrono::seconds alarm_after);

} // namespace hawser::faults
