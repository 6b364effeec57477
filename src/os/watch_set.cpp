#include "os/watch_set.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace hawser::os {

namespace {

constexpr std::size_t most_at_once = 128;

template <typename Make>
result<fork_guard> opened(Make make) noexcept {
    return guard_opened("poll", make);
}

} // namespace

result<watch_set> watch_set::make() noexcept {
    auto made = opened([] { return ::epoll_create1(EPOLL_CLOEXEC); });
    if (!made) return made.why();
    return watch_set{std::move(*made)};
}

result<void> watch_set::add(int fd, short events, std::uint64_t token) noexcept {
    epoll_event wanted{};
    wanted.events = static_cast<std::uint32_t>(events);
    wanted.data.u64 = token;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &wanted) == 0) return {};
    const int sys = errno;
    switch (sys) {
    case EEXIST:
        return error{errc::already_exists, "add", sys}.because(
            "this descriptor is a member already. Change what it is watched for, or add a dup() "
            "of it.");
    case EPERM:
        return error{errc::unsupported, "add", sys}.because(
            "a regular file is always ready; there is nothing to wait for. Just read or write it.");
    case EBADF:
    case EINVAL:
    case ELOOP:
        return error{errc::invalid_argument, "add", sys}.because(
            "this is no open descriptor that can be watched here.");
    case ENOSPC:
        return error{errc::no_space, "add", sys}.because(
            "too many descriptors are watched. Raise sysctl fs.epoll.max_user_watches.");
    default:
        return failure("add", sys);
    }
}

void watch_set::remove(int fd) noexcept {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::size_t watch_set::look(std::span<found> into) noexcept {
    std::array<epoll_event, most_at_once> ready;
    const int most = static_cast<int>(std::min(into.size(), most_at_once));
    int count;
    do count = ::epoll_wait(epoll_.get(), ready.data(), most, 0);
    while (count < 0 && errno == EINTR);
    if (count <= 0) return 0;
    const auto some = static_cast<std::size_t>(count);
    for (std::size_t i = 0; i < some; ++i)
        into[i] = {ready[i].data.u64, static_cast<short>(ready[i].events)};
    return some;
}

// ---- waker --------------------------------------------------------------------------------------

result<waker> waker::make() noexcept {
    auto made = opened([] { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); });
    if (!made) return made.why();
    return waker{std::move(*made)};
}

void waker::ring() noexcept {
    const int before = errno; // a handler must leave it as it was
    const std::uint64_t one = 1;
    // EAGAIN: it has been rung as often as it can count.
    while (::write(eventfd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
    errno = before;
}

void waker::quiet() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(eventfd_.get(), &count, sizeof count);
}

// ---- alarm_clock --------------------------------------------------------------------------------

result<alarm_clock> alarm_clock::make() noexcept {
    auto made =
        opened([] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); });
    if (!made) return made.why();
    return alarm_clock{std::move(*made)};
}

void alarm_clock::set_at_ns(std::int64_t at_ns) noexcept {
    constexpr std::int64_t second_ns = 1'000'000'000;
    const std::int64_t when_ns = std::max<std::int64_t>(at_ns, 1); // 0 would turn it off
    itimerspec once{};
    once.it_value = {when_ns / second_ns, when_ns % second_ns};
    ::timerfd_settime(timerfd_.get(), TFD_TIMER_ABSTIME, &once, nullptr);
}

void alarm_clock::turn_off() noexcept {
    const itimerspec never{};
    ::timerfd_settime(timerfd_.get(), 0, &never, nullptr);
}

// ---- signal_inbox -------------------------------------------------------------------------------

namespace {

constexpr int most_signals = 64;

constexpr std::uint64_t bit_of(int signal) noexcept {
    return std::uint64_t{1} << static_cast<unsigned>(signal - 1);
}

sigset_t as_set(std::uint64_t signals) noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    for (int signal = 1; signal <= most_signals; ++signal)
        if ((signals & bit_of(signal)) != 0) ::sigaddset(&set, signal);
    return set;
}

// The kernel sends these to the thread that made the fault, whether they are blocked or not.
bool is_fault(int signal) noexcept {
    return signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
}

} // namespace

result<signal_inbox> signal_inbox::make() noexcept {
    const sigset_t none = as_set(0);
    auto made = opened([&] { return ::signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK); });
    if (!made) return made.why();
    return signal_inbox{std::move(*made)};
}

signal_inbox::signal_inbox(signal_inbox&& other) noexcept
    : signalfd_(std::move(other.signalfd_)), wanted_(std::exchange(other.wanted_, 0)),
      blocked_by_(std::exchange(other.blocked_by_, 0)), blocked_in_(other.blocked_in_) {}

signal_inbox::~signal_inbox() {
    for (int signal = 1; signal <= most_signals; ++signal)
        if ((wanted_ & bit_of(signal)) != 0) remove(signal);
}

result<void> signal_inbox::add(int signal) noexcept {
    sigset_t one;
    ::sigemptyset(&one);
    if (signal < 1 || signal > most_signals || signal == SIGKILL || signal == SIGSTOP ||
        is_fault(signal) || ::sigaddset(&one, signal) != 0)
        return error{errc::invalid_argument, "add", EINVAL}.because(
            "not a signal that can be waited for: from 1 to 64, but not SIGKILL and SIGSTOP, "
            "which nobody can block, and not SIGSEGV, SIGBUS, SIGFPE and SIGILL, which are faults "
            "of the program.");
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &one, &before);
    if (::sigismember(&before, signal) == 0) {
        blocked_by_ |= bit_of(signal);
        blocked_in_ = std::this_thread::get_id();
    }
    wanted_ |= bit_of(signal);
    renew();
    return {};
}

void signal_inbox::remove(int signal) noexcept {
    wanted_ &= ~bit_of(signal);
    renew();
    if ((blocked_by_ & bit_of(signal)) == 0) return;
    blocked_by_ &= ~bit_of(signal);
    if (blocked_in_ != std::this_thread::get_id()) return;
    const sigset_t one = as_set(bit_of(signal));
    ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

void signal_inbox::renew() noexcept {
    const sigset_t wanted = as_set(wanted_);
    if (signalfd_.get() >= 0) ::signalfd(signalfd_.get(), &wanted, 0);
}

bool signal_inbox::next(delivery& into) noexcept {
    signalfd_siginfo info{};
    if (::read(signalfd_.get(), &info, sizeof info) != sizeof info) return false;
    into = {static_cast<int>(info.ssi_signo), info.ssi_pid};
    return true;
}

} // namespace hawser::os
