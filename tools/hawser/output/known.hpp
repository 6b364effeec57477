// What of a mailbox could be seen at all: what could not is shown as unknown, not as 0.
#pragma once

#include <hawser/inspect.hpp>

namespace tool {

// trust=none, and its host was killed: those who had joined before may still be in it, unseen.
inline bool host_has_gone(const hawser::mailbox_info& mailbox) {
    return mailbox.state == hawser::mailbox_state::dead && !mailbox.problem.empty();
}

// Its messages, counters and participants.
inline bool was_seen_inside(const hawser::mailbox_info& mailbox) {
    switch (mailbox.state) {
    case hawser::mailbox_state::in_use:
    case hawser::mailbox_state::idle:
    case hawser::mailbox_state::dead:
        return !host_has_gone(mailbox);
    default:
        return false;
    }
}

} // namespace tool
