// Which processes have what open: a look through /proc, and the kernel's word on single processes
// and socket files.
//
// - A look is a snapshot: a process may open or close while it is taken. Nobody is disturbed.
// - Only processes of the own PID namespace can be seen, and of other users' only by root:
//   `complete` says whether all that can be seen could be looked at.
// - Blocks: on nobody. Allocates: yes. Threads: any. Fork, signals: nothing special.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <hawser/result.hpp>

#include "os/file_key.hpp"

namespace hawser::os {

// The key of a socket, by the number that /proc/net/unix gives it.
inline file_key socket_key(std::uint64_t inode) noexcept {
    return {0, inode};
}

struct open_files_request {
    std::vector<file_key> keys;   // files and sockets that somebody may have open
    std::vector<file_key> mapped; // files that somebody may have open or mapped
    bool opening = false;         // ask for processes that sleep in the opening of a file
};

struct open_files {
    std::map<file_key, std::vector<std::uint32_t>> users; // process ids, each once
    std::vector<std::uint32_t> opening;                   // processes that sleep in open()
    bool complete = true; // every process that can be seen could be looked at
};

open_files look_for_users(const open_files_request& wanted);

enum class process_life : std::uint8_t { unknown, dead, alive };
// A zombie is dead. `alive` may be another process that got the same number since. 0 is unknown.
process_life life_of(std::uint32_t pid) noexcept;

enum class binding : std::uint8_t { unknown, unbound, bound };
// Is a socket bound to this socket file, in whatever namespace? Neither the socket nor its owner
// notices the question.
binding binding_of(const std::string& path) noexcept;

} // namespace hawser::os
