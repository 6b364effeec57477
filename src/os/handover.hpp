// Handing a descriptor to another process over a Unix connection, and taking one from a process
// that nobody trusts.
//
// - One exchange is one byte, the mark, with one descriptor or none.
// - Blocks: never. Allocates: only in the kernel. Threads: any. Fork: what was taken is closed in a
//   child (fork_guard). Signals: interrupted calls are repeated; no SIGPIPE.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <hawser/message.hpp>
#include <hawser/result.hpp>

#include "os/process.hpp"

namespace hawser::os {

// Sends the mark, with a copy of the descriptor (-1: with none). Errors: failure() of sendmsg(2),
// among them would_block and system with ETOOMANYREFS: too many descriptors of this user are on
// their way and have not been taken.
result<void> hand_over(int connection, char mark, int fd) noexcept;

struct handed {
    char mark = 0;
    fork_guard fd; // below 0: none came along
};
// Takes what the other side has sent. Room is made for one descriptor only: if more come, the
// kernel drops the others, and this one is closed. Errors: would_block (nothing there yet) · closed
// (nothing will come) · corrupt (more than one descriptor) · no_space (no descriptor is left here)
// · system.
result<handed> take_handed(int connection) noexcept;

// Bytes that were sent and that the other side has not read yet, more or less; 0: none.
std::uint64_t untaken_bytes(int connection) noexcept;

// Who connected, or who listened, as peer_of (socket.hpp); but pid is 0 for a process of a PID
// namespace that can't be seen from here. Nothing if the kernel does not say.
std::optional<credentials> other_side(int connection) noexcept;
// Whether it was in this group then.
bool peer_is_in_group(int connection, std::uint32_t gid) noexcept;

// Renames what is at one path to another that must be free; already_exists if it is not.
result<void> rename_if_free(const std::string& from, const std::string& to) noexcept;

// Errors: not_found.
result<std::uint32_t> user_id(const std::string& name_or_number);

} // namespace hawser::os
