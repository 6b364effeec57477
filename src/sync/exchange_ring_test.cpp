#include "sync/exchange_ring.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

template <typename T>
using plain = std::atomic<T>;
using lane_type = lane_memory<plain>;
using member = participant_memory<plain>;
using word_type = std::atomic<std::uint64_t>;

constexpr std::uint32_t loans = 3;

// A lane and its participants in ordinary memory, with what each chunk holds.
class ring {
  public:
    ring(std::uint32_t capacity, std::uint32_t participants, std::uint32_t stride = 1)
        : slots_(capacity + 1), committed_(participants * stride + 1),
          taken_(participants * stride + 1), hands_(participants * loans), intents_(participants),
          positions_(participants), content_(capacity + participants * loans),
          sequence_(content_.size()) {
        lane.slots = slots_.data();
        lane.committed = committed_.data();
        lane.taken = taken_.data();
        lane.head_hint = &head_hint_;
        lane.tail_hint = &tail_hint_;
        lane.capacity = capacity;
        lane.evidence_stride = stride;
        lane.chunks = static_cast<std::uint32_t>(content_.size());
        lane.participants = participants;
        for (std::uint32_t i = 0; i < capacity; ++i)
            slots_[i].word.store(slot_word{0, i, no_owner, false}.pack());
        for (std::uint32_t i = 0; i < hands_.size(); ++i)
            hands_[i].store(hand_word{capacity + i, hold::spare}.pack());
    }

    member who(std::uint32_t slot) {
        return {&intents_[slot], &positions_[slot], &hands_[std::size_t{slot} * loans], slot + 1,
                loans};
    }
    hand_word hand(std::uint32_t slot, std::uint32_t i = 0) const {
        return hand_word::unpack(hands_[std::size_t{slot} * loans + i].load());
    }
    word_type& hand_raw(std::uint32_t slot, std::uint32_t i) {
        return hands_[std::size_t{slot} * loans + i];
    }
    slot_word slot(std::uint32_t index) const {
        return slot_word::unpack(slots_[index].word.load());
    }
    void set_slot(std::uint32_t index, const slot_word& word) {
        slots_[index].word.store(word.pack());
    }

    exchanged send(std::uint32_t self, cursor& at, std::uint64_t id, std::uint32_t i = 0) {
        const std::uint32_t chunk = hand(self, i).chunk;
        content_[chunk] = id;
        return try_exchange(lane, who(self), at,
                            {intent_kind::send, 0, i, chunk, &sequence_[chunk]});
    }
    // The id that was received, and its position in `result`.
    std::optional<std::uint64_t> receive(std::uint32_t self, cursor& at, exchanged& result,
                                         intent_kind kind = intent_kind::receive) {
        const std::uint32_t give = hand(self).chunk;
        result = try_exchange(lane, who(self), at, {kind, 0, 0, give, nullptr});
        if (result.outcome != ring_outcome::done) return std::nullopt;
        const std::uint64_t id = content_[result.chunk];
        EXPECT_EQ(sequence_[result.chunk], result.position);
        hand_raw(self, 0).store(hand_word{result.chunk, hold::spare}.pack());
        return id;
    }
    std::optional<std::uint64_t> receive(std::uint32_t self, cursor& at) {
        exchanged ignored;
        return receive(self, at, ignored);
    }
    std::uint64_t committed(std::uint32_t slot) const { return evidence(committed_, slot); }
    std::uint64_t taken(std::uint32_t slot) const { return evidence(taken_, slot); }

    bool repair_slot(std::uint32_t slot) {
        return repair(who(slot),
                      [this](std::uint32_t index) { return index == 0 ? lane : lane_type{}; });
    }
    void announce(std::uint32_t slot, const intent_word& what, std::uint64_t position) {
        positions_[slot].store(position);
        intents_[slot].store(what.pack());
    }
    std::uint64_t intent(std::uint32_t slot) const { return intents_[slot].load(); }

