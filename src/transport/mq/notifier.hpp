// Being told of messages: the registration that one receiver has on its queue.
//
// - The kernel keeps one registration for each queue, and keeps it for the process: closing any
//   descriptor of that queue in this process takes it back. So there is a table of the process's
//   registrations; whoever closes an end goes through close_queue(), and a registration that was
//   lost by that, or by a foreign close, is made again.
// - Blocks: never; stop() and the destructor wait for a call that runs, unless they are made in it.
// - Allocates: to start. Threads: start, stop and destruction by the end point's thread, or in the
//   call; a registration with `call` has a thread of its own.
// - Fork: a child has no registration and no thread; destruction does nothing there.
// - Signals: the thread has all of them blocked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include <hawser/notification.hpp>
#include <hawser/result.hpp>

#include "os/poll.hpp"
#include "os/posix_queue.hpp"

namespace hawser::mq {

class notifier {
  public:
    // Errors: already_exists (who is registered) · invalid_argument (no such signal) · no_space ·
    // unsupported · system.
    static result<std::unique_ptr<notifier>> start(std::shared_ptr<os::posix_queue_end> queue,
                                                   const notification& how);
    // Begins to make the calls; the notifier is where its owner looks for it by now, for a call may
    // stop or destroy it. Errors: no_space (no thread is left).
    result<void> begin();
    ~notifier();
    notifier(const notifier&) = delete;
    notifier& operator=(const notifier&) = delete;

  private:
    class watch;
    struct table;
    friend void close_queue(os::posix_queue_end& queue) noexcept;

    notifier(std::shared_ptr<os::posix_queue_end> queue, int signal) noexcept;
    result<void> start_signal();
    result<void> start_call(const notification& how);

    std::shared_ptr<os::posix_queue_end> queue_;
    std::shared_ptr<watch> watch_; // with a call
    std::unique_ptr<std::thread> thread_;
    int signal_;
    unsigned born_;
};

// Closes a queue's descriptor without taking back what other ends of this process registered.
void close_queue(os::posix_queue_end& queue) noexcept;

} // namespace hawser::mq
