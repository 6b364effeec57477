// Numbers as people read them, and text that is safe to show on a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tool {

// "512B", "4KiB", "1.5MiB": what parse_size reads back, up to three digits.
std::string human_size(std::uint64_t bytes);

// The same where it is exact, else every byte, "4,087B": of a limit nothing may be rounded.
std::string human_limit(std::uint64_t bytes);

// "250us", "1.5s", "3min", "2h", "5d".
std::string human_duration(std::chrono::nanoseconds span);

// 1234567 is "1,234,567".
std::string human_count(std::uint64_t count);

// "1 message", "2,000 messages".
std::string human_plural(std::uint64_t count, std::string_view noun);

// A rate: "950/s", "3.4M/s".
std::string human_rate(double per_second);

// Control characters and broken UTF-8 become \xNN: names in a directory that all may write are
// no business of the reader's terminal.
std::string printable(std::string_view text);

// Is it UTF-8, as JSON needs it?
bool is_utf8(std::string_view text) noexcept;

} // namespace tool
