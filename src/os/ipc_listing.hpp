// The system's own IPC objects, facility by facility, as the kernel describes them.
//
// - Looking takes no part: no message is received, nothing is attached, no name is made. A POSIX
//   queue that is asked for its attributes notes the time of that, which nobody waits for.
// - A snapshot: objects may come and go while it is taken.
// - All of the own IPC (and for sockets, network) namespace.
// - Blocks: never. Allocates: yes. Threads: any. Fork, signals: nothing special.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hawser/result.hpp>

#include "os/file_key.hpp"

namespace hawser::os {

struct ipc_access {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mode = 0; // permission bits only
};

// ---- System V ------------------------------------------------------------------------------
// Process ids are those of the own PID namespace, and 0 where there is none. Times are in seconds
// since the epoch, 0 for never. Errors: unsupported (a kernel without System V IPC) · system.

struct sysv_queue {
    int id = 0;
    std::uint32_t key = 0;
    ipc_access access;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t capacity_bytes = 0;
    std::uint32_t last_sender_pid = 0;
    std::uint32_t last_receiver_pid = 0;
    std::int64_t sent_s = 0;
    std::int64_t received_s = 0;
    std::int64_t changed_s = 0;
};
result<std::vector<sysv_queue>> sysv_queues();

struct sysv_segment {
    int id = 0;
    std::uint32_t key = 0;
    ipc_access access;
    std::uint64_t bytes = 0;
    std::uint64_t attached = 0;
    std::uint32_t creator_pid = 0;
    std::uint32_t last_pid = 0;
    std::int64_t attached_s = 0;
    std::int64_t detached_s = 0;
    std::int64_t changed_s = 0;
};
result<std::vector<sysv_segment>> sysv_segments();

struct sysv_semaphore_set {
    int id = 0;
    std::uint32_t key = 0;
    ipc_access access;
    std::uint64_t members = 0;
    std::vector<std::uint32_t> last_pids; // of the members that were used, each process once
    bool readable = false;                // false: last_pids is empty for want of permission
    std::int64_t used_s = 0;
    std::int64_t changed_s = 0;
};
result<std::vector<sysv_semaphore_set>> sysv_semaphore_sets();

// ---- POSIX ---------------------------------------------------------------------------------

struct posix_queue_state {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t capacity = 0;
    std::uint64_t max_message = 0;
    std::uint32_t notified_pid = 0; // who asked for notification; 0: nobody
};
struct posix_queue {
    std::string name; // "/orders"
    file_key key;
    ipc_access access;
    std::int64_t used_s = 0; // the last send or receive. To look sets the other times, not this one
    std::optional<posix_queue_state> state; // none: no permission to read
};
struct posix_queue_listing {
    std::vector<posix_queue> queues;
    std::string mounted_at; // where the mqueue file system is mounted; empty if nowhere
};
// Where it is not mounted, a privileged process (CAP_SYS_ADMIN) sees the queues all the same,
// through a mount that appears nowhere.
// Errors: not_found (not mounted, not privileged) · permission (mounted, but not to be read) ·
// unsupported (this kernel has none) · system.
result<posix_queue_listing> posix_queues();

// A file of /dev/shm: a segment, or with the prefix `sem.` a semaphore.
struct shared_file {
    std::string name; // of the file
    file_key key;
    ipc_access access;
    std::uint64_t bytes = 0;
    std::int64_t changed_s = 0;
    std::int64_t used_s = 0;
    std::optional<std::uint64_t> semaphore_value; // of what looks like one, and may be read
};
inline constexpr const char* shared_file_directory = "/dev/shm";
inline constexpr const char* semaphore_prefix = "sem.";
// Regular files only. Errors: those of reading the directory.
result<std::vector<shared_file>> shared_files();

// ---- sockets -------------------------------------------------------------------------------

enum class socket_type : std::uint8_t { stream, datagram, seqpacket };
struct unix_socket {
    std::string name; // a path as it was bound, or "@abstract"
    socket_type type = socket_type::stream;
    bool listening = false;
    bool connected = false;  // one end of a connection that a listener of that name accepted
    std::uint64_t inode = 0; // for socket_key()
};
// Those with a name. Errors: those of reading /proc/net/unix.
result<std::vector<unix_socket>> unix_sockets();
// One line of /proc/net/unix; nothing if it is none, or a socket without name.
std::optional<unix_socket> parse_unix_socket(std::string_view line);

// Access and times of a socket file; nothing if it is none, or can't be looked at.
struct socket_file {
    ipc_access access;
    std::int64_t changed_s = 0;
    std::int64_t used_s = 0;
};
std::optional<socket_file> socket_file_at(const std::string& path);

// ---- limits --------------------------------------------------------------------------------

struct ipc_limit {
    std::string name; // as sysctl(8) calls it; of kernel.sem, each number by itself
    std::uint64_t value = 0;
};
// Those that can be read.
std::vector<ipc_limit> ipc_limits();

} // namespace hawser::os
