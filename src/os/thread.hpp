// Threads of the library's own, which no signal of the program lands in.
//
// - Blocks: never. Allocates: the thread. Fork: a child has none of them.
#pragma once

#include <functional>
#include <thread>

#include <hawser/result.hpp>

namespace hawser::os {

// A thread with all signals blocked from its start. Errors: no_space.
result<std::thread> start_quiet_thread(const char* operation, std::function<void()> body) noexcept;

} // namespace hawser::os
