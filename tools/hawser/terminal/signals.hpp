// Ctrl-C asks for an orderly end; a second one ends the process at once.
//
// - SIGINT and SIGTERM set a flag. A loop looks at it between messages and never sleeps longer than
//   `nap`, since a signal may arrive just before the sleep that it should have ended.
//   What sleeps longer all the same is woken every second by SIGALRM, once an end was asked for.
// - SIGPIPE is ignored, so that a write says EPIPE and the verb decides: die_of_broken_pipe().
#pragma once

#include <chrono>

namespace tool {

inline constexpr std::chrono::milliseconds nap{100};

void catch_signals() noexcept;

// The signal that asked for the end, or 0.
int stop_signal() noexcept;

// 128 + signal, as a shell would say it: 130 for Ctrl-C.
int stop_status() noexcept;

// As the kernel would have done it, and without running destructors: messages that were taken and
// not written are not released, so they come again to another receiver.
[[noreturn]] void die_of_broken_pipe() noexcept;

} // namespace tool