    lane_type lane;

  private:
    std::uint64_t evidence(const std::vector<word_type>& words, std::uint32_t slot) const {
        return words[std::size_t{slot} * lane.evidence_stride].load();
    }

    std::vector<ring_slot<plain>> slots_;
    std::vector<word_type> committed_;
    std::vector<word_type> taken_;
    std::vector<word_type> hands_;
    std::vector<word_type> intents_;
    std::vector<word_type> positions_;
    std::vector<std::uint64_t> content_;
    std::vector<word_type> sequence_;
    word_type head_hint_{0};
    word_type tail_hint_{0};
};

class Capacities : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(ExchangeRing, Capacities, testing::Values(1U, 2U, 3U, 7U, 8U, 40U));

TEST_P(Capacities, FirstInFirstOutOverManyTurnsAndAtEveryDepth) {
    const std::uint32_t capacity = GetParam();
    ring all(capacity, 2);
    cursor tail;
    cursor head;
    std::uint64_t next_in = 0;
    std::uint64_t next_out = 0;
    for (std::uint32_t step = 0; step < 30 * capacity + 60; ++step) {
        const std::uint32_t goal = step % (capacity + 1); // how many are to wait in the lane
        while (next_in - next_out < goal) {
            const exchanged done = all.send(0, tail, next_in, step % loans);
            ASSERT_EQ(done.outcome, ring_outcome::done);
            ASSERT_EQ(done.position, next_in++);
            ASSERT_EQ(all.intent(0), 0U) << "what is over is not announced any more";
        }
        while (next_in - next_out > goal) {
            exchanged done;
            ASSERT_EQ(all.receive(1, head, done), next_out);
            ASSERT_EQ(done.position, next_out++);
            ASSERT_EQ(all.intent(1), 0U);
        }
    }
    EXPECT_GT(next_out, 10 * capacity);
}

TEST_P(Capacities, FullAndEmptyExactly) {
    const std::uint32_t capacity = GetParam();
    ring all(capacity, 2);
    cursor tail;
    cursor head;
    for (int turn = 0; turn < 3; ++turn) {
        EXPECT_EQ(all.receive(1, head), std::nullopt);
        EXPECT_FALSE(has_message(all.lane, head));
        for (std::uint32_t i = 0; i < capacity; ++i) {
            EXPECT_TRUE(has_room(all.lane, tail));
            ASSERT_EQ(all.send(0, tail, i).outcome, ring_outcome::done);
            EXPECT_TRUE(has_message(all.lane, head));
        }
        const hand_word before = all.hand(0);
        EXPECT_FALSE(has_room(all.lane, tail));
        EXPECT_EQ(all.send(0, tail, 99).outcome, ring_outcome::blocked);
        EXPECT_EQ(all.hand(0).chunk, before.chunk) << "a refused send changes nothing";
        EXPECT_EQ(all.intent(0), 0U);
        for (std::uint32_t i = 0; i < capacity; ++i) {
            EXPECT_EQ(all.receive(1, head), i);
            EXPECT_TRUE(has_room(all.lane, tail));
        }
    }
    EXPECT_EQ(all.receive(1, head), std::nullopt);
}

TEST_P(Capacities, JumpAndAdvanceAgree) {
    const std::uint32_t capacity = GetParam();
    cursor walker;
    for (std::uint64_t position = 0; position < 5 * capacity + 3; ++position) {
        cursor jumper;
        jumper.jump(position, capacity);
        EXPECT_EQ(jumper.position, walker.position);
        EXPECT_EQ(jumper.turn, walker.turn);
        EXPECT_EQ(jumper.index, walker.index);
        EXPECT_EQ(jumper.turn * capacity + jumper.index, position);
        walker.advance(capacity);
    }
}

