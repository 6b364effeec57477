#include "os/bell.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "os/file.hpp"

namespace hawser::os {

namespace {

struct fd_path {
    std::array<char, 32> text{};

    explicit fd_path(int fd) noexcept {
        std::snprintf(text.data(), text.size(), "/proc/self/fd/%d", fd);
    }
};

bool add_to(int poll, int fd) noexcept {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// make() -> int: a descriptor, or -1 with errno.
template <typename Make>
result<void> take(fork_guard& into, const char* operation, Make make) noexcept {
    auto made = guard_opened(operation, make);
    if (!made) return made.why();
    into = std::move(*made);
    return {};
}

} // namespace

result<bell> bell::listen(int fd, bell_tone tone) noexcept {
    bell_place one;
    if (one.take(most_alone)) {
        auto made = listen_alone(fd, tone);
        if (made) made->place_ = std::move(one);
        // The user's instances are used up; that of the shared bells may be there.
        if (made || made.why().sys() != EMFILE) return made;
    }
    return listen_shared(fd, tone);
}

result<bell> bell::listen_shared(int fd, bell_tone tone) noexcept {
    auto seat = bell_seat::take(fd, tone);
    if (!seat) return seat.why();
    bell made;
    made.seat_ = std::move(*seat);
    return made;
}

result<bell> bell::listen_alone(int fd, bell_tone tone) noexcept {
    bell made;
    if (const auto got = take(made.watch_, "inotify_init",
                              [] { return ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC); });
        !got)
        return got.why();
    const std::uint32_t events =
        (tone == bell_tone::touch ? IN_ATTRIB : IN_MODIFY) | IN_CLOSE_WRITE;
    if (::inotify_add_watch(made.watch_.get(), fd_path(fd).text.data(), events) < 0)
        return failure("inotify_add_watch", errno);
    if (const auto got =
            take(made.self_, "eventfd", [] { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); });
        !got)
        return got.why();
    if (const auto got =
            take(made.timer_, "timerfd",
                 [] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); });
        !got)
        return got.why();
    if (const auto got = take(made.poll_, "epoll", [] { return ::epoll_create1(EPOLL_CLOEXEC); });
        !got)
        return got.why();
    const int poll = made.poll_.get();
    if (!add_to(poll, made.watch_.get()) || !add_to(poll, made.self_.get()) ||
        !add_to(poll, made.timer_.get()))
        return failure("epoll", errno);
    return made;
}

void bell::ring_self() noexcept {
    if (seat_) return seat_->ring_self();
    const std::uint64_t one = 1;
    // EAGAIN: it has been rung as often as it can count.
    while (::write(self_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void bell::remind_after_ns(std::int64_t delay_ns) noexcept {
    if (seat_) return seat_->remind_after_ns(delay_ns);
    constexpr std::int64_t second_ns = 1'000'000'000;
    itimerspec once{};
    once.it_value = {delay_ns / second_ns, delay_ns % second_ns};
    ::timerfd_settime(timer_.get(), 0, &once, nullptr);
}

bell::heard bell::quiet() noexcept {
    if (seat_) return seat_->quiet();
    std::uint64_t count = 0;
    [[maybe_unused]] auto got = ::read(self_.get(), &count, sizeof count);
    heard news;
    news.reminded = ::read(timer_.get(), &count, sizeof count) == sizeof count;
    alignas(inotify_event) std::array<char, 4096> events;
    // Whoever rings without end must not keep us here; what is left keeps the descriptor ready.
    constexpr int most_reads = 256;
    for (int reads = 0; reads < most_reads; ++reads) {
        got = ::read(watch_.get(), events.data(), events.size());
        if (got <= 0) break;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event event;
            std::memcpy(&event, events.data() + at, sizeof event);
            // An overflow may have swallowed a departure.
            if ((event.mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW)) != 0) news.departed = true;
            at += sizeof event + event.len;
        }
    }
    return news;
}

void bell::ring_others(int fd, bell_tone tone, std::uint64_t offset) noexcept {
    const char byte = 0;
    const bool rang =
        tone == bell_tone::touch
            ? ::futimens(fd, nullptr) == 0
            : may_grow_to(offset + 1) && ::pwrite(fd, &byte, 1, static_cast<off_t>(offset)) == 1;
    if (rang) return;
    // Nobody rings a second time for the same news. Departures are heard by all who listen to
    // either tone: let one more description of the file come and go.
    const std::lock_guard no_fork(fork_safe_mutex());
    [[maybe_unused]] const unique_fd gone{::open(fd_path(fd).text.data(), O_RDWR | O_CLOEXEC)};
}

} // namespace hawser::os
