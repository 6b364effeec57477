// Being told of messages: once or persistently, by a signal or a call, and never in silence.
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <pthread.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::mq {
namespace {

using test::beacon;
using test::child;

class MqNotify : public testing::Test {
  protected:
    ~MqNotify() override {
        if (look_ >= 0) ::mq_close(look_);
        ::mq_unlink(name_.c_str());
    }

    [[nodiscard]] sender open_sender() const { return sender::open(address_).value(); }
    [[nodiscard]] receiver open_receiver() const { return receiver::open(address_).value(); }
    // As the kernel has it. Not closed while it counts: that would take this process's registration
    // back.
    [[nodiscard]] pid_t registered() const {
        if (look_ < 0) look_ = ::mq_open(name_.c_str(), O_RDONLY);
        char text[128] = {};
        EXPECT_GT(::pread(look_, text, sizeof text - 1, 0), 0);
        const std::string line = text;
        return std::atoi(line.c_str() + line.find("NOTIFY_PID:") + 11);
    }

    std::string name_ = "/hawser-" + test::unique_name("note") + "-" + std::to_string(::getpid());
    std::string address_ = "mq:" + name_;
    mutable int look_ = -1;
};

std::size_t drain(receiver& in) {
    std::size_t count = 0;
    while (in.try_receive()) ++count;
    return count;
}

notification by_call(std::function<void()> call, bool persistent = false) {
    notification how;
    how.call = std::move(call);
    how.persistent = persistent;
    return how;
}

notification by_signal(int signal) {
    notification how;
    how.signal = signal;
    return how;
}

// A signal, counted by a handler in whatever thread it comes to.
class caught_signal {
  public:
    explicit caught_signal(int signal) : signal_(signal) {
        struct sigaction counting {};
        counting.sa_handler = [](int) { ++count(); };
        counting.sa_flags = SA_RESTART;
        count() = 0;
        ::sigaction(signal_, &counting, &before_);
    }
    ~caught_signal() { ::sigaction(signal_, &before_, nullptr); }
    caught_signal(const caught_signal&) = delete;
    caught_signal& operator=(const caught_signal&) = delete;

    [[nodiscard]] int times() const { return count(); }
    void wait_for(int times) const {
        test::until([times] { return count() >= times; });
    }

  private:
    static std::atomic<int>& count() {
        static std::atomic<int> all{0};
        return all;
    }

    struct sigaction before_ {};
    int signal_;
};

TEST_F(MqNotify, ACallIsMadeOnceForTheNextMessage) {
    auto out = open_sender();
    const beacon told;
    std::atomic<int> calls{0};
    auto in = open_receiver();
    in.notify(by_call([&] {
          ++calls;
          told.raise();
      }))
        .value();
    EXPECT_EQ(registered(), ::getpid());
    out.send("one").value();
    told.wait();
    drain(in);
    out.send("two").value();
    EXPECT_EQ(registered(), 0) << "used up";
    in.stop_notifying().value();
    EXPECT_EQ(calls, 1);
}

TEST_F(MqNotify, WhatIsThereAlreadyIsNotTold) {
    auto out = open_sender();
    out.send("before").value();
    std::atomic<int> calls{0};
    const beacon told;
    auto in = open_receiver();
    in.notify(by_call([&] {
          ++calls;
          told.raise();
      }))
        .value();
    out.send("not to an empty queue").value();
    EXPECT_EQ(registered(), ::getpid()) << "not used up";
    EXPECT_EQ(drain(in), 2U) << "register first, then receive until would_block";
    out.send("told").value();
    told.wait();
    EXPECT_EQ(calls, 1);
}

TEST_F(MqNotify, ACallIsMadeWithAllSignalsBlocked) {
    auto out = open_sender();
    const beacon told;
    std::atomic<bool> blocked{false};
    auto in = open_receiver();
    in.notify(by_call([&] {
          sigset_t mask;
          ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
          blocked = ::sigismember(&mask, SIGTERM) == 1 && ::sigismember(&mask, SIGRTMIN + 3) == 1;
          told.raise();
      }))
        .value();
    out.send("x").value();
    told.wait();
    EXPECT_TRUE(blocked);
    sigset_t mine;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mine);
    EXPECT_EQ(::sigismember(&mine, SIGTERM), 0) << "only in that thread";
}

TEST_F(MqNotify, ASignalComesOnce) {
    const caught_signal caught(SIGRTMIN + 2);
    auto in = open_receiver();
    auto out = open_sender();
    in.notify(by_signal(SIGRTMIN + 2)).value();
    out.send("one").value();
    caught.wait_for(1);
    drain(in);
    out.send("two").value();
    EXPECT_EQ(registered(), 0) << "used up";
    in.notify(by_signal(SIGRTMIN + 2)).value();
    EXPECT_EQ(drain(in), 1U);
    out.send("three").value();
    caught.wait_for(2);
    EXPECT_EQ(caught.times(), 2);
}

TEST_F(MqNotify, ImpossibleRegistrationsAreRefused) {
    auto in = open_receiver();
    EXPECT_TRUE(in.notify({}).is(errc::invalid_argument));
    notification both = by_call([] {});
    both.signal = SIGUSR1;
    EXPECT_TRUE(in.notify(both).is(errc::invalid_argument));
    EXPECT_TRUE(in.notify(by_signal(4711)).is(errc::invalid_argument));
    notification persistent_signal = by_signal(SIGUSR1);
    persistent_signal.persistent = true;
    EXPECT_TRUE(in.notify(persistent_signal).is(errc::invalid_argument));
    EXPECT_EQ(registered(), 0);
    EXPECT_TRUE(in.stop_notifying()) << "none is harmless";
}

TEST_F(MqNotify, OnlyOneIsToldAndTheOtherHearsWhoItIs) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto in = open_receiver();
    in.notify(by_call([] {})).value();
    auto second = open_receiver();
    const auto refused = second.notify(by_call([] {}));
    ASSERT_TRUE(refused.is(errc::already_exists));
    EXPECT_NE(refused.why().detail().find("this process"), std::string::npos);
    const std::string pid = std::to_string(::getpid());
    child other("other", [&] {
        auto theirs = receiver::open(address_).value();
        const auto answer = theirs.notify(by_signal(SIGUSR1));
        ASSERT_TRUE(answer.is(errc::already_exists));
        EXPECT_NE(answer.why().detail().find("process " + pid), std::string::npos)
            << answer.why().describe();
    });
    EXPECT_TRUE(other.end_well());
    in.stop_notifying().value();
    EXPECT_TRUE(second.notify(by_call([] {}))) << "free again";
}

