#include "os/bell.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace hawser::os {

namespace {

bool add_to(int poll, int fd) noexcept {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

} // namespace

result<bell> bell::listen(int fd, bell_tone tone) noexcept {
    bell made;
    made.watch_ = above_standard(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!made.watch_) return failure("inotify_init", errno);
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    const std::uint32_t events =
        (tone == bell_tone::touch ? IN_ATTRIB : IN_MODIFY) | IN_CLOSE_WRITE;
    if (::inotify_add_watch(made.watch_.get(), path.data(), events) < 0)
        return failure("inotify_add_watch", errno);
    made.self_ = above_standard(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!made.self_) return failure("eventfd", errno);
    made.timer_ = above_standard(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!made.timer_) return failure("timerfd", errno);
    made.poll_ = above_standard(::epoll_create1(EPOLL_CLOEXEC));
    if (!made.poll_) return failure("epoll", errno);
    const int poll = made.poll_.get();
    if (!add_to(poll, made.watch_.get()) || !add_to(poll, made.self_.get()) ||
        !add_to(poll, made.timer_.get()))
        return failure("epoll", errno);
    return made;
}

void bell::ring_self() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto wrote = ::write(self_.get(), &one, sizeof one);
}

void bell::remind_after_ns(std::int64_t delay_ns) noexcept {
    constexpr std::int64_t second_ns = 1'000'000'000;
    itimerspec once{};
    once.it_value = {delay_ns / second_ns, delay_ns % second_ns};
    ::timerfd_settime(timer_.get(), 0, &once, nullptr);
}

bell::heard bell::quiet() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] auto got = ::read(self_.get(), &count, sizeof count);
    heard news;
    news.reminded = ::read(timer_.get(), &count, sizeof count) == sizeof count;
    alignas(inotify_event) std::array<char, 4096> events;
    while ((got = ::read(watch_.get(), events.data(), events.size())) > 0) {
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
    if (tone == bell_tone::touch) {
        ::futimens(fd, nullptr);
        return;
    }
    const char byte = 0;
    [[maybe_unused]] const auto wrote = ::pwrite(fd, &byte, 1, static_cast<off_t>(offset));
}

} // namespace hawser::os
