// C18: being told of a message without waiting for it.
#include <atomic>
#include <csignal>
#include <memory>

#include <pthread.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class notifications : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().notification, "notification");
    }
    static notification by_call(std::function<void()> call, bool persistent = false) {
        notification how;
        how.call = std::move(call);
        how.persistent = persistent;
        return how;
    }
    static notification by_signal(int signal) {
        notification how;
        how.signal = signal;
        return how;
    }
};
HAWSER_CONTRACT(notifications, in_each_order());
class notifications_of_others : public notifications {};
HAWSER_CONTRACT(notifications_of_others, in_each_order_as_processes());

TEST_P(notifications, c18_1_a_call_comes_once_when_a_message_arrives) {
    auto in = open_receiver();
    auto out = open_sender();
    std::atomic<int> calls{0};
    const beacon called;
    for (int i = 1; i <= 3; ++i) {
        in.notify(by_call([&] {
              ++calls;
              called.raise();
          }))
            .value();
        EXPECT_EQ(calls, i - 1);
        out.send("x").value();
        called.wait();
        out.send("not told of").value();
        for (int k = 0; k < 2; ++k) EXPECT_TRUE(succeeds(in.receive()));
        out.send("nor this, though the queue was empty").value();
        EXPECT_TRUE(succeeds(in.receive()));
        EXPECT_EQ(calls, i);
    }
}

TEST_P(notifications, c18_2_a_signal_comes_once_when_a_message_arrives) {
    sigset_t only;
    ::sigemptyset(&only);
    ::sigaddset(&only, SIGUSR2);
    sigset_t before;
    ::pthread_sigmask(SIG_BLOCK, &only, &before);
    struct sigaction quiet {};
    quiet.sa_handler = [](int) {}; // for another thread that has it not blocked
    struct sigaction old {};
    ::sigaction(SIGUSR2, &quiet, &old);
    // The watchdog's thread was there before: only a signal to a process whose threads all block it
    // waits for sigtimedwait. So this is done in a process of its own.
    if (can_fork) {
        child told("told", [&] {
            auto in = open_receiver();
            auto out = open_sender();
            in.notify(by_signal(SIGUSR2)).value();
            out.send("x").value();
            EXPECT_EQ(::sigwaitinfo(&only, nullptr), SIGUSR2);
            EXPECT_TRUE(succeeds(in.receive()));
            out.send("not told of").value();
            const timespec moment{0, 1000000};
            EXPECT_EQ(::sigtimedwait(&only, nullptr, &moment), -1);
            EXPECT_TRUE(succeeds(in.receive()));
        });
        told.end_well();
    }
    ::sigaction(SIGUSR2, &old, nullptr);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    HAWSER_NEEDS_HERE(can_fork, "fork: not under ThreadSanitizer");
}

TEST_P(notifications, c18_3_what_is_persistent_misses_nothing) {
    constexpr int count = 2000;
    auto of_the_call = open_receiver(); // a thread at a time uses a receiver
    auto in = open_receiver();
    auto out = open_sender();
    std::atomic<int> received{0};
    const beacon all;
    in.notify(by_call(
                  [&] {
                      while (const auto got = of_the_call.try_receive())
                          if (++received == count) all.raise();
                  },
                  true))
        .value();
    for (int i = 0; i < count; ++i) out.send("x").value();
    all.wait();
    EXPECT_TRUE(succeeds(in.stop_notifying()));
    EXPECT_EQ(received, count);
}

TEST_P(notifications_of_others, c18_4_one_process_is_told_and_its_death_frees_the_place) {
    const beacon registered;
    const beacon never;
    auto victim = std::make_unique<child>("victim", [&] {
        auto in = open_receiver();
        in.notify(by_call([] {})).value();
        registered.raise();
        never.wait();
    });
    registered.wait();
    auto in = open_receiver();
    const beacon called;
    const auto mine = by_call([&] { called.raise(); });
    EXPECT_TRUE(fails_with(in.notify(mine), errc::already_exists));
    victim->kill();
    EXPECT_TRUE(succeeds(in.notify(mine)));
    open_sender().send("x").value();
    called.wait();
    EXPECT_TRUE(succeeds(in.receive()));
}

TEST_P(notifications, c18_5_a_registration_can_be_taken_back) {
    auto in = open_receiver();
    auto out = open_sender();
    std::atomic<int> calls{0};
    EXPECT_TRUE(succeeds(in.stop_notifying()));
    in.notify(by_call([&] { ++calls; })).value();
    EXPECT_TRUE(succeeds(in.stop_notifying()));
    EXPECT_TRUE(succeeds(in.stop_notifying()));
    out.send("x").value();
    EXPECT_TRUE(succeeds(in.receive()));
    // And closing does the same: nothing is called that is gone.
    in.notify(by_call([&] { ++calls; })).value();
    in.close();
    auto other = open_receiver();
    EXPECT_TRUE(succeeds(other.notify(by_call([&] { ++calls; }))));
    EXPECT_TRUE(succeeds(other.stop_notifying()));
    EXPECT_EQ(calls, 0);
}

TEST_P(notifications, c18_6_a_notification_is_a_signal_or_a_call) {
    auto in = open_receiver();
    EXPECT_TRUE(fails_with(in.notify({}), errc::invalid_argument));
    notification both = by_call([] {});
    both.signal = SIGUSR2;
    EXPECT_TRUE(fails_with(in.notify(both), errc::invalid_argument));
    notification lasting = by_signal(SIGUSR2);
    lasting.persistent = true;
    EXPECT_TRUE(fails_with(in.notify(lasting), errc::invalid_argument));
}

class without_notification : public contract {};
HAWSER_CONTRACT(without_notification, in_each_order());

TEST_P(without_notification, c18_7_without_notification_it_is_unsupported) {
    HAWSER_NEEDS(!can().notification, "notification");
    auto in = open_receiver();
    notification how;
    how.call = [] { ADD_FAILURE() << "nobody was registered"; };
    EXPECT_TRUE(fails_with(in.notify(how), errc::unsupported));
    EXPECT_TRUE(succeeds(in.stop_notifying()));
    auto out = open_sender();
    out.send("x").value();
    EXPECT_TRUE(succeeds(in.receive()));
}

} // namespace hawser::test
