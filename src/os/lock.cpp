#include "os/lock.hpp"

#include <cerrno>

#include <fcntl.h>

#include "os/fd.hpp"

namespace hawser::os {

namespace {

// l_pid must be 0 for OFD locks.
struct flock byte_range(short type, std::uint64_t first_byte, std::uint64_t bytes) noexcept {
    struct flock range {};
    range.l_type = type;
    range.l_whence = SEEK_SET;
    range.l_start = static_cast<off_t>(first_byte);
    range.l_len = static_cast<off_t>(bytes);
    return range;
}

} // namespace

result<bool> try_lock(int fd, std::uint64_t first_byte, lock_kind kind) noexcept {
    auto range = byte_range(kind == lock_kind::shared ? F_RDLCK : F_WRLCK, first_byte, 1);
    if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return failure("lock", errno);
}

void unlock(int fd, std::uint64_t first_byte, std::uint64_t bytes) noexcept {
    auto range = byte_range(F_UNLCK, first_byte, bytes);
    ::fcntl(fd, F_OFD_SETLK, &range);
}

std::uint64_t first_locked(int fd, std::uint64_t first_byte, std::uint64_t bytes) noexcept {
    auto range = byte_range(F_WRLCK, first_byte, bytes);
    if (::fcntl(fd, F_OFD_GETLK, &range) != 0 || range.l_type == F_UNLCK) return none_locked;
    // A lock that began before the range and reaches into it locks the range's first byte.
    const auto start = static_cast<std::uint64_t>(range.l_start);
    return start < first_byte ? first_byte : start;
}

} // namespace hawser::os
