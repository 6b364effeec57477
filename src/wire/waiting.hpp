// The waiting loop of the transports over kernel descriptors.
//
// - Blocks: that is its purpose, until the attempt says something else than would_block, or the
//   deadline is over. Allocates: never.
#pragma once

#include <algorithm>
#include <cerrno>

#include <hawser/wait.hpp>

#include "os/clock.hpp"
#include "os/poll.hpp"
#include "os/process.hpp"
#include "wire/ends.hpp"

namespace hawser::wire {

// Calls attempt() -> result<void> until it is not would_block; where() tells what to wait for.
// sleeps counts how often it slept. Errors: those of attempt; with would_block: timed_out (a
// deadline), interrupted.
template <typename Attempt, typename Where>
result<void> repeat_until(deadline until, wait_mode mode, const char* operation,
                          std::uint64_t& sleeps, Attempt&& attempt, Where&& where) {
    for (;;) {
        auto outcome = attempt();
        if (outcome || !outcome.is(errc::would_block) || until.is_now()) return outcome;
        const std::int64_t now_ns = os::monotonic_ns();
        if (now_ns >= until.at_ns()) return error{errc::timed_out, operation};
        if (mode == wait_mode::spin) {
            os::yield_cpu();
            continue;
        }
        const waiting_point at = where();
        std::int64_t until_ns = until.at_ns();
        if (at.look_again_ns > 0) until_ns = std::min(until_ns, now_ns + at.look_again_ns);
        ++sleeps;
        switch (os::wait_for(at.fd, at.events, until_ns)) {
        case os::ready_outcome::interrupted:
            return error{errc::interrupted, operation, EINTR};
        case os::ready_outcome::failed:
            return error{errc::system, operation, errno};
        case os::ready_outcome::ready:
        case os::ready_outcome::timed_out:
            break;
        }
    }
}

} // namespace hawser::wire