TEST_F(MqNotify, RegisteringAgainReplacesOnesOwn) {
    auto out = open_sender();
    std::atomic<int> first{0};
    const beacon told;
    auto in = open_receiver();
    in.notify(by_call([&] { ++first; })).value();
    in.notify(by_call([&] { told.raise(); })).value();
    out.send("x").value();
    told.wait();
    EXPECT_EQ(first, 0);
}

TEST_F(MqNotify, StoppingAndClosingFreeTheRegistration) {
    auto keep = open_sender();
    {
        auto in = open_receiver();
        in.notify(by_call([] {}, true)).value();
        EXPECT_EQ(registered(), ::getpid());
        in.stop_notifying().value();
        EXPECT_EQ(registered(), 0);
        in.notify(by_signal(SIGUSR1)).value();
        EXPECT_EQ(registered(), ::getpid());
    }
    EXPECT_EQ(registered(), 0);
}

TEST_F(MqNotify, AKilledRegistrantFreesIt) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto in = open_receiver();
    const beacon there;
    child other("registrant", [&] {
        auto theirs = receiver::open(address_).value();
        theirs.notify(by_call([] {}, true)).value();
        there.raise();
        ::pause();
    });
    there.wait();
    EXPECT_TRUE(in.notify(by_signal(SIGUSR1)).is(errc::already_exists));
    other.kill();
    EXPECT_TRUE(in.notify(by_signal(SIGUSR1)));
}

