// A descriptor to poll that other processes can ring through a file they all have open, with
// nothing else between them.
//
// Whoever rings touches the file with a system call, and inotify tells every process that listens.
// Nothing has a name, nothing is left behind, whoever may write the file may ring, and it works
// across PID and network namespaces. Reading the file, as observers do, rings nothing. The kernel
// itself rings `departed` when a process that had the file open for writing closes it or dies.
//
// - fd() is a descriptor (readable when rung) that nests in epoll, poll and select. Level-triggered
// until quiet().
// - There are two kinds. The first few bells of a process have an inotify instance each, and hear
// at once: four descriptors. All others share one instance and a thread that passes the news on
// (bell_hub.hpp): one descriptor each, and one of the kernel's few instances for all.
// - Never blocks, but the destructor of the last shared bell, which waits until that thread has
// ended. Allocates: a shared bell does. Threads: one at a time. Fork: closed in a child, where it
// is silent.
#pragma once

#include <cstdint>
#include <memory>

#include <hawser/result.hpp>

#include "os/bell_hub.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"

namespace hawser::os {

class bell {
  public:
    // So many bells of a process have an instance of their own: few, as all processes of a user
    // have 128 together.
    static constexpr unsigned most_alone = 4;

    // Listens to the file behind fd for one tone, and for departures. Errors: system (EMFILE: no
    // inotify instance or descriptor is left) · no_space (watches, threads, memory).
    static result<bell> listen(int fd, bell_tone tone) noexcept;
    // The same, as one of the two kinds.
    static result<bell> listen_alone(int fd, bell_tone tone) noexcept;
    static result<bell> listen_shared(int fd, bell_tone tone) noexcept;

    [[nodiscard]] int fd() const noexcept { return seat_ ? seat_->fd() : poll_.get(); }

    // Makes fd() readable from this side.
    void ring_self() noexcept;
    // Makes fd() readable once more after a while.
    void remind_after_ns(std::int64_t delay_ns) noexcept;
    // Takes back all that rang, and says what it was besides the tone.
    using heard = bell_news;
    heard quiet() noexcept;

    // Rings everyone who listens to the file for this tone. Writing puts a zero at offset. Should
    // that fail, rings a departure; a process that has lost its right to open the file (it became
    // another user since) and does not own it can do neither.
    static void ring_others(int fd, bell_tone tone, std::uint64_t offset) noexcept;

  private:
    bell_place place_;
    fork_guard watch_;                // inotify
    fork_guard self_;                 // eventfd
    fork_guard timer_;                // timerfd
    fork_guard poll_;                 // epoll over the three
    std::unique_ptr<bell_seat> seat_; // instead of all of these
};

} // namespace hawser::os