TEST_P(Capacities, AStaleCursorCatchesUp) {
    const std::uint32_t capacity = GetParam();
    ring all(capacity, 3);
    cursor tail;
    cursor head;
    cursor stale_tail;
    cursor stale_head;
    cursor looking;
    std::uint64_t id = 0;
    for (; id < 20 * std::uint64_t{capacity} + 5; ++id) {
        ASSERT_EQ(all.send(0, tail, id).outcome, ring_outcome::done);
        if (id + 1 < 20 * std::uint64_t{capacity} + 5) {
            ASSERT_EQ(all.receive(1, head), id);
        }
    }
    // One message is there, and only these cursors are old. has_message may end its budget early,
    // but says so on the safe side.
    EXPECT_TRUE(has_message(all.lane, looking));
    EXPECT_EQ(all.receive(2, stale_head), id - 1);
    const exchanged sent = all.send(2, stale_tail, id);
    ASSERT_EQ(sent.outcome, ring_outcome::done);
    EXPECT_EQ(sent.position, id);
    EXPECT_EQ(all.receive(1, head), id);
}

TEST_P(Capacities, ACursorThatNobodyHintsToWalks) {
    const std::uint32_t capacity = GetParam();
    ring all(capacity, 2);
    cursor tail;
    cursor head;
    for (std::uint32_t i = 0; i < 2 * capacity; ++i) {
        ASSERT_EQ(all.send(0, tail, i).outcome, ring_outcome::done);
        ASSERT_EQ(all.receive(1, head), i);
    }
    all.lane.tail_hint->store(0);
    all.lane.head_hint->store(0);
    cursor stale;
    EXPECT_FALSE(has_message(all.lane, stale));
    stale = {};
    EXPECT_TRUE(has_room(all.lane, stale));
    stale = {};
    const exchanged sent = all.send(1, stale, 5);
    ASSERT_EQ(sent.outcome, ring_outcome::done);
    EXPECT_EQ(sent.position, 2 * std::uint64_t{capacity});
}

TEST_P(Capacities, HintsAreNeverAheadAndNeverFarBehind) {
    const std::uint32_t capacity = GetParam();
    ring all(capacity, 2);
    cursor tail;
    cursor head;
    for (std::uint64_t id = 0; id < 6 * std::uint64_t{capacity} + 3; ++id) {
        ASSERT_EQ(all.send(0, tail, id).outcome, ring_outcome::done);
        EXPECT_LE(all.lane.tail_hint->load(), id + 1);
        EXPECT_GE(all.lane.tail_hint->load() + capacity, id + 1);
        ASSERT_EQ(all.receive(1, head), id);
        EXPECT_LE(all.lane.head_hint->load(), id + 1);
        EXPECT_GE(all.lane.head_hint->load() + capacity, id + 1);
    }
    EXPECT_GT(all.lane.tail_hint->load(), 4 * std::uint64_t{capacity});
    EXPECT_GT(all.lane.head_hint->load(), 4 * std::uint64_t{capacity});
}

TEST(ExchangeRing, TheTurnWrapsAt32Bits) {
    ring all(2, 2);
    constexpr std::uint64_t last_turn = 0xffff'ffff;
    for (std::uint32_t i = 0; i < 2; ++i)
        all.set_slot(i, {static_cast<std::uint32_t>(last_turn), i, no_owner, false});
    cursor tail;
    tail.jump(last_turn * 2, 2);
    cursor head = tail;
    for (std::uint64_t id = 0; id < 9; ++id) {
        ASSERT_EQ(all.send(0, tail, id).outcome, ring_outcome::done) << id;
        ASSERT_EQ(all.receive(1, head), id);
    }
    EXPECT_EQ(tail.position, last_turn * 2 + 9);
}

