#include "os/pipe.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.hpp"
#include "os/process.hpp"

namespace hawser::os {

static_assert(whole_write_bytes == PIPE_BUF);

result<pipe_pair> make_pipe() noexcept {
    constexpr int first_free = 3;
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return failure("pipe", errno);
    for (int& end : ends) {
        if (end >= first_free) continue;
        const int moved = ::fcntl(end, F_DUPFD_CLOEXEC, first_free);
        const int why = errno;
        ::close(std::exchange(end, moved));
        if (moved >= 0) continue;
        for (const int open : ends)
            if (open >= 0) ::close(open);
        return failure("pipe", why);
    }
    return pipe_pair{ends[0], ends[1]};
}

result<pipe_side> side_of(int fd) noexcept {
    struct stat raw {};
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fstat(fd, &raw) != 0) return error{errc::invalid_argument, "open", errno};
    const int access = flags & O_ACCMODE;
    return pipe_side{S_ISFIFO(raw.st_mode), access != O_WRONLY, access != O_RDONLY};
}

result<std::uint64_t> pipe_capacity(int fd) noexcept {
    const int bytes = ::fcntl(fd, F_GETPIPE_SZ);
    if (bytes < 0) return failure("fcntl", errno);
    return static_cast<std::uint64_t>(bytes);
}

std::uint64_t pipe_slots(std::uint64_t capacity_bytes) noexcept {
    return capacity_bytes / page_bytes();
}

result<void> set_pipe_capacity(int fd, std::uint64_t bytes) noexcept {
    constexpr std::uint64_t most = std::numeric_limits<int>::max();
    if (bytes > most) return failure("fcntl", EPERM);
    if (::fcntl(fd, F_SETPIPE_SZ, static_cast<int>(bytes)) >= 0) return {};
    if (errno == EBUSY) return error{errc::would_block, "fcntl", EBUSY};
    return failure("fcntl", errno);
}

std::uint64_t largest_pipe_bytes() noexcept {
    const std::lock_guard no_fork(fork_safe_mutex());
    const unique_fd file{::open("/proc/sys/fs/pipe-max-size", O_RDONLY | O_CLOEXEC)};
    std::array<char, 32> text{};
    if (!file) return 0;
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    std::uint64_t bytes = 0;
    if (got > 0) std::from_chars(text.data(), text.data() + got, bytes);
    return bytes;
}

result<std::uint64_t> bytes_waiting(int fd) noexcept {
    int bytes = 0;
    if (::ioctl(fd, FIONREAD, &bytes) != 0) return failure("ioctl", errno);
    return static_cast<std::uint64_t>(bytes);
}

// A FIFO that no writer has come to polls like one with a silent writer; but copying from it says
// the end for the one, and EAGAIN for the other.
result<bool> has_met_writer(int fd) noexcept {
    pollfd one{fd, POLLIN, 0};
    if (::poll(&one, 1, 0) == 1 && (one.revents & (POLLIN | POLLHUP)) != 0) return true;
    const std::lock_guard no_fork(fork_safe_mutex());
    const auto scratch = make_pipe();
    if (!scratch) return scratch.why();
    const unique_fd reading{scratch->reading};
    const unique_fd writing{scratch->writing};
    const ssize_t copied = ::tee(fd, writing.get(), 1, SPLICE_F_NONBLOCK);
    if (copied < 0 && errno != EAGAIN) return failure("tee", errno);
    return copied != 0;
}

result<void> set_packets(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_DIRECT) != 0) return failure("fcntl", errno);
    return {};
}

bool has_packets(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_DIRECT) != 0;
}

result<unique_fd> take_over(int fd) noexcept {
    constexpr int first_free = 3;
    unique_fd moved{::fcntl(fd, F_DUPFD_CLOEXEC, first_free)};
    if (!moved) return failure("dup", errno);
    if (fd >= first_free) {
        ::close(fd);
        return moved;
    }
    const unique_fd nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    if (!nothing || ::dup2(nothing.get(), fd) < 0) return failure("dup", errno);
    return moved;
}

void set_inheritable(int fd, bool on) noexcept {
    ::fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

} // namespace hawser::os
