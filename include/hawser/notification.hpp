// Being told of a message without waiting for it: transports with `notification`.
//
// - As mq_notify has it: told is one process for each queue, when a message arrives while the queue
//   is empty and nobody waits in a receive; once, unless it is persistent. What is there already
//   when one registers is not told: register first, then receive until would_block.
// - A process that dies, or closes its end point, frees the registration.
#pragma once

#include <functional>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {

// Exactly one of signal and call is set.
struct notification {
    int signal = 0;             // this signal to this process
    std::function<void()> call; // called in a thread of its own, with all signals blocked
    // Registered again before each call, so that nothing which arrives meanwhile is missed; a
    // message that is received at once may be told of in vain. With `call` only: in a signal
    // handler nobody could register for you.
    bool persistent = false;
};

} // namespace v1
} // namespace hawser
