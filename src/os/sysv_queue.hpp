// One System V message queue (sysvipc(7)), by its id.
//
// - Blocks: send and receive with waiting::yes; nothing else. A signal handler that runs meanwhile
//   ends them with EINTR, whatever SA_RESTART says.
// - Allocates: a typed_buffer. Threads: any at once. Fork: a queue has no descriptor; a child can
//   use what its parent has.
// - Signals: see above.
// - Calls that give an int give 0 or an errno.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hawser/result.hpp>

namespace hawser::os {

// A message as the calls have it: its type, and the bytes behind.
class typed_buffer {
  public:
    explicit typed_buffer(std::size_t size) { make_room(size); }

    // For at least so many bytes; what was there may be lost.
    void make_room(std::size_t size) {
        const std::size_t words = 1 + (size + sizeof(long) - 1) / sizeof(long);
        if (words > memory_.size()) memory_.resize(words);
    }
    [[nodiscard]] long& type() noexcept { return memory_.front(); }
    [[nodiscard]] std::span<std::byte> room() noexcept {
        return std::as_writable_bytes(std::span(memory_).subspan(1));
    }
    [[nodiscard]] void* raw() noexcept { return memory_.data(); }

  private:
    std::vector<long> memory_;
};

enum class waiting : bool { no, yes };

// Which message to take: msgtyp of msgrcv(2), and MSG_EXCEPT.
struct type_choice {
    long type = 0;
    bool except = false;
};

struct taken_typed {
    std::size_t bytes = 0;
    int sys = 0;
};

struct sysv_queue_status {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint32_t mode = 0; // permission bits
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t last_sender_pid = 0; // 0: none yet
    std::uint32_t last_receiver_pid = 0;
};

struct sysv_queue_change {
    std::optional<std::uint32_t> mode;
    std::optional<std::uint32_t> gid;
    std::optional<std::uint64_t> capacity_bytes;
};

class sysv_queue_end {
  public:
    static constexpr std::uint32_t may_receive = 0400;
    static constexpr std::uint32_t may_send = 0200;

    explicit sysv_queue_end(int id) noexcept : id_(id) {}
    // Refused (EACCES) unless this process has these rights on it. Errors: failure() of the errno.
    static result<sysv_queue_end> open(std::uint32_t key, std::uint32_t rights) noexcept;
    // already_exists if there is one with that key. The mode is exact; there is no umask here.
    static result<sysv_queue_end> create(std::uint32_t key, std::uint32_t mode) noexcept;
    static result<sysv_queue_end> create_private(std::uint32_t mode) noexcept;

    [[nodiscard]] int id() const noexcept { return id_; }
    // Needs the right to receive.
    [[nodiscard]] result<sysv_queue_status> status() const noexcept;
    int change(const sysv_queue_change& wanted) const noexcept;
    int remove() const noexcept;

    // size bytes behind the buffer's type.
    int send(typed_buffer& from, std::size_t size, waiting how) const noexcept;
    taken_typed receive(typed_buffer& into, type_choice which, waiting how) const noexcept;

  private:
    int id_;
};

// The key that ftok(3) makes of them. Errors: failure() of stat's errno.
result<std::uint32_t> key_of_path(const std::string& path, unsigned char id) noexcept;

struct sysv_queue_limits {
    std::uint64_t max_message = 0;    // kernel.msgmax, bytes
    std::uint64_t capacity_bytes = 0; // kernel.msgmnb
    std::uint64_t queues = 0;         // kernel.msgmni
};
// Errors: unsupported (a kernel without them).
result<sysv_queue_limits> limits_of_sysv_queues() noexcept;

} // namespace hawser::os
