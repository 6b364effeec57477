// The record of the file system objects that hawser made – FIFOs and Unix socket files – so that
// leftovers can be told from the files of strangers.
//
// - One small file for each object in the mailbox directory, `hawser-made.DEVICE-INODE` (hex),
//   mode 0600. Its content is a line with the maker's process id and PID namespace, then the
//   absolute path up to the end.
// - A record makes no promise and is never needed: an error only loses the object from listings.
//   It never stands in the way of opening a transport.
// - Crash: between making the object and noting it, the object is a stranger's file from then on.
//   Between removing the object and forgetting it, the record is stale: its path is no longer that
//   object. Stale ones are removed by gc without a word. An inode that is used again takes the
//   name of the stale record over.
// - Races: two processes may note the same object; one record remains, and both succeed.
// - Whose word it is: a record of one user says nothing about an object of another one (root may
//   speak for all). list_made() leaves such records out.
// - Blocks: on nobody. Allocates: yes. Threads: any. Fork, signals: nothing special.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hawser/result.hpp>

#include "os/file_key.hpp"

namespace hawser::os {

// What the names of all records begin with.
inline constexpr const char* made_prefix = "hawser-made.";

// An object that gets its last name only when it is finished is first called
// `.hawser-fifo.UNIQUE,LAST`. A record of the first name speaks of the last one, too, so it need
// not be written again: that would leave a window for a kill, and one in which another process
// removes the object and its record before the new one is there.
inline constexpr const char* made_beside_prefix = ".hawser-fifo.";
inline constexpr char made_beside_mark = ',';

// Call it after the object was made. The directory is the mailbox directory; a path that is not
// absolute counts from the current directory. Keep the key for forget_made().
// Errors: not_found (no such object) · invalid_argument (neither FIFO nor socket) · permission ·
// no_space · system.
result<file_key> note_made(const std::string& directory, const std::string& path) noexcept;

// Call it after the object was removed. Without the key it reads all records: use it only where
// there is none.
void forget_made(const std::string& directory, const file_key& which) noexcept;
void forget_made(const std::string& directory, const std::string& path) noexcept;

enum class made_kind : std::uint8_t { fifo, socket };

struct made_object {
    file_key key;
    std::string path;
    std::uint32_t maker_pid = 0; // in the PID namespace of the maker
    std::uint64_t maker_pid_namespace = 0;
    bool stale = false; // the path is no longer that object; what follows is empty then
    made_kind kind = made_kind::fifo;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t changed_ns = 0; // since the epoch
    std::int64_t used_s = 0;
};

struct made_listing {
    std::vector<made_object> objects; // sorted by path
    std::size_t unreadable = 0;       // records of others, which this user may not read
};
// Errors: those of reading the directory.
result<made_listing> list_made(const std::string& directory);

// Removes the object, and its record, if the path still is that object, unchanged since it was
// listed: an inode may be used again at once, and what is new there is not ours to remove. Gives
// whether it is gone. Errors: permission · system.
result<bool> remove_made(const std::string& directory, const made_object& which) noexcept;

} // namespace hawser::os
