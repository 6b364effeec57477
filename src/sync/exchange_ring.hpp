// The exchange ring: many senders, many receivers, total order, one CAS for each operation, and
// every process may be killed between any two instructions.
//
// When to use: to pass chunks of memory between processes that may die. When not: for two threads
// of one process.
//
// Design. A lane is a ring of slots. Every slot always has a chunk and every participant always has
// spare ones in its hand; an operation swaps the two with one CAS on the slot's word, which names
// the new owner of the slot's stamp. So there is no free list and no moment in which a chunk
// belongs to nobody. docs/design/exchange-ring.md gives the protocol and why each step is where
// it is; tests/model/exchange_ring.pml checks it. The protocol is hawser's own.
//
// - Blocks, allocates, system calls: never. A try_ that loses to others goes on at the next
// position, within a budget.
// - Threads: a participant is used by one thread at a time.
// - A crash leaves an intent from which repair() finds out whether the last CAS happened.
// - Every value read from shared memory is checked before it is used as an index; nonsense is
// `corrupt`.
//
// Memory orders. The slot's word carries the chunk's content: its CAS releases what was written to
// the chunk (and the intent and the evidence before it), its load acquires. It is seq_cst, not
// acq_rel, because the waiting protocol (event_word.hpp) needs the commit and the look at the event
// word in one total order. On x86 that costs nothing more.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>

#include "sync/budget.hpp"
#include "sync/prefetch.hpp"
#include "sync/words.hpp"

namespace hawser::sync {

// One slot, alone on its cache line: neighbours in the ring are in use by the other side at the
// same moment.
template <template <typename> class Atomic>
struct ring_slot {
    Atomic<std::uint64_t> word;
    std::uint64_t padding[7];
};

// A place in a lane. position = turn * capacity + index.
struct cursor {
    std::uint64_t position = 0;
    std::uint64_t turn = 0;
    std::uint32_t index = 0;
    std::uint64_t ready_below = 0; // as of the last look: the other side is done with all below

    void advance(std::uint32_t capacity) noexcept {
        ++position;
        if (++index == capacity) {
            index = 0;
            ++turn;
        }
    }
    void jump(std::uint64_t to, std::uint32_t capacity) noexcept {
        position = to;
        turn = to / capacity;
        index = static_cast<std::uint32_t>(to % capacity);
    }
};

// Where a lane lies in memory, and its bounds, which are the caller's private copies.
template <template <typename> class Atomic>
struct lane_memory {
    ring_slot<Atomic>* slots = nullptr;
    Atomic<std::uint64_t>* committed =
        nullptr; // evidence, evidence_stride words for each participant slot
    Atomic<std::uint64_t>* taken = nullptr;
    Atomic<std::uint64_t>* head_hint =
        nullptr; // all positions below are taken; never ahead of the truth
    Atomic<std::uint64_t>* tail_hint = nullptr; // all positions below are filled
    std::uint32_t capacity = 0;
    std::uint32_t evidence_stride = 1;
    std::uint32_t chunks = 0;       // of the whole mailbox
    std::uint32_t participants = 0; //

