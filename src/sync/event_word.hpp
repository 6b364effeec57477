// Sleeping until something happened, on one 32-bit word: {generation:30, bell:1, sleepers:1}, from
// the high bit down.
//
// The waiter arms (which changes the word), looks once more, and sleeps on exactly the value that
// it left. The notifier, after its commit, looks at the word: no flag, nothing to do – no system
// call and no write while nobody sleeps.
//
// Why no wake-up is lost: arming and commit are seq_cst read-modify-writes, the looks after them
// seq_cst loads, so at least one of the two sees the other's. Why `sleepers` may be cleared: only
// by a CAS on the value at which the kernel said that nobody slept, and whoever arms in between
// changes the value. What is left to a time-out: a notifier killed between commit and wake.
// tests/model/event.pml checks it.
//
// - Parker: `int wake(Atomic<uint32_t>&, int count)`, which returns how many it woke. Sleeping is
// the caller's business.
// - Blocks, allocates: never. A crash leaves at most a flag that costs the next notifier one system
// call.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "sync/budget.hpp"

namespace hawser::sync {

inline constexpr std::uint32_t event_sleepers = 1;
inline constexpr std::uint32_t event_bell = 2;
inline constexpr std::uint32_t event_generation = 4; // the unit of the generation

// What a notifier did: a system call to wake, a system call to ring.
struct notified {
    bool woke = false;
    bool ring = false;
};

inline constexpr std::uint64_t arm_tries = 64;

// Announces that this process is going to sleep (or that its bell is to be rung). Look again after
// this, and sleep only on the value returned. Nothing: others change the word so fast that there is
// no point in sleeping; look again.
template <typename Word>
std::optional<std::uint32_t> arm(Word& word, std::uint32_t flag) noexcept {
    std::uint32_t seen = word.load();
    for (budget tries{arm_tries}; tries.spend();)
        if (word.compare_exchange_weak(seen, (seen + event_generation) | flag))
            return (seen + event_generation) | flag;
    return std::nullopt;
}

namespace event_detail {

template <typename Word, typename Parker>
notified notify(Word& word, Parker&& parker, int count) noexcept {
    // The new generation sends back whoever is between arming and sleeping.
    const std::uint32_t seen = word.fetch_add(event_generation); // STEP(event.raise)
    const std::uint32_t raised = seen + event_generation;
    notified did;
    did.ring = (seen & event_bell) != 0;
    did.woke = (seen & event_sleepers) != 0;
    if (did.ring) parker.ring(); // STEP(event.ring)
    std::uint32_t over = did.ring ? event_bell : 0;
    constexpr int everyone = 0x7fff'ffff;
    // STEP(event.wake)
    if (did.woke && (parker.wake(word, count) == 0 || count == everyone)) over |= event_sleepers;
    // STEP(event.clear): only if nobody armed meanwhile; whoever did has changed the value.
    std::uint32_t expected = raised;
    if (over != 0) word.compare_exchange_strong(expected, raised & ~over);
    return did;
}

} // namespace event_detail

// To be asked after each commit; if so, notify.
template <typename Word>
bool anybody_to_notify(Word& word) noexcept {
    return (word.load() & (event_sleepers | event_bell)) != 0; // STEP(notify.check)
}

// To be called after each commit. Wakes one sleeper, if there is one.
template <typename Word, typename Parker>
notified notify_one(Word& word, Parker&& parker) noexcept {
    if (!anybody_to_notify(word)) [[likely]]
        return {};
    return event_detail::notify(word, parker, 1);
}

// Wakes everyone: for news that concern all (end of stream, memory, repair).
template <typename Word, typename Parker>
notified notify_all(Word& word, Parker&& parker) noexcept {
    constexpr int everyone = 0x7fff'ffff;
    return event_detail::notify(word, parker, everyone);
}

} // namespace hawser::sync
