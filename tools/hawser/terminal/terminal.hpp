// What the user looks at: whether it is a terminal, colours, and the progress line.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "context.hpp"

namespace tool {

enum class stream : std::uint8_t { in, out, err };

bool is_terminal(stream which) noexcept;

enum class ink : std::uint8_t { dim, bold, green, yellow, red };

// The text in that colour, or as it is: --color decides, then NO_COLOR, then whether it is a
// terminal.
std::string paint(const context& here, stream where, ink color, std::string_view text);

// How it goes, on one line of stderr: only on a terminal, and only after a second.
class progress {
  public:
    // shown: false keeps it quiet whatever stderr is (the data goes to the same terminal).
    explicit progress(bool shown) noexcept;
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;
    ~progress() { clear(); }

    // Cheap enough for every batch: looks at the clock, prints five times a second.
    void show(std::uint64_t messages, std::uint64_t bytes) noexcept;
    void show_bytes(std::uint64_t bytes) noexcept;
    // Takes the line away, before something else is said.
    void clear() noexcept;

  private:
    using clock = std::chrono::steady_clock;

    bool is_time() noexcept;
    [[nodiscard]] double seconds() const noexcept;

    bool shown_;
    bool dirty_ = false;
    clock::time_point began_;
    clock::time_point next_;
};

} // namespace tool
