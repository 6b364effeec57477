// Terminals: their window size and their raw mode. For `pty:` streams and for the terminal that a
// program itself runs on.
//
//     auto screen = hawser::byte_stream::open("pty:").value();      // screen.where():
//     pty:/dev/pts/7 hawser::set_window_size(screen.fd().value(), {24, 80}).value();
//
// - Blocks, allocates: never. Threads: settings belong to the terminal, not to a descriptor:
// whoever
//   sets them last, wins. Fork: nothing special.
// - Signals: a change of the size sends SIGWINCH to the programs on the terminal.
// - A crash: a terminal keeps the settings that a killed process gave it; `stty sane` helps.
// - Errors: invalid_argument (the descriptor is no terminal) · system.
#pragma once

#include <array>
#include <cstdint>

#include <hawser/result.hpp>

namespace hawser {
inline namespace v1 {

struct window_size {
    std::uint16_t rows = 0;
    std::uint16_t columns = 0;

    [[nodiscard]] bool operator==(const window_size&) const = default;
};

[[nodiscard]] result<window_size> window_size_of(int fd);
result<void> set_window_size(int fd, const window_size& size);

// As long as it lives, the terminal passes bytes as they are: no echo, no lines, no signals from
// keys. Then it is as it was.
class raw_terminal {
  public:
    // fd stays the caller's, and is to outlive it.
    [[nodiscard]] static result<raw_terminal> enter(int fd);

    raw_terminal(raw_terminal&& other) noexcept;
    raw_terminal& operator=(raw_terminal&& other) noexcept;
    raw_terminal(const raw_terminal&) = delete;
    raw_terminal& operator=(const raw_terminal&) = delete;
    ~raw_terminal(); // leave()

    void leave() noexcept;

  private:
    explicit raw_terminal(int fd) noexcept : fd_(fd) {}

    int fd_; // -1: left
    alignas(8) std::array<unsigned char, 64> before_{};
};

} // namespace v1
} // namespace hawser
