#include "segment/participant.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "os/lock.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::segment {
namespace {

using hawser::detail::lent_memory;

// An end point as far as this layer knows one.
class member {
  public:
    member(const std::string& name, const options& wanted, slot_state role)
        : self_(participant::join(name, wanted, role).value()) {}
    member(member&& other) noexcept : self_(std::exchange(other.self_, nullptr)), at_(other.at_) {}
    member& operator=(member&&) = delete;
    ~member() { retire(); }

    participant* operator->() const { return self_; }
    void retire() {
        if (participant* leaving = std::exchange(self_, nullptr)) leaving->retire();
    }

    // False if there is no memory for it, or the lane is full.
    bool send(std::string_view text) {
        const std::uint32_t hand = self_->claim_spare();
        EXPECT_NE(hand, participant::no_hand);
        const auto room = self_->make_room(hand, text.size());
        bool done = false;
        if (room && room->size() == text.size()) {
            std::memcpy(room->data(), text.data(), text.size());
            self_->set_length(hand, text.size());
            done = exchange<sync::intent_kind::send>(hand);
        }
        self_->return_spare(hand);
        return done;
    }
    // A message that stays in the hand until it is given back.
    std::optional<lent_memory> hold() {
        const std::uint32_t hand = self_->claim_spare();
        EXPECT_NE(hand, participant::no_hand);
        held_message got;
        if (!exchange<sync::intent_kind::receive>(hand)) {
            self_->return_spare(hand);
            return std::nullopt;
        }
        EXPECT_TRUE(self_->open_message(hand, at_.position - 1, got));
        return self_->lend(got.ticket, got.bytes);
    }
    std::optional<lent_memory> hold_adopted() {
        held_message got;
        self_->adopt_orphans();
        if (!self_->next_adopted(got)) return std::nullopt;
        EXPECT_TRUE(got.redelivered);
        return self_->lend(got.ticket, got.bytes);
    }
    std::string receive() {
        const auto got = hold();
        return got ? text_of(*got) : "nothing";
    }
    static std::string text_of(const lent_memory& memory) {
        return {reinterpret_cast<const char*>(memory.bytes().data()), memory.bytes().size()};
    }

  private:
    template <sync::intent_kind Kind>
    bool exchange(std::uint32_t hand) {
        const auto ring = self_->memory().ring(0);
        return self_->exchange<Kind>(ring, 0, at_, hand).outcome == sync::ring_outcome::done;
    }

    participant* self_;
    sync::cursor at_;
};

class Participant : public testing::Test {
  protected:
    Participant() {
        wanted_.capacity = 8;
        wanted_.participants = 4;
        wanted_.loans = 4;
    }
    ~Participant() override { test::sweep_left_over(); }

    member sender() { return {name_, wanted_, slot_state::sender}; }
    member receiver() { return {name_, wanted_, slot_state::receiver}; }
    static slot_state state_of(const member& who, std::uint32_t slot) {
        return static_cast<slot_state>(who->memory().record(slot).state.load());
    }
    static bool is_locked(const member& who, std::uint32_t slot) {
        return os::first_locked(who->fd(), lock_base + slot, 1) != os::none_locked;
    }
    // Every chunk in one place, every block free or of a message, no intent left.
    void expect_whole(const member& who) {
        const auto& memory = who->memory();
        const auto& plan = memory.plan();
        std::vector<int> places(plan.chunks);
        std::vector<bool> is_message(plan.chunks);
        const auto ring = memory.ring(0);
        for (std::uint32_t i = 0; i < ring.capacity; ++i) {
            const auto word = sync::slot_word::unpack(ring.slots[i].word.load());
            ++places[word.chunk];
            is_message[word.chunk] = word.full;
        }
        for (std::uint32_t slot = 0; slot < memory.slots_used(); ++slot) {
            EXPECT_EQ(memory.record(slot).intent.load(), 0U);
            for (std::uint32_t i = 0; i < memory.shape().loans; ++i) {
                const auto word = sync::hand_word::unpack(memory.record(slot).hand[i].load());
                ++places[word.chunk];
                if (word.kind == sync::hold::message) is_message[word.chunk] = true;
            }
        }
        EXPECT_EQ(std::ranges::count(places, 0),
                  (memory.shape().participants - memory.slots_used()) * memory.shape().loans);
        EXPECT_EQ(std::ranges::count_if(places, [](int n) { return n > 1; }), 0);
        for (std::uint32_t k = 0; k < plan.class_count; ++k) {
            if ((memory.head().classes_used.load() >> k & 1) == 0) continue;
            for (std::uint32_t i = 0; i < plan.classes[k].count; ++i) {
                const auto word = sync::block_word::unpack(memory.block_words(k)[i].load());
                EXPECT_TRUE(!word.owned || is_message[word.chunk]) << "class " << k << ", " << i;
            }
        }
    }

