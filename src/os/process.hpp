// Who this process is, and what fork does to what it holds.
//
// - fork_generation() differs between a process and its fork children: an end point that remembers
//   its own can tell that it was inherited. Reading it is one load.
// - A fork_guard closes a descriptor in every fork child. vfork and posix_spawn children keep it
//   until exec closes it.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <mutex>
#include <utility>

#include <hawser/result.hpp>

#include "os/fd.hpp"

namespace hawser::os {

struct identity {
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
    std::uint64_t pid_namespace = 0;   // inode of /proc/self/ns/pid, 0 if unknown
    std::array<char, 16> command = {}; // NUL-terminated
};
identity own_identity() noexcept;

namespace detail {
extern unsigned forks; // raised in each fork child
}
inline unsigned fork_generation() noexcept {
    return detail::forks;
}

// A mutex that no fork can leave locked in the child: for the few tables that all of a process's
// end points share. Recursive; not to be held for long.
std::recursive_mutex& fork_safe_mutex() noexcept;

// Owns a descriptor that a fork child must not keep.
class fork_guard {
  public:
    fork_guard() noexcept;
    explicit fork_guard(unique_fd fd) noexcept;
    fork_guard(fork_guard&& other) noexcept;
    fork_guard& operator=(fork_guard&& other) noexcept;
    fork_guard(const fork_guard&) = delete;
    fork_guard& operator=(const fork_guard&) = delete;
    ~fork_guard();

    // Guards what open() gives, with no moment between in which a fork could copy it unseen.
    template <typename Open>
    static result<fork_guard> of(Open&& open) {
        const std::lock_guard hold(fork_safe_mutex());
        result<unique_fd> opened = open();
        if (!opened) return opened.why();
        return fork_guard{std::move(*opened), already_held{}};
    }

    [[nodiscard]] int get() const noexcept { return fd_.get(); }
    void close() noexcept;

  private:
    friend struct fork_list;
    struct already_held {};
    fork_guard(unique_fd fd, already_held) noexcept;

    unique_fd fd_;
    fork_guard* previous_ = nullptr;
    fork_guard* next_ = nullptr;
};

// Guards what open() -> int gives, moved above the standard descriptors; or the error of its errno.
template <typename Open>
result<fork_guard> guard_opened(const char* operation, Open&& open) noexcept {
    return fork_guard::of([&]() -> result<unique_fd> {
        unique_fd fd = above_standard(open());
        if (!fd) return failure(operation, errno);
        return fd;
    });
}

bool single_cpu() noexcept;
void yield_cpu() noexcept;

} // namespace hawser::os
