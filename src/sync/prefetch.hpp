// Asks for cache lines before they are needed.
//
// A line that another CPU wrote last takes as long to come as some hundred instructions, and a
// read-modify-write waits for all that was stored before it. So what the next operations touch is
// asked for while this one is still at work.
//
// - Changes nothing, waits for nothing, and can't fail: any address will do, also one that may not
//   be touched. Blocks, allocates, system calls: never.
#pragma once

namespace hawser::sync {

// To be read.
inline void expect_read(const void* line) noexcept {
    __builtin_prefetch(line, 0);
}

// To be written: comes alone, so that the store need not ask others to give it up.
inline void expect_write(const void* line) noexcept {
#if defined(__x86_64__)
    // Processors without it take it for an instruction that does nothing. (The builtin would only
    // ask for reading, unless told of a newer processor.)
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(line)));
#else
    __builtin_prefetch(line, 1);
#endif
}

} // namespace hawser::sync
