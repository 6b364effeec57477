// trust=none from the outside: mailboxes whose participants may do anything to the memory.
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "os/clock.hpp"
#include "segment/handout.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/unix_peer.hpp"

namespace hawser {
namespace {

using test::raw::text_or_code;

template <typename T>
std::string code_of(const result<T>& outcome) {
    return outcome ? "" : std::string(name_of(outcome.why().code()));
}

class Trust : public testing::Test {
  protected:
    ~Trust() override {
        EXPECT_EQ(test::left_over(), std::vector<std::string>{}) << "the test left this behind";
        test::sweep_left_over();
    }

    [[nodiscard]] std::string address(std::string_view more = "") const {
        return "shm:" + name_ + "?trust=none" + std::string(more);
    }
    [[nodiscard]] sender open_sender(std::string_view more = "") const {
        return sender::open(address(more)).value();
    }
    [[nodiscard]] receiver open_receiver(std::string_view more = "") const {
        return receiver::open(address(more)).value();
    }
    // The memory, as any peer may have it.
    [[nodiscard]] os::fork_guard memory() const {
        return segment::fetch(path_, {}, os::access_kind::read_write,
                              os::monotonic_ns() + 60'000'000'000)
            .value();
    }

    std::string place_ = test::private_directory();
    std::string name_ = test::unique_name("trust");
    std::string path_ = place_ + "/hawser." + name_;
};

// A peer's mapping of the whole memory.
class scribbler {
  public:
    explicit scribbler(const os::fork_guard& memory)
        : size_(os::status_of(memory.get())->bytes),
          at_(static_cast<unsigned char*>(
              ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, memory.get(), 0))) {}
    ~scribbler() { ::munmap(at_, size_); }
    scribbler(const scribbler&) = delete;
    scribbler& operator=(const scribbler&) = delete;

    // Every place that holds this text is overwritten; how many there are.
    unsigned replace(std::string_view text, char by) {
        unsigned found = 0;
        auto* const end = at_ + size_;
        for (auto* from = at_;;) {
            auto* const seen = static_cast<unsigned char*>(
                ::memmem(from, static_cast<std::size_t>(end - from), text.data(), text.size()));
            if (seen == nullptr) return found;
            std::memset(seen, by, text.size());
            ++found;
            from = seen + text.size();
        }
    }

  private:
    std::size_t size_;
    unsigned char* at_;
};

constexpr const char* small = "&max_message=16KiB&max_memory=64KiB&capacity=8&participants=4";

TEST_F(Trust, AMessageIsACopyThatNobodyElseCanChange) {
    auto in = open_receiver(small);
    auto out = open_sender();
    const auto shared = memory();
    scribbler other(shared);
    const std::string large(9000, 'L');
    for (const std::string& text : {std::string("a short one, but not too short"), large}) {
        out.send(text).value();
        const auto got = in.receive().value();
        EXPECT_EQ(other.replace(text, '!'), 1U) << "it was the memory of all";
        EXPECT_EQ(got.text(), text);
    }
    out.send("").value();
    EXPECT_EQ(in.receive().value().size(), 0U);
}

TEST_F(Trust, AMessageCountsAsTakenUntilItsCopyIsDestroyed) {
    auto in = open_receiver("&loans=2");
    auto out = open_sender();
    for (const char* text : {"1", "2", "3"}) out.send(text).value();
    auto first = in.receive().value();
    const auto second = in.receive().value();
    EXPECT_EQ(code_of(in.try_receive()), "no_space") << "loans";
    EXPECT_EQ(inspect_mailbox(address()).value().held, 2U);
    first.release();
    EXPECT_EQ(text_or_code(in.try_receive()), "3");
    in.close();
    EXPECT_EQ(second.text(), "2") << "it outlives its receiver";
}

TEST_F(Trust, WhatAKilledReceiverHadComesAgain) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    auto out = open_sender();
    const test::beacon taken;
    test::child victim("receiver", [&] {
        auto in = open_receiver();
        const auto got = in.receive().value();
        taken.raise();
        static_cast<void>(in.receive());
    });
    out.send("precious").value();
    taken.wait();
    victim.kill();
    auto in = open_receiver();
    const auto again = in.receive().value();
    EXPECT_EQ(again.text(), "precious");
    EXPECT_TRUE(again.redelivered());
}

TEST_F(Trust, LifeGoesOnWithoutTheHost) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    const test::beacon here;
    test::child host("host", [&] {
        auto in = open_receiver();
        here.raise();
        static_cast<void>(in.receive());
        static_cast<void>(in.receive_for(std::chrono::hours(1)));
    });
    here.wait();
    auto out = open_sender();
    auto in = open_receiver();
    host.kill();
    for (int i = 0; i < 3000; ++i) { // more than fit, so that the ring wraps
        out.send(std::to_string(i)).value();
        ASSERT_EQ(text_or_code(in.receive()), std::to_string(i));
    }
    EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::dead);
    out.close();
    EXPECT_EQ(code_of(in.receive()), "closed");
    // The name is free for another one, without anybody's help.
    auto next = open_receiver();
    auto other = open_sender();
    other.send("anew").value();
    EXPECT_EQ(text_or_code(next.receive()), "anew");
}

