#include "os/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser::os {

namespace {

constexpr std::uint64_t most_asked = std::numeric_limits<int>::max() / 2;

struct buffer_names {
    int option;
    const char* sysctl;
    const char* path;
};
constexpr std::array<buffer_names, 2> names{{
    {SO_SNDBUF, "net.core.wmem_max", "/proc/sys/net/core/wmem_max"},
    {SO_RCVBUF, "net.core.rmem_max", "/proc/sys/net/core/rmem_max"},
}};

const buffer_names& names_of(socket_buffer which) noexcept {
    return names[static_cast<std::size_t>(which)];
}

// What setsockopt accepts at most; it cuts larger requests in silence.
std::uint64_t most_settable(socket_buffer which) noexcept {
    constexpr std::uint64_t usual = 212'992;
    return std::min(read_number_file(names_of(which).path).value_or(usual), most_asked);
}

} // namespace

std::optional<std::uint64_t> read_number_file(const char* path) noexcept {
    const unique_fd fd{::open(path, O_RDONLY | O_CLOEXEC)};
    std::array<char, 32> text{};
    const ssize_t got = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
    std::uint64_t value = 0;
    if (got <= 0 || std::from_chars(text.data(), text.data() + got, value).ec != std::errc{})
        return std::nullopt;
    return value;
}

result<fork_guard> make_socket(int domain, int type, int protocol) noexcept {
    return guard_opened(
        "socket", [&] { return ::socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol); });
}

result<void> listen_on(int fd) noexcept {
    if (::listen(fd, std::numeric_limits<int>::max()) != 0) return failure("listen", errno);
    return {};
}

result<fork_guard> accept_connection(int listening_fd) noexcept {
    // Whoever connects and aborts all the time must not keep a call from its deadline: after so
    // many in a row nobody is there, for the moment.
    constexpr int most_aborted = 64;
    const auto aborted = [] { return errno == EINTR || errno == ECONNABORTED || errno == EPROTO; };
    return fork_guard::of([&]() -> result<unique_fd> {
        int fd = -1;
        for (int tries = 0; tries < most_aborted; ++tries) {
            fd = ::accept4(listening_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd >= 0 || !aborted()) break;
        }
        if (fd < 0 && aborted()) return error{errc::would_block, "accept"};
        unique_fd taken = above_standard(fd);
        if (!taken && (errno == EMFILE || errno == ENFILE))
            return error{errc::no_space, "accept", errno}.because(
                "somebody connects, and no descriptor is left for that. They wait; close some, or "
                "raise the limit (ulimit -n).");
        if (!taken) return failure("accept", errno);
        return taken;
    });
}

int pending_error(int fd) noexcept {
    int sys = 0;
    socklen_t size = sizeof sys;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &size) != 0) return errno;
    return sys;
}

std::optional<credentials> peer_of(int fd) noexcept {
    ucred raw{};
    socklen_t size = sizeof raw;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &raw, &size) != 0 || raw.pid <= 0)
        return std::nullopt;
    return credentials{static_cast<std::uint32_t>(raw.pid), raw.uid, raw.gid};
}

std::uint64_t buffer_bytes(int fd, socket_buffer which) noexcept {
    int bytes = 0;
    socklen_t size = sizeof bytes;
    if (::getsockopt(fd, SOL_SOCKET, names_of(which).option, &bytes, &size) != 0) return 0;
    return static_cast<std::uint64_t>(bytes);
}

result<void> set_buffer_bytes(int fd, socket_buffer which, std::uint64_t bytes) noexcept {
    const std::uint64_t most = most_settable(which);
    if (bytes > 2 * most)
        return error{errc::no_space, "setsockopt", ENOBUFS}.because(
            "this machine gives a socket at most " + std::to_string(2 * most) + " bytes, and " +
            std::to_string(bytes) + " are needed. sysctl -w " + names_of(which).sysctl + "=" +
            std::to_string((bytes + 1) / 2) + " raises the limit.");
    const int half = static_cast<int>((bytes + 1) / 2);
    if (::setsockopt(fd, SOL_SOCKET, names_of(which).option, &half, sizeof half) != 0)
        return failure("setsockopt", errno);
    return {};
}

std::uint64_t largest_buffer_bytes(socket_buffer which) noexcept {
    return 2 * most_settable(which);
}

bool set_socket_option(int fd, int level, int name, int value) noexcept {
    return ::setsockopt(fd, level, name, &value, sizeof value) == 0;
}

std::uint64_t waiting_bytes(int fd) noexcept {
    int bytes = 0;
    return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

} // namespace hawser::os
