// Counters of an end point or of a whole mailbox. They only grow, and are read without disturbing
// anyone.
#pragma once

#include <cstdint>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {

struct stats {
    std::uint64_t sent = 0;           // messages committed
    std::uint64_t sent_bytes = 0;     //
    std::uint64_t received = 0;       // messages taken, first deliveries only
    std::uint64_t received_bytes = 0; //
    std::uint64_t redelivered = 0;    // deliveries of messages that a dead receiver had taken
    std::uint64_t dropped = 0;        // lost to full=drop_oldest or drop_newest; of a udp receiver:
                                      // datagrams that found its buffer full
    std::uint64_t lost = 0;           // lost with a dead receiver under delivery=at_most_once
    std::uint64_t sleeps = 0;         // times a call slept in the kernel
    std::uint64_t wakes = 0;          // wake system calls made for others
    std::uint64_t reaped = 0;         // dead participants repaired
};

} // namespace v1
} // namespace hawser
