#include "os/fd.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace hawser::os {

void unique_fd::reset(int fd) noexcept {
    // close() is not repeated on EINTR: on Linux the descriptor is gone either way.
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
}

unique_fd above_standard(int fd) noexcept {
    constexpr int first_free = 3;
    if (fd < 0 || fd >= first_free) return unique_fd{fd};
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, first_free);
    const int why = errno;
    ::close(fd);
    errno = why;
    return unique_fd{moved};
}

namespace {

errc code_of(int sys) noexcept {
    switch (sys) {
    case ENOENT:
        return errc::not_found;
    case EEXIST:
        return errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS:
        return errc::permission;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EFBIG:
        return errc::no_space;
    case EINTR:
        return errc::interrupted;
    case EAGAIN:
        return errc::would_block;
    default:
        return errc::system;
    }
}

// What to do about it, where that is the same whatever failed.
std::string_view advice_for(int sys) noexcept {
    switch (sys) {
    case EMFILE:
        return "this process has no descriptor left. Close some, or raise its limit (ulimit -n).";
    case ENFILE:
        return "the system has no descriptor left (sysctl fs.file-max).";
    default:
        return {};
    }
}

} // namespace

std::string_view reason_for(int sys) noexcept {
    const std::string_view advice = advice_for(sys);
    return advice.empty() ? std::string_view(std::strerror(sys)) : advice;
}

error failure(const char* operation, int sys) noexcept {
    return error{code_of(sys), operation, sys}.because(advice_for(sys));
}

} // namespace hawser::os
