#include "transport/tcp/dialer.hpp"

#include <cerrno>

#include <poll.h>

#include "os/poll.hpp"

namespace hawser::tcp {

namespace {

// What becomes of it.
result<void> await(const attempt& begun, deadline until) {
    const int fd = begun.fd.get();
    for (;;) {
        const int outcome = begun.pending ? os::connect_outcome(fd) : 0;
        if (outcome == 0) return {};
        if (outcome != EINPROGRESS) return os::inet_failure("connect", outcome);
        switch (os::wait_for(fd, POLLOUT, until.at_ns())) {
        case os::ready_outcome::ready:
            break;
        case os::ready_outcome::timed_out:
            return error{until.is_now() ? errc::would_block : errc::timed_out, "connect"}.because(
                "that host has not answered yet.");
        case os::ready_outcome::interrupted:
            return error{errc::interrupted, "connect", EINTR};
        case os::ready_outcome::failed:
            return os::failure("connect", errno);
        }
    }
}

} // namespace

result<dialer> dialer::resolve(const wire::host_port& to, const options& wanted) {
    if (auto good = wire::check_destination(to, "tcp"); !good) return good.why();
    auto found = os::resolve(to.host, to.port, os::inet_kind::stream);
    if (!found) return found.why();
    return dialer{std::move(*found), wanted.max_memory};
}

result<attempt> dialer::begin() {
    for (std::size_t tried = 0; tried < to_.size(); ++tried) {
        auto begun = begin_with(to_[next_++ % to_.size()]);
        if (begun || !os::is_absence(begun.why().sys())) return begun;
    }
    return error{errc::would_block, "connect"};
}

// On the same computer the outcome is known at once.
result<attempt> dialer::begin_with(const os::inet_address& to) const {
    auto made = os::inet_socket(to, os::inet_kind::stream);
    if (!made) return made.why();
    os::tune_connection(made->get());
    if (buffer_bytes_) {
        auto set = os::set_buffer_bytes(made->get(), os::socket_buffer::sending, *buffer_bytes_);
        if (!set) return set.why();
    }
    int outcome = os::connect_to(made->get(), to);
    if (outcome == 0 || outcome == EINPROGRESS) outcome = os::connect_outcome(made->get());
    if (outcome != 0 && outcome != EINPROGRESS) return os::inet_failure("connect", outcome);
    return attempt{std::move(*made), outcome == EINPROGRESS};
}

result<os::fork_guard> dialer::connect_by(deadline until) {
    error last{errc::not_found, "connect"};
    for (const os::inet_address& to : to_) {
        auto begun = begin_with(to);
        const result<void> done = begun ? await(*begun, until) : begun.why();
        if (done) return std::move(begun->fd);
        last = done.why();
        if (!os::is_absence(last.sys())) break;
    }
    return last;
}

} // namespace hawser::tcp