// 32 bits of turn can't tell 2^31 turns ahead from behind; the hint can.
TEST(ExchangeRing, ACursorThatSleptForHalfOfAllTurnsCatchesUp) {
    constexpr std::uint64_t now = (std::uint64_t{1} << 31) + 5;
    ring all(1, 2);
    all.set_slot(0, {static_cast<std::uint32_t>(now), 0, no_owner, false});
    all.lane.tail_hint->store(now);
    all.lane.head_hint->store(now);
    cursor tail;
    cursor head;
    ASSERT_EQ(all.send(0, tail, 7).position, now);
    EXPECT_EQ(all.receive(1, head), 7U);
}

TEST(ExchangeRing, WhoeverOverwritesAStampNotesItBefore) {
    constexpr std::uint32_t stride = 8;
    ring all(2, 4, stride);
    cursor tail_of_0;
    cursor tail_of_2;
    cursor head_of_1;
    cursor head_of_3;
    ASSERT_EQ(all.send(0, tail_of_0, 10).position, 0U);
    EXPECT_EQ(all.committed(0), 0U) << "its stamp still tells";
    ASSERT_EQ(all.receive(1, head_of_1), 10U);
    EXPECT_EQ(all.committed(0), 1U);
    EXPECT_EQ(all.taken(1), 0U);
    ASSERT_EQ(all.send(2, tail_of_2, 11).position, 1U);
    ASSERT_EQ(all.send(2, tail_of_2, 12).position, 2U); // over the stamp of 1's receive of 0
    EXPECT_EQ(all.taken(1), 1U);
    EXPECT_EQ(all.committed(2), 0U);
    ASSERT_EQ(all.receive(3, head_of_3), 11U);
    ASSERT_EQ(all.receive(3, head_of_3), 12U);
    EXPECT_EQ(all.committed(2), 3U);
    EXPECT_EQ(all.committed(0), 1U);
    EXPECT_EQ(all.committed(1), 0U);
    EXPECT_EQ(all.taken(0), 0U);
}

TEST(ExchangeRing, EvidenceIsNeverLowered) {
    ring all(1, 2);
    cursor tail;
    cursor head;
    ASSERT_EQ(all.send(0, tail, 1).outcome, ring_outcome::done);
    all.lane.evidence(all.lane.committed, 1).store(100);
    ASSERT_EQ(all.receive(1, head), 1U);
    EXPECT_EQ(all.committed(0), 100U);
}

TEST(ExchangeRing, ADropTakesTheOldestAndLeavesItSpare) {
    ring all(2, 2);
    cursor tail;
    cursor head;
    cursor oldest;
    ASSERT_EQ(all.send(0, tail, 1).outcome, ring_outcome::done);
    ASSERT_EQ(all.send(0, tail, 2).outcome, ring_outcome::done);
    const std::uint32_t give = all.hand(0).chunk;
    const exchanged done =
        try_exchange(all.lane, all.who(0), oldest, {intent_kind::drop, 0, 0, give, nullptr});
    ASSERT_EQ(done.outcome, ring_outcome::done);
    EXPECT_EQ(done.position, 0U);
    EXPECT_EQ(all.hand(0).chunk, done.chunk);
    EXPECT_EQ(all.hand(0).kind, hold::spare);
    EXPECT_EQ(all.slot(0).chunk, give);
    EXPECT_EQ(all.receive(1, head), 2U);
}

TEST(ExchangeRing, AReceiveLeavesAMessageInTheHand) {
    ring all(2, 2);
    cursor tail;
    cursor head;
    ASSERT_EQ(all.send(0, tail, 1).outcome, ring_outcome::done);
    const std::uint32_t give = all.hand(1, 2).chunk;
    const exchanged done =
        try_exchange(all.lane, all.who(1), head, {intent_kind::receive, 0, 2, give, nullptr});
    ASSERT_EQ(done.outcome, ring_outcome::done);
    EXPECT_EQ(all.hand(1, 2).chunk, done.chunk);
    EXPECT_EQ(all.hand(1, 2).kind, hold::message);
    EXPECT_EQ(all.hand(1, 0).kind, hold::spare);
}

