// Kills an operation of the exchange ring before each of its atomic steps, lets others act before
// and after, repairs – killing the repair, too – and looks whether every chunk is in one place and
// every message was delivered once. The code that runs is the shipped template; only the atomic
// type differs: it counts its uses and leaves by longjmp at a chosen one, as a kill would.
#include "sync/exchange_ring.hpp"

#include <array>
#include <atomic>
#include <csetjmp>
#include <cstdio>
#include <limits>
#include <string>

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

constexpr long never = std::numeric_limits<long>::max();

class world;

// Who is watched, how far it gets, and what happens on the way.
struct director {
    bool watching = false; // the victim, or a repairer that may die, is running
    long steps = 0;
    long die_at = never;
    long interrupt_at = never;
    int interruption = 0;
    world* others = nullptr;
    bool fail_weakly = false;  // each other weak CAS fails for no reason
    bool slot_changed = false; // the victim's CAS on a slot succeeded
    std::jmp_buf grave;
};
director stage;

void step() noexcept;

template <typename T>
class mortal {
  public:
    T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
        step();
        return value_;
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        step();
        value_ = value;
    }
    // Only slots are exchanged so.
    bool compare_exchange_strong(T& expected, T desired) noexcept {
        step();
        if (value_ != expected) {
            expected = value_;
            return false;
        }
        value_ = desired;
        if (stage.watching) stage.slot_changed = true;
        return true;
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order,
                               std::memory_order) noexcept {
        step();
        stage.fail_weakly = !stage.fail_weakly;
        if (value_ != expected || stage.fail_weakly) {
            expected = value_;
            return false;
        }
        value_ = desired;
        return true;
    }
    // For the test itself.
    T peek() const noexcept { return value_; }
    void put(T value) noexcept { value_ = value; }

  private:
    T value_{};
};

constexpr std::uint32_t victim = 0;
constexpr std::uint32_t other_sender = 1;
constexpr std::uint32_t other_receiver = 2;
constexpr std::uint32_t participants = 3;
constexpr std::uint32_t loans = 2;
constexpr std::uint32_t victims_hand = 1;
constexpr std::uint32_t most_capacity = 3;
constexpr std::uint32_t most_chunks = most_capacity + participants * loans;
constexpr std::size_t most_ids = 200;

// What others may do while the victim is at it, and after it died.
enum interruption : int {
    nothing,
    receive_one,
    send_one,
    replace_one, // makes room, and fills it
    drain,
    fill,
    whole_turns, // every slot is stamped anew, twice
    interruptions,
};

// A mailbox with a victim and two who live, all in one thread.
class world {
  public:
    explicit world(std::uint32_t capacity) : capacity_(capacity) {
        for (std::uint32_t i = 0; i < capacity; ++i)
            slots_[i].word.put(slot_word{0, i, no_owner, false}.pack());
        for (std::uint32_t i = 0; i < participants * loans; ++i)
            hands_[i].put(hand_word{capacity + i, hold::spare}.pack());
    }

    lane_memory<mortal> lane() {
        lane_memory<mortal> made;
        made.slots = slots_.data();
        made.committed = committed_.data();
        made.taken = taken_.data();
        made.head_hint = &head_hint_;
        made.tail_hint = &tail_hint_;
        made.capacity = capacity_;
        made.chunks = capacity_ + participants * loans;
        made.participants = participants;
        return made;
    }
    participant_memory<mortal> who(std::uint32_t slot) {
        return {&intents_[slot], &positions_[slot], &hands_[slot * loans], slot + 1, loans};
    }
    hand_word hand(std::uint32_t slot, std::uint32_t i) const {
        return hand_word::unpack(hands_[slot * loans + i].peek());
    }
    void set_spare(std::uint32_t slot, std::uint32_t i) {
        hands_[slot * loans + i].put(hand_word{hand(slot, i).chunk, hold::spare}.pack());
    }
    bool intent_is_clear() const { return intents_[victim].peek() == 0; }

    // One operation of whoever lives. True if it was done.
    bool send(std::uint32_t self) {
        const std::uint32_t chunk = hand(self, 0).chunk;
        const std::size_t id = write_message(chunk);
        if (exchange(self, intent_kind::send, 0).outcome != ring_outcome::done) return false;
        ++sent[id];
        return true;
    }
    bool receive(std::uint32_t self) {
        const auto got = exchange(self, intent_kind::receive, 0);
        if (got.outcome != ring_outcome::done) return false;
        EXPECT_EQ(sequence_[got.chunk].peek(), got.position);
        EXPECT_EQ(hand(self, 0).kind, hold::message);
        ++delivered[content_[got.chunk]];
        set_spare(self, 0);
        return true;
    }
    exchanged exchange(std::uint32_t self, intent_kind kind, std::uint32_t i) {
        const std::uint32_t chunk = hand(self, i).chunk;
        const bool sending = kind == intent_kind::send;
        return try_exchange(lane(), who(self), (sending ? tails_ : heads_)[self],
                            {kind, 0, i, chunk, sending ? &sequence_[chunk] : nullptr});
    }
    std::size_t write_message(std::uint32_t chunk) { return content_[chunk] = ++last_id_; }
    std::size_t message_in(std::uint32_t chunk) const { return content_[chunk]; }

