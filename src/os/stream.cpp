#include "os/stream.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace hawser::os {

namespace {

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * passed_descriptors::limit);

io outcome_of(ssize_t moved) noexcept {
    if (moved < 0) return {0, errno};
    return {static_cast<std::size_t>(moved), 0};
}

// Repeats what a signal interrupted before it moved anything.
template <typename Call>
io repeated(Call&& call) noexcept {
    for (;;) {
        const io done = outcome_of(call());
        if (done.sys != EINTR) return done;
    }
}

// Parts of a write as the kernel takes them; empty ones are left out.
struct gathered {
    explicit gathered(std::span<const stream::part> parts) noexcept {
        for (const stream::part one : parts.first(std::min(parts.size(), memory.size())))
            if (!one.empty()) memory[count++] = {const_cast<std::byte*>(one.data()), one.size()};
    }
    int fd = -1;
    std::array<iovec, stream::most_parts> memory;
    std::size_t count = 0;
};

io write_file(gathered& from) noexcept {
    return without_sigpipe(
        [](void* context) {
            const auto* const all = static_cast<gathered*>(context);
            return repeated([&] {
                return ::writev(all->fd, all->memory.data(), static_cast<int>(all->count));
            });
        },
        &from);
}

io write_socket(gathered& from, std::span<const int> descriptors) noexcept {
    if (descriptors.size() > passed_descriptors::limit) return {0, EINVAL};
    alignas(cmsghdr) std::array<std::byte, control_bytes> control;
    msghdr message{};
    message.msg_iov = from.memory.data();
    message.msg_iovlen = from.count;
    if (!descriptors.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
        cmsghdr* const rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
        std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
    }
    return repeated([&] { return ::sendmsg(from.fd, &message, MSG_NOSIGNAL); });
}

} // namespace

bool io::would_block() const noexcept {
    return sys == EAGAIN;
}

passed_descriptors& passed_descriptors::operator=(passed_descriptors&& other) noexcept {
    if (this != &other) {
        close_all();
        take(other, other.count_);
    }
    return *this;
}

bool passed_descriptors::add(int fd) noexcept {
    if (count_ == limit) {
        ::close(fd);
        return false;
    }
    fds_[count_++] = fd;
    return true;
}

void passed_descriptors::take(passed_descriptors& other, std::size_t count) noexcept {
    if (count > other.count_) count = other.count_;
    for (std::size_t i = 0; i < count; ++i) add(other.fds_[i]);
    other.count_ -= count;
    for (std::size_t i = 0; i < other.count_; ++i) other.fds_[i] = other.fds_[i + count];
}

void passed_descriptors::close_all() noexcept {
    for (std::size_t i = 0; i < count_; ++i)
        if (fds_[i] >= 0) ::close(fds_[i]);
    count_ = 0;
}

void set_nonblocking(int fd, bool on) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (flags >= 0 && wanted != flags) ::fcntl(fd, F_SETFL, wanted);
}

void collect_descriptors(const void* message, passed_descriptors* taken) noexcept {
    auto* const header = static_cast<msghdr*>(const_cast<void*>(message));
    for (cmsghdr* part = CMSG_FIRSTHDR(header); part != nullptr; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (taken != nullptr)
                taken->add(fd);
            else
                ::close(fd);
        }
    }
}

io without_sigpipe(io (*write)(void*), void* context) noexcept {
    sigset_t pipe_only;
    sigset_t before;
    sigset_t pending;
    ::sigemptyset(&pipe_only);
    ::sigaddset(&pipe_only, SIGPIPE);
    ::sigpending(&pending);
    const bool was_pending = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    const io done = write(context);
    if (done.sys == EPIPE && !was_pending) {
        const timespec at_once{0, 0};
        while (::sigtimedwait(&pipe_only, nullptr, &at_once) < 0 && errno == EINTR) {
        }
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return done;
}

stream::stream(fork_guard fd, stream_kind kind) noexcept : fd_(std::move(fd)), kind_(kind) {
    if (fd_.get() >= 0) set_nonblocking(fd_.get(), true);
}

io stream::read(std::span<std::byte> into, passed_descriptors* taken) noexcept {
    if (kind_ != stream_kind::socket) {
        const io done = repeated([&] { return ::read(fd(), into.data(), into.size()); });
        // A terminal whose other side has hung up says EIO.
        return kind_ == stream_kind::terminal && done.sys == EIO ? io{} : done;
    }
    alignas(cmsghdr) std::array<std::byte, control_bytes> control;
    iovec memory{into.data(), into.size()};
    msghdr message{};
    message.msg_iov = &memory;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    io done = repeated([&] { return ::recvmsg(fd(), &message, MSG_CMSG_CLOEXEC); });
    if (done.sys != 0) return done;
    collect_descriptors(&message, taken);
    done.descriptors_cut = (message.msg_flags & MSG_CTRUNC) != 0;
    return done;
}

io stream::write(std::span<const part> parts, std::span<const int> descriptors) noexcept {
    gathered from{parts};
    from.fd = fd();
    if (kind_ == stream_kind::socket) return write_socket(from, descriptors);
    if (!descriptors.empty()) return {0, EOPNOTSUPP};
    const io done = write_file(from);
    // A terminal whose other side has hung up says EIO here, too.
    return kind_ == stream_kind::terminal && done.sys == EIO ? io{0, EPIPE} : done;
}

void stream::finish_writing() noexcept {
    if (kind_ == stream_kind::socket)
        ::shutdown(fd(), SHUT_WR);
    else
        close();
}

} // namespace hawser::os
