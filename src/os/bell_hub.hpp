// Many bells over one inotify instance: for a process that listens to more files than the kernel
// gives it instances (128 for each user, on many systems).
//
// - One instance and one thread for all seats of a process, made with the first seat and gone with
//   the last one. The thread waits for what the kernel tells and rings those whom it is for; it has
//   all signals blocked.
// - A seat is a bell (bell.hpp) with one descriptor of its own, an eventfd, instead of four and an
//   instance. It hears a moment later: a thread has to pass the news on.
// - quiet() reads what the kernel has told up to then by itself, so a seat is never rung late by
//   something that its owner has seen already.
// - Should the kernel drop news because 16,384 of them wait (fs.inotify.max_queued_events), every
//   seat is rung as if somebody had departed.
// - Blocks: never, but the last seat's destructor waits until the thread has ended. Allocates: a
//   seat, and a node for each file. Threads: a seat has one user at a time; seats of one hub may
//   have different ones. Fork: silent in a child, which gets a hub of its own when it needs one.
#pragma once

#include <cstdint>
#include <memory>

#include <hawser/result.hpp>

#include "os/process.hpp"

namespace hawser::os {

enum class bell_tone : std::uint8_t {
    touch, // rung by setting the file's times
    write, // rung by writing a byte of it
};

// What rang besides the tone.
struct bell_news {
    bool departed = false; // somebody who had the file open for writing closed it, or died
    bool reminded = false; // remind_after_ns() is over
};

// One of the few bells of a process that are alone, until it goes.
class bell_place {
  public:
    bell_place() noexcept = default;
    bell_place(bell_place&& other) noexcept;
    bell_place& operator=(bell_place&& other) noexcept;
    ~bell_place() { leave(); }
    bool take(unsigned most) noexcept; // false: there are so many already

  private:
    void leave() noexcept;
    bool taken_ = false;
    unsigned generation_ = 0; // of the process that took it
};

class bell_hub;

class bell_seat {
  public:
    // Errors: system (EMFILE: no inotify instance or no descriptor is left) · no_space (too many
    // watches, no thread, no memory).
    static result<std::unique_ptr<bell_seat>> take(int fd, bell_tone tone) noexcept;
    ~bell_seat();
    bell_seat(const bell_seat&) = delete;
    bell_seat& operator=(const bell_seat&) = delete;

    // The members of bell.
    [[nodiscard]] int fd() const noexcept { return rung_fd_.get(); }
    void ring_self() noexcept;
    void remind_after_ns(std::int64_t delay_ns) noexcept;
    bell_news quiet() noexcept;

  private:
    friend class bell_hub;
    bell_seat(bell_tone tone, fork_guard rung_fd) noexcept;

    // All of it is guarded by fork_safe_mutex().
    fork_guard rung_fd_; // eventfd, above zero exactly while rung_
    bell_hub* hub_ = nullptr;
    bell_tone tone_;
    bool rung_ = false;
    bell_news news_;
    int watch_ = -1;                // the kernel's name for the file
    bell_seat* next_ = nullptr;     // of those who listen to the same file
    std::int64_t remind_at_ns_ = 0; // 0: no reminder
    bell_seat* sooner_ = nullptr;   // in the hub's list of reminders
    bell_seat* later_ = nullptr;
};

} // namespace hawser::os
