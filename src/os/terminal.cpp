#include "os/terminal.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace hawser::os {

namespace {

static_assert(sizeof(termios) <= sizeof(terminal_settings::opaque));

// A signal must not keep settings from being put back.
int set_attributes(int fd, const termios& all) noexcept {
    int outcome = 0;
    do {
        outcome = ::tcsetattr(fd, TCSANOW, &all);
    } while (outcome != 0 && errno == EINTR);
    return outcome;
}

} // namespace

result<new_terminal> make_terminal() {
    new_terminal made;
    made.master = above_standard(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (!made.master) return failure("open", errno);
    std::array<char, 64> path{};
    if (::grantpt(made.master.get()) != 0 || ::unlockpt(made.master.get()) != 0)
        return failure("open", errno);
    if (const int sys = ::ptsname_r(made.master.get(), path.data(), path.size()); sys != 0)
        return failure("open", sys);
    made.slave = path.data();
    return made;
}

result<unique_fd> open_terminal(const std::string& path) noexcept {
    // Looked at first: opening another device may do something.
    struct stat raw {};
    if (::stat(path.c_str(), &raw) != 0) return failure("open", errno);
    if (!S_ISCHR(raw.st_mode)) return error{errc::corrupt, "open"};
    unique_fd opened =
        above_standard(::open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    if (!opened && errno == EIO) return error{errc::closed, "open", EIO};
    if (!opened) return failure("open", errno);
    if (::isatty(opened.get()) == 0)
        return errno == ENOTTY ? error{errc::corrupt, "open"} : failure("open", errno);
    return opened;
}

result<terminal_size> size_of_terminal(int fd) noexcept {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return failure("ioctl", errno);
    return terminal_size{size.ws_row, size.ws_col};
}

result<void> set_terminal_size(int fd, const terminal_size& size) noexcept {
    winsize raw{};
    raw.ws_row = size.rows;
    raw.ws_col = size.columns;
    if (::ioctl(fd, TIOCSWINSZ, &raw) != 0) return failure("ioctl", errno);
    return {};
}

result<terminal_settings> settings_of_terminal(int fd) noexcept {
    termios all{};
    if (::tcgetattr(fd, &all) != 0) return failure("tcgetattr", errno);
    terminal_settings kept;
    std::memcpy(kept.opaque.data(), &all, sizeof all);
    return kept;
}

result<void> set_terminal_settings(int fd, const terminal_settings& settings) noexcept {
    termios all{};
    std::memcpy(&all, settings.opaque.data(), sizeof all);
    if (set_attributes(fd, all) != 0) return failure("tcsetattr", errno);
    return {};
}

result<void> make_raw(int fd) noexcept {
    termios all{};
    if (::tcgetattr(fd, &all) != 0) return failure("tcgetattr", errno);
    ::cfmakeraw(&all);
    if (set_attributes(fd, all) != 0) return failure("tcsetattr", errno);
    return {};
}

} // namespace hawser::os
