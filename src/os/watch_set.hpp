// What a poller waits with: many descriptors behind one, an alarm, a wake-up, and signals as
// something to read.
//
// - Blocks: never; wait_for (poll.hpp) waits for a set's own descriptor. Allocates only in the
//   kernel.
// - Threads: a set may be changed by one thread while another one waits for its descriptor; a waker
//   may be rung by any. The rest has one user at a time.
// - Fork: closed in a child (fork_guard), where all of it is silent.
// - Signals: waker::ring may be called in a handler.
#pragma once

#include <cstdint>
#include <span>
#include <thread>

#include <hawser/result.hpp>

#include "os/process.hpp"

namespace hawser::os {

class watch_set {
  public:
    struct found {
        std::uint64_t token = 0;
        short events = 0; // poll.h
    };

    // Errors: system (EMFILE).
    static result<watch_set> make() noexcept;

    // Readable as long as one of them has what it is watched for.
    [[nodiscard]] int fd() const noexcept { return epoll_.get(); }

    // Errors: already_exists (that descriptor is watched already) · no_space (the limit of
    // watches) · unsupported (a regular file: it is always ready) · invalid_argument (no
    // descriptor).
    result<void> add(int fd, short events, std::uint64_t token) noexcept;
    void remove(int fd) noexcept;

    // Those that are ready now, each once and in turn: the kernel puts what it has shown at the
    // end of its list.
    std::size_t look(std::span<found> into) noexcept;

  private:
    explicit watch_set(fork_guard epoll) noexcept : epoll_(std::move(epoll)) {}

    fork_guard epoll_;
};

// Readable from ring() to quiet().
class waker {
  public:
    static result<waker> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return eventfd_.get(); }
    void ring() noexcept;
    void quiet() noexcept;

  private:
    explicit waker(fork_guard eventfd) noexcept : eventfd_(std::move(eventfd)) {}

    fork_guard eventfd_;
};

// Readable from a point in time on.
class alarm_clock {
  public:
    static result<alarm_clock> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return timerfd_.get(); }
    // On CLOCK_MONOTONIC; in the past it is readable at once. Makes it quiet before.
    void set_at_ns(std::int64_t at_ns) noexcept;
    void turn_off() noexcept;

  private:
    explicit alarm_clock(fork_guard timerfd) noexcept : timerfd_(std::move(timerfd)) {}

    fork_guard timerfd_;
};

// Signals of this process, to be read instead of handled.
class signal_inbox {
  public:
    struct delivery {
        int signal = 0;
        std::uint32_t from_pid = 0; // who sent it, 0: the kernel
    };

    static result<signal_inbox> make() noexcept;
    signal_inbox(signal_inbox&& other) noexcept;
    signal_inbox& operator=(signal_inbox&&) = delete;
    ~signal_inbox();

    [[nodiscard]] int fd() const noexcept { return signalfd_.get(); }
    // Blocks the signal in the calling thread. Errors: invalid_argument (no signal, or one that
    // can't be blocked or means a fault of the program).
    result<void> add(int signal) noexcept;
    // Blocked no more, if it is the thread that added it and it was not blocked before.
    void remove(int signal) noexcept;
    // False if there is none.
    bool next(delivery& into) noexcept;

  private:
    explicit signal_inbox(fork_guard signalfd) noexcept : signalfd_(std::move(signalfd)) {}
    void renew() noexcept;

    fork_guard signalfd_;
    std::uint64_t wanted_ = 0;     // bit N-1: signal N
    std::uint64_t blocked_by_ = 0; // those that were not blocked before
    std::thread::id blocked_in_;
};

} // namespace hawser::os
