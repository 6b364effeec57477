#include "os/poll.hpp"

#include <cerrno>
#include <ctime>
#include <limits>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "os/clock.hpp"

namespace hawser::os {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

timespec as_timespec(std::int64_t duration_ns) noexcept {
    return {duration_ns / second_ns, duration_ns % second_ns};
}

} // namespace

ready_outcome wait_for(int fd, short events, std::int64_t until_ns) noexcept {
    pollfd one{fd, events, 0};
    const bool forever = until_ns == std::numeric_limits<std::int64_t>::max();
    const std::int64_t left_ns = forever ? 0 : until_ns - monotonic_ns();
    const timespec patience = as_timespec(left_ns > 0 ? left_ns : 0);
    const int found = ::ppoll(&one, 1, forever ? nullptr : &patience, nullptr);
    if (found > 0) return ready_outcome::ready;
    if (found == 0) return ready_outcome::timed_out;
    return errno == EINTR ? ready_outcome::interrupted : ready_outcome::failed;
}

short events_now(int fd, short events) noexcept {
    pollfd one{fd, events, 0};
    while (::poll(&one, 1, 0) < 0 && errno == EINTR) {
    }
    return one.revents;
}

result<poll_set> poll_set::make() noexcept {
    auto epoll = guard_opened("poll", [] { return ::epoll_create1(EPOLL_CLOEXEC); });
    if (!epoll) return epoll.why();
    return poll_set{std::move(*epoll)};
}

result<void> poll_set::add(int fd, short events, std::uint64_t token) noexcept {
    epoll_event wanted{};
    wanted.events = static_cast<std::uint32_t>(events);
    wanted.data.u64 = token;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0) return {};
    return failure("poll", errno);
}

void poll_set::remove(int fd) noexcept {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

bool poll_set::next_ready(std::uint64_t& token) noexcept {
    // With level triggers the kernel puts what it has shown at the end of its list.
    epoll_event found{};
    int count;
    do count = ::epoll_wait(epoll_.get(), &found, 1, 0);
    while (count < 0 && errno == EINTR);
    token = found.data.u64;
    return count > 0;
}

result<flag> flag::make() noexcept {
    auto eventfd = guard_opened("poll", [] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
    if (!eventfd) return eventfd.why();
    return flag{std::move(*eventfd)};
}

void flag::set(bool raised) noexcept {
    if (raised == raised_) return;
    std::uint64_t count = 1;
    const auto moved = raised ? ::write(eventfd_.get(), &count, sizeof(count))
                              : ::read(eventfd_.get(), &count, sizeof(count));
    if (moved == sizeof(count)) raised_ = raised;
}

result<ticker> ticker::make() noexcept {
    auto timerfd = guard_opened(
        "poll", [] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); });
    if (!timerfd) return timerfd.why();
    return ticker{std::move(*timerfd)};
}

void ticker::every_ns(std::int64_t interval_ns) noexcept {
    const itimerspec when{as_timespec(interval_ns), as_timespec(interval_ns)};
    ::timerfd_settime(timerfd_.get(), 0, &when, nullptr);
}

} // namespace hawser::os
