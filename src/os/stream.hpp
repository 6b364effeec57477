// One open byte stream – a pipe, a FIFO, a stream socket, a terminal – read and written without
// blocking and without SIGPIPE.
//
// - Blocks: never; EAGAIN says that it would. Interrupted calls are repeated here. Allocates:
//   never.
// - Threads: one reader and one writer at a time. Fork: the child's copy is closed (fork_guard).
// - Signals: SIGPIPE is kept from the process whatever it does with it: sockets have a flag for
//   that, for the others the signal is blocked in this thread and taken back if a write raised it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/process.hpp"

namespace hawser::os {

// What a read or write did: so many bytes, or an errno. No bytes and no errno: end of the stream.
struct io {
    std::size_t bytes = 0;
    int sys = 0;
    bool descriptors_cut = false; // not all that came along could be taken: too many open files

    [[nodiscard]] bool moved() const noexcept { return sys == 0 && bytes > 0; }
    [[nodiscard]] bool ended() const noexcept { return sys == 0 && bytes == 0; }
    [[nodiscard]] bool would_block() const noexcept;
};

enum class stream_kind : std::uint8_t {
    file,     // pipe, FIFO: read and writev
    socket,   // recvmsg and sendmsg, which also carry descriptors
    terminal, // as file; the far side's hanging up is an end, not an error
};

// Descriptors that came with a message and have no owner yet. At most as many as the kernel
// passes at once.
class passed_descriptors {
  public:
    static constexpr std::size_t limit = 253;

    passed_descriptors() noexcept = default;
    ~passed_descriptors() { close_all(); }
    passed_descriptors(passed_descriptors&& other) noexcept { take(other, other.count_); }
    passed_descriptors& operator=(passed_descriptors&& other) noexcept;
    passed_descriptors(const passed_descriptors&) = delete;
    passed_descriptors& operator=(const passed_descriptors&) = delete;

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] int at(std::size_t index) const noexcept { return fds_[index]; }
    // Closes it instead, and says false, when there is no more room.
    bool add(int fd) noexcept;
    // Moves the first count of other's here, behind these.
    void take(passed_descriptors& other, std::size_t count) noexcept;
    // The descriptor's new owner is the caller; -1 if it was taken already.
    int release(std::size_t index) noexcept { return std::exchange(fds_[index], -1); }
    void close_all() noexcept;

  private:
    std::array<int, limit> fds_; // only the first count_ mean anything; -1: released
    std::size_t count_ = 0;
};

class stream {
  public:
    stream() noexcept = default;
    // Takes over a descriptor and makes it non-blocking.
    stream(fork_guard fd, stream_kind kind) noexcept;

    [[nodiscard]] bool is_open() const noexcept { return fd_.get() >= 0; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] stream_kind kind() const noexcept { return kind_; }
    void close() noexcept { fd_.close(); }

    // taken: where descriptors go that came along (sockets); nullptr closes them.
    io read(std::span<std::byte> into, passed_descriptors* taken = nullptr) noexcept;
    // The parts as if they were one, so that a header and its payload go in one call. Descriptors
    // (sockets only) go with the first byte.
    static constexpr std::size_t most_parts = 4;
    using part = std::span<const std::byte>;
    io write(std::span<const part> parts, std::span<const int> descriptors = {}) noexcept;

    // No more bytes will be written: the other side reads an end. What can only be closed as a
    // whole (a pipe, a terminal) is closed.
    void finish_writing() noexcept;

  private:
    fork_guard fd_;
    stream_kind kind_ = stream_kind::file;
};

// Makes the descriptor non-blocking, or blocking. This is a property of the open file, which other
// processes may share.
void set_nonblocking(int fd, bool on) noexcept;

// Calls write() with SIGPIPE blocked in this thread, and takes back one that it raised.
io without_sigpipe(io (*write)(void* context), void* context) noexcept;

// Puts descriptors of a received control message into taken (or closes them); for the packet
// sockets, which read by themselves. message is a msghdr.
void collect_descriptors(const void* message, passed_descriptors* taken) noexcept;

} // namespace hawser::os