// --- nonsense in shared memory -----------------------------------------------------------------

TEST(ExchangeRing, AChunkOrOwnerOutOfRangeIsCorrupt) {
    for (const intent_kind kind : {intent_kind::send, intent_kind::receive, intent_kind::drop}) {
        ring all(2, 2);
        const bool full = kind != intent_kind::send;
        cursor at;
        const exchange_request<plain> what{kind, 0, 0, all.hand(0).chunk, nullptr};
        all.set_slot(0, {0, all.lane.chunks, 1, full});
        EXPECT_EQ(try_exchange(all.lane, all.who(0), at, what).outcome, ring_outcome::corrupt);
        all.set_slot(0, {0, 0, all.lane.participants + 1, full});
        EXPECT_EQ(try_exchange(all.lane, all.who(0), at, what).outcome, ring_outcome::corrupt);
        EXPECT_EQ(all.intent(0), 0U);
        all.set_slot(0, {0, all.lane.chunks - 1, all.lane.participants, full});
        EXPECT_EQ(try_exchange(all.lane, all.who(0), at, what).outcome, ring_outcome::done)
            << "the largest that exist are fine";
    }
}

// Any bits in any word: an answer within the budget, and no access outside (the sanitizers look).
// Only who finds nothing believes a hint, and then sees that it can't be true.
TEST(ExchangeRing, AHeadHintAheadOfTheTruthIsCorrupt) {
    ring at(4, 2);
    cursor sender;
    cursor receiver;
    ASSERT_EQ(at.send(0, sender, 7).outcome, ring_outcome::done);
    const auto receive = [&](std::uint32_t i) {
        return try_exchange(at.lane, at.who(1), receiver,
                            {intent_kind::receive, 0, i, at.hand(1, i).chunk})
            .outcome;
    };
    EXPECT_EQ(receive(0), ring_outcome::done);
    at.lane.head_hint->store(500);
    EXPECT_EQ(receive(1), ring_outcome::corrupt);
}

TEST(ExchangeRing, ATailHintAheadOfTheTruthIsCorrupt) {
    ring at(2, 2);
    cursor sender;
    ASSERT_EQ(at.send(0, sender, 7).outcome, ring_outcome::done);
    ASSERT_EQ(at.send(0, sender, 8, 1).outcome, ring_outcome::done);
    at.lane.tail_hint->store(500);
    EXPECT_EQ(at.send(0, sender, 9, 2).outcome, ring_outcome::corrupt);
}

