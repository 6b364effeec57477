// A participant that is stopped between its CAS and its hint, for long, and then goes on.

#include <array>
#include <atomic>
#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "sync/exchange_ring.hpp"

namespace hawser::sync {
namespace {

std::function<void()> stopped_here; // once, after the next CAS that succeeds

// Lets others run where a process would be stopped.
template <typename T>
class stoppable : public std::atomic<T> {
  public:
    using std::atomic<T>::atomic;
    bool compare_exchange_strong(T& expected, T wanted) {
        const bool done = std::atomic<T>::compare_exchange_strong(expected, wanted);
        if (done && stopped_here) std::exchange(stopped_here, nullptr)();
        return done;
    }
};

constexpr std::uint32_t capacity = 2;
constexpr std::uint32_t members = 3;

class exchange_ring_hint : public testing::Test {
  protected:
    exchange_ring_hint() {
        for (std::uint32_t i = 0; i < capacity; ++i)
            slots_[i].word.store(slot_word{0, i, no_owner, false}.pack());
        for (std::uint32_t i = 0; i < members; ++i) chunk_[i] = capacity + i;
        lane_ = {slots_.data(),
                 committed_.data(),
                 taken_.data(),
                 &head_hint_,
                 &tail_hint_,
                 capacity,
                 1,
                 capacity + members,
                 members};
    }

    ring_outcome exchange(std::uint32_t who, cursor& at, intent_kind kind) {
        const participant_memory<stoppable> self{&intents_[who], &positions_[who], &hands_[who],
                                                 who + 1, 1};
        const auto said = try_exchange(lane_, self, at, {kind, 0, 0, chunk_[who], nullptr});
        if (said.outcome == ring_outcome::done) chunk_[who] = said.chunk;
        return said.outcome;
    }
    void pass(std::uint64_t messages) {
        for (std::uint64_t i = 0; i < messages; ++i) {
            ASSERT_EQ(exchange(0, tail_, intent_kind::send), ring_outcome::done);
            ASSERT_EQ(exchange(1, head_, intent_kind::receive), ring_outcome::done);
        }
    }

    std::array<ring_slot<stoppable>, capacity> slots_{};
    std::array<stoppable<std::uint64_t>, members> committed_{}, taken_{}, intents_{}, positions_{},
        hands_{};
    stoppable<std::uint64_t> head_hint_{0}, tail_hint_{0};
    std::array<std::uint32_t, members> chunk_{};
    lane_memory<stoppable> lane_;
    cursor tail_, head_;
};

constexpr std::uint64_t many = 100'000;

TEST_F(exchange_ring_hint, a_stopped_receiver_does_not_set_it_back) {
    cursor stopped;
    ASSERT_EQ(exchange(0, tail_, intent_kind::send), ring_outcome::done);
    stopped_here = [this] { pass(many); };
    ASSERT_EQ(exchange(2, stopped, intent_kind::receive), ring_outcome::done);
    EXPECT_GE(head_hint_.load() + capacity, many);

    // So a newcomer finds the next message at once.
    ASSERT_EQ(exchange(0, tail_, intent_kind::send), ring_outcome::done);
    cursor newcomer;
    newcomer.jump(head_hint_.load(), capacity);
    EXPECT_EQ(exchange(2, newcomer, intent_kind::receive), ring_outcome::done);
}

TEST_F(exchange_ring_hint, a_stopped_sender_does_not_set_it_back) {
    cursor stopped;
    stopped_here = [this] {
        ASSERT_EQ(exchange(1, head_, intent_kind::receive), ring_outcome::done);
        pass(many);
    };
    ASSERT_EQ(exchange(2, stopped, intent_kind::send), ring_outcome::done);
    EXPECT_GE(tail_hint_.load() + capacity, many);
    cursor newcomer;
    newcomer.jump(tail_hint_.load(), capacity);
    EXPECT_EQ(exchange(2, newcomer, intent_kind::send), ring_outcome::done);
}

} // namespace
} // namespace hawser::sync
