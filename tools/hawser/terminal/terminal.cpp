#include "terminal/terminal.hpp"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <unistd.h>

#include "output/human.hpp"

namespace tool {
namespace {

constexpr std::chrono::milliseconds first_after{1000};
constexpr std::chrono::milliseconds then_every{200};

bool wants_color(const context& here, stream where) noexcept {
    if (here.color != color_choice::automatic) return here.color == color_choice::always;
    const char* refused =
        std::getenv("NO_COLOR"); // https://no-color.org: any text but an empty one
    if (refused != nullptr && *refused != '\0') return false;
    const char* kind = std::getenv("TERM");
    return is_terminal(where) && kind != nullptr && std::string_view(kind) != "dumb";
}

std::string_view code_of(ink color) noexcept {
    switch (color) {
    case ink::dim:
        return "\033[2m";
    case ink::bold:
        return "\033[1m";
    case ink::green:
        return "\033[32m";
    case ink::yellow:
        return "\033[33m";
    case ink::red:
        return "\033[31m";
    }
    return "";
}

} // namespace

bool is_terminal(stream which) noexcept {
    return isatty(which == stream::in    ? STDIN_FILENO
                  : which == stream::out ? STDOUT_FILENO
                                         : STDERR_FILENO) == 1;
}

std::string paint(const context& here, stream where, ink color, std::string_view text) {
    if (!wants_color(here, where)) return std::string(text);
    return fmt::format("{}{}\033[0m", code_of(color), text);
}

progress::progress(bool shown) noexcept
    : shown_(shown && is_terminal(stream::err)), began_(clock::now()), next_(began_ + first_after) {
}

void progress::clear() noexcept {
    if (dirty_) std::fputs("\r\033[K", stderr);
    dirty_ = false;
}

bool progress::is_time() noexcept {
    if (!shown_) return false;
    const auto now = clock::now();
    if (now < next_) return false;
    next_ = now + then_every;
    dirty_ = true;
    return true;
}

double progress::seconds() const noexcept {
    return std::chrono::duration<double>(clock::now() - began_).count();
}

void progress::show(std::uint64_t messages, std::uint64_t bytes) noexcept {
    if (!is_time()) return;
    fmt::print(stderr, "\r\033[K{}, {}, {}", human_plural(messages, "message"), human_size(bytes),
               human_rate(static_cast<double>(messages) / seconds()));
    std::fflush(stderr);
}

void progress::show_bytes(std::uint64_t bytes) noexcept {
    if (!is_time()) return;
    const double each_second = static_cast<double>(bytes) / seconds();
    fmt::print(stderr, "\r\033[K{}, {}/s", human_size(bytes),
               human_size(static_cast<std::uint64_t>(each_second)));
    std::fflush(stderr);
}

} // namespace tool