    std::string place_ = test::private_directory();
    std::string name_ = test::unique_name("participant");
    options wanted_;
};

// --- coming and going --------------------------------------------------------------------------

TEST_F(Participant, SlotsAreTakenAndGivenBack) {
    member first = sender();
    member second = receiver();
    member third = sender();
    const member fourth = receiver();
    EXPECT_EQ(first->slot(), 0U);
    EXPECT_EQ(second->slot(), 1U);
    EXPECT_EQ(third->slot(), 2U);
    EXPECT_EQ(fourth->slot(), 3U);
    EXPECT_EQ(state_of(fourth, 1), slot_state::receiver);
    EXPECT_TRUE(is_locked(fourth, 1));
    const auto refused = participant::join(name_, wanted_, slot_state::sender);
    EXPECT_TRUE(refused.is(errc::no_space));
    second.retire();
    EXPECT_EQ(state_of(fourth, 1), slot_state::free);
    EXPECT_FALSE(is_locked(fourth, 1));
    EXPECT_EQ(sender()->slot(), 1U);
    EXPECT_EQ(fourth->memory().head().sender_joins.load(), 3U);
    expect_whole(fourth);
}

TEST_F(Participant, TheLastOneRemovesAnEmptyMailbox) {
    {
        member one = sender();
        member two = receiver();
        one.retire();
        EXPECT_EQ(test::left_over().size(), 1U);
    }
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Participant, AMailboxWithAMessageStaysAndSoDoesOneThatIsToPersist) {
    EXPECT_TRUE(sender().send("left behind"));
    EXPECT_EQ(test::left_over().size(), 1U);
    EXPECT_FALSE(participant::tidy(name_).value());
    EXPECT_EQ(receiver().receive(), "left behind");
    EXPECT_TRUE(test::left_over().empty());
    EXPECT_TRUE(participant::tidy(name_).is(errc::not_found));

    wanted_.persist = true;
    sender();
    EXPECT_EQ(test::left_over().size(), 1U);
    EXPECT_FALSE(participant::tidy(name_).value());
}

TEST_F(Participant, WhatItLentKeepsItAlive) {
    member one = sender();
    member two = receiver();
    ASSERT_TRUE(one.send("a message"));
    std::optional<lent_memory> kept = two.hold();
    const std::uint32_t slot = two->slot();
    two.retire();
    EXPECT_EQ(state_of(one, slot), slot_state::receiver);
    EXPECT_EQ(member::text_of(*kept), "a message");
    std::thread([&] { kept.reset(); }).join();
    EXPECT_EQ(state_of(one, slot), slot_state::free);
    expect_whole(one);
}

TEST_F(Participant, TwoThatLeaveAtOnceLeaveNothingBehind) {
    for (int round = 0; round < 300; ++round) {
        name_ = test::unique_name("leaving");
        member one = sender();
        member two = receiver();
        std::thread other([&] { one.retire(); });
        two.retire();
        other.join();
        ASSERT_TRUE(test::left_over().empty()) << "round " << round;
    }
}

TEST_F(Participant, ManyThatComeAndGoAtOnceLeaveNothingBehind) {
    wanted_.participants = 2; // some are refused
    const auto visit = [&] {
        for (int round = 0; round < 150; ++round) {
            const auto joined = participant::join(name_, wanted_, slot_state::receiver);
            if (joined)
                (*joined)->retire();
            else
                EXPECT_EQ(joined.why().code(), errc::no_space) << joined.why().describe();
        }
    };
    std::vector<std::thread> visitors;
    for (int i = 0; i < 4; ++i) visitors.emplace_back(visit);
    for (std::thread& one : visitors) one.join();
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Participant, AHandIsAsLargeAsItIs) {
    member one = sender();
    for (std::uint32_t i = 0; i < *wanted_.loans; ++i) EXPECT_EQ(one->claim_spare(), i);
    EXPECT_EQ(one->claim_spare(), participant::no_hand);
    one->return_spare(2);
    EXPECT_EQ(one->claim_spare(), 2U);
}

// --- the dead ----------------------------------------------------------------------------------

TEST_F(Participant, IsToldWhenTheNameWentWithoutAWord) {
    const member one = receiver();
    const member other = sender();
    ASSERT_EQ(::unlink((directory() + "/" + file_prefix + name_).c_str()), 0);
    EXPECT_FALSE(one->removed());
    one->census();
    EXPECT_TRUE(one->removed());
    EXPECT_TRUE(other->removed()) << "all are told";
}

class Dead : public Participant {
  protected:
    void SetUp() override {
        if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    }
    // A process that joined in this role, did something, and was killed at it.
    template <typename Act>
    void kill_one(slot_state role, const Act& act) {
        const test::beacon ready;
        const test::beacon never_raised;
        test::child one("the dead", [&] {
            member self(name_, wanted_, role);
            act(self, [&] {
                ready.raise();
                never_raised.wait();
            });
        });
        ready.wait();
        one.kill();
    }
    // The same with a message of each text in its hand.
    void kill_receiver_of(const std::vector<std::string>& texts) {
        kill_one(slot_state::receiver, [&](member& self, const auto& die) {
            member source = sender();
            std::vector<std::optional<lent_memory>> held;
            for (const std::string& text : texts) {
                EXPECT_TRUE(source.send(text));
                held.push_back(self.hold());
            }
            die();
        });
    }
};

TEST_F(Dead, TheCensusFreesTheSlotOfADeadSender) {
    kill_one(slot_state::sender, [](member& self, const auto& die) {
        EXPECT_TRUE(self.send("its last"));
        EXPECT_NE(self->claim_spare(), participant::no_hand);
        die();
    });
    wanted_.participants.reset();
    member living = receiver();
    EXPECT_EQ(living->slot(), 1U) << "one that nobody has comes before the dead one's";
    EXPECT_EQ(state_of(living, 0), slot_state::sender);
    EXPECT_TRUE(living->sender_present());
    const auto before = living->memory().head().membership.load();
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::free);
    EXPECT_FALSE(living->sender_present());
    EXPECT_FALSE(is_locked(living, 0));
    EXPECT_NE(living->memory().head().membership.load(), before);
    EXPECT_EQ(counters_of(living->memory().record(0)).reaped, 1U);
    EXPECT_EQ(living.receive(), "its last");
    expect_whole(living);
    living->census();
    EXPECT_EQ(counters_of(living->memory().record(0)).reaped, 1U) << "once";
}

