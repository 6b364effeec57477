#include "os/inet_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "os/fd.hpp"
#include "os/poll.hpp"

namespace hawser::os {

namespace {

// An idle connection: asked after 5 s, then every 2 s, five times.
constexpr int idle_before_asking_s = 5;
constexpr int asking_again_s = 2;
constexpr int unanswered_questions = 5;
// One with bytes on their way: so long without an acknowledgement, and sent again so often.
constexpr std::uint32_t silence_ms = 15'000;
constexpr int unanswered_repetitions = 3;
// Attempts to connect are repeated so often before the next address gets its turn.
constexpr int connect_repetitions = 2;

template <typename Call>
auto repeated(Call&& call) noexcept {
    for (;;) {
        const auto done = call();
        if (done >= 0 || errno != EINTR) return done;
    }
}

const sockaddr* sockaddr_of(const inet_address& address) noexcept {
    return reinterpret_cast<const sockaddr*>(address.bytes().data());
}

socklen_t size_of(const inet_address& address) noexcept {
    return static_cast<socklen_t>(address.bytes().size());
}

int socket_type(inet_kind kind) noexcept {
    return kind == inet_kind::stream ? SOCK_STREAM : SOCK_DGRAM;
}

inet_address named(int fd, int (*call)(int, sockaddr*, socklen_t*)) noexcept {
    sockaddr_storage storage{};
    socklen_t size = sizeof(storage);
    if (call(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
    return {&storage, size};
}

std::vector<inet_address> all_addresses(std::uint16_t port) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr = in6addr_any;
    six.sin6_port = htons(port);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_addr.s_addr = htonl(INADDR_ANY);
    four.sin_port = htons(port);
    return {{&six, sizeof(six)}, {&four, sizeof(four)}};
}

error not_resolved(const std::string& host, int code, int sys) {
    const bool unknown = code == EAI_NONAME || code == EAI_NODATA || code == EAI_ADDRFAMILY;
    const char* const why = code == EAI_SYSTEM ? std::strerror(sys) : ::gai_strerror(code);
    return error{unknown ? errc::not_found : errc::system, "open", code == EAI_SYSTEM ? sys : 0}
        .because("the host '" + host + "' has no address: " + why + ". " +
                 (unknown ? "Check its spelling with getent hosts, or give the address itself."
                          : "Try again, or give the address itself."));
}

} // namespace

// ---- addresses ----------------------------------------------------------------------------------

inet_address::inet_address(const void* address, std::size_t size_bytes) noexcept
    : size_bytes_(size_bytes <= memory_.size() ? size_bytes : 0) {
    if (size_bytes_ > 0) std::memcpy(memory_.data(), address, size_bytes_);
}

bool inet_address::is_v6() const noexcept {
    return size_bytes_ > 0 && sockaddr_of(*this)->sa_family == AF_INET6;
}

std::uint16_t inet_address::port() const noexcept {
    if (size_bytes_ == 0) return 0;
    const void* const memory = memory_.data();
    return ntohs(is_v6() ? static_cast<const sockaddr_in6*>(memory)->sin6_port
                         : static_cast<const sockaddr_in*>(memory)->sin_port);
}

std::string inet_address::host() const {
    std::array<char, INET6_ADDRSTRLEN + 1 + IF_NAMESIZE> text{};
    const int failed =
        size_bytes_ == 0 || ::getnameinfo(sockaddr_of(*this), size_of(*this), text.data(),
                                          text.size(), nullptr, 0, NI_NUMERICHOST) != 0;
    return failed ? std::string{} : std::string{text.data()};
}

result<std::vector<inet_address>> resolve(const std::string& host, std::uint16_t port,
                                          inet_kind kind) {
    if (host.empty()) return all_addresses(port);
    addrinfo wanted{};
    wanted.ai_socktype = socket_type(kind);
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &list);
    if (code != 0) return not_resolved(host, code, errno);
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner{list, ::freeaddrinfo};
    std::vector<inet_address> found;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next)
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
            found.emplace_back(one->ai_addr, one->ai_addrlen);
    if (found.empty()) return not_resolved(host, EAI_ADDRFAMILY, 0);
    return found;
}

inet_address local_address(int fd) noexcept {
    return named(fd, ::getsockname);
}

inet_address peer_address(int fd) noexcept {
    return named(fd, ::getpeername);
}

// ---- opening ------------------------------------------------------------------------------------

error inet_failure(const char* operation, int sys) {
    switch (sys) {
    case EADDRINUSE:
        return error{errc::already_exists, operation, sys}.because(
            "somebody receives on this port already. ss -tulpn shows who; port 0 picks a free "
            "one.");
    case EADDRNOTAVAIL:
        return error{errc::not_found, operation, sys}.because(
            "this computer does not have that address. ip address shows those it has; '*' is all "
            "of them.");
    case EACCES:
    case EPERM:
        return error{errc::permission, operation, sys}.because(
            "the system does not allow it: a port below net.ipv4.ip_unprivileged_port_start, a "
            "broadcast address, or a rule of the firewall.");
    case ECONNREFUSED:
        return error{errc::not_found, operation, sys}.because(
            "nobody receives on that port there.");
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
        return error{errc::not_found, operation, sys}.because(
            std::string("there is no way to that host now: ") + std::strerror(sys) + ".");
    case ECONNRESET:
    case ENOTCONN:
        return error{errc::peer_died, operation, sys}.because(
            "the other side broke the connection off as soon as it was there.");
    case EAFNOSUPPORT:
        return error{errc::unsupported, operation, sys}.because(
            "this computer has no IPv6, or no IPv4.");
    case ENOBUFS:
        return error{errc::no_space, operation, sys}.because(
            "the system has no room for it now. Try again.");
    default:
        return failure(operation, sys).because(reason_for(sys));
    }
}

