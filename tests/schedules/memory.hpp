// What one process knows of the memory, and what a location was told: the parts of the memory
// model. machine.hpp has the rules, docs/design/schedules.md compares them with C++20.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace hawser::schedules {

inline constexpr std::size_t most_locations = 80;
inline constexpr std::size_t most_processes = 8;
inline constexpr std::size_t most_data = 24;

// What lies before a point in a process, by happens-before: for each location the newest store that
// it must not read behind, for each process how far that one had got.
struct view {
    std::array<std::uint16_t, most_locations> seen{};
    std::array<std::uint16_t, most_processes> clock{};

    void join(const view& other) {
        for (std::size_t i = 0; i < most_locations; ++i) seen[i] = std::max(seen[i], other.seen[i]);
        for (std::size_t i = 0; i < most_processes; ++i)
            clock[i] = std::max(clock[i], other.clock[i]);
    }
};

// One store in the modification order of a location.
struct stored {
    std::uint64_t value = 0;
    view message;          // what an acquire load of it learns
    bool carries = false;  // there is a message: a release, or a link in a release sequence
    bool was_read = false; // by another process than its writer
    std::uint8_t by = 0;
};

enum class location_class : std::uint8_t {
    slot,
    evidence,
    hint,
    intent,
    position,
    hand,
    sequence,
    block,
    event,
    state,
    epoch,
    kinds,
};
inline const char* name_of(location_class kind) {
    constexpr std::array<const char*, static_cast<std::size_t>(location_class::kinds)> names{
        "slot",     "evidence", "hint",  "intent", "position", "hand",
        "sequence", "block",    "event", "state",  "epoch"};
    return names[static_cast<std::size_t>(kind)];
}

// An atomic.
struct location {
    location_class kind = location_class::state;
    std::uint32_t index = 0;
    bool owned = false; // others need not come before a step on it, and nobody waits for it
    std::uint32_t stores = 0;
    std::uint16_t sequential = 0; // the newest store that a seq_cst operation stored or read
    std::vector<stored> history;  // the first `stores` entries count

    stored& last() { return history[stores - 1]; }
    stored& append() {
        if (history.size() == stores) history.emplace_back();
        return history[stores++];
    }
};

// Plain memory: accesses must be ordered by happens-before.
struct plain_data {
    std::uint8_t writer = 0;
    std::uint16_t written = 0; // the writer's clock then; 0: nobody wrote
    std::array<std::uint16_t, most_processes> read{};
};

} // namespace hawser::schedules