TEST_F(Dead, TheStoppedAreNotDead) {
    const test::beacon ready;
    const test::beacon never_raised;
    test::child one("the stopped", [&] {
        const member self = sender();
        ready.raise();
        never_raised.wait();
    });
    ready.wait();
    one.stop();
    const member living = receiver();
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::sender);
    one.kill();
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::free);
}

TEST_F(Dead, ASlotOfTheDeadIsTakenWhenThereIsNoOther) {
    wanted_.participants = 1;
    kill_one(slot_state::sender, [](member&, const auto& die) { die(); });
    const member living = sender();
    EXPECT_EQ(living->slot(), 0U);
    expect_whole(living);
}

TEST_F(Dead, AReceiverAdoptsTheMessagesOfADeadOne) {
    kill_receiver_of({"one", std::string(3000, 'x')});
    member living = receiver();
    EXPECT_EQ(living->memory().held_by(0), 2U);
    auto first = living.hold_adopted();
    auto second = living.hold_adopted();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(member::text_of(*first), "one");
    EXPECT_EQ(member::text_of(*second), std::string(3000, 'x'));
    EXPECT_FALSE(living.hold_adopted());
    EXPECT_TRUE(is_locked(sender(), 0)) << "its lock is the adopter's";
    EXPECT_EQ(state_of(living, 0), slot_state::receiver);
    first.reset();
    EXPECT_EQ(state_of(living, 0), slot_state::receiver);
    std::thread([&] { second.reset(); }).join();
    EXPECT_EQ(state_of(living, 0), slot_state::free);
    EXPECT_FALSE(is_locked(living, 0));
    living->census();
    expect_whole(living);
}

