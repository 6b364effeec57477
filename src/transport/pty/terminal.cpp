// hawser/terminal.hpp, on os/terminal.hpp.
#include <hawser/terminal.hpp>

#include <cerrno>
#include <utility>

#include "os/terminal.hpp"

namespace hawser {
inline namespace v1 {

namespace {

error explain(const char* operation, const error& why) {
    if (why.sys() != ENOTTY && why.sys() != EBADF) return error{why.code(), operation, why.sys()};
    return error{errc::invalid_argument, operation, why.sys()}.because(
        "the descriptor is no terminal.");
}

} // namespace

result<window_size> window_size_of(int fd) {
    const auto size = os::size_of_terminal(fd);
    if (!size) return explain("window_size", size.why());
    return window_size{size->rows, size->columns};
}

result<void> set_window_size(int fd, const window_size& size) {
    const auto set = os::set_terminal_size(fd, {size.rows, size.columns});
    if (!set) return explain("window_size", set.why());
    return {};
}

result<raw_terminal> raw_terminal::enter(int fd) {
    const auto before = os::settings_of_terminal(fd);
    if (!before) return explain("raw_terminal", before.why());
    if (const auto set = os::make_raw(fd); !set) return explain("raw_terminal", set.why());
    raw_terminal entered{fd};
    entered.before_ = before->opaque;
    return entered;
}

raw_terminal::raw_terminal(raw_terminal&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}

raw_terminal& raw_terminal::operator=(raw_terminal&& other) noexcept {
    if (this != &other) {
        leave();
        fd_ = std::exchange(other.fd_, -1);
        before_ = other.before_;
    }
    return *this;
}

raw_terminal::~raw_terminal() {
    leave();
}

void raw_terminal::leave() noexcept {
    if (fd_ < 0) return;
    os::terminal_settings before;
    before.opaque = before_;
    static_cast<void>(os::set_terminal_settings(std::exchange(fd_, -1), before));
}

} // namespace v1
} // namespace hawser
