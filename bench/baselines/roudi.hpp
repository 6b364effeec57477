// RouDi, the daemon that iceoryx needs, as a child of the measuring process.
//
// - It starts with the first lane that needs it, sleeps under SIGSTOP while others are measured, so
//   that it takes no CPU from them, and is ended by its process id when the program ends.
#pragma once

namespace peers::roudi {

// Starts it, or lets it go on, and waits until it is ready. Throws std::runtime_error.
void wake();
void sleep();

} // namespace peers::roudi
