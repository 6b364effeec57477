// Waiting for descriptors: one of them, or a set that is itself a descriptor.
//
// - wait_for blocks until the deadline; everything else never does. Allocates only in the kernel.
// - Threads: a poll_set is changed by one thread at a time; anyone may wait on its descriptor.
// - Fork: a poll_set belongs to the process that made it; the child's copy is closed (fork_guard).
// - Signals: a handler that runs while wait_for sleeps ends it with `interrupted`.
#pragma once

#include <cstdint>

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/process.hpp"

namespace hawser::os {

enum class ready_outcome : std::uint8_t { ready, timed_out, interrupted, failed };

// Waits until the descriptor has one of the events (poll.h), an error or a hang-up. until_ns is on
// CLOCK_MONOTONIC; in the past it only looks. A descriptor below 0 is never ready: it sleeps.
ready_outcome wait_for(int fd, short events, std::int64_t until_ns) noexcept;

// The events that the descriptor has now, out of these and POLLERR, POLLHUP, POLLNVAL.
short events_now(int fd, short events) noexcept;

// A set of descriptors behind one descriptor, which is readable as long as one of them has what it
// is watched for. Level-triggered.
class poll_set {
  public:
    // Errors: system (EMFILE).
    static result<poll_set> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return epoll_.get(); }

    // Watches the descriptor for POLLIN or POLLOUT; token comes back from ready(). One that is
    // closed leaves the set by itself. Errors: no_space (the limit of watches), system.
    result<void> add(int fd, short events, std::uint64_t token) noexcept;
    void remove(int fd) noexcept;

    // The token of one that is ready, in turn when there are several; false if none is.
    bool next_ready(std::uint64_t& token) noexcept;

  private:
    explicit poll_set(fork_guard epoll) noexcept : epoll_(std::move(epoll)) {}

    fork_guard epoll_;
};

// A descriptor that this process makes readable and quiet as it likes. Setting it to what it is
// already costs nothing.
class flag {
  public:
    // Errors: system (EMFILE).
    static result<flag> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return eventfd_.get(); }
    void set(bool raised) noexcept;

  private:
    explicit flag(fork_guard eventfd) noexcept : eventfd_(std::move(eventfd)) {}

    fork_guard eventfd_;
    bool raised_ = false;
};

// A descriptor that becomes readable every interval_ns while it is on.
class ticker {
  public:
    // Errors: system (EMFILE).
    static result<ticker> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return timerfd_.get(); }
    // Starting it again makes it quiet until the next interval is over; 0 turns it off.
    void every_ns(std::int64_t interval_ns) noexcept;

  private:
    explicit ticker(fork_guard timerfd) noexcept : timerfd_(std::move(timerfd)) {}

    fork_guard timerfd_;
};

} // namespace hawser::os
