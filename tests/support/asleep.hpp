// What the kernel says of a process or thread, and which threads of a test sleep in a call that
// waits for another process: the test's own look from outside, for transports that have no
// participants to look at.
//
// - A thread says in which role it is going to wait (note_waiter, from that thread); anybody asks
//   how many of that role the kernel has asleep in a poll or a queue's own call.
// - Made before the bodies start; it works across fork, as the notes are in shared memory.
// - Blocks: never. A thread that has ended is not asleep.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

#include <sys/types.h>

#include <hawser/inspect.hpp>

#include "support/shared.hpp"

namespace hawser::test {

// The letter that /proc has for a process or thread ('R', 'S' asleep, 'D', 'Z', …); 0 if there is
// no such one.
[[nodiscard]] char state_of(pid_t process_or_thread);

class waiters {
  public:
    // This thread, in this role; once is enough.
    void note(participant_role role) const;
    // How many of those that were noted in this role are asleep now.
    [[nodiscard]] std::size_t asleep(participant_role role) const;

  private:
    static constexpr std::size_t most = 64;
    struct one {
        std::atomic<pid_t> process;
        std::atomic<pid_t> thread; // set last: until then there is nobody
        std::atomic<participant_role> role;
    };
    struct list {
        std::atomic<std::size_t> used;
        std::array<one, most> places;
    };
    shared<list> all_;
};

} // namespace hawser::test
