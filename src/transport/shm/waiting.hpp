// The one waiting loop of the shared-memory transport: spin as far as it pays, then sleep in
// slices, looking around after each.
//
// - Blocks: that is its purpose, until the attempt succeeds or the deadline is over. Allocates:
// never.
// - A peer that died between its commit and its wake-up costs at most one slice; the census, taken
// in each slice, finds the dead.
// - Spurious wake-ups stay in here.
#pragma once

#include <algorithm>
#include <cstdint>

#include <hawser/wait.hpp>

#include "os/clock.hpp"
#include "os/process.hpp"
#include "segment/access_bound.hpp"
#include "segment/participant.hpp"
#include "sync/spinner.hpp"

namespace hawser::shm {

enum class waited : std::uint8_t { finished, timed_out, interrupted };

// Whether an attempt may use what it knows, or must look at everything: after a slice anyone may
// have died without a word.
enum class look : std::uint8_t { quick, thorough };

namespace waiting_detail {

inline constexpr std::int64_t polite_after_ns = 2'000;

// Spins until the attempt succeeds (true) or until until_ns. Yields after a while: whom we wait for
// may need this CPU. Looks at the clock after each census that an attempt took.
template <typename Attempt>
bool spin_until(const segment::participant& self, std::int64_t until_ns,
                Attempt&& attempt) noexcept(noexcept(attempt(look::quick))) {
    const std::int64_t start_ns = os::monotonic_ns();
    for (std::int64_t now_ns = start_ns; now_ns < until_ns; now_ns = os::monotonic_ns()) {
        const std::uint32_t censuses = self.censuses();
        for (std::uint64_t i = 0; i < segment::tries_per_clock && self.censuses() == censuses;
             ++i) {
            if (attempt(look::quick)) return true;
            sync::cpu_relax();
        }
        if (now_ns - start_ns > polite_after_ns) os::yield_cpu();
    }
    return false;
}

} // namespace waiting_detail

// attempt(look) -> bool: true when there is nothing to wait for any more.
template <typename Attempt>
waited wait_on(segment::participant& self, segment::atomic<std::uint32_t>& event, deadline until,
               wait_mode mode, sync::spinner& spinner, Attempt&& attempt) {
    const std::int64_t start_ns = os::monotonic_ns();
    std::int64_t spin_ns = mode == wait_mode::block ? 0 : spinner.budget_ns();
    const auto finish = [&] {
        spinner.learn(os::monotonic_ns() - start_ns);
        return waited::finished;
    };
    for (;;) {
        std::int64_t now_ns = os::monotonic_ns();
        if (mode == wait_mode::spin) spin_ns = segment::slice_ns;
        const std::int64_t spin_until_ns = std::min(now_ns + spin_ns, until.at_ns());
        if (spin_ns > 0 && waiting_detail::spin_until(self, spin_until_ns, attempt))
            return finish();
        spin_ns = 0; // once asleep, we don't spin again: nothing came for longer than it pays
        if (mode == wait_mode::spin) {
            if (attempt(look::thorough)) return waited::finished;
        } else {
            const auto armed = sync::arm(event, sync::event_sleepers); // STEP(wait.arm)
            if (attempt(look::quick)) return finish();                 // STEP(wait.look)
            now_ns = os::monotonic_ns();
            const std::int64_t sleep_ns = std::min(segment::slice_ns, until.at_ns() - now_ns);
            if (armed && sleep_ns > 0) {
                const auto outcome = self.sleep(event, *armed, sleep_ns); // STEP(wait.sleep)
                const bool looked_for = outcome == os::futex_outcome::timed_out;
                if (attempt(looked_for ? look::thorough : look::quick)) return finish();
                if (outcome == os::futex_outcome::interrupted) return waited::interrupted;
            }
        }
        self.census_if_due(); // STEP(wait.census)
        if (os::monotonic_ns() >= until.at_ns()) {
            if (attempt(look::thorough)) return waited::finished;
            spinner.learn(os::monotonic_ns() - start_ns);
            return waited::timed_out;
        }
    }
}

} // namespace hawser::shm
