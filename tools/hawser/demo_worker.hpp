// The two kinds of worker of the demo: each a process of its own, started by `hawser demo` as
// `hawser demo --worker ROLE,INDEX,GENERATION,DESCRIPTOR`, which knows the mailbox by its name and
// the other workers not at all.
//
// - A producer takes a loan, reads its file straight into it, sends it, and notes in the ledger
//   that it has. Killed in between, its successor sends the same message once more.
// - A consumer receives, writes the bytes out of the mailbox's memory into the result, notes that,
//   and then releases the message. Killed in between, the message comes again to another one.
// - So every message arrives at least once, and the notes in the ledger make it exactly once.
#pragma once

#include <cstdint>
#include <string>

#include "demo_ledger.hpp"

namespace tool::demo {

// What every message begins with.
struct message_header {
    std::uint64_t run = 0;
    std::uint64_t chunk = 0;
    std::uint64_t offset = 0;  // in the file
    std::uint64_t sent_ns = 0; // on CLOCK_MONOTONIC, right before send()
    std::uint32_t file = 0;
    std::uint32_t length = 0; // bytes of the file that follow
    std::uint32_t producer = 0;
    std::uint32_t generation = 0; // of the producer: 0, or the number of the successor
};
static_assert(sizeof(message_header) == 48);

struct worker_identity {
    worker_role role = worker_role::producer;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
};

// The exit codes of a worker.
inline constexpr int worker_done = 0;
inline constexpr int worker_failed = 1;  // the ledger says why
inline constexpr int worker_misused = 2; // not started by the demo

// What follows --worker.
std::string to_text(const worker_identity& who, int ledger_descriptor);

// The whole life of a worker. text: as to_text() made it.
int run_worker(const std::string& text);

} // namespace tool::demo
