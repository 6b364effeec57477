// A descriptor to poll that other processes can ring through a file they all have open, with
// nothing else between them.
//
// Whoever rings touches the file with a system call, and inotify tells every process that listens.
// Nothing has a name, nothing is left behind, whoever may write the file may ring, and it works
// across PID and network namespaces. Reading the file, as observers do, rings nothing. The kernel
// itself rings `departed` when a process that had the file open for writing closes it or dies.
//
// - fd() is an epoll descriptor (readable when rung), so it nests in epoll, poll and select.
// Level-triggered until quiet().
// - Never blocks. Allocates only in the kernel. Threads: one at a time. Fork: closed in a child,
// where it is silent.
#pragma once

#include <cstdint>

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/process.hpp"

namespace hawser::os {

enum class bell_tone : std::uint8_t {
    touch, // rung by setting the file's times
    write, // rung by writing a byte of it
};

class bell {
  public:
    // Listens to the file behind fd for one tone, and for departures. Errors: system (EMFILE: too
    // many inotify instances, or descriptors).
    static result<bell> listen(int fd, bell_tone tone) noexcept;

    [[nodiscard]] int fd() const noexcept { return poll_.get(); }

    // Makes fd() readable from this side.
    void ring_self() noexcept;
    // Makes fd() readable once more after a while.
    void remind_after_ns(std::int64_t delay_ns) noexcept;
    // Takes back all that rang, and says what it was besides the tone.
    struct heard {
        bool departed = false; // somebody who had the file open for writing closed it, or died
        bool reminded = false; // remind_after_ns() is over
    };
    heard quiet() noexcept;

    // Rings everyone who listens to the file for this tone. Writing puts a zero at offset. Should
    // that fail, rings a departure; a process that has lost its right to open the file (it became
    // another user since) and does not own it can do neither.
    static void ring_others(int fd, bell_tone tone, std::uint64_t offset) noexcept;

  private:
    fork_guard watch_; // inotify
    fork_guard self_;  // eventfd
    fork_guard timer_; // timerfd
    fork_guard poll_;  // epoll over the three
};

} // namespace hawser::os