// Nobody gets at the memory to tell those inside, so the one who removes is told.
TEST_F(Trust, RemovingTheNameOfAStoppedHostSaysWhomItCouldNotTell) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    const test::beacon here;
    test::child host("host", [&] {
        auto in = open_receiver();
        here.raise();
        static_cast<void>(in.receive_for(std::chrono::hours(1)));
    });
    here.wait();
    host.stop();
    const auto removed = remove_mailbox(address(), removal::by_force);
    EXPECT_EQ(code_of(removed), "timed_out");
    EXPECT_EQ(::access(path_.c_str(), F_OK), -1);
    host.go_on();
    host.kill();
}

TEST_F(Trust, HostsThatAreKilledAtAnyMomentHoldNobodyUp) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    for (int round = 0; round < 25; ++round) {
        const test::beacon start;
        test::child victim("host", [&] {
            start.raise();
            for (;;) {
                auto in = receiver::open(address(small));
                auto out = sender::open(address());
                if (in && out) static_cast<void>(out->try_send("x"));
            }
        });
        start.wait();
        for (int i = 0; i < round * 5; ++i) std::this_thread::yield();
        victim.kill();
        auto in = receiver::open(address(small));
        ASSERT_TRUE(in) << round << ": " << in.why().describe();
        auto out = sender::open(address());
        ASSERT_TRUE(out) << round << ": " << out.why().describe();
        out->send("after the storm").value();
        EXPECT_EQ(text_or_code(in->receive()), "after the storm") << round;
    }
    collect_garbage().value();
}

TEST_F(Trust, WhoOpensAtOnceMeetsInOneMailbox) {
    constexpr unsigned racers = 6;
    for (int round = 0; round < 10; ++round) {
        if (round % 2 == 0) {
            const test::raw::peer dead(SOCK_STREAM);
            ASSERT_EQ(dead.bind(path_), 0);
        }
        std::vector<std::optional<sender>> all(racers);
        std::vector<std::thread> threads;
        for (auto& mine : all) threads.emplace_back([&] { mine = open_sender(); });
        for (auto& thread : threads) thread.join();
        EXPECT_EQ(inspect_mailbox(address()).value().participants.size(), racers);
    }
}

// Seals don't stop that: all that was there is zero then.
TEST_F(Trust, ZeroesInPlaceOfTheMemoryAreSurvived) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    test::child using_it("users", [&] {
        auto in = open_receiver(small);
        auto out = open_sender();
        const auto shared = memory();
        const auto bytes = static_cast<off_t>(os::status_of(shared.get())->bytes);
        for (int i = 0; i < 200; ++i) {
            // What they say is of no importance; that they come back is.
            static_cast<void>(out.try_send(std::string(static_cast<std::size_t>(i) * 60, 'x')));
            if (i % 3 == 0) {
                ASSERT_EQ(
                    ::fallocate(shared.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes),
                    0);
            }
            static_cast<void>(out.send_for("y", std::chrono::milliseconds(1)));
            static_cast<void>(in.receive_for(std::chrono::milliseconds(1)));
            static_cast<void>(in.fd());
            static_cast<void>(inspect_mailbox(address()));
            if (i % 10 == 0) static_cast<void>(receiver::open(address()));
        }
    });
    EXPECT_TRUE(using_it.end_well());
    collect_garbage().value();
}

