// The lanes that hawser is measured against. Each is one file, made as its own users make it; the
// interface is tools/hawser/bench/lane.hpp.
#pragma once

#include "bench/lane.hpp"

namespace peers {

using tool::bench::lane_kind;
using tool::bench::lane_plan;
using tool::bench::maker;
using tool::bench::payload;
using tool::bench::wait_class;

// Built in, whatever is installed.
std::vector<lane_kind> descriptor_lanes(); // pipe, FIFO, sockets
std::vector<lane_kind> queue_lanes();      // POSIX and System V message queues
std::vector<lane_kind> memory_lanes();     // futex, eventfd, memcpy: what the machine gives

// Only where their packages are (HAWSER_WITH_…).
lane_kind boost_queue_lane();
lane_kind boost_ring_lane();
lane_kind zeromq_lane();
lane_kind nng_lane();
lane_kind iceoryx_lane();
lane_kind cyclone_lane();

// A file in the directory of mailboxes, which is memory, with a name of this run's own.
std::string path_for(const std::string& stem);

// Throws std::runtime_error with what errno says.
[[noreturn]] void fail(const char* what);

} // namespace peers
