// The kernel's pipe, which a FIFO is as well: what both have in common.
//
// - Blocks: never. Allocates: only in the kernel. Threads: any.
// - Fork: what make_pipe gives is close-on-exec, and is inherited by a fork child until somebody
//   guards it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <hawser/result.hpp>

#include "os/fd.hpp"

namespace hawser::os {

// Writes up to this size are never mixed with those of others (PIPE_BUF), and neither torn.
inline constexpr std::size_t whole_write_bytes = 4096;

struct pipe_pair {
    int reading = -1; // the caller's, both
    int writing = -1;
};
// Errors: system (EMFILE, ENFILE).
result<pipe_pair> make_pipe() noexcept;

// What the kernel says of a descriptor. Errors: invalid_argument (it is not open).
struct pipe_side {
    bool is_pipe = false; // or a FIFO
    bool reads = false;
    bool writes = false;
};
result<pipe_side> side_of(int fd) noexcept;

// What the pipe holds: in bytes, and in slots of one page, of which each packet takes one.
result<std::uint64_t> pipe_capacity(int fd) noexcept;
std::uint64_t pipe_slots(std::uint64_t capacity_bytes) noexcept;
// The kernel rounds up to a power of two of pages. Errors: permission (more than the sysctl
// fs.pipe-max-size allows, or the user's pipes together) · would_block (more bytes wait than would
// fit).
result<void> set_pipe_capacity(int fd, std::uint64_t bytes) noexcept;
// The largest capacity for whoever is not root; 0 if it is not known.
std::uint64_t largest_pipe_bytes() noexcept;

result<std::uint64_t> bytes_waiting(int fd) noexcept;

// Whether a pipe or FIFO that is open for reading has a writer, or had one since it was opened.
// Takes no byte. Errors: system (EMFILE: it needs two descriptors for a moment).
result<bool> has_met_writer(int fd) noexcept;

// Each write of at most whole_write_bytes becomes a packet: a read gives one of them, whole. This
// is a property of the open file.
result<void> set_packets(int fd) noexcept;
bool has_packets(int fd) noexcept;

// Another descriptor for the same open file in place of fd, close-on-exec and above 2; fd is closed
// (below 3: it becomes /dev/null, so that nothing else gets the number).
result<unique_fd> take_over(int fd) noexcept;
// Whether a program that is started inherits it.
void set_inheritable(int fd, bool on) noexcept;

} // namespace hawser::os
