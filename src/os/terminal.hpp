// Terminals and pseudo-terminals.
//
// - Blocks: never. Allocates: only in the kernel. Threads: any.
// - A pair has a master, which is what the terminal's user would be, and a slave, /dev/pts/N, which
//   a program has as its terminal. The pair goes with its last descriptor.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <hawser/result.hpp>

#include "os/fd.hpp"

namespace hawser::os {

struct new_terminal {
    unique_fd master;
    std::string slave; // its path
};
// Errors: no_space (the sysctl kernel.pty.max) · not_found (no /dev/ptmx) · permission · system.
result<new_terminal> make_terminal();

// A slave; it does not become the controlling terminal. Errors: corrupt (no terminal) · not_found ·
// permission · closed (its master has gone) · system.
result<unique_fd> open_terminal(const std::string& path) noexcept;

struct terminal_size {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;
};
result<terminal_size> size_of_terminal(int fd) noexcept;
result<void> set_terminal_size(int fd, const terminal_size& size) noexcept;

// All settings of a terminal (struct termios), to be put back.
struct terminal_settings {
    alignas(8) std::array<unsigned char, 64> opaque{};
};
result<terminal_settings> settings_of_terminal(int fd) noexcept;
result<void> set_terminal_settings(int fd, const terminal_settings& settings) noexcept;
// Bytes pass as they are: no echo, no lines, no signals, no translation.
result<void> make_raw(int fd) noexcept;

} // namespace hawser::os
