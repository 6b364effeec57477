#include "sync/event_word.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

using word_type = std::atomic<std::uint32_t>;

constexpr std::uint32_t flags = event_sleepers | event_bell;

// Notes each wake, and says how many slept as it is told.
struct noting_parker {
    int sleeping = 0;
    std::function<void(word_type&)> meanwhile = [](word_type&) {};
    std::vector<int> counts{};
    std::vector<std::uint32_t> values{}; // of the word at the moment of the wake

    int rings = 0;

    void ring() { ++rings; }
    int wake(word_type& word, int count) {
        counts.push_back(count);
        values.push_back(word.load());
        meanwhile(word);
        return std::min(sleeping, count);
    }
};

TEST(EventWord, ArmingRaisesTheGenerationAndSetsTheFlag) {
    for (const std::uint32_t before : {0U, 1U, 2U, 3U, 40U, 43U}) {
        for (const std::uint32_t flag : {event_sleepers, event_bell}) {
            word_type word{before};
            const std::uint32_t armed = *arm(word, flag);
            EXPECT_EQ(armed, (before + event_generation) | flag);
            EXPECT_EQ(word.load(), armed) << "what to sleep on is what the word is";
        }
    }
}

TEST(EventWord, TheGenerationWrapsWithoutTouchingTheFlags) {
    word_type word{~flags}; // the last generation, no flags
    EXPECT_EQ(arm(word, event_bell), event_bell);
    word.store(~0U);
    EXPECT_EQ(arm(word, event_sleepers), flags);
}

