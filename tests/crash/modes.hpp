// What is done to each operation. Each mode prints its failures as they come.
#pragma once

#include <cstdint>

#include "cases.hpp"

namespace hawser::crash {

// How much of it: at most so many cases for an operation. Where not all can be tried, they are
// spread.
struct extent {
    std::uint64_t k = to_the_end;     // only this instruction
    std::uint64_t state = to_the_end; // nested: only this state
    std::uint64_t seed = 0;
    bool sample = false;
    bool every = false;

    [[nodiscard]] bool only_one() const { return k != to_the_end; }
    [[nodiscard]] std::size_t most(std::size_t in_sample, std::size_t by_default) const {
        return every ? SIZE_MAX : (sample ? in_sample : by_default);
    }
};

// SIGKILL at k; then the operation's own check.
tally kill_everywhere(const operation& op, const extent& how);

// Stopped at k while others go on; then it goes on, too, and ends well.
bool can_be_stopped(const operation& op);
tally stop_everywhere(const operation& op, const extent& how);
// Stopped where it holds the door: what that costs those who open and remove. Prints figures.
tally stop_in_the_door(const extent& how);

// Another thread of the victim forks at k.
tally fork_everywhere(const operation& op, const extent& how);

// Killed in each state that differs; then whoever repairs is killed, too.
tally nested_everywhere(const operation& first, const extent& how);

} // namespace hawser::crash
