// One open POSIX message queue (mq_overview(7)), never blocking, and being told of its messages.
//
// - Blocks: never. Interrupted calls are repeated here. Allocates: only in the kernel.
// - Threads: any at once. Fork: the child's copy is closed (fork_guard).
// - Signals: nothing special; the signal of a notification is the caller's to handle.
// - Closing any descriptor of a queue takes back the notification that this process has on it: the
//   kernel keeps it for the process and the queue, not for the descriptor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <hawser/result.hpp>

#include "os/file_key.hpp"
#include "os/process.hpp"

namespace hawser::os {

enum class queue_access : std::uint8_t { receive, send };

struct posix_queue_shape {
    std::uint64_t capacity = 0;    // messages
    std::uint64_t max_message = 0; // bytes
};

// What a receive gave: a message, or an errno.
struct taken_message {
    std::size_t bytes = 0;
    unsigned priority = 0;
    int sys = 0;
};

// A socket on which the kernel tells of notifications: the way of SIGEV_THREAD, as mq_notify(3) has
// it under "C library/kernel differences", without a thread for each message.
class notice_socket {
  public:
    enum class kind : std::uint8_t {
        none,
        message, // a message came; the registration is used up
        removed, // the registration was taken back, by whatever in this process
    };
    struct notice {
        kind what = kind::none;
        std::uint64_t registration = 0; // which one, by the number that it was given
    };

    // Errors: unsupported (no such sockets here) · system (EMFILE).
    static result<notice_socket> make() noexcept;

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    notice read() noexcept;

  private:
    explicit notice_socket(fork_guard socket) noexcept : socket_(std::move(socket)) {}

    fork_guard socket_;
};

class posix_queue_end {
  public:
    // name begins with a slash. Errors: failure() of the errno.
    static result<posix_queue_end> open(const std::string& name, queue_access access) noexcept;
    // already_exists if there is one. The umask takes its part of mode.
    static result<posix_queue_end> create(const std::string& name, queue_access access,
                                          std::uint32_t mode,
                                          const posix_queue_shape& shape) noexcept;

    [[nodiscard]] int fd() const noexcept { return queue_.get(); }
    [[nodiscard]] file_key key() const noexcept { return key_; }
    [[nodiscard]] const posix_queue_shape& shape() const noexcept {
        return shape_;
    } // never changes
    [[nodiscard]] std::uint64_t depth() const noexcept;

    // 0, or an errno.
    int send(std::span<const std::byte> bytes, unsigned priority) noexcept;
    // into has room for shape().max_message.
    taken_message receive(std::span<std::byte> into) noexcept;

    // Registers this process, once; an errno, such as EBUSY.
    int notify_by_signal(int signal) noexcept;
    int notify_through(const notice_socket& socket, std::uint64_t registration) noexcept;
    // Takes back whatever this process has registered on this queue.
    void forget_notification() noexcept;
    // Who is registered; 0: nobody, or not to be known from a sending end.
    [[nodiscard]] std::uint32_t notified_pid() const noexcept;

    void close() noexcept { queue_.close(); }

  private:
    static result<posix_queue_end> from(fork_guard queue) noexcept;
    explicit posix_queue_end(fork_guard queue) noexcept : queue_(std::move(queue)) {}

    fork_guard queue_;
    file_key key_;
    posix_queue_shape shape_;
};

result<void> unlink_posix_queue(const std::string& name) noexcept;

// What RLIMIT_MSGQUEUE leaves to all queues of this user together, in bytes; ~0: anything.
std::uint64_t queue_memory_limit() noexcept;
// What a queue takes of it.
std::uint64_t queue_memory_of(const posix_queue_shape& shape) noexcept;
// Whether this process can have another descriptor: mq_open says EMFILE for either limit.
bool spare_descriptor() noexcept;

// This signal to this process.
void signal_self(int signal) noexcept;
std::uint32_t own_pid() noexcept;
// Whether the kernel has a signal of this number that may be sent.
bool is_signal(int signal) noexcept;

} // namespace hawser::os
