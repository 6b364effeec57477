// Are the results what the sources were? By SHA-256 of every file, before and after.
//
// - Blocks: on the files; gives up between two files, and within a large one, when asked to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "demo_ledger.hpp"
#include "demo_plan.hpp"

namespace tool::demo {

struct verification {
    std::uint64_t identical = 0;
    std::uint64_t different = 0;
    std::uint64_t changed = 0;
};

// Told the number of files done.
using counter_watcher = std::function<void(std::uint64_t)>;

// Takes the digest of each source. What can't be read leaves the plan; a size is what was read.
void hash_sources(plan& made, const counter_watcher& watch);

// Compares each result below `output` with its source and notes the verdict in the plan. A result
// that differs is looked at again with its source: one that has changed since is no verdict on
// the messages.
verification verify(plan& made, const ledger& notes, const std::string& output,
                    const counter_watcher& watch);

} // namespace tool::demo
