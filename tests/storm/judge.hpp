// What became of each message of a round, and whether it may.
//
// - Each message ends as exactly one of: delivered once · delivered, and again flagged · lost with
// a
//   receiver · dropped · removed · never committed. docs/design/storm.md says what each kind
//   allows.
// - A message is ambiguous only if its sender was killed inside send: then delivered (or dropped,
//   lost, removed as others) and never committed are both right.
// - The mailbox's own counters must agree with the ledger, but for one operation of each kill.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kinds.hpp"
#include "ledger.hpp"

namespace hawser::storm {

// What the conductor did in a round.
struct deeds {
    std::uint64_t sender_kills = 0; // also by exec
    std::uint64_t receiver_kills = 0;
    std::uint64_t last_receiver =
        0; // the life that drained the queue, where there is one at a time
};

struct verdict {
    std::uint64_t messages = 0;
    std::uint64_t stored = 0; // send had returned
    std::uint64_t once = 0;
    std::uint64_t again = 0;       // delivered, also flagged
    std::uint64_t lost = 0;        // with a receiver, where the kind allows it
    std::uint64_t dropped = 0;     // by full=drop_oldest or drop_newest
    std::uint64_t removed = 0;     // with its mailbox, by force
    std::uint64_t uncommitted = 0; // refused, or killed inside send and never seen
    std::uint64_t ambiguous = 0;   // killed inside send, and delivered
    std::uint64_t unexplained = 0;
    std::vector<std::string> wrong;
};

verdict judge(const book& notes, const kind& of, const deeds& done);

} // namespace hawser::storm