    void act(int what) {
        switch (what) {
        case receive_one:
            receive(other_receiver);
            break;
        case send_one:
            send(other_sender);
            break;
        case replace_one:
            receive(other_receiver);
            send(other_sender);
            break;
        case drain:
            while (receive(other_receiver)) {
            }
            break;
        case fill:
            while (send(other_sender)) {
            }
            break;
        case whole_turns:
            for (std::uint32_t i = 0; i < 2 * capacity_; ++i) {
                receive(other_receiver);
                send(other_sender);
            }
            break;
        default:
            break;
        }
    }

    bool every_chunk_is_in_one_place() const {
        std::array<int, most_chunks> places{};
        for (std::uint32_t i = 0; i < capacity_; ++i)
            ++places[slot_word::unpack(slots_[i].word.peek()).chunk];
        for (const auto& entry : hands_) ++places[hand_word::unpack(entry.peek()).chunk];
        for (std::uint32_t chunk = 0; chunk < capacity_ + participants * loans; ++chunk)
            if (places[chunk] != 1) return false;
        return true;
    }

    std::array<int, most_ids> sent{}; // how often, by message
    std::array<int, most_ids> delivered{};

  private:
    std::uint32_t capacity_;
    std::array<ring_slot<mortal>, most_capacity> slots_{};
    std::array<mortal<std::uint64_t>, participants> committed_{};
    std::array<mortal<std::uint64_t>, participants> taken_{};
    std::array<mortal<std::uint64_t>, std::size_t{participants} * loans> hands_{};
    std::array<mortal<std::uint64_t>, participants> intents_{};
    std::array<mortal<std::uint64_t>, participants> positions_{};
    mortal<std::uint64_t> head_hint_{};
    mortal<std::uint64_t> tail_hint_{};
    std::array<cursor, participants> tails_{};
    std::array<cursor, participants> heads_{};
    std::array<std::size_t, most_chunks> content_{};
    std::array<mortal<std::uint64_t>, most_chunks> sequence_{};
    std::size_t last_id_ = 0;
};

// Before each atomic step of whoever is watched.
void step() noexcept {
    if (!stage.watching) return;
    if (stage.steps == stage.interrupt_at) {
        stage.watching = false;
        stage.others->act(stage.interruption);
        stage.watching = true;
    }
    if (stage.steps == stage.die_at) {
        stage.watching = false;
        std::longjmp(stage.grave, 1);
    }
    ++stage.steps;
}

// Runs what is watched. False if it died on the way.
template <typename Act>
bool outlives(long die_at, const Act& act) {
    stage.steps = 0;
    stage.die_at = die_at;
    if (setjmp(stage.grave) != 0) return false;
    stage.watching = true;
    act();
    stage.watching = false;
    return true;
}

// How a case came to be, what the victim does, and where everybody dies.
struct scenario {
    std::uint32_t capacity = 1;
    std::uint32_t before = 0;   // messages that went through before
    bool victim_before = false; // passed by the victim: the old stamps are its own
    std::uint32_t waiting = 0;  // messages in the lane
    intent_kind kind = intent_kind::send;
    int during = nothing;
    long during_at = never;
    long die_at = never;
    int after = nothing;
    long repairer_dies_at = never;

    [[nodiscard]] std::string text() const {
        const auto number = [](auto value) { return std::to_string(static_cast<long>(value)); };
        return "capacity " + number(capacity) + ", before " + number(before) +
               (victim_before ? " by the victim" : "") + ", waiting " + number(waiting) +
               ", kind " + number(kind) + ", during " + number(during) + " at " +
               number(during_at) + ", dies at " + number(die_at) + ", after " + number(after) +
               ", repairer dies at " + number(repairer_dies_at);
    }
};

struct ending {
    bool victim_finished = false;
    bool repairer_finished = false;
};

void make_past(world& all, const scenario& one) {
    const std::uint32_t sender = one.victim_before ? victim : other_sender;
    for (std::uint32_t i = 0; i < one.before; ++i) {
        all.send(sender);
        all.receive(one.victim_before ? victim : other_receiver);
    }
    for (std::uint32_t i = 0; i < one.waiting; ++i) all.send(sender);
}

