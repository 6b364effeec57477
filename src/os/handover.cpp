#include "os/handover.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hawser::os {

namespace {

// CMSG_SPACE, with its padding, would have room for a second descriptor.
constexpr std::size_t room_for_one = CMSG_LEN(sizeof(int));

struct envelope {
    char mark = 0;
    iovec bytes{&mark, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};

    envelope() noexcept {
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = static_cast<void*>(control);
        message.msg_controllen = room_for_one;
    }
    envelope(const envelope&) = delete;
    envelope& operator=(const envelope&) = delete;
};

// The descriptor that came along, or none.
unique_fd descriptor_in(msghdr& message) noexcept {
    unique_fd found;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        if (part->cmsg_len < room_for_one) continue;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
        found = above_standard(fd);
    }
    return found;
}

} // namespace

result<void> hand_over(int connection, char mark, int fd) noexcept {
    envelope sent;
    sent.mark = mark;
    if (fd < 0) {
        sent.message.msg_control = nullptr;
        sent.message.msg_controllen = 0;
    } else {
        cmsghdr* const rights = CMSG_FIRSTHDR(&sent.message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = room_for_one;
        std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    ssize_t moved;
    do moved = ::sendmsg(connection, &sent.message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (moved < 0 && errno == EINTR);
    if (moved != 1) return failure("sendmsg", moved < 0 ? errno : EPIPE);
    return {};
}

result<handed> take_handed(int connection) noexcept {
    envelope got;
    bool cut = false;
    // With no moment between in which a fork could copy the descriptor unseen.
    auto fd = fork_guard::of([&]() -> result<unique_fd> {
        ssize_t moved;
        do moved = ::recvmsg(connection, &got.message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        while (moved < 0 && errno == EINTR);
        const int sys = moved < 0 ? errno : 0;
        if (moved == 0 || sys == ECONNRESET) return error{errc::closed, "recvmsg", sys};
        if (moved < 0) return failure("recvmsg", sys);
        cut = (got.message.msg_flags & MSG_CTRUNC) != 0;
        return descriptor_in(got.message);
    });
    if (!fd) return fd.why();
    if (!cut) return handed{got.mark, std::move(*fd)};
    // A second one was cut off; or the first one, as none is left here.
    if (fd->get() >= 0)
        return error{errc::corrupt, "recvmsg"}.because("more than one descriptor came.");
    return error{errc::no_space, "recvmsg", EMFILE}.because(
        "no descriptor is left for what comes. Close some, or raise the limit (ulimit -n).");
}

std::uint64_t untaken_bytes(int connection) noexcept {
    int bytes = 0;
    if (::ioctl(connection, SIOCOUTQ, &bytes) != 0) return 0;
    return bytes > 0 ? static_cast<std::uint64_t>(bytes) : 0;
}

std::optional<credentials> other_side(int connection) noexcept {
    ucred raw{};
    socklen_t size = sizeof raw;
    const int outcome = ::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &raw, &size);
    if (outcome != 0 || raw.uid == static_cast<uid_t>(-1)) return std::nullopt;
    return credentials{static_cast<std::uint32_t>(raw.pid), raw.uid, raw.gid};
}

bool peer_is_in_group(int connection, std::uint32_t gid) noexcept {
    const auto peer = other_side(connection);
    if (peer && peer->gid == gid) return true;
    constexpr std::size_t most = 65'536; // NGROUPS_MAX
    std::vector<gid_t> groups(64);
    for (;;) {
        auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        if (::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
            groups.resize(size / sizeof(gid_t));
            return std::ranges::find(groups, gid) != groups.end();
        }
        if (errno != ERANGE || groups.size() >= most) return false;
        groups.resize(most);
    }
}

result<void> rename_if_free(const std::string& from, const std::string& to) noexcept {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0)
        return failure("rename", errno);
    return {};
}

result<std::uint32_t> user_id(const std::string& name_or_number) {
    std::uint32_t number = 0;
    const char* end = name_or_number.data() + name_or_number.size();
    const auto [stop, bad] = std::from_chars(name_or_number.data(), end, number);
    if (bad == std::errc{} && stop == end) return number;
    std::string buffer(16'384, '\0');
    passwd entry{};
    passwd* found = nullptr;
    ::getpwnam_r(name_or_number.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return failure("getpwnam", ENOENT);
    return static_cast<std::uint32_t>(entry.pw_uid);
}

} // namespace hawser::os
