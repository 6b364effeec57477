// The futex: sleeping on a 32-bit word in shared memory until somebody wakes it.
//
// - wait blocks, at most for timeout_ns; wake never blocks. Neither allocates.
// - The word is looked up by page, not by address, so processes may map it anywhere.
// - A process that dies asleep leaves nothing behind: the kernel keeps the queue.
#pragma once

#include <cstdint>

namespace hawser::os {

enum class futex_outcome : std::uint8_t {
    woken,       // or woken for no reason: look again
    changed,     // the word was not what was expected; did not sleep
    timed_out,   //
    interrupted, // a signal handler ran
};

futex_outcome futex_wait(const void* word, std::uint32_t expected,
                         std::int64_t timeout_ns) noexcept;

// Wakes at most count sleepers and returns how many there were.
int futex_wake(const void* word, int count) noexcept;

} // namespace hawser::os
