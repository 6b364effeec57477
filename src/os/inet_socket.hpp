// Sockets of the internet, TCP and UDP, and the addresses they have.
//
// - Blocks: resolve() while it asks the name service (seconds, where that does not answer); all
//   else never. Allocates: resolve() and texts.
// - Threads: any. Fork: the child's copy of a socket is closed (fork_guard). Signals: SIGPIPE never
//   comes, interrupted calls are repeated here.
// - All sockets are non-blocking and close-on-exec.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <hawser/result.hpp>

#include "os/process.hpp"
#include "os/socket.hpp"
#include "os/stream.hpp"

namespace hawser::os {

enum class inet_kind : std::uint8_t { stream, datagram };

// A sockaddr_in or sockaddr_in6.
class inet_address {
  public:
    inet_address() noexcept = default;
    // address is a sockaddr of so many bytes. More than fit is none.
    inet_address(const void* address, std::size_t size_bytes) noexcept;

    [[nodiscard]] bool is_v6() const noexcept;
    [[nodiscard]] std::uint16_t port() const noexcept;
    [[nodiscard]] std::string host() const; // "127.0.0.1", "fe80::1%eth0"
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
        return std::span(memory_).first(size_bytes_);
    }

  private:
    alignas(8) std::array<std::byte, 32> memory_ = {};
    std::size_t size_bytes_ = 0;
};

// The addresses of a host, in the order in which they are to be tried. An empty host is this
// computer's every address: that of IPv6, which takes IPv4 as well, then that of IPv4.
// Errors: not_found (there is no such host) · system (the name service failed; try again).
result<std::vector<inet_address>> resolve(const std::string& host, std::uint16_t port,
                                          inet_kind kind);

// A socket for such an address, without one of its own yet. Errors: system (EMFILE) · unsupported
// (no IPv6 here, or no IPv4).
result<fork_guard> inet_socket(const inet_address& like, inet_kind kind);

// Gives the socket its address; that of all IPv6 addresses takes IPv4, too. listen_at also makes
// it take connections. Errors: already_exists (in use) · not_found (not an address of this
// computer) · permission · system.
result<void> bind_to(int fd, const inet_address& at);
result<void> listen_at(int fd, const inet_address& at);

// As accept_connection, without what the network says of connections that have gone again.
result<fork_guard> accept_from_network(int listening_fd);

// Begins a connection, or has it (datagrams). The errno: 0, EINPROGRESS, or why not.
int connect_to(int fd, const inet_address& to) noexcept;
// What became of it. The errno: 0 it is there, EINPROGRESS not yet known, or why not.
int connect_outcome(int fd) noexcept;
// Whether that errno says that nobody is there, or not now, so that it is worth another try.
bool is_absence(int sys) noexcept;

// The error of a call on such a socket: canonical code and reason.
error inet_failure(const char* operation, int sys);

[[nodiscard]] inet_address local_address(int fd) noexcept;
[[nodiscard]] inet_address peer_address(int fd) noexcept;

// Small messages go at once, an idle connection whose peer does not answer any more breaks after
// about 15 s, and an attempt to connect that nobody answers after some seconds.
void tune_connection(int fd) noexcept;

// What the kernel knows of the other side of a connection.
enum class peer_state : std::uint8_t {
    there,
    finished, // it has closed, or will send no more
    silent,   // it has not acknowledged for 15 s what was sent, though it was sent again
};
[[nodiscard]] peer_state state_of_peer(int fd) noexcept;
// Closing it throws away what was not yet delivered, and tells the other side so.
void discard_on_close(int fd) noexcept;

// One datagram. Receiving tells its size also where only a part of it had room.
io send_datagram(int fd, std::span<const std::byte> bytes) noexcept;
io receive_datagram(int fd, std::span<std::byte> into) noexcept;
// How many datagrams came and had no room, modulo 2^32; nothing if the kernel does not tell.
[[nodiscard]] std::optional<std::uint32_t> dropped_datagrams(int fd) noexcept;

} // namespace hawser::os
