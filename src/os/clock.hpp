// CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. Never blocks; no system call where the vDSO
// has one.
#pragma once

#include <cstdint>

namespace hawser::os {

std::int64_t monotonic_ns() noexcept;
std::int64_t realtime_ns() noexcept;

// Sleeps for a moment of a retry loop in open(); a signal may end it early.
void pause_ns(std::int64_t duration_ns) noexcept;

} // namespace hawser::os