TEST_F(Dead, ASenderLeavesTheMessagesForAReceiver) {
    kill_receiver_of({"one", "two"});
    member living = sender();
    const auto epoch = living->memory().head().orphans.load();
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::orphaned);
    EXPECT_FALSE(is_locked(living, 0));
    EXPECT_NE(living->memory().head().orphans.load(), epoch);
    member heir = receiver();
    EXPECT_NE(heir->slot(), 0U);
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "one");
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "two");
    EXPECT_FALSE(heir.hold_adopted());
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::free);
    expect_whole(living);
}

TEST_F(Dead, AnAdopterThatLeavesHandsOnWhatItDidNotDeliver) {
    kill_receiver_of({"one", "two"});
    {
        member passing = receiver();
        EXPECT_EQ(member::text_of(*passing.hold_adopted()), "one");
    }
    EXPECT_EQ(test::left_over().size(), 1U) << "a message waits";
    member heir = receiver();
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "two");
    EXPECT_FALSE(heir.hold_adopted());
    heir.retire();
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Dead, AnAdopterThatDiesIsAdoptedItself) {
    kill_receiver_of({"one", "two"});
    kill_one(slot_state::receiver, [](member& self, const auto& die) {
        const auto held = self.hold_adopted();
        EXPECT_TRUE(held);
        die();
    });
    member heir = receiver();
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "one");
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "two");
    EXPECT_FALSE(heir.hold_adopted());
    heir->census();
    expect_whole(heir);
}

TEST_F(Dead, TheOnlySlotMayBeTheDeadReceivers) {
    kill_receiver_of({"one"});
    // All others are taken; the heir can only be whom it inherits from.
    const member a = sender();
    const member b = sender();
    const member c = sender();
    member heir = receiver();
    EXPECT_EQ(heir->slot(), 0U);
    EXPECT_EQ(member::text_of(*heir.hold_adopted()), "one");
    EXPECT_FALSE(heir.hold_adopted());
    EXPECT_EQ(heir.receive(), "nothing");
    expect_whole(a);
}

TEST_F(Dead, AtMostOnceCountsThemAsLost) {
    wanted_.delivery = delivery_policy::at_most_once;
    kill_receiver_of({"one", std::string(3000, 'x')});
    member living = receiver();
    living->census();
    EXPECT_EQ(state_of(living, 0), slot_state::free);
    EXPECT_EQ(counters_of(living->memory().record(0)).lost, 2U);
    EXPECT_FALSE(living.hold_adopted());
    expect_whole(living);
}

