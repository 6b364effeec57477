// A file descriptor with an owner, and errno as hawser::error.
//
// - Every descriptor is close-on-exec. One that is registered with a fork_guard (process.hpp) is
// closed in a fork child.
#pragma once

#include <string_view>
#include <utility>

#include <hawser/error.hpp>

namespace hawser::os {

class unique_fd {
  public:
    unique_fd() noexcept = default;
    explicit unique_fd(int fd) noexcept : fd_(fd) {}
    unique_fd(unique_fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        if (this != &other) reset(std::exchange(other.fd_, -1));
        return *this;
    }
    unique_fd(const unique_fd&) = delete;
    unique_fd& operator=(const unique_fd&) = delete;
    ~unique_fd() { reset(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }
    void reset(int fd = -1) noexcept;

  private:
    int fd_ = -1;
};

// Takes over a descriptor from the kernel, or its refusal (-1). Never 0, 1 or 2, also where these
// are closed: what a program prints must not land in a mailbox.
unique_fd above_standard(int fd) noexcept;

// The error of a system call that failed with errno sys. The canonical code follows from the errno
// alone.
error failure(const char* operation, int sys) noexcept;
// What an errno means, and what to do about it where that is the same whatever failed.
std::string_view reason_for(int sys) noexcept;

} // namespace hawser::os
