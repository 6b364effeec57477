// Looking at mailboxes from outside, and clearing away what is dead.
//
// - An observer never takes part: it maps the segment read-only, reads counters, and takes no slot.
//   What it reads is a snapshot of moving parts; each number is right, together they may be an
//   instant apart.
// - Blocks: never on a participant, but for the host of a mailbox with trust=none: it is
//   `unreadable` if it does not answer within 1 s (all of a list together: 2 s).
// - Allocates: yes. Threads: any. Fork, signals: nothing special.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <hawser/options.hpp>
#include <hawser/result.hpp>
#include <hawser/stats.hpp>

namespace hawser {
inline namespace v1 {

enum class participant_role : std::uint8_t { none, sender, receiver };

struct participant_info {
    std::uint32_t slot = 0;
    participant_role role = participant_role::none;
    bool alive = false;    // its lock is held: the kernel's word, not a guess from the pid
    bool waiting = false;  // asleep in a blocking call
    std::uint32_t pid = 0; // as in its own PID namespace
    std::uint64_t pid_namespace = 0; // inode of that namespace
    std::uint32_t uid = 0;
    std::string command; // at most 15 bytes
    std::uint32_t messages_held = 0;
    hawser::stats counters;
};

enum class mailbox_state : std::uint8_t {
    in_use,      // a participant lives
    idle,        // nobody there; messages wait, or it is to persist
    dead,        // nobody there, nothing in it: gc may remove it. With trust=none and a `problem`:
                 // the host has gone; who joined before may still be in it, and no number is known
    not_mailbox, // the name looks like ours, the content does not
    other_version,
    damaged,    // cut short or inconsistent
    unreadable, // no permission to look, or trust=none and its host does not answer
};

struct mailbox_info {
    std::string address; // "shm:orders"
    std::string path;    // "/dev/shm/hawser.orders"
    mailbox_state state = mailbox_state::not_mailbox;
    std::string problem; // why, for the states that are not usable
    std::uint32_t layout_version = 0;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::chrono::system_clock::time_point created;
    std::uint64_t file_bytes = 0;   // apparent size
    std::uint64_t memory_bytes = 0; // memory that it really takes
    options geometry;               // all that the mailbox itself fixes, every field of it set
    std::uint64_t depth = 0;        // messages queued
    std::uint64_t held = 0;         // messages taken and not yet released, also by dead receivers
    hawser::stats counters;         // sums over all that ever took part
    std::vector<participant_info>
        participants; // those that are there, alive or dead and not yet repaired
};

// Where mailboxes live: $HAWSER_DIR, or /dev/shm.
[[nodiscard]] std::string mailbox_directory();

// All files that look like mailboxes, sorted by name. Errors: those of reading the directory.
[[nodiscard]] result<std::vector<mailbox_info>> list_mailboxes();
// One mailbox. A file that is there but unusable is a value with its state; errors: not_found ·
// invalid_argument · system.
[[nodiscard]] result<mailbox_info> inspect_mailbox(std::string_view address);

enum class removal : std::uint8_t {
    if_unused, // refuses while a participant lives
    by_force,  // participants get `closed`; also removes what is damaged, of another version, or no
               // mailbox at all
};
// Removes the name. Errors: not_found · permission · already_exists (in use: by whom, and how to
// force it) · corrupt (not a mailbox: force it).
result<void> remove_mailbox(std::string_view address, removal how = removal::if_unused);

struct collected {
    std::string address;
    std::string path;
    std::uint64_t memory_bytes = 0;
    bool removed = false;
    std::string reason; // why it was removed, or why it stays
};
// Removes every mailbox that is provably dead: no lock held, nothing queued or held, persist=no.
// Repairs what dead participants left first. Nothing else is touched. dry_run only says what it
// would do.
[[nodiscard]] result<std::vector<collected>> collect_garbage(bool dry_run = false);

[[nodiscard]] std::string_view name_of(participant_role value) noexcept;
[[nodiscard]] std::string_view name_of(mailbox_state value) noexcept;

} // namespace v1
} // namespace hawser
