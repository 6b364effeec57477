#include "os/futex.hpp"

#include <cerrno>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hawser::os {

futex_outcome futex_wait(const void* word, std::uint32_t expected,
                         std::int64_t timeout_ns) noexcept {
    constexpr std::int64_t second_ns = 1'000'000'000;
    const timespec timeout{timeout_ns / second_ns, timeout_ns % second_ns};
    if (::syscall(SYS_futex, word, FUTEX_WAIT, expected, &timeout, nullptr, 0) == 0)
        return futex_outcome::woken;
    switch (errno) {
    case ETIMEDOUT:
        return futex_outcome::timed_out;
    case EINTR:
        return futex_outcome::interrupted;
    // EAGAIN: the word has changed. Anything else (a page that went away) is also no reason to
    // sleep.
    default:
        return futex_outcome::changed;
    }
}

int futex_wake(const void* word, int count) noexcept {
    const long woken = ::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
    return woken > 0 ? static_cast<int>(woken) : 0;
}

} // namespace hawser::os
