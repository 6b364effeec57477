// How often a call may look at, or change, a word of shared memory, whatever others write there.
//
// Functions of the geometry alone. docs/design/hostile-peer.md says where they come from;
// tests/hostile holds the library to them. They are upper limits for an enemy who knows the code:
// an honest send or receive has some ten.
#pragma once

#include <algorithm>
#include <cstdint>

#include "segment/geometry.hpp"
#include "sync/event_word.hpp"
#include "sync/exchange_ring.hpp"

namespace hawser::segment {

// tries_per_clock of the spinning, and tries_at_once of a try_send that drops others.
inline constexpr std::uint64_t tries_per_clock = 32;
inline constexpr std::uint64_t tries_at_once = 64;

struct access_bound {
    // Of a call that does not wait, in all.
    std::uint64_t receive = 0;
    std::uint64_t send = 0;
    std::uint64_t send_dropping = 0; // full=drop_oldest
    // Of a call that waits, between two looks at the clock.
    std::uint64_t turn = 0;
    std::uint64_t open = 0; // the same of open, close, inspect, rm and gc

    static constexpr access_bound of(const geometry& shape, const layout& plan) noexcept;
};

namespace bound_detail {

// What the formulas are made of: the geometry, and the small parts of each call.
struct parts {
    std::uint64_t capacity = 0;
    std::uint64_t lanes = 0;
    std::uint64_t slots = 0;
    std::uint64_t loans = 0;
    std::uint64_t classes = 0;
    std::uint64_t blocks = 0;

    static constexpr std::uint64_t payload = 4;  // length, block, classes_used, the block's word
    static constexpr std::uint64_t notify = 4;   // look, raise, clear, count
    static constexpr std::uint64_t release = 11; // hand, classes_used, look, free, notify, state
    static constexpr std::uint64_t arm = 1 + sync::arm_tries;

    // One slot looked at: the word, intent twice, evidence twice, sequence, CAS, intent; at the end
    // the hand, the hint, and the other side's.
    [[nodiscard]] constexpr std::uint64_t exchange() const noexcept {
        return 8 * sync::lane_budget(static_cast<std::uint32_t>(capacity)) + 3 + payload + notify +
               release;
    }
    [[nodiscard]] constexpr std::uint64_t notify_all() const noexcept { return 8 + 8 * lanes; }
    // The dead: what they were doing, what they hold, their blocks; of each slot twice.
    [[nodiscard]] constexpr std::uint64_t census() const noexcept {
        const std::uint64_t repair = 32 + 8 * loans + classes + 3 * blocks;
        const std::uint64_t name = 2 + notify_all();
        return name + 2 * (1 + slots * repair + notify_all());
    }
    // Each forged message of each adopted hand, until there is one to deliver.
    [[nodiscard]] constexpr std::uint64_t adopted() const noexcept {
        return (slots + 1) * loans * (loans + payload + release);
    }
    [[nodiscard]] constexpr std::uint64_t end() const noexcept { return 4 + slots; }
    [[nodiscard]] constexpr std::uint64_t receive() const noexcept {
        return 2 * adopted() + 2 * lanes * (exchange() + 4) + end() + 4;
    }
    // A block for a large message: claim, or trim others and get memory.
    [[nodiscard]] constexpr std::uint64_t make_room() const noexcept {
        return 64 + 10 * blocks + 2 * classes;
    }
    // Asking what dropping would give, and dropping one.
    [[nodiscard]] constexpr std::uint64_t drop_for_memory() const noexcept {
        return classes + blocks + (1 + payload) * capacity + exchange() + make_room();
    }
    // fd(): quiet, arm, look again.
    [[nodiscard]] constexpr std::uint64_t after_call() const noexcept {
        return 3 * census() + 2 * (end() + lanes * (exchange() + 4) + classes + blocks) + 2 * arm +
               8;
    }
};

} // namespace bound_detail

constexpr access_bound access_bound::of(const geometry& shape, const layout& plan) noexcept {
    bound_detail::parts all;
    all.capacity = shape.capacity;
    all.lanes = plan.lanes;
    all.slots = shape.participants;
    all.loans = shape.loans;
    all.classes = plan.class_count;
    for (std::uint32_t k = 0; k < plan.class_count; ++k) all.blocks += plan.classes[k].count;

    constexpr std::uint64_t small = 64;
    access_bound made;
    made.receive = 4 * all.census() + 2 * all.receive() + all.adopted() + all.after_call() + small;
    made.send = 2 * all.census() + all.make_room() + 2 * all.exchange() + all.after_call() + small;
    made.send_dropping =
        made.send + (all.capacity + 1) * all.drop_for_memory() + 2 * tries_at_once * all.exchange();
    const std::uint64_t attempt = std::max({all.receive(), all.exchange(), all.drop_for_memory()});
    made.turn = std::max(made.receive, made.send) + tries_per_clock * (2 * attempt + 2);
    const std::uint64_t depth = all.lanes * (2 + all.capacity);
    const std::uint64_t records = all.slots * (32 + 2 * all.loans);
    made.open = 2 * all.slots * (all.census() + all.capacity + all.loans + 32) + 2 * all.census() +
                16 * (depth + records) + small;
    return made;
}

} // namespace hawser::segment
