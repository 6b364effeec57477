// The `//HOST:PORT` of the network schemes.
//
// - HOST is a name, an IPv4 address, or an IPv6 address in brackets: `//localhost:7000`,
//   `//127.0.0.1:7000`, `//[::1]:7000`, `//[fe80::1%eth0]:7000`. `*`, or nothing, is all addresses
//   of this computer: good for who receives, not for who sends.
// - PORT is a number, 0 to 65,535; 0 lets the system pick one, for who receives. Names of services
//   are refused: what they mean differs from computer to computer.
// - Blocks: never (nothing is looked up here). Allocates: the strings. Threads, fork, signals: pure
//   functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <hawser/result.hpp>

namespace hawser::wire {

struct host_port {
    std::string host; // without brackets; empty: all addresses
    std::uint16_t port = 0;

    // As it is written: `//HOST:PORT`.
    [[nodiscard]] std::string to_text() const;
    [[nodiscard]] bool operator==(const host_port&) const = default;
};

// rest is an address without its scheme and options. Errors: invalid_argument, which says what is
// expected there.
result<host_port> parse_host_port(std::string_view rest, std::string_view scheme);

// Whether one can send to it. Errors: invalid_argument.
result<void> check_destination(const host_port& to, std::string_view scheme);

} // namespace hawser::wire
