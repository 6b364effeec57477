// Unix sockets: names, binding and connecting, the socket files, and packets with what comes along.
//
// - A socket file is no socket: it is an inode that leads to the socket that was bound to it. Once
//   that one is gone nothing can ever be bound to the inode again. So "unbound" (binding_of in
//   open_files.hpp) is final.
// - Blocks: never. Allocates: strings of errors and listings. Threads: any. Signals: interrupted
//   calls are repeated.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <hawser/message.hpp>
#include <hawser/result.hpp>

#include "os/file_key.hpp"
#include "os/ipc_listing.hpp"
#include "os/process.hpp"
#include "os/stream.hpp"

namespace hawser::os {

// sun_path has 108 bytes: a path needs a NUL behind it, an abstract name one in front.
inline constexpr std::size_t longest_unix_name = 107;

// Where a Unix socket is: a path, or a name in the abstract namespace, which has no file.
struct unix_name {
    std::string text;
    bool is_abstract = false;
};

// Errors: system (EMFILE).
result<fork_guard> make_unix_socket(socket_type type) noexcept;

// Gives the socket its name. The file gets at most write permission for its owner, for the time
// until set_file_access. Errors: failure() of bind(2); system with EADDRINUSE: the name is taken.
result<void> bind_socket(int fd, const unix_name& name) noexcept;

// Errors: failure() of connect(2), among them not_found (no such file), system with ECONNREFUSED
// (nobody is bound there, or nobody listens), would_block (the queue of connections is full), and
// system with EPROTOTYPE (another type of socket).
result<void> connect_socket(int fd, const unix_name& name) noexcept;

// Each message and connection says who sent it. For the receiving socket, before it is bound.
void ask_for_credentials(int fd) noexcept;

// What is at a path, without following a link.
struct file_seen {
    file_key key;
    std::string_view kind; // "a regular file", "a directory", …
    bool is_socket = false;
    std::uint32_t mode = 0; // permission bits
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t changed_ns = 0; // since the epoch: made, or mode and owner changed

    friend bool operator==(const file_seen&, const file_seen&) = default;
};
// Errors: failure() of lstat(2).
result<file_seen> look_at(const std::string& path) noexcept;
// Exactly this mode and group, of the file itself. Errors: failure() of chown(2) or chmod(2).
result<void> set_file_access(const std::string& path, std::uint32_t mode,
                             std::uint32_t gid) noexcept;

// Holds off the others that ask for the same directory, for as long as the guard lives. It is a
// flock(2) on the directory itself, so nothing is left by a crash.
// Errors: would_block (another one holds it) · failure() of open(2): the directory can't be read.
result<fork_guard> lock_directory(const std::string& directory) noexcept;

// ---- packets ------------------------------------------------------------------------------------

// How many datagrams a socket that is made now lets wait (net.unix.max_dgram_qlen, and one more).
std::uint64_t datagram_queue_length() noexcept;

struct packet {
    io read;                           // bytes: its size, which may be more than there was room for
    std::optional<credentials> sender; // nothing also at the end of a connection
};
// Reads one packet into two pieces of memory, one after the other.
packet read_packet(int fd, std::span<std::byte> first, std::span<std::byte> rest,
                   passed_descriptors& taken) noexcept;

} // namespace hawser::os
