#include "run_joint.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace tool::pipeline {
namespace {

constexpr std::size_t most_at_once = std::size_t{1} << 20; // more than the pipe holds
constexpr int most_in_a_row = 16;                          // the other joints want their turn

bool has_bytes(int fd) noexcept {
    int count = 0;
    return ::ioctl(fd, FIONREAD, &count) == 0 && count > 0;
}

} // namespace

// Without room there is nothing to ask of the first pipe. Its hang-up, which poll(2) tells unasked,
// would make a busy loop.
pollfd joint::wanted_in() const noexcept {
    return {lacks_room_ ? -1 : from_.get(), POLLIN, 0};
}

// Always there, since poll(2) also tells unasked that the second pipe has lost its reader.
pollfd joint::wanted_out() const noexcept {
    return {to_.get(), static_cast<short>(lacks_room_ ? POLLOUT : 0), 0};
}

void joint::go_on(short in, short out) noexcept {
    if ((out & POLLERR) != 0)
        close();
    else if (in != 0 || out != 0)
        move();
}

void joint::move() noexcept {
    for (int turn = 0; turn < most_in_a_row; ++turn) {
        const ssize_t moved = ::splice(from_.get(), nullptr, to_.get(), nullptr, most_at_once,
                                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (moved > 0) {
            bytes_ += static_cast<std::uint64_t>(moved);
            continue;
        }
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0 && errno == EAGAIN) {
            // Either pipe may be the reason. If bytes arrived just now, there is room for them,
            // and the next poll(2) says so at once.
            lacks_room_ = has_bytes(from_.get());
            return;
        }
        if (moved < 0 && errno != EPIPE) failure_ = errno;
        close();
        return;
    }
    lacks_room_ = false;
}

void joint::close() noexcept {
    from_.close();
    to_.close();
}

} // namespace tool::pipeline
