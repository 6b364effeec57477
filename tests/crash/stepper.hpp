// Runs a body in a child process, instruction by instruction, and kills it at a chosen one.
//
// The child opens what it needs, calls `begin()`, does the operation, and calls `end()`; both are
// stops that the parent sees. Between them the parent steps with ptrace. SIGKILL is real: the child
// executes k instructions of the operation and no more. A system call counts as one instruction.
#pragma once

#include <cstdint>
#include <functional>

#include <sys/types.h>

namespace hawser::crash {

// To be called by the child.
void begin();
void end();

struct stepped {
    std::uint64_t instructions = 0; // executed between begin() and end()
    bool finished = false;          // it reached end() before the kill
    bool failed = false;            // it ended by itself, which it must not
};

// Kills the child after `kill_after` instructions, or at end() if that comes first. When this
// returns the child is gone.
stepped run_and_kill(const std::function<void()>& body, std::uint64_t kill_after);

} // namespace hawser::crash
