// Files of a directory in memory: made without a name, finished, then named in one step.
//
// - Blocks: never on another process (a FIFO in the way is opened without waiting). Errors carry
// the errno; the callers add the why.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/mapping.hpp"

namespace hawser::os {

struct file_status {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t bytes = 0;        // apparent size
    std::uint64_t memory_bytes = 0; // blocks that it has
    std::uint32_t mode = 0;         // permission bits only
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t links = 0; // 0: it has no name any more
    bool regular = false;

    [[nodiscard]] bool same_file_as(const file_status& other) const noexcept {
        return device == other.device && inode == other.inode;
    }
};

// A file that has no name and goes with its last descriptor. Mode 0.
result<unique_fd> make_unnamed(const std::string& directory) noexcept;
// Never follows a symbolic link and never waits.
result<unique_fd> open_existing(const std::string& path, access_kind access) noexcept;
// Another description of the same file.
result<unique_fd> open_again(int fd, access_kind access) noexcept;

// Gives an unnamed file its name; already_exists if the name is taken.
result<void> give_name(int fd, const std::string& path) noexcept;
result<void> remove_name(const std::string& path) noexcept;

// Whether this process may write a file up to there (RLIMIT_FSIZE). To be asked before writing: a
// write beyond the limit raises SIGXFSZ, which kills.
bool may_grow_to(std::uint64_t bytes) noexcept;
result<void> set_size(int fd, std::uint64_t bytes) noexcept;
// Exactly this mode, whatever the umask, and this group unless it is no_group.
inline constexpr std::uint32_t no_group = ~std::uint32_t{0};
result<void> set_access(int fd, std::uint32_t mode, std::uint32_t gid) noexcept;
result<std::uint32_t> group_id(const std::string& name_or_number);

// Memory for a range of the file, now: no_space here instead of a SIGBUS later. What has memory
// already keeps its content.
result<void> allocate(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept;
// Gives whole pages of a range back; they read as zeroes.
void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept;

result<file_status> status_of(int fd) noexcept;
result<file_status>
status_of(const std::string& path) noexcept; // of the name itself, not what a link points to
result<std::vector<std::string>> names_in(const std::string& directory);
// Reads at most size bytes from the start of the file.
result<std::size_t> read_start(int fd, void* into, std::size_t size) noexcept;
// Writes size bytes at the start of a file that has memory there.
result<void> write_start(int fd, const void* from, std::size_t size) noexcept;

std::uint64_t page_bytes() noexcept;
// The variable's value, empty if it is not set or the program runs with another user's rights.
std::string environment(const char* name);

} // namespace hawser::os
