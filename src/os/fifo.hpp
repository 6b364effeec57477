// A FIFO: a pipe with a name in the file system.
//
// - Blocks: never; an open that would wait for the other side says would_block. Allocates: paths.
//   Threads: any. Fork: callers guard the descriptors (fork_guard).
// - Crash: one that dies while it makes a FIFO leaves nothing, or one with a name of its own
//   (`.hawser-fifo.…` beside it) that is in the records (made.hpp), so that gc removes it; only
//   between making and recording it, it is in no record.
// - The locks are flock's: they belong to the open file, and go with its last descriptor.
#pragma once

#include <cstdint>
#include <string>

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/file.hpp"
#include "os/file_key.hpp"

namespace hawser::os {

enum class fifo_side : std::uint8_t { reading, writing };

// Makes it with exactly this mode and group, whatever the umask, under its name in one step: nobody
// ever sees it half made. records: the directory in which it is noted. Errors: already_exists (by
// whatever has the name) · not_found (the directory) · permission · no_space · invalid_argument
// (the name is too long) · system.
result<void> make_fifo(const std::string& path, std::uint32_t mode, std::uint32_t gid,
                       const std::string& records);

// Errors: would_block (writing: nobody reads) · not_found · permission · corrupt (something else
// has the name; the detail says what) · system.
result<unique_fd> open_fifo(const std::string& path, fifo_side side);

// What has the name, without touching it. Errors: not_found · permission · …
struct fifo_look {
    const char* kind = ""; // for messages: "a directory"
    bool is_fifo = false;
    file_key key;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t changed_ns = 0; // since the epoch: made, or mode and owner changed
};
result<fifo_look> look_at_fifo(const std::string& path) noexcept;

enum class fifo_hold : std::uint8_t { shared, exclusive };
// Does not wait; false if another open file is in the way. From shared to exclusive it may lose
// the shared one. Errors: system.
result<bool> hold_fifo(int fd, fifo_hold how) noexcept;

// Whether the path still names this FIFO.
bool still_named(int fd, const std::string& path) noexcept;

// Takes the name away and lets go who waits. Unless by force: only if nobody holds it, and that is
// already_exists. Errors also: not_found · permission · …
result<void> remove_fifo(const std::string& path, bool by_force);

// Lets go who sleeps in opening this FIFO, which has lost its name: a reader will read the end, a
// writer that nobody reads.
void release_openers(int fd) noexcept;

} // namespace hawser::os
