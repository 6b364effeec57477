// What joins two stages: a pipe from the one, a pipe to the other, and the count of the bytes that
// went from the first into the second.
//
// - Blocks: never; move() does what is possible now. Allocates: nothing. The bytes stay in the
//   kernel (splice(2) hands over pages), and no more of them wait than the two pipes hold.
// - The end of either side closes both: a writer without a reader gets SIGPIPE, a reader without a
//   writer gets the end of file, as with one pipe between them.
#pragma once

#include <cstdint>

#include <poll.h>

#include "run_stage.hpp"

namespace tool::pipeline {

class joint {
  public:
    joint(descriptor from, descriptor to) noexcept : from_(std::move(from)), to_(std::move(to)) {}

    [[nodiscard]] bool is_open() const noexcept { return static_cast<bool>(to_); }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] int failure() const noexcept { return failure_; } // an errno, or 0

    // What to wait for, and what to do when poll(2) has answered.
    [[nodiscard]] pollfd wanted_in() const noexcept;
    [[nodiscard]] pollfd wanted_out() const noexcept;
    void go_on(short in, short out) noexcept;

  private:
    void move() noexcept;
    void close() noexcept;

    descriptor from_;
    descriptor to_;
    std::uint64_t bytes_ = 0;
    int failure_ = 0;
    bool lacks_room_ = false; // bytes are there, and the second pipe is full
};

} // namespace tool::pipeline
