#include "os/unix_socket.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/file.hpp"
#include "os/socket.hpp"

namespace hawser::os {

namespace {

struct raw_name {
    sockaddr_un address{};
    socklen_t size = 0;

    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&address);
    }
};

// The kernel takes an abstract name to be exactly as long as size says; NULs would belong to it.
bool encode(const unix_name& name, raw_name& into) noexcept {
    if (name.text.empty() || name.text.size() > longest_unix_name) return false;
    into.address.sun_family = AF_UNIX;
    const std::size_t offset = name.is_abstract ? 1 : 0;
    std::memcpy(into.address.sun_path + offset, name.text.data(), name.text.size());
    into.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.text.size() + 1);
    return true;
}

int raw_type(socket_type type) noexcept {
    switch (type) {
    case socket_type::stream:
        return SOCK_STREAM;
    case socket_type::datagram:
        return SOCK_DGRAM;
    case socket_type::seqpacket:
        break;
    }
    return SOCK_SEQPACKET;
}

const char* kind_of(mode_t mode) noexcept {
    switch (mode & S_IFMT) {
    case S_IFSOCK:
        return "a socket";
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a directory";
    case S_IFLNK:
        return "a symbolic link";
    case S_IFIFO:
        return "a FIFO";
    default:
        return "a device";
    }
}

// The sender that came along; descriptors are collect_descriptors' affair.
std::optional<credentials> sender_of(msghdr& message) noexcept {
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
        ucred raw{};
        std::memcpy(&raw, CMSG_DATA(part), sizeof raw);
        return credentials{static_cast<std::uint32_t>(raw.pid), raw.uid, raw.gid};
    }
    return std::nullopt;
}

} // namespace

result<fork_guard> make_unix_socket(socket_type type) noexcept {
    return make_socket(AF_UNIX, raw_type(type));
}

result<void> bind_socket(int fd, const unix_name& name) noexcept {
    raw_name raw;
    if (!encode(name, raw)) return failure("bind", ENAMETOOLONG);
    // The mode of the socket itself is what bind gives to the file, less the umask.
    if (::fchmod(fd, S_IWUSR) != 0) return failure("chmod", errno);
    if (::bind(fd, raw.get(), raw.size) != 0) return failure("bind", errno);
    return {};
}

result<void> connect_socket(int fd, const unix_name& name) noexcept {
    raw_name raw;
    if (!encode(name, raw)) return failure("connect", ENAMETOOLONG);
    int outcome;
    do outcome = ::connect(fd, raw.get(), raw.size);
    while (outcome != 0 && errno == EINTR);
    if (outcome != 0) return failure("connect", errno);
    return {};
}

void ask_for_credentials(int fd) noexcept {
    set_socket_option(fd, SOL_SOCKET, SO_PASSCRED, 1);
}

result<file_seen> look_at(const std::string& path) noexcept {
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0) return failure("stat", errno);
    return file_seen{{raw.st_dev, raw.st_ino},
                     kind_of(raw.st_mode),
                     S_ISSOCK(raw.st_mode),
                     raw.st_mode & 07777U,
                     raw.st_uid,
                     raw.st_gid,
                     raw.st_ctim.tv_sec * 1'000'000'000 + raw.st_ctim.tv_nsec};
}

result<void> set_file_access(const std::string& path, std::uint32_t mode,
                             std::uint32_t gid) noexcept {
    // The group first: changing it may clear bits of the mode.
    if (gid != no_group && ::lchown(path.c_str(), static_cast<uid_t>(-1), gid) != 0)
        return failure("chown", errno);
    if (::chmod(path.c_str(), mode) != 0) return failure("chmod", errno);
    return {};
}

result<fork_guard> lock_directory(const std::string& directory) noexcept {
    auto held = fork_guard::of([&]() -> result<unique_fd> {
        unique_fd fd =
            above_standard(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return failure("lock", errno);
        return fd;
    });
    if (!held) return held.why();
    int outcome;
    do outcome = ::flock(held->get(), LOCK_EX | LOCK_NB);
    while (outcome != 0 && errno == EINTR);
    if (outcome != 0) return failure("lock", errno);
    return held;
}

std::uint64_t datagram_queue_length() noexcept {
    constexpr std::uint64_t usual = 10;
    const auto value = read_number_file("/proc/sys/net/unix/max_dgram_qlen");
    return value.value_or(usual) + 1;
}

packet read_packet(int fd, std::span<std::byte> first, std::span<std::byte> rest,
                   passed_descriptors& taken) noexcept {
    constexpr std::size_t control_bytes =
        CMSG_SPACE(sizeof(int) * passed_descriptors::limit) + CMSG_SPACE(sizeof(ucred));
    alignas(cmsghdr) std::array<std::byte, control_bytes> control;
    std::array<iovec, 2> memory{{{first.data(), first.size()}, {rest.data(), rest.size()}}};
    msghdr message{};
    message.msg_iov = memory.data();
    message.msg_iovlen = memory.size();
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t moved;
    do moved = ::recvmsg(fd, &message, MSG_TRUNC | MSG_CMSG_CLOEXEC);
    while (moved < 0 && errno == EINTR);
    if (moved < 0) return {{0, errno}, std::nullopt};
    collect_descriptors(&message, &taken);
    packet got{{static_cast<std::size_t>(moved), 0}, sender_of(message)};
    got.read.descriptors_cut = (message.msg_flags & MSG_CTRUNC) != 0;
    return got;
}

} // namespace hawser::os