TEST(ExchangeRing, RandomWordsNeverLeadOutside) {
    const char* const given = std::getenv("HAWSER_TEST_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("HAWSER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    const auto bits = [&random] { // few or many
        return random() >> (random() % 64);
    };
    for (int round = 0; round < 20'000; ++round) {
        ring all(1 + static_cast<std::uint32_t>(random() % 5), 2);
        const auto hint = bits();
        for (std::uint32_t i = 0; i < all.lane.capacity; ++i)
            all.lane.slots[i].word.store(random() % 4 == 0 ? bits() : bits() & 0xff'ffff'0fff);
        all.lane.tail_hint->store(hint);
        all.lane.head_hint->store(bits());
        const auto kind = static_cast<intent_kind>(1 + random() % 3);
        cursor at;
        at.jump(random() % 2 == 0 ? 0 : hint, all.lane.capacity);
        try_exchange(all.lane, all.who(0), at, {kind, 0, 0, all.hand(0).chunk, nullptr});
        ASSERT_LT(at.index, all.lane.capacity);
        cursor looking = at;
        has_message(all.lane, looking);
        has_room(all.lane, looking);
        all.announce(1, intent_word::unpack(bits()), bits());
        for (std::uint32_t i = 0; i < loans; ++i) all.hand_raw(1, i).store(bits());
        all.repair_slot(1);
        ASSERT_EQ(intent_word::unpack(all.intent(1)).kind, intent_kind::none);
    }
}

// --- what a dead participant had announced ------------------------------------------------------

TEST(ExchangeRing, RepairOfNonsenseOnlyClearsTheIntent) {
    ring all(2, 2);
    const std::uint32_t chunk = all.hand(1).chunk;
    // Their CAS would be found done, were they believed.
    all.set_slot(0, {0, 0, 2, true});
    all.lane.evidence(all.lane.committed, 2).store(~std::uint64_t{0});
    const intent_word lane_unknown{intent_kind::send, 0, 1, 0};
    const intent_word hand_unknown{intent_kind::send, loans, 0, 0};
    const intent_word chunk_unknown{intent_kind::send, 0, 0, all.lane.chunks};
    for (const auto& nonsense : {lane_unknown, hand_unknown, chunk_unknown}) {
        all.announce(1, nonsense, 0);
        EXPECT_FALSE(all.repair_slot(1));
        EXPECT_EQ(all.intent(1), 0U);
        EXPECT_EQ(all.hand(1).chunk, chunk);
    }
    all.announce(1, {intent_kind::send, loans - 1, 0, all.lane.chunks - 1}, 0);
    EXPECT_TRUE(all.repair_slot(1)) << "the largest that exist are fine";
    EXPECT_EQ(all.hand(1, loans - 1).chunk, all.lane.chunks - 1);
    EXPECT_TRUE(all.repair_slot(1)) << "nothing announced, nothing to do";
}

struct announced {
    intent_kind kind;
    hold expected; // of the hand entry, if it happened
};

class Announcements : public testing::TestWithParam<announced> {
  protected:
    static constexpr std::uint32_t dead = 1;
    static constexpr std::uint64_t position = 5; // of capacity 2: turn 2, slot 1

    bool sending() const { return GetParam().kind == intent_kind::send; }
    // The slot of the position with the dead one's stamp on it, or another's.
    void stamp(std::uint32_t owner, std::uint32_t later_turns = 0) {
        const std::uint32_t turn = (sending() ? 2 : 3) + later_turns;
        all_.set_slot(1, {turn, 0, owner, sending()});
    }
    void announce() { all_.announce(dead, {GetParam().kind, 2, 0, got}, position); }
    void note(std::uint64_t value) {
        all_.lane.evidence(sending() ? all_.lane.committed : all_.lane.taken, dead + 1)
            .store(value);
    }
    // Evidence of the other kind, and of another, which must not count.
    void note_elsewhere() {
        all_.lane.evidence(sending() ? all_.lane.taken : all_.lane.committed, dead + 1).store(1000);
        all_.lane.evidence(all_.lane.committed, 1).store(1000);
        all_.lane.evidence(all_.lane.taken, 1).store(1000);
    }
    void expect_done() {
        EXPECT_TRUE(all_.repair_slot(dead));
        EXPECT_EQ(all_.hand(dead, 2).chunk, got);
        EXPECT_EQ(all_.hand(dead, 2).kind, GetParam().expected);
        EXPECT_EQ(all_.intent(dead), 0U);
    }
    void expect_not_done() {
        const std::uint32_t before = all_.hand(dead, 2).chunk;
        EXPECT_TRUE(all_.repair_slot(dead));
        EXPECT_EQ(all_.hand(dead, 2).chunk, before);
        EXPECT_EQ(all_.hand(dead, 2).kind, hold::spare);
        EXPECT_EQ(all_.intent(dead), 0U);
    }

    static constexpr std::uint32_t got = 1;
    ring all_{2, 3};
};
INSTANTIATE_TEST_SUITE_P(ExchangeRing, Announcements,
                         testing::Values(announced{intent_kind::send, hold::spare},
                                         announced{intent_kind::receive, hold::message},
                                         announced{intent_kind::drop, hold::spare}));

TEST_P(Announcements, NotDone) {
    all_.set_slot(1, {2, got, 1, !sending()}); // as the dead one found it
    announce();
    note(position); // it succeeded at the position before, at most
    note_elsewhere();
    expect_not_done();
}

TEST_P(Announcements, AnotherWasQuicker) {
    stamp(1);
    announce();
    note_elsewhere();
    expect_not_done();
}

TEST_P(Announcements, DoneAndTheStampIsThere) {
    stamp(dead + 1);
    announce();
    expect_done();
}

TEST_P(Announcements, ItsOwnStampOfAnotherTurnIsNoProof) {
    stamp(dead + 1, 1);
    announce();
    expect_not_done();
}

TEST_P(Announcements, ItsOwnStampOfTheOtherKindIsNoProof) {
    all_.set_slot(1, {sending() ? 2U : 3U, 0, dead + 1, !sending()});
    announce();
    expect_not_done();
}

TEST_P(Announcements, OverwrittenSinceAndTheEvidenceDecides) {
    stamp(1, 1);
    announce();
    note(position + 1);
    expect_done();
}

TEST_P(Announcements, DoneAndTheHandTooButNotTheIntent) {
    stamp(dead + 1);
    announce();
    all_.hand_raw(dead, 2).store(hand_word{got, GetParam().expected}.pack());
    expect_done();
}

TEST_P(Announcements, AMessageThatWasReleasedInTheHandStaysSpare) {
    stamp(dead + 1);
    announce();
    all_.hand_raw(dead, 2).store(hand_word{got, hold::spare}.pack());
    EXPECT_TRUE(all_.repair_slot(dead));
    EXPECT_EQ(all_.hand(dead, 2).kind, hold::spare);
}

// --- threads -----------------------------------------------------------------------------------

// 2 senders, 2 receivers: each id once, and those of one sender in its order at each receiver.
void exchange_in_threads(std::uint32_t capacity, std::uint64_t seed) {
    constexpr std::uint64_t each = 6'000;
    ring all(capacity, 4);
    std::vector<std::atomic<int>> times(2 * each);
    std::atomic<std::uint64_t> received{0};
    const auto pausing = [&](std::uint32_t self) {
        return [random = std::mt19937_64(seed + self)]() mutable {
            if (random() % 64 == 0) std::this_thread::yield();
        };
    };
    const auto send = [&](std::uint32_t self) {
        auto pause = pausing(self);
        cursor at;
        for (std::uint64_t i = 0; i < each;) {
            const auto outcome = all.send(self, at, self * each + i).outcome;
            ASSERT_NE(outcome, ring_outcome::corrupt);
            if (outcome == ring_outcome::done)
                ++i;
            else
                std::this_thread::yield();
            pause();
        }
    };
    const auto receive = [&](std::uint32_t self) {
        auto pause = pausing(self);
        cursor at;
        std::uint64_t last[2] = {0, 0};
        while (received.load() < 2 * each) {
            const auto id = all.receive(self, at);
            pause();
            if (!id) {
                std::this_thread::yield();
                continue;
            }
            ASSERT_EQ(times[*id].fetch_add(1), 0) << *id;
            ASSERT_GE(*id % each + 1, last[*id / each]);
            last[*id / each] = *id % each + 1;
            received.fetch_add(1);
        }
    };
    std::vector<std::thread> threads;
    threads.emplace_back(send, 0);
    threads.emplace_back(send, 1);
    threads.emplace_back(receive, 2);
    threads.emplace_back(receive, 3);
    for (std::thread& one : threads) one.join();
    for (const auto& count : times) ASSERT_EQ(count.load(), 1);
}

TEST_P(Capacities, TwoSendersAndTwoReceiversInThreads) {
    const char* const given = std::getenv("HAWSER_TEST_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("HAWSER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    exchange_in_threads(GetParam(), seed);
}

} // namespace
} // namespace hawser::sync
