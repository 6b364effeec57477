#include "conformance/spelling.hpp"

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hawser/inspect.hpp>

#include "support/place.hpp"

namespace hawser::test {

namespace {

// Below the range that the system takes ports from by itself (net.ipv4.ip_local_port_range): a
// socket that connects there in vain never meets itself, and no other connection has the port.
constexpr unsigned first_port = 20000;
constexpr unsigned port_count = 12000;

bool is_internet(std::string_view scheme) {
    return scheme == "tcp" || scheme == "udp";
}

bool is_path(std::string_view scheme) {
    return scheme == "fifo" || scheme.starts_with("unix");
}

bool can_bind(int type, bool version_6, unsigned port) {
    const int fd = ::socket(version_6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    int outcome = -1;
    if (version_6) {
        sockaddr_in6 name{};
        name.sin6_family = AF_INET6;
        name.sin6_addr = in6addr_loopback;
        name.sin6_port = htons(static_cast<std::uint16_t>(port));
        outcome = ::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name);
    } else {
        sockaddr_in name{};
        name.sin_family = AF_INET;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        name.sin_port = htons(static_cast<std::uint16_t>(port));
        outcome = ::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof name);
    }
    ::close(fd);
    return outcome == 0;
}

// One that nobody has, also not a connection of before that the kernel still remembers.
unsigned fresh_port(std::string_view scheme, bool version_6) {
    static std::atomic<unsigned> next{static_cast<unsigned>(::getpid()) * 97U};
    const int type = scheme == "tcp" ? SOCK_STREAM : SOCK_DGRAM;
    for (unsigned tried = 0; tried < port_count; ++tried) {
        const unsigned port = first_port + next++ % port_count;
        if (can_bind(type, version_6, port)) return port;
    }
    throw std::runtime_error("no port is free");
}

// A number for each test of each process, for names that all processes of the machine share.
unsigned fresh_number() {
    static std::atomic<unsigned> count{0};
    return (static_cast<unsigned>(::getpid()) << 12U) + (count++ & 0xFFFU);
}

std::size_t place_of(std::string_view stem) {
    const auto found = std::ranges::find(stems, stem);
    if (found == stems.end()) throw std::runtime_error("spelling.hpp has no such stem");
    return static_cast<std::size_t>(found - stems.begin());
}

} // namespace

spelling::spelling(std::string_view scheme, std::string_view kind, const std::string& name)
    : scheme_(scheme), kind_(kind), name_(name) {
    if (kind == "abstract" || scheme == "mq") name_ += "-" + std::to_string(::getpid());
    if (scheme == "mq") {
        // All queues of a user share 800 KiB; tests that run at the same time would be in each
        // other's way. Only root may raise it.
        const rlimit larger{64UL << 20U, 64UL << 20U};
        ::setrlimit(RLIMIT_MSGQUEUE, &larger);
    }
    if (is_internet(scheme))
        for (unsigned& port : ports_) port = fresh_port(scheme, kind == "ipv6");
    // A key of 32 bits: 12 bits more would be too many, so the stem is in the lowest four.
    if (scheme == "sysv-mq") ports_.fill((fresh_number() << 4U & 0x7FFFFFFFU) | 0x40000000U);
}

std::string spelling::address(std::string_view stem) const {
    const std::string in_front = scheme_ + ":";
    if (is_internet(scheme_))
        return in_front + "//" + (kind_ == "ipv6" ? "[::1]:" : "127.0.0.1:") +
               std::to_string(ports_.at(place_of(stem)));
    if (scheme_ == "sysv-mq")
        return in_front + std::to_string(ports_[0] + static_cast<unsigned>(place_of(stem)));
    const std::string name = name_ + std::string(stem);
    if (scheme_ == "mq") return in_front + "/hawser-test-" + name;
    if (kind_ == "abstract") return in_front + "@hawser-test-" + name;
    if (is_path(scheme_)) return in_front + private_directory() + "/" + name;
    return in_front + name;
}

std::string spelling::path_of(std::string_view address) {
    const std::string_view scheme = address.substr(0, address.find(':'));
    const std::string rest{address.substr(address.find(':') + 1)};
    if (scheme == "shm") return mailbox_directory() + "/hawser." + rest;
    return is_path(scheme) && !rest.starts_with("@") ? rest : "";
}

std::vector<std::string> spelling::clear_away() const {
    std::vector<std::string> left;
    if (scheme_ != "shm" && !scheme_.empty()) {
        for (const std::string_view stem : stems) {
            const std::string where = address(stem);
            const auto removed = remove_mailbox(where, removal::by_force);
            if (!removed && !removed.is(errc::not_found) && !removed.is(errc::unsupported))
                left.push_back(where + ": " + removed.why().describe());
        }
        static_cast<void>(collect_garbage()); // records of the files that went
    }
    for (const std::string& name : left_over()) left.push_back(name);
    return left;
}

std::vector<std::string_view> further_kinds(std::string_view scheme) {
    if (scheme.starts_with("unix")) return {"abstract"};
    if (is_internet(scheme) && can_bind(SOCK_STREAM, true, 0)) return {"ipv6"};
    return {};
}

} // namespace hawser::test
