// The other side of a Unix socket as any program has it, with bare system calls.
//
// - Blocks: as the calls of its sockets do; the watchdog watches. Threads, fork: as descriptors.
#pragma once

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/place.hpp"

namespace hawser::test::raw {

// A socket of the test's own, with the address rest ("PATH" or "@NAME") that a test uses.
class peer {
  public:
    explicit peer(int type) : fd_(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {}
    ~peer() { close(); }
    peer(peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    peer& operator=(peer&&) = delete;
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;

    [[nodiscard]] int fd() const { return fd_; }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    [[nodiscard]] int bind(const std::string& rest) const {
        const auto [name, size] = named(rest);
        return ::bind(fd_, reinterpret_cast<const sockaddr*>(&name), size) == 0 ? 0 : errno;
    }
    [[nodiscard]] int connect(const std::string& rest) const {
        const auto [name, size] = named(rest);
        return ::connect(fd_, reinterpret_cast<const sockaddr*>(&name), size) == 0 ? 0 : errno;
    }
    // 0, or the errno.
    [[nodiscard]] int send(std::string_view bytes, std::span<const int> descriptors = {}) const {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
        iovec memory{const_cast<char*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &memory;
        message.msg_iovlen = 1;
        if (!descriptors.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
            cmsghdr* const rights = CMSG_FIRSTHDR(&message);
            rights->cmsg_level = SOL_SOCKET;
            rights->cmsg_type = SCM_RIGHTS;
            rights->cmsg_len = CMSG_LEN(descriptors.size_bytes());
            std::memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size_bytes());
        }
        const ssize_t moved = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
        return moved == static_cast<ssize_t>(bytes.size()) ? 0 : errno;
    }
    [[nodiscard]] std::string read(std::size_t most = 65536) const {
        std::string bytes(most, '\0');
        const ssize_t got = ::recv(fd_, bytes.data(), bytes.size(), 0);
        bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return bytes;
    }

  private:
    static std::pair<sockaddr_un, socklen_t> named(const std::string& rest) {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        rest.copy(name.sun_path, rest.size());
        const bool is_abstract = rest.starts_with('@');
        if (is_abstract) name.sun_path[0] = '\0';
        const std::size_t size = rest.size() + (is_abstract ? 0 : 1);
        return {name, static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + size)};
    }

    int fd_;
};

inline int type_of(std::string_view scheme) {
    if (scheme == "unix") return SOCK_STREAM;
    return scheme == "unix-dgram" ? SOCK_DGRAM : SOCK_SEQPACKET;
}

// One frame, as docs/formats/frame.md has it, made here byte for byte.
inline std::string frame(std::string_view payload, unsigned descriptors = 0, char mark = 1) {
    std::string bytes{"hw\x01"};
    bytes += static_cast<char>(descriptors);
    for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>(payload.size() >> (8 * i) & 0xFFU);
    return bytes.append(payload) + mark;
}

// The message as the scheme has it on the wire.
inline std::string wired(std::string_view scheme, std::string_view payload,
                         unsigned descriptors = 0) {
    return scheme == "unix" ? frame(payload, descriptors) : std::string(payload);
}

inline std::size_t open_descriptors() {
    std::size_t count = 0;
    for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
    return count;
}

// "", or the code of the error.
template <typename T>
std::string code_of(const result<T>& outcome) {
    return outcome ? "" : std::string(name_of(outcome.why().code()));
}
inline std::string text_or_code(const result<message>& got) {
    return got ? std::string(got->text()) : code_of(got);
}

// Each test runs with each scheme, at a path of its own.
class schemes : public testing::TestWithParam<const char*> {
  protected:
    void SetUp() override { path_ = test::private_directory() + "/" + test::unique_name("s"); }
    void TearDown() override {
        EXPECT_EQ(test::left_over(), std::vector<std::string>{}) << "the test left this behind";
        test::sweep_left_over();
    }
    [[nodiscard]] std::string scheme() const { return GetParam(); }
    [[nodiscard]] std::string at(std::string_view rest) const {
        return scheme() + ":" + std::string(rest);
    }
    [[nodiscard]] std::string address() const { return at(path_); }
    [[nodiscard]] int type() const { return type_of(scheme()); }
    [[nodiscard]] const std::string& path() const { return path_; }
    // A dead socket's file at the path.
    void leave_stale() const { ASSERT_EQ(peer{type()}.bind(path_), 0); }

  private:
    std::string path_;
};

inline std::string spelled(const testing::TestParamInfo<const char*>& info) {
    std::string name = info.param;
    for (char& letter : name)
        if (letter == '-') letter = '_';
    return name;
}
inline constexpr const char* all_schemes[] = {"unix", "unix-seqpacket", "unix-dgram"};

} // namespace hawser::test::raw
