// The table of scenarios.
#pragma once

#include <vector>

#include "mailbox.hpp"
#include "path.hpp"

namespace hawser::schedules {

struct play {
    const char* name;
    const char* says; // what happens in it
    cast who;
    bounds sample; // searched in full by --sample
    bounds full;   // and without

    // For executions by chance: kills, stops and deadlines as in `full`, the rest as it comes.
    [[nodiscard]] bounds by_chance() const;
};

const std::vector<play>& plays();

// One execution of a play on a path.
machine::ending perform(const play& one, path& choices);

} // namespace hawser::schedules