    [[nodiscard]] Atomic<std::uint64_t>& evidence(Atomic<std::uint64_t>* of,
                                                  std::uint32_t owner) const noexcept {
        return of[std::size_t{owner - 1} * evidence_stride];
    }
    // The hints are written now and then, not each time: they spare a late-comer the walk.
    [[nodiscard]] bool hint_due(std::uint32_t index) const noexcept {
        return (index & (std::bit_floor(std::max(capacity / 8, 1U)) - 1)) == 0;
    }
};

// A participant's own words in shared memory. Only the holder of its lock byte writes them.
template <template <typename> class Atomic>
struct participant_memory {
    Atomic<std::uint64_t>* intent = nullptr;
    Atomic<std::uint64_t>* intent_position = nullptr;
    Atomic<std::uint64_t>* hand = nullptr;
    std::uint32_t owner = no_owner; // what it stamps: its slot + 1
    std::uint32_t hand_size = 0;
};

enum class ring_outcome : std::uint8_t {
    done,
    blocked,   // full, for a send; empty, for a receive
    contended, // others were quicker, again and again: nothing is wrong, try again
    corrupt,
};

struct exchanged {
    ring_outcome outcome = ring_outcome::blocked;
    std::uint32_t chunk = 0;    // done: what the hand holds now
    std::uint64_t position = 0; // done: where
};

// For an exchange whose caller can't, or need not, ask for a chunk's memory ahead.
struct expect_nothing {
    void operator()(std::uint32_t /*chunk*/) const noexcept {}
};

// What to exchange: the chunk `give` in hand entry `hand` for the one of the lane's next slot.
template <template <typename> class Atomic>
struct exchange_request {
    intent_kind kind = intent_kind::none;
    std::uint32_t lane = 0;
    std::uint32_t hand = 0;
    std::uint32_t give = 0;
    Atomic<std::uint64_t>* sequence = nullptr; // of a send: where the chunk keeps its position
};

// No loop over a lane looks at more slots, whatever others write.
constexpr std::uint64_t lane_budget(std::uint32_t capacity) noexcept {
    return 2 * std::uint64_t{capacity} + 64;
}

namespace ring_detail {

// Before a stamp is overwritten, its owner's success is noted: a send that filled this position, or
// a receive that took the position one turn before. False if it could not be noted.
template <template <typename> class Atomic>
[[gnu::always_inline]] inline bool note(const lane_memory<Atomic>& lane, const slot_word& seen,
                                        std::uint64_t position, std::uint32_t self,
                                        budget& left) noexcept {
    // One's own last operation is over; nobody will ask.
    if (seen.owner == no_owner || seen.owner == self) return true;
    if (seen.full) return raise(lane.evidence(lane.committed, seen.owner), position + 1, left);
    if (position < lane.capacity) return true;
    return raise(lane.evidence(lane.taken, seen.owner), position - lane.capacity + 1, left);
}

// How far the slot at the cursor is ahead of it, in turns.
inline std::int32_t turns_ahead(const slot_word& seen, const cursor& at) noexcept {
    return static_cast<std::int32_t>(seen.turn - static_cast<std::uint32_t>(at.turn));
}

// True if the cursor's position is filled (for a send), or taken (for a receive).
inline bool is_passed(const slot_word& seen, const cursor& at, bool sending) noexcept {
    const std::int32_t ahead = turns_ahead(seen, at);
    return ahead > 0 || (sending && ahead == 0 && seen.full);
}

// The swap itself: announce, note, CAS, keep. False if another was quicker.
template <template <typename> class Atomic>
[[gnu::always_inline]] inline bool swap(const lane_memory<Atomic>& lane,
                                        const participant_memory<Atomic>& self,
                                        const exchange_request<Atomic>& what, const cursor& at,
                                        std::uint64_t raw, budget& left) noexcept {
    const slot_word seen = slot_word::unpack(raw);
    const bool sending = what.kind == intent_kind::send;
    // SYNC(intent): release, in this order, so that repair() sees a position at least as old as the
    // word
    self.intent_position->store(at.position, std::memory_order_release); // STEP(ring.position)
    self.intent->store(intent_word{what.kind, what.hand, what.lane, seen.chunk}.pack(),
                       std::memory_order_release); // SYNC(intent) STEP(ring.intent)
    const bool noted = note(lane, seen, at.position, self.owner, left); // STEP(ring.note)
    if (what.sequence != nullptr)
        what.sequence->store(at.position, std::memory_order_relaxed); // RELAXED(chunk): ours so far
    const slot_word mine{sending ? seen.turn : seen.turn + 1, what.give, self.owner, sending};
    // STEP(ring.commit)
    const bool done = noted && lane.slots[at.index].word.compare_exchange_strong(raw, mine.pack());
    if (done) {
        const hold kind = what.kind == intent_kind::receive ? hold::message : hold::spare;
        self.hand[what.hand].store(hand_word{seen.chunk, kind}.pack(),
                                   std::memory_order_release); // SYNC(hand) STEP(ring.keep)
    }
    self.intent->store(0, std::memory_order_release); // SYNC(intent) STEP(ring.clear)
    return done;
}

} // namespace ring_detail

// Sends, receives or drops at the cursor, which is moved past every position found done. In case of
// `done` the cursor stands behind the position. `expect(chunk)` may ask for the memory of the chunk
// that is to be had.
template <template <typename> class Atomic, typename Expect = expect_nothing>
[[gnu::always_inline]] inline exchanged
try_exchange(const lane_memory<Atomic>& lane, const participant_memory<Atomic>& self, cursor& at,
             const exchange_request<Atomic>& what, Expect&& expect = {}) noexcept {
    const bool sending = what.kind == intent_kind::send;
    Atomic<std::uint64_t>& hint = sending ? *lane.tail_hint : *lane.head_hint;
    budget left{lane_budget(lane.capacity)};
    std::uint64_t jumped_to = ~std::uint64_t{0};
    while (left.spend()) {
        const std::uint64_t raw = lane.slots[at.index].word.load(); // STEP(walk.look)
        const slot_word seen = slot_word::unpack(raw);
        if (seen.chunk >= lane.chunks || seen.owner > lane.participants)
            return {ring_outcome::corrupt, 0, at.position};
        const std::int32_t ahead = ring_detail::turns_ahead(seen, at);
        const bool passed = ring_detail::is_passed(seen, at, sending);
        if (passed || ahead < 0 || seen.full == sending) {
            // Only a start; every position is judged by its slot. It also brings back who was
            // stopped for so long that the turn seems to lie in the past. An honest hint is never
            // ahead of the truth: SYNC(hint)
            const std::uint64_t hinted = hint.load(std::memory_order_acquire);
            const bool jumped = at.position == jumped_to;
            if (jumped && ahead < (sending ? -1 : 0))
                return {ring_outcome::corrupt, 0, at.position};
            if (hinted > at.position + (passed ? 1 : 0)) {
                at.jump(hinted, lane.capacity);
                jumped_to = hinted;
                continue;
            }
            if (!passed) return {ring_outcome::blocked, 0, at.position};
            at.advance(lane.capacity);
            continue;
        }
        expect(seen.chunk);
        if (ring_detail::swap(lane, self, what, at, raw, left)) {
            const exchanged result{ring_outcome::done, seen.chunk, at.position};
            at.advance(lane.capacity);
            // Raised, not stored: who was stopped since its CAS would set it back by all that went
            // by meanwhile, and a newcomer would walk that way. SYNC(hint): release, in raise()
            if (lane.hint_due(at.index)) static_cast<void>(raise(hint, at.position, left));
            return result;
        }
    }
    return {ring_outcome::contended, 0, at.position};
}

// After an exchange: asks for the slot that this participant comes to some operations later, if the
// other side was done with it when it last said how far it is: not for a line that it is just about
// to write. Reads one word at most, and changes nothing.
template <template <typename> class Atomic>
[[gnu::always_inline]] inline void expect_later_slot(const lane_memory<Atomic>& lane, cursor& at,
                                                     bool sending) noexcept {
    constexpr std::uint32_t operations = 12;
    if (lane.capacity < 4 * operations) return; // the other side is near all the time
    if (at.position + operations >= at.ready_below) {
        // Its line changes now and then only.
        const auto& hint = sending ? *lane.head_hint : *lane.tail_hint;
        const std::uint64_t other_side = hint.load(std::memory_order_acquire); // SYNC(hint)
        at.ready_below = other_side + (sending ? lane.capacity : 0);
        if (at.position + operations >= at.ready_below) return;
    }
    const std::uint32_t index = at.index + operations;
    expect_write(&lane.slots[index < lane.capacity ? index : index - lane.capacity]);
}

namespace ring_detail {

// Would a send, or a receive, find its slot at the cursor or behind it? Moves the cursor like
// try_exchange; changes nothing shared.
template <template <typename> class Atomic>
bool is_ready(const lane_memory<Atomic>& lane, cursor& at, bool sending) noexcept {
    const auto& hint = sending ? *lane.tail_hint : *lane.head_hint;
    const std::uint64_t hinted = hint.load(std::memory_order_acquire); // SYNC(hint)
    if (hinted > at.position) at.jump(hinted, lane.capacity);
    for (budget left{lane_budget(lane.capacity)}; left.spend();) {
        const slot_word seen = slot_word::unpack(lane.slots[at.index].word.load());
        if (!is_passed(seen, at, sending))
            return turns_ahead(seen, at) == 0 && seen.full != sending;
        at.advance(lane.capacity);
    }
    return true; // others move faster than we look: something is there
}

} // namespace ring_detail

template <template <typename> class Atomic>
bool has_message(const lane_memory<Atomic>& lane, cursor& at) noexcept {
    return ring_detail::is_ready(lane, at, false);
}

template <template <typename> class Atomic>
bool has_room(const lane_memory<Atomic>& lane, cursor& at) noexcept {
    return ring_detail::is_ready(lane, at, true);
}

// Did the operation that a dead participant had announced happen? The slot first, then the
// evidence: whoever overwrites the stamp notes it before.
template <template <typename> class Atomic>
bool happened(const lane_memory<Atomic>& lane, const intent_word& intent, std::uint64_t position,
              std::uint32_t owner) noexcept {
    cursor at;
    at.jump(position, lane.capacity);
    // STEP(verdict.slot)
    const slot_word seen = slot_word::unpack(lane.slots[at.index].word.load());
    const bool sent = intent.kind == intent_kind::send;
    const auto turn = static_cast<std::uint32_t>(at.turn) + (sent ? 0U : 1U);
    if (seen.owner == owner && seen.turn == turn && seen.full == sent) return true;
    Atomic<std::uint64_t>* evidence = sent ? lane.committed : lane.taken;
    // STEP(verdict.evidence), SYNC(evidence): acquire
    return lane.evidence(evidence, owner).load(std::memory_order_acquire) > position;
}

// Puts into a dead participant's hand what it really holds, and clears its intent. The caller holds
// its lock, so nobody else writes these words. Can be killed and repeated. `lane_of(index)` gives a
// lane, or one without slots if there is none. Returns false if the words made no sense; the intent
// is cleared then, too.
template <template <typename> class Atomic, typename LaneOf>
bool repair(const participant_memory<Atomic>& dead, LaneOf&& lane_of) noexcept {
    // STEP(repair.intent), SYNC(intent): acquire, the word before the position
    const auto intent = intent_word::unpack(dead.intent->load(std::memory_order_acquire));
    if (intent.kind == intent_kind::none) return true;
    const std::uint64_t position =
        dead.intent_position->load(std::memory_order_acquire); // SYNC(intent)
    const lane_memory<Atomic> lane = lane_of(intent.lane);
    const bool sane =
        lane.slots != nullptr && intent.hand < dead.hand_size && intent.chunk < lane.chunks;
    if (sane && happened(lane, intent, position, dead.owner)) {
        Atomic<std::uint64_t>& entry = dead.hand[intent.hand];
        // SYNC(hand): acquire
        if (hand_word::unpack(entry.load(std::memory_order_acquire)).chunk != intent.chunk) {
            const hold kind = intent.kind == intent_kind::receive ? hold::message : hold::spare;
            entry.store(hand_word{intent.chunk, kind}.pack(),
                        std::memory_order_release); // SYNC(hand) STEP(repair.keep)
        }
    }
    dead.intent->store(0, std::memory_order_release); // SYNC(intent) STEP(repair.clear)
    return sane;
}

} // namespace hawser::sync
