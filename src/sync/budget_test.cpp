// Words that others change each time that somebody looks: what loops on them must give up.
#include "sync/budget.hpp"

#include <array>

#include <gtest/gtest.h>

#include "sync/event_word.hpp"
#include "sync/exchange_ring.hpp"

namespace hawser::sync {
namespace {

// Its weak compare-exchange, which only loops use, always comes too late.
template <typename T>
class restless {
  public:
    T load(std::memory_order = std::memory_order_seq_cst) const noexcept { return value; }
    void store(T to, std::memory_order = std::memory_order_seq_cst) noexcept { value = to; }
    bool compare_exchange_weak(T& expected, T /*desired*/,
                               std::memory_order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_seq_cst) noexcept {
        ++tries;
        expected = value;
        return false;
    }
    bool compare_exchange_strong(T& expected, T desired) noexcept {
        if (value != expected) {
            expected = value;
            return false;
        }
        value = desired;
        return true;
    }

    T value{};
    std::uint64_t tries = 0;
};

TEST(Budget, IsWhatItSaysAndThenNothing) {
    budget left{2};
    EXPECT_TRUE(left.spend());
    EXPECT_TRUE(left.spend());
    EXPECT_FALSE(left.spend());
    EXPECT_FALSE(left.spend());
}

TEST(Budget, RaisingGivesUp) {
    restless<std::uint64_t> counter;
    budget tries{10};
    EXPECT_FALSE(raise(counter, std::uint64_t{1}, tries));
    EXPECT_EQ(counter.tries, 11U);
    EXPECT_TRUE(raise(counter, std::uint64_t{0}, tries)) << "it is as high already";
}

TEST(Budget, ArmingGivesUp) {
    restless<std::uint32_t> word;
    EXPECT_EQ(arm(word, event_sleepers), std::nullopt);
    EXPECT_EQ(word.tries, arm_tries);
}

// The one whose stamp is to be overwritten can't be told of its success: so nothing is overwritten.
TEST(Budget, AnExchangeThatCanNotNoteTheStamperGivesUpAndLeavesNoTrace) {
    constexpr std::uint32_t capacity = 4;
    std::array<ring_slot<restless>, capacity> slots;
    std::array<restless<std::uint64_t>, 2> committed;
    std::array<restless<std::uint64_t>, 2> taken;
    restless<std::uint64_t> head_hint;
    restless<std::uint64_t> tail_hint;
    lane_memory<restless> lane;
    lane.slots = slots.data();
    lane.committed = committed.data();
    lane.taken = taken.data();
    lane.head_hint = &head_hint;
    lane.tail_hint = &tail_hint;
    lane.capacity = capacity;
    lane.chunks = 10;
    lane.participants = 2;
    restless<std::uint64_t> intent;
    restless<std::uint64_t> position;
    restless<std::uint64_t> hand;
    hand.value = hand_word{9, hold::spare}.pack();
    const participant_memory<restless> self{&intent, &position, &hand, 1, 1};
    const std::uint64_t message = slot_word{0, 3, 2, true}.pack(); // sent by the other one
    slots[0].word.value = message;

    cursor at;
    const auto outcome = try_exchange(lane, self, at, {intent_kind::receive, 0, 0, 9, nullptr});
    EXPECT_EQ(outcome.outcome, ring_outcome::contended);
    EXPECT_EQ(slots[0].word.value, message);
    EXPECT_EQ(hand.value, (hand_word{9, hold::spare}.pack()));
    EXPECT_EQ(intent.value, 0U);
    EXPECT_LE(committed[1].tries, lane_budget(capacity));
}

} // namespace
} // namespace hawser::sync