bool repaired(world& all, long die_at) {
    return outlives(die_at, [&all] {
        repair(all.who(victim), [&all](std::uint32_t lane) {
            return lane == 0 ? all.lane() : lane_memory<mortal>{};
        });
    });
}

// After the repair the hand says what was done, and only what was done.
void expect_truth_in_hand(world& all, const scenario& one, const hand_word& given,
                          std::size_t own_message) {
    const hand_word held = all.hand(victim, victims_hand);
    EXPECT_TRUE(all.intent_is_clear());
    EXPECT_EQ(held.chunk != given.chunk, stage.slot_changed);
    const bool received = stage.slot_changed && one.kind == intent_kind::receive;
    EXPECT_EQ(held.kind, received ? hold::message : hold::spare);
    if (!stage.slot_changed) return;
    if (one.kind == intent_kind::send)
        ++all.sent[own_message];
    else // redelivered, or dropped: either way it is nowhere else
        ++all.delivered[all.message_in(held.chunk)];
    all.set_spare(victim, victims_hand);
}

ending play(const scenario& one) {
    world all(one.capacity);
    make_past(all, one);
    const hand_word given = all.hand(victim, victims_hand);
    const std::size_t own_message = all.write_message(given.chunk);
    stage.others = &all;
    stage.interruption = one.during;
    stage.interrupt_at = one.during_at;
    stage.fail_weakly = false;
    stage.slot_changed = false;

    ending end;
    end.victim_finished =
        outlives(one.die_at, [&] { all.exchange(victim, one.kind, victims_hand); });
    stage.interrupt_at = never;
    all.act(one.after);
    end.repairer_finished = repaired(all, one.repairer_dies_at);
    if (!end.repairer_finished) {
        all.act(one.after);
        repaired(all, never);
    }
    EXPECT_TRUE(all.every_chunk_is_in_one_place());
    expect_truth_in_hand(all, one, given, own_message);
    all.act(drain);
    EXPECT_EQ(all.sent, all.delivered) << "each message once";
    // It goes on as if nothing had been.
    all.act(whole_turns);
    all.act(drain);
    EXPECT_EQ(all.sent, all.delivered);
    EXPECT_TRUE(all.every_chunk_is_in_one_place());
    return end;
}

class Kill : public testing::TestWithParam<intent_kind> {
  protected:
    ending count_and_play(const scenario& one) {
        ++played_;
        const ending end = play(one);
        if (HasFailure()) ADD_FAILURE() << one.text();
        return end;
    }

    // Every way to die in one case, with everything that others may do before and after.
    void play_every_end(scenario one) {
        for (one.after = nothing; one.after < interruptions && !HasFailure(); ++one.after) {
            one.repairer_dies_at = never;
            for (one.die_at = 0; !count_and_play(one).victim_finished; ++one.die_at) {
            }
            if (one.during != nothing) continue;
            for (one.die_at = 0;; ++one.die_at) {
                bool finished = false;
                for (one.repairer_dies_at = 0;; ++one.repairer_dies_at) {
                    const ending end = count_and_play(one);
                    finished = end.victim_finished;
                    if (end.repairer_finished) break;
                }
                if (finished) break;
            }
        }
    }

    // Others come between at every step, too.
    void play_every_interruption(scenario one) {
        play_every_end(one);
        for (one.during = receive_one; one.during < interruptions; ++one.during) {
            for (one.during_at = 0; !HasFailure(); ++one.during_at) {
                one.die_at = one.during_at;
                one.after = nothing;
                if (count_and_play(one).victim_finished) break;
                play_every_end(one);
            }
        }
    }

    long played_ = 0;
};

TEST_P(Kill, AtEveryStepAndInEveryCompanyNothingIsLostOrDoubled) {
    scenario one;
    one.kind = GetParam();
    for (one.capacity = 1; one.capacity <= most_capacity; ++one.capacity) {
        for (one.before = 0; one.before <= 2 * one.capacity + 1; ++one.before) {
            for (one.waiting = 0; one.waiting <= one.capacity; ++one.waiting) {
                for (const bool victim_before : {false, true}) {
                    one.victim_before = victim_before;
                    play_every_interruption(one);
                    ASSERT_FALSE(HasFailure());
                }
            }
        }
    }
    std::printf("%ld deaths\n", played_);
    EXPECT_GT(played_, 10'000);
}

INSTANTIATE_TEST_SUITE_P(ExchangeRing, Kill,
                         testing::Values(intent_kind::send, intent_kind::receive,
                                         intent_kind::drop),
                         [](const auto& kind) -> std::string {
                             if (kind.param == intent_kind::send) return "Send";
                             return kind.param == intent_kind::receive ? "Receive" : "Drop";
                         });

} // namespace
} // namespace hawser::sync