bool is_absence(int sys) noexcept {
    switch (sys) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOTCONN:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
    case EAFNOSUPPORT:  // this address of the host; it may have others
    case EADDRNOTAVAIL: // no address of ours, or no port, leads there
        return true;
    default:
        return false;
    }
}

result<fork_guard> inet_socket(const inet_address& like, inet_kind kind) {
    auto made = make_socket(like.is_v6() ? AF_INET6 : AF_INET, socket_type(kind));
    if (!made) return inet_failure("open", made.why().sys());
    return made;
}

result<void> bind_to(int fd, const inet_address& at) {
    if (at.is_v6()) set_socket_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (::bind(fd, sockaddr_of(at), size_of(at)) == 0) return {};
    return inet_failure("open", errno);
}

result<void> listen_at(int fd, const inet_address& at) {
    // Connections of the one before may still be closing; a living listener is EADDRINUSE all the
    // same, in bind() or in listen().
    if (!set_socket_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return inet_failure("open", errno);
    if (auto bound = bind_to(fd, at); !bound) return bound;
    if (auto taking = listen_on(fd); !taking) return inet_failure("open", taking.why().sys());
    return {};
}

result<fork_guard> accept_from_network(int listening_fd) {
    for (;;) {
        auto taken = accept_connection(listening_fd);
        if (taken || taken.is(errc::would_block)) return taken;
        switch (taken.why().sys()) {
        case ENOPROTOOPT: // as accept(2) advises
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENETDOWN:
        case EOPNOTSUPP:
            continue;
        case EMFILE:
        case ENFILE:
            return error{errc::system, "receive", taken.why().sys()}.because(
                "no descriptor is left for a sender that connects; it waits. Raise ulimit -n, or "
                "close something.");
        default:
            return inet_failure("receive", taken.why().sys());
        }
    }
}

int connect_to(int fd, const inet_address& to) noexcept {
    return ::connect(fd, sockaddr_of(to), size_of(to)) == 0 ? 0 : errno;
}

int connect_outcome(int fd) noexcept {
    errno = 0;
    if (events_now(fd, POLLOUT) == 0) return errno != 0 ? errno : EINPROGRESS; // it could not look
    if (const int sys = pending_error(fd); sys != 0) return sys;
    // Where nobody listens, the port that the system gave us may be the one we want, and we have
    // got ourselves.
    const inet_address here = local_address(fd);
    const inet_address there = peer_address(fd);
    if (there.bytes().empty()) return errno; // ENOTCONN: it was there, and has gone
    if (!std::ranges::equal(here.bytes(), there.bytes())) return 0;
    discard_on_close(fd);
    return ECONNREFUSED;
}

// ---- connections --------------------------------------------------------------------------------

void tune_connection(int fd) noexcept {
    set_socket_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_socket_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_socket_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, idle_before_asking_s);
    set_socket_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, asking_again_s);
    set_socket_option(fd, IPPROTO_TCP, TCP_KEEPCNT, unanswered_questions);
    set_socket_option(fd, IPPROTO_TCP, TCP_SYNCNT, connect_repetitions);
}

// Not TCP_USER_TIMEOUT: that breaks the connection also to a peer that is there and only does not
// read for so long.
peer_state state_of_peer(int fd) noexcept {
    tcp_info known{};
    socklen_t size = sizeof(known);
    if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &known, &size) != 0) return peer_state::there;
    if (known.tcpi_state == TCP_CLOSE_WAIT) return peer_state::finished;
    const bool repeated_in_vain =
        (known.tcpi_unacked > 0 && known.tcpi_retransmits >= unanswered_repetitions) ||
        known.tcpi_probes >= unanswered_repetitions;
    if (repeated_in_vain && known.tcpi_last_ack_recv >= silence_ms) return peer_state::silent;
    return peer_state::there;
}

void discard_on_close(int fd) noexcept {
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

// ---- datagrams ----------------------------------------------------------------------------------

io send_datagram(int fd, std::span<const std::byte> bytes) noexcept {
    const ssize_t done =
        repeated([&] { return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    return done < 0 ? io{0, errno} : io{static_cast<std::size_t>(done), 0};
}

io receive_datagram(int fd, std::span<std::byte> into) noexcept {
    const ssize_t done = repeated([&] { return ::recv(fd, into.data(), into.size(), MSG_TRUNC); });
    return done < 0 ? io{0, errno} : io{static_cast<std::size_t>(done), 0};
}

std::optional<std::uint32_t> dropped_datagrams(int fd) noexcept {
    std::array<std::uint32_t, SK_MEMINFO_VARS> counts{};
    socklen_t size = sizeof(counts);
    if (::getsockopt(fd, SOL_SOCKET, SO_MEMINFO, counts.data(), &size) != 0) return std::nullopt;
    return counts[SK_MEMINFO_DROPS];
}

} // namespace hawser::os
