// What all sockets have in common: making one, taking connections, what went wrong, who is there,
// and how much fits.
//
// - Every socket is non-blocking, close-on-exec, above 2, and closed in fork children.
// - Blocks: never. Allocates: only in the kernel. Threads: any. Signals: interrupted calls are
//   repeated.
#pragma once

#include <cstdint>
#include <optional>

#include <hawser/message.hpp>
#include <hawser/result.hpp>

#include "os/process.hpp"

namespace hawser::os {

// As socket(2) has them. Errors: system (EMFILE, EAFNOSUPPORT, …).
result<fork_guard> make_socket(int domain, int type, int protocol = 0) noexcept;

// Errors: those of listen(2). The backlog is what net.core.somaxconn allows.
result<void> listen_on(int fd) noexcept;

// One connection that waits. One that was broken off while it waited is passed over.
// Errors: would_block (none waits) · no_space (no descriptor is left: it goes on waiting) · system.
result<fork_guard> accept_connection(int listening_fd) noexcept;

// What went wrong behind this process' back (SO_ERROR), once; 0: nothing.
int pending_error(int fd) noexcept;

// Who connected, or who listened, on the other side of a Unix connection (SO_PEERCRED): the process
// as of that moment. Nothing on other sockets.
std::optional<credentials> peer_of(int fd) noexcept;

// The kernel keeps twice what it is asked for, and reports that; so these are what it reports.
enum class socket_buffer : std::uint8_t { sending, receiving };
std::uint64_t buffer_bytes(int fd, socket_buffer which) noexcept;
// At least so many bytes, or no_space, with the sysctl that limits it (net.core.wmem_max or
// net.core.rmem_max); then nothing has changed. Shrinks it as well.
result<void> set_buffer_bytes(int fd, socket_buffer which, std::uint64_t bytes) noexcept;
// The most that set_buffer_bytes can give on this machine.
std::uint64_t largest_buffer_bytes(socket_buffer which) noexcept;

// A setting that is a number, such as SO_KEEPALIVE at SOL_SOCKET. False if the kernel refuses.
bool set_socket_option(int fd, int level, int name, int value) noexcept;

// The number in a file of /proc/sys.
std::optional<std::uint64_t> read_number_file(const char* path) noexcept;

// Bytes that wait to be read (SIOCINQ); 0 if it can't be told.
std::uint64_t waiting_bytes(int fd) noexcept;

} // namespace hawser::os