TEST_F(Dead, ABlockOfAMessageThatWasNeverSentIsFreed) {
    kill_one(slot_state::sender, [](member& self, const auto& die) {
        const std::uint32_t hand = self->claim_spare();
        EXPECT_EQ(self->make_room(hand, 100'000)->size(), 100'000U);
        die();
    });
    const member living = sender();
    living->census();
    expect_whole(living);
}

TEST_F(Dead, TidyRepairsAndRemovesWhatNobodyNeeds) {
    kill_one(slot_state::sender, [](member&, const auto& die) { die(); });
    EXPECT_EQ(test::left_over().size(), 1U);
    EXPECT_TRUE(participant::tidy(name_).value());
    EXPECT_TRUE(test::left_over().empty());

    kill_receiver_of({"one"});
    EXPECT_FALSE(participant::tidy(name_).value()) << "a message waits for a receiver";
    EXPECT_EQ(member::text_of(*receiver().hold_adopted()), "one");
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Dead, AForkChildHasNoPartInIt) {
    member one = sender();
    test::child("child", [&] {
        EXPECT_FALSE(one->usable());
        one.retire();
    }).end_well();
    EXPECT_TRUE(one->usable());
    EXPECT_TRUE(one.send("still there"));
    EXPECT_EQ(test::left_over().size(), 1U);
}

// --- blocks ------------------------------------------------------------------------------------

class Blocks : public Participant {
  protected:
    static constexpr std::uint64_t block = 64 * 1024;

    Blocks() {
        wanted_.max_message = 4 * block;
        wanted_.max_memory = 4 * block;
    }
    std::uint64_t memory_bytes() const {
        return os::status_of(path_of(name_).value())->memory_bytes;
    }
    static std::string text(std::uint64_t size) { return std::string(size, 'b'); }
};

TEST_F(Blocks, MaxMemoryIsTheLimitAndReleaseMakesRoom) {
    member one = sender();
    member two = receiver();
    const std::uint64_t before = memory_bytes();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(one.send(text(block)));
    EXPECT_FALSE(one.send(text(block)));
    EXPECT_FALSE(one.send(text(225))) << "also a small one needs a block";
    EXPECT_TRUE(one.send(text(224))) << "and a smaller one none";
    const std::uint64_t words = 8 * os::page_bytes();
    EXPECT_LE(memory_bytes(), before + 4 * block + words);
    EXPECT_GE(memory_bytes(), before + 4 * block);
    auto held = two.hold();
    EXPECT_FALSE(one.send(text(block))) << "held is not free";
    held.reset();
    EXPECT_TRUE(one.send(text(block)));
    expect_whole(one);
}

TEST_F(Blocks, FreeBlocksOfOtherSizesAreGivenBackToMakeRoom) {
    member one = sender();
    member two = receiver();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(one.send(text(block)));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(two.receive(), text(block));
    const std::uint64_t full = memory_bytes();
    EXPECT_TRUE(one.send(text(4 * block)));
    EXPECT_LE(memory_bytes(), full + 2 * os::page_bytes()) << "the new one's words, at most";
    EXPECT_EQ(two.receive(), text(4 * block));
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(one.send(text(block)));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(two.receive(), text(block));
    expect_whole(one);
}

TEST_F(Blocks, AFullFileSystemIsNoSpaceAndNothingIsLost) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const test::shared<bool> mounted;
    test::child("in a small place", [&] {
        if (::unshare(CLONE_NEWNS) != 0) return;
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
        if (::mount("tmpfs", place_.c_str(), "tmpfs", 0, "size=1m") != 0) return;
        *mounted = true;
        wanted_.max_memory = 64 * block;
        {
            member one = sender();
            member two = receiver();
            int sent = 0;
            while (sent < 8 && one.send(text(2 * block))) ++sent;
            EXPECT_GT(sent, 0);
            EXPECT_LT(sent, 8);
            const std::uint32_t hand = one->claim_spare();
            const auto refused = one->make_room(hand, 2 * block);
            EXPECT_TRUE(refused.is(errc::no_space));
            one->return_spare(hand);
            for (int i = 0; i < sent; ++i) EXPECT_EQ(two.receive(), text(2 * block));
            expect_whole(one);
            EXPECT_TRUE(one.send(text(2 * block))) << "what was freed can be used again";
            EXPECT_EQ(two.receive(), text(2 * block));
        }
        EXPECT_TRUE(test::left_over().empty());
        wanted_.capacity = 10'000; // 3 MiB
        EXPECT_TRUE(participant::join(name_, wanted_, slot_state::sender).is(errc::no_space));
        EXPECT_TRUE(test::left_over().empty());
        ::umount(place_.c_str());
    }).end_well();
    if (!*mounted) GTEST_SKIP() << "needs the right to mount in a namespace of its own";
}

} // namespace
} // namespace hawser::segment