TEST_F(MqNotify, AChildHasNoRegistrationAndHarmsNone) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    const beacon told;
    std::optional<receiver> in = open_receiver();
    auto out = open_sender();
    in->notify(by_call([&] { told.raise(); }, true)).value();
    child other("child", [&] {
        EXPECT_TRUE(in->notify(by_call([] {})).is(errc::invalid_argument));
        in.reset();
        auto own = receiver::open(address_).value();
        EXPECT_TRUE(own.notify(by_signal(SIGUSR1)).is(errc::already_exists));
    });
    EXPECT_TRUE(other.end_well());
    EXPECT_EQ(registered(), ::getpid());
    out.send("x").value();
    told.wait();
}

// A sibling's close takes the kernel's registration back; hawser makes it again.
TEST_F(MqNotify, ClosingAnotherEndOfTheQueueKeepsTheCall) {
    auto out = open_sender();
    const beacon told;
    auto in = open_receiver();
    in.notify(by_call([&] { told.raise(); }, true)).value();
    for (int i = 0; i < 100; ++i) {
        { auto another = open_sender(); }
        { auto another = open_receiver(); }
        out.send("x").value();
        told.wait();
        drain(in);
    }
}

TEST_F(MqNotify, ClosingAForeignDescriptorOfTheQueueKeepsTheCall) {
    auto out = open_sender();
    const beacon told;
    auto in = open_receiver();
    in.notify(by_call([&] { told.raise(); })).value();
    ::mq_close(::mq_open(name_.c_str(), O_RDWR));
    test::until([&] { return registered() == ::getpid(); });
    out.send("x").value();
    told.wait();
}

TEST_F(MqNotify, ClosingAnotherEndOfTheQueueKeepsTheSignal) {
    const caught_signal caught(SIGRTMIN + 2);
    auto in = open_receiver();
    auto out = open_sender();
    in.notify(by_signal(SIGRTMIN + 2)).value();
    { auto another = open_sender(); }
    { auto another = open_receiver(); }
    EXPECT_EQ(registered(), ::getpid());
    out.send("x").value();
    caught.wait_for(1);
    { auto another = open_sender(); }
    EXPECT_EQ(registered(), 0) << "used up stays used up";
    EXPECT_EQ(caught.times(), 1);
}

TEST_F(MqNotify, ACallMayStopItselfAndDestroyItsReceiver) {
    auto out = open_sender();
    const beacon told;
    std::atomic<bool> here{true}; // the receiver is the call's from the message on
    std::optional<receiver> in = open_receiver();
    in->notify(by_call(
                   [&] {
                       EXPECT_FALSE(here);
                       EXPECT_TRUE(in->stop_notifying());
                       told.raise();
                   },
                   true))
        .value();
    here = false;
    out.send("x").value();
    told.wait();
    EXPECT_EQ(registered(), 0);
    here = true;
    drain(*in);
    in->notify(by_call(
                   [&] {
                       EXPECT_FALSE(here);
                       in.reset();
                       told.raise();
                   },
                   true))
        .value();
    here = false;
    out.send("x").value();
    told.wait();
    EXPECT_FALSE(in);
    EXPECT_EQ(registered(), 0);
}

TEST_F(MqNotify, NoCallRunsAfterStopping) {
    auto out = open_sender();
    for (int i = 0; i < 200; ++i) {
        auto in = open_receiver();
        std::atomic<bool> stopped{false};
        std::atomic<bool> late{false};
        in.notify(by_call([&] { late = late || stopped; }, true)).value();
        out.send("x").value();
        in.stop_notifying().value();
        stopped = true;
        drain(in);
        out.send("x").value();
        drain(in);
        EXPECT_FALSE(late);
    }
}

// Each message is received in a call; a lost wake-up would leave one there for ever.
TEST_F(MqNotify, ThePersistentCallMissesNoneOfTenThousand) {
    constexpr std::uint64_t messages = 10'000;
    const beacon all_there;
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> in_vain{0};
    std::uint64_t received = 0; // by the calls only, which are one after the other
    auto in = open_receiver();
    in.notify(by_call(
                  [&] {
                      ++calls;
                      const std::size_t got = drain(in);
                      if (got == 0) ++in_vain;
                      received += got;
                      if (received == messages) all_there.raise();
                  },
                  true))
        .value();
    std::thread producer([&] {
        auto out = open_sender();
        for (std::uint64_t i = 0; i < messages; ++i) out.send(std::to_string(i)).value();
    });
    all_there.wait();
    producer.join();
    in.stop_notifying().value();
    EXPECT_EQ(received, messages);
    EXPECT_GE(calls, 1U);
    EXPECT_LE(calls - in_vain, messages);
    EXPECT_EQ(drain(in), 0U);
    RecordProperty("calls", std::to_string(calls));
    RecordProperty("in_vain", std::to_string(in_vain));
}

