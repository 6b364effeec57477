// The IPC objects of the system itself – message queues, shared memory, semaphores, FIFOs and Unix
// sockets – beside hawser's mailboxes (inspect.hpp): what there is, whose it is, how full, and
// whether anybody still lives who uses it.
//
// - An observer never takes part: no message is received, nothing is attached, no queue or socket
//   notices.
// - A snapshot of moving parts: objects come and go while it is taken.
// - What can't be seen is said in `not_seen`, never left out silently.
// - Blocks: on nobody. Allocates: yes. Threads: any. Fork, signals: nothing special.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <hawser/result.hpp>

namespace hawser {
inline namespace v1 {

enum class system_object_kind : std::uint8_t {
    posix_queue,     // mq_overview(7)
    sysv_queue,      // sysvipc(7)
    posix_segment,   // shm_overview(7): a file of /dev/shm
    sysv_segment,    //
    posix_semaphore, // sem_overview(7): a file sem.NAME of /dev/shm
    sysv_semaphore,  // a set of semaphores
    fifo,            // one that hawser made; others have no list
    unix_socket,     // one with a name
};

// Does a process live that made the object, was the last to use it, or has it open?
enum class owner_life : std::uint8_t {
    unknown, // the object names nobody, or not all processes may be looked at
    no,      // none of those that the object names, and nobody has it open
    yes,     // where only a number is known, perhaps another process that got the same number
};

// What a facility does not have, or this user may not see, is empty.
struct system_object {
    system_object_kind kind = system_object_kind::posix_queue;
    // "/orders" · "0x0000002a (id 3)" · a path · "@abstract". A semaphore's is without `sem.`.
    std::string name;
    std::string address; // that reaches it: "mq:/orders", "sysv-mq:0x0000002a"; or empty
    std::optional<std::uint32_t> key; // of System V objects
    std::optional<std::uint32_t> id;  // of System V objects

    bool made_by_hawser = false; // known of FIFOs and socket files only
    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
    std::optional<std::uint32_t> mode;

    std::optional<std::uint64_t> depth;          // messages queued; of a POSIX semaphore, its value
    std::optional<std::uint64_t> bytes;          // queued; of a segment, its size
    std::optional<std::uint64_t> capacity;       // messages that fit
    std::optional<std::uint64_t> capacity_bytes; // bytes that fit
    std::optional<std::uint64_t> max_message;    // bytes
    std::optional<std::uint64_t> members;        // semaphores of a set
    std::optional<std::uint64_t> connections;    // of a socket that listens

    owner_life owner_lives = owner_life::unknown;
    // Processes that have it open or mapped; of a System V segment, attachments.
    std::optional<std::uint64_t> users;
    bool all_users_seen = false; // false: `users` are at least so many

    // Process ids as in this PID namespace; 0 where there is none, or none is known.
    std::uint32_t creator_pid = 0;
    std::uint32_t last_sender_pid = 0;   // of a System V queue
    std::uint32_t last_receiver_pid = 0; // of a System V queue
    std::uint32_t last_user_pid = 0;     // of a System V segment or semaphore
    std::uint32_t notified_pid = 0;      // who is told of a message in a POSIX queue

    // To the second.
    std::optional<std::chrono::system_clock::time_point> changed; // its attributes, or its making
    std::optional<std::chrono::system_clock::time_point> used;    // the last use that is noted
};

// A limit of the whole system, by the name that sysctl(8) has for it. kernel.sem has four numbers:
// kernel.sem.semmsl, .semmns, .semopm, .semmni.
struct system_limit {
    std::string name;
    std::uint64_t value = 0;
    std::optional<std::uint64_t> used; // of limits on the number of objects: how many there are
};

struct system_object_list {
    std::vector<system_object> objects; // sorted by kind, then by name
    std::vector<system_limit> limits;
    std::vector<std::string> not_seen; // what is missing above, why, and what would show it
};

enum class which_sockets : std::uint8_t { made_by_hawser, all };

// Queues, segments, semaphores: all of this IPC namespace. FIFOs: those that hawser made. Sockets:
// those that hawser made, or all with a name of this network namespace. Mailboxes of hawser are
// files in /dev/shm as well, but no part of this list.
// Errors: none at present; what fails is in not_seen.
[[nodiscard]] result<system_object_list>
list_system_objects(which_sockets sockets = which_sockets::made_by_hawser);

struct collected_object {
    system_object_kind kind = system_object_kind::fifo;
    std::string name;
    std::string address;
    bool removed = false;
    std::string reason;  // why it was removed, or why it stays
    std::string command; // that removes a leftover which hawser leaves alone; or empty
};

// Removes the FIFOs and socket files that hawser made and nobody has open:
// - a socket file when the kernel says that no socket is bound to it;
// - a FIFO when its maker is dead, no process has it open, none sleeps in opening a file, and all
//   processes may be looked at, which as a rule only root may.
// System V and POSIX queues whose owner does not live are told with the command that removes them,
// and left alone. Nothing else is touched. dry_run only says what it would do.
// Errors: those of reading the mailbox directory.
[[nodiscard]] result<std::vector<collected_object>> collect_system_objects(bool dry_run = false);

// "posix_queue", … and "unknown", "no", "yes".
[[nodiscard]] std::string_view name_of(system_object_kind value) noexcept;
[[nodiscard]] std::string_view name_of(owner_life value) noexcept;

} // namespace v1
} // namespace hawser