TEST_F(Trust, NobodyCanCutItShort) {
    auto in = open_receiver();
    auto out = open_sender();
    const auto shared = memory();
    EXPECT_EQ(::ftruncate(shared.get(), 0), -1);
    EXPECT_EQ(errno, EPERM);
    out.send("still there").value();
    EXPECT_EQ(text_or_code(in.receive()), "still there");
}

TEST_F(Trust, WhatDoesNotGoTogetherIsRefused) {
    EXPECT_EQ(code_of(sender::open(address("&persist=yes"))), "invalid_argument");
    EXPECT_EQ(code_of(sender::open(address("&host=no-such-user-here"))), "invalid_argument");
    EXPECT_EQ(code_of(sender::open("shm:" + name_ + "?host=root")), "invalid_argument");
    EXPECT_EQ(code_of(sender::open(address("&create=open"))), "not_found");
    EXPECT_EQ(code_of(sender::open("udp://127.0.0.1:9?host=root")), "unsupported");
    // Another user's mailbox is joined, not made.
    EXPECT_EQ(code_of(sender::open(address("&host=54321"))), "not_found");
    EXPECT_EQ(code_of(sender::open(address("&host=54321&create=create"))), "invalid_argument");
    const std::string longest = "shm:" + std::string(108 - place_.size(), 'n') + "?trust=none";
    const auto refused = sender::open(longest);
    EXPECT_EQ(code_of(refused), "invalid_argument");
    EXPECT_NE(refused.why().detail().find("107"), std::string_view::npos);
}

TEST_F(Trust, ANameIsATrustedMailboxOrTheOther) {
    {
        const auto named = sender::open("shm:" + name_).value();
        EXPECT_EQ(code_of(sender::open(address())), "already_exists");
        EXPECT_EQ(code_of(receiver::open(address("&create=create"))), "already_exists");
    }
    const auto handed = open_sender();
    const auto refused = sender::open("shm:" + name_);
    EXPECT_EQ(code_of(refused), "already_exists");
    EXPECT_NE(refused.why().detail().find("trust=none"), std::string_view::npos);
    EXPECT_EQ(code_of(sender::open("shm:" + name_ + "?create=create")), "already_exists");
    EXPECT_EQ(code_of(sender::open(address("&create=create"))), "already_exists");
}

// Zeroes are neither "open" nor "removed": nobody is to take them for the end of the stream.
TEST_F(Trust, MemoryThatWasPunchedAwayIsCorrupt) {
    auto out = open_sender();
    auto in = open_receiver();
    ASSERT_EQ(::fallocate(memory().get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
    EXPECT_EQ(code_of(in.try_receive()), "corrupt");
    EXPECT_EQ(code_of(out.try_send("x")), "corrupt");
}

// It is our memory that a copy takes.
TEST_F(Trust, MoreThanTheDefaultsIsJoinedOnlyIfThatIsSaid) {
    const auto host = open_receiver("&max_message=1GiB");
    const auto refused = sender::open(address());
    ASSERT_EQ(code_of(refused), "too_big");
    EXPECT_NE(refused.why().detail().find("max_message=1GiB"), std::string_view::npos)
        << refused.why().describe();
    EXPECT_TRUE(sender::open(address("&max_message=1GiB")));
}

TEST_F(Trust, ObserversSeeItAndTakeNoPart) {
    auto in = open_receiver("&capacity=16&mode=0620");
    auto out = open_sender();
    out.send("waits").value();
    const auto seen = inspect_mailbox("shm:" + name_).value();
    EXPECT_EQ(seen.state, mailbox_state::in_use);
    EXPECT_EQ(seen.geometry.trust, trust_policy::none);
    EXPECT_EQ(seen.geometry.capacity, 16U);
    EXPECT_EQ(seen.mode, 0620U);
    EXPECT_EQ(seen.depth, 1U);
    EXPECT_EQ(seen.participants.size(), 2U);
    EXPECT_GT(seen.file_bytes, seen.memory_bytes);
    const auto listed = list_mailboxes().value();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].address, "shm:" + name_);
    EXPECT_EQ(listed[0].depth, 1U);
    const auto trusted = sender::open("shm:" + name_ + "-file").value();
    EXPECT_EQ(inspect_mailbox("shm:" + name_ + "-file")->geometry.trust, trust_policy::all);
}

