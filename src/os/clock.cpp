#include "os/clock.hpp"

#include <ctime>

namespace hawser::os {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::int64_t read_ns(clockid_t clock) noexcept {
    timespec time{};
    ::clock_gettime(clock, &time);
    return time.tv_sec * second_ns + time.tv_nsec;
}

} // namespace

std::int64_t monotonic_ns() noexcept {
    return read_ns(CLOCK_MONOTONIC);
}
std::int64_t realtime_ns() noexcept {
    return read_ns(CLOCK_REALTIME);
}

void pause_ns(std::int64_t duration_ns) noexcept {
    const timespec duration{duration_ns / second_ns, duration_ns % second_ns};
    ::nanosleep(&duration, nullptr);
}

} // namespace hawser::os