// Strictly one after the other: exactly one call for each message.
TEST_F(MqNotify, EachMessageToAnEmptyQueueIsOneCall) {
    constexpr int messages = 10'000;
    auto out = open_sender();
    const beacon told;
    std::atomic<int> calls{0};
    auto in = open_receiver();
    in.notify(by_call(
                  [&] {
                      ++calls;
                      EXPECT_EQ(drain(in), 1U);
                      told.raise();
                  },
                  true))
        .value();
    for (int i = 0; i < messages; ++i) {
        out.send("x").value();
        told.wait();
    }
    in.stop_notifying().value();
    EXPECT_EQ(calls, messages);
}

// Several senders and closers at once, each close taking the registration back.
TEST_F(MqNotify, NothingIsMissedWhileOthersCome) {
    constexpr std::uint64_t messages = 3'000;
    const beacon all_there;
    std::uint64_t received = 0;
    auto in = open_receiver();
    in.notify(by_call(
                  [&] {
                      received += drain(in);
                      if (received == 2 * messages) all_there.raise();
                  },
                  true))
        .value();
    const auto produce = [&] {
        for (std::uint64_t i = 0; i < messages; ++i) open_sender().send("x").value();
    };
    std::thread first(produce);
    std::thread second(produce);
    all_there.wait();
    first.join();
    second.join();
    in.stop_notifying().value();
    EXPECT_EQ(received, 2 * messages);
}

// Whoever is quicker keeps it; a persistent one gets it back afterwards and catches up.
TEST_F(MqNotify, APersistentCallComesBackAfterAnotherProcessHadIt) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = open_sender();
    const beacon theirs;
    const beacon may_end;
    const beacon begin;
    child other("other", [&] {
        auto own = receiver::open(address_).value();
        begin.wait();
        test::until([&] { return bool(own.notify(by_signal(SIGUSR1))); });
        theirs.raise();
        may_end.wait();
    });
    const beacon told;
    auto in = open_receiver();
    in.notify(by_call(
                  [&] {
                      drain(in);
                      told.raise();
                  },
                  true))
        .value();
    begin.raise();
    // Sibling closes by a foreign descriptor leave gaps in which the other one gets it.
    while (registered() != other.pid()) ::mq_close(::mq_open(name_.c_str(), O_RDWR));
    theirs.wait();
    may_end.raise();
    EXPECT_TRUE(other.end_well());
    test::until([&] { return registered() == ::getpid(); });
    out.send("x").value();
    told.wait();
}

// Signals that hit the sleeping receiver and the registering thread take nothing away.
TEST_F(MqNotify, AStormOfSignalsLosesNothing) {
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    ::sigaction(SIGUSR2, &quiet, &before);
    constexpr std::uint64_t messages = 5'000;
    auto in = open_receiver();
    const pthread_t self = ::pthread_self();
    std::atomic<bool> over{false};
    std::thread storm([&] {
        while (!over) {
            ::pthread_kill(self, SIGUSR2);
            ::sched_yield();
        }
    });
    std::thread producer([&] {
        auto out = open_sender();
        for (std::uint64_t i = 0; i < messages; ++i) out.send_value(i).value();
    });
    std::uint64_t received = 0;
    std::uint64_t interrupted = 0;
    while (received < messages) {
        const auto got = in.receive_value<std::uint64_t>();
        if (got) {
            EXPECT_EQ(*got, received);
            ++received;
        } else {
            ASSERT_TRUE(got.is(errc::interrupted)) << got.why().describe();
            ++interrupted;
        }
    }
    over = true;
    storm.join();
    producer.join();
    ::sigaction(SIGUSR2, &before, nullptr);
    RecordProperty("interrupted", std::to_string(interrupted));
}

} // namespace
} // namespace hawser::mq