TEST_F(Trust, RemovingRefusesWhileSomebodyIsThereAndForceEndsThem) {
    auto in = open_receiver();
    const auto refused = remove_mailbox("shm:" + name_);
    EXPECT_EQ(code_of(refused), "already_exists");
    EXPECT_NE(refused.why().detail().find(std::to_string(::getpid())), std::string_view::npos);
    std::thread waits([&] { EXPECT_EQ(text_or_code(in.receive()), "closed"); });
    test::until_waiting("shm:" + name_, participant_role::receiver);
    EXPECT_TRUE(remove_mailbox("shm:" + name_, removal::by_force));
    waits.join();
    EXPECT_EQ(code_of(inspect_mailbox("shm:" + name_)), "not_found");
    const auto next = open_sender();
    in.close();
    EXPECT_EQ(inspect_mailbox("shm:" + name_).value().participants.size(), 1U)
        << "the old host's end leaves the new one's name alone";
}

TEST_F(Trust, GarbageIsCollectedAndTheLivingAreLeftAlone) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    const auto run_to_death = [&](const std::string& where) {
        const test::beacon open;
        test::child victim("victim", [&] {
            auto in = receiver::open(where).value();
            open.raise();
            static_cast<void>(in.receive());
        });
        open.wait();
        victim.kill();
    };
    run_to_death(address()); // the host itself
    EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::dead);
    ASSERT_EQ(collect_garbage(true).value().size(), 1U);
    EXPECT_TRUE(collect_garbage(true).value()[0].removed);
    EXPECT_EQ(test::left_over().size(), 1U) << "a dry run";
    EXPECT_TRUE(collect_garbage().value()[0].removed);
    EXPECT_TRUE(test::left_over().empty());
    const auto host = open_sender();
    run_to_death(address()); // somebody who had joined
    EXPECT_EQ(inspect_mailbox(address()).value().participants.size(), 2U);
    EXPECT_FALSE(collect_garbage().value()[0].removed);
    EXPECT_EQ(inspect_mailbox(address()).value().participants.size(), 1U) << "it was repaired";
    run_to_death("shm:" + name_ + "-other?trust=none");
    EXPECT_TRUE(remove_mailbox("shm:" + name_ + "-other")) << "a dead name is nobody's";
}

TEST_F(Trust, ItsDescriptorIsRungByOthers) {
    auto in = open_receiver();
    auto out = open_sender();
    pollfd ready{in.fd().value(), in.fd_events(), 0};
    EXPECT_EQ(::poll(&ready, 1, 0), 0);
    out.send("ring").value();
    EXPECT_EQ(::poll(&ready, 1, -1), 1);
    EXPECT_EQ(text_or_code(in.try_receive()), "ring");
    EXPECT_EQ(::poll(&ready, 1, 0), 0);
}

TEST_F(Trust, AForkChildOpensItsOwn) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    auto in = open_receiver();
    test::child child("child", [&] {
        EXPECT_EQ(code_of(in.try_receive()), "invalid_argument");
        in.close();
        auto out = open_sender();
        out.send("from the child").value();
    });
    EXPECT_EQ(text_or_code(in.receive()), "from the child");
    EXPECT_TRUE(child.end_well());
    EXPECT_EQ(inspect_mailbox(address()).value().participants.size(), 1U);
}

} // namespace
} // namespace hawser