TEST(EventWord, WhereNobodyWaitsNotifyOneDoesNothing) {
    for (const std::uint32_t before : {0U, 4U, 0xffff'fffcU}) {
        word_type word{before};
        noting_parker parker;
        const notified did = notify_one(word, parker);
        EXPECT_FALSE(did.woke);
        EXPECT_FALSE(did.ring);
        EXPECT_EQ(word.load(), before) << "not even a write";
        EXPECT_TRUE(parker.counts.empty());
    }
}

TEST(EventWord, NotifyOneWakesOneAndLeavesTheFlagForTheOthers) {
    word_type word{40 | event_sleepers};
    noting_parker parker{2};
    const notified did = notify_one(word, parker);
    EXPECT_TRUE(did.woke);
    EXPECT_FALSE(did.ring);
    EXPECT_EQ(parker.counts, std::vector<int>{1});
    EXPECT_EQ(parker.values, std::vector<std::uint32_t>{44 | event_sleepers})
        << "the generation first: it sends back who is about to sleep";
    EXPECT_EQ(word.load(), 44 | event_sleepers);
}

TEST(EventWord, WhenNobodySleptTheFlagGoes) {
    word_type word{40 | event_sleepers};
    noting_parker parker{0};
    EXPECT_TRUE(notify_one(word, parker).woke);
    EXPECT_EQ(word.load(), 44U);
}

TEST(EventWord, TheFlagOfOneWhoArmedMeanwhileStays) {
    word_type word{40 | event_sleepers};
    noting_parker parker{0, [](word_type& at) { EXPECT_TRUE(arm(at, event_sleepers)); }};
    EXPECT_TRUE(notify_one(word, parker).woke);
    EXPECT_EQ(word.load(), 48 | event_sleepers);
}

// A notifier that is stopped on its way to the bell must not keep the next one from ringing it.
TEST(EventWord, TheBellStaysArmedUntilItHasRung) {
    struct looking_parker {
        word_type* word;
        std::uint32_t seen = 0;
        static int wake(const word_type&, int) { return 0; }
        void ring() { seen = word->load(); }
    };
    for (const bool all : {false, true}) {
        word_type word{40 | event_bell};
        looking_parker parker{&word};
        static_cast<void>(all ? notify_all(word, parker) : notify_one(word, parker));
        EXPECT_EQ(parker.seen, 44 | event_bell);
        EXPECT_EQ(word.load(), 44U);
    }
}

TEST(EventWord, TheBellIsRungOnceForEachArming) {
    word_type word{40 | event_bell};
    noting_parker parker{1};
    const notified did = notify_one(word, parker);
    EXPECT_FALSE(did.woke);
    EXPECT_TRUE(did.ring);
    EXPECT_TRUE(parker.counts.empty()) << "nobody sleeps";
    EXPECT_EQ(word.load(), 44U);
    EXPECT_FALSE(notify_one(word, parker).ring);
}

TEST(EventWord, BellAndSleepersAreBothServed) {
    word_type word{40 | flags};
    noting_parker parker{1};
    const notified did = notify_one(word, parker);
    EXPECT_TRUE(did.woke);
    EXPECT_TRUE(did.ring);
    EXPECT_EQ(word.load(), 44 | event_sleepers);
}

TEST(EventWord, NotifyAllWakesEveryoneAndClearsBothFlags) {
    for (const std::uint32_t armed : {0U, event_sleepers, event_bell, flags}) {
        word_type word{40 | armed};
        noting_parker parker{3};
        const notified did = notify_all(word, parker);
        EXPECT_EQ(did.woke, (armed & event_sleepers) != 0);
        EXPECT_EQ(did.ring, (armed & event_bell) != 0);
        EXPECT_EQ(word.load(), 44U);
        if (did.woke) {
            EXPECT_EQ(parker.counts, std::vector<int>{0x7fff'ffff});
        } else {
            EXPECT_TRUE(parker.counts.empty());
        }
    }
}

// What a futex does, made of a mutex and a condition: a queue, and each wake is for one in it.
class real_parker {
  public:
    void wait(const word_type& word, std::uint32_t expected) {
        std::unique_lock hold(mutex_);
        if (word.load() != expected) return;
        bool up = false;
        asleep_.push_back(&up);
        woken_.wait(hold, [&up] { return up; });
    }
    void ring() {}
    int wake(const word_type&, int count) {
        const std::lock_guard hold(mutex_);
        int woken = 0;
        for (; woken < count && !asleep_.empty(); ++woken) {
            *asleep_.front() = true;
            asleep_.pop_front();
        }
        woken_.notify_all();
        return woken;
    }

  private:
    std::mutex mutex_;
    std::condition_variable woken_;
    std::deque<bool*> asleep_;
};

// A lost wake-up leaves a thread asleep for ever: nothing here times out.
void wait_until(word_type& word, real_parker& parker, const std::function<bool()>& attempt) {
    while (!attempt()) {
        const std::uint32_t armed = *arm(word, event_sleepers); // so few never use the tries up
        if (attempt()) return;
        parker.wait(word, armed);
    }
}

TEST(EventWord, PingPongLosesNoWakeUp) {
    constexpr int rounds = 5'000;
    word_type word{0};
    real_parker parker;
    std::atomic<int> turn{0};
    const auto play = [&](int self) {
        for (int round = 0; round < rounds; ++round) {
            wait_until(word, parker, [&] { return turn.load() % 2 == self; });
            turn.fetch_add(1);
            notify_one(word, parker);
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_EQ(turn.load(), 2 * rounds);
}

TEST(EventWord, TwoSleepersAndTwoNotifiersLoseNoWakeUp) {
    constexpr int each = 5'000;
    word_type word{0};
    real_parker parker;
    std::atomic<int> there{0};
    std::atomic<int> taken{0};
    const auto produce = [&] {
        for (int i = 0; i < each; ++i) {
            there.fetch_add(1);
            notify_one(word, parker);
            if (i % 16 == 0) std::this_thread::yield();
        }
    };
    const auto take_one = [&] {
        int seen = there.load();
        while (seen > 0 && !there.compare_exchange_weak(seen, seen - 1)) {
        }
        return seen > 0;
    };
    const auto consume = [&] {
        for (int i = 0; i < each; ++i) {
            wait_until(word, parker, take_one);
            taken.fetch_add(1);
        }
    };
    std::vector<std::thread> all;
    all.emplace_back(produce);
    all.emplace_back(produce);
    all.emplace_back(consume);
    all.emplace_back(consume);
    for (std::thread& one : all) one.join();
    EXPECT_EQ(taken.load(), 2 * each);
    EXPECT_EQ(there.load(), 0);
}

} // namespace
} // namespace hawser::sync
