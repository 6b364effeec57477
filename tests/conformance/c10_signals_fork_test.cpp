// C10: signals and fork.
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

namespace {

// SIGUSR1 with a handler that does nothing, as long as this lives.
class quiet_handler {
  public:
    explicit quiet_handler(int flags) {
        struct sigaction wanted {};
        wanted.sa_handler = [](int) {};
        wanted.sa_flags = flags;
        ::sigaction(SIGUSR1, &wanted, &before_);
    }
    ~quiet_handler() { ::sigaction(SIGUSR1, &before_, nullptr); }
    quiet_handler(const quiet_handler&) = delete;
    quiet_handler& operator=(const quiet_handler&) = delete;

  private:
    struct sigaction before_ {};
};

// Runs blocking in a thread, and once the thread sleeps, signals it until the call has ended.
void interrupt(const std::function<void()>& blocking, const std::function<void()>& until_asleep) {
    std::atomic<bool> ended{false};
    std::thread thread([&] {
        blocking();
        ended = true;
    });
    until_asleep();
    while (!ended) {
        ::pthread_kill(thread.native_handle(), SIGUSR1);
        std::this_thread::yield();
    }
    thread.join();
}

std::set<int> open_descriptors() {
    std::set<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        found.insert(std::atoi(entry.path().filename().c_str()));
    return found;
}

} // namespace

class signals : public contract {};
HAWSER_CONTRACT(signals, in_each_order());

TEST_P(signals, c10_1_a_signal_interrupts_a_blocked_receive) {
    for (const int flags : {0, SA_RESTART}) {
        const quiet_handler handler(flags);
        auto in = open_receiver();
        auto out = open_sender();
        introduce(out, in);
        interrupt(
            [&] {
                note_waiter(participant_role::receiver);
                EXPECT_TRUE(fails_with(in.receive(), errc::interrupted));
            },
            [&] { until_waiting(participant_role::receiver); });
        out.send("not lost").value();
        EXPECT_EQ(in.receive().value().text(), "not lost");
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    }
}

TEST_P(signals, c10_2_a_signal_interrupts_a_blocked_send) {
    HAWSER_NEEDS(can().reliable, "reliable");
    for (const int flags : {0, SA_RESTART}) {
        const quiet_handler handler(flags);
        auto in = open_receiver(bounded(1));
        auto out = open_sender();
        introduce(out, in);
        const std::size_t size = filling_size(out);
        const std::uint64_t first = fill(out, size);
        if (can().capacity_bounded) {
            EXPECT_EQ(first, 1U);
        }
        interrupt(
            [&] {
                note_waiter(participant_role::sender);
                EXPECT_TRUE(fails_with(out.send(numbered(1000000, size)), errc::interrupted));
            },
            [&] { until_waiting(participant_role::sender); });
        for (std::uint64_t i = 0; i < first; ++i) EXPECT_EQ(number_in(in.receive().value()), i);
        EXPECT_TRUE(drain(in).empty());
        until_sent(in, [&] { return out.try_send("third"); });
        EXPECT_EQ(in.receive().value().text(), "third");
        EXPECT_TRUE(drain(in).empty());
    }
}

class after_fork : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS_HERE(can_fork, "fork: not under ThreadSanitizer");
    }
};
HAWSER_CONTRACT(after_fork, in_each_order());

TEST_P(after_fork, c10_3_a_child_may_not_use_its_parents_end_points) {
    auto in = open_receiver();
    auto out = open_sender();
    out.send("one").value();
    auto memory = out.loan_for(10).value();
    child forked("forked", [&] {
        EXPECT_TRUE(fails_with(out.send("x"), errc::invalid_argument));
        EXPECT_TRUE(fails_with(out.try_send("x"), errc::invalid_argument));
        EXPECT_TRUE(fails_with(out.loan_for(10), errc::invalid_argument));
        EXPECT_TRUE(fails_with(out.send(std::move(memory)), errc::invalid_argument));
        EXPECT_TRUE(fails_with(out.fd(), errc::invalid_argument));
        EXPECT_TRUE(fails_with(in.receive(), errc::invalid_argument));
        EXPECT_TRUE(fails_with(in.try_receive(), errc::invalid_argument));
        EXPECT_TRUE(fails_with(in.fd(), errc::invalid_argument));
    });
    forked.end_well();
    EXPECT_EQ(in.receive().value().text(), "one");
    fill_pattern(memory.bytes(), 1);
    EXPECT_TRUE(succeeds(out.send(std::move(memory))));
    EXPECT_TRUE(has_pattern(in.receive().value().bytes(), 1));
}

TEST_P(after_fork, c10_4_a_child_that_ends_closes_nothing_of_its_parent) {
    auto in = open_receiver();
    auto out = open_sender();
    out.send(pattern(fitting(50000), 1)).value();
    auto got = in.receive().value();
    auto memory = out.loan_for(10).value();
    child forked("forked", [&] {
        const loan loan_of_parent = std::move(memory);
        const message message_of_parent = std::move(got);
        const sender sender_of_parent = std::move(out);
        in.close();
    });
    forked.end_well();
    if (can().observers) {
        EXPECT_EQ(seen().participants.size(), 2U);
        EXPECT_EQ(seen().held, 1U);
    }
    EXPECT_TRUE(has_pattern(got.bytes(), 1));
    EXPECT_TRUE(succeeds(out.send("two")));
    EXPECT_EQ(in.receive().value().text(), "two");
    EXPECT_TRUE(succeeds(out.send(std::move(memory))));
    EXPECT_EQ(in.receive().value().size(), 10U);
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(after_fork, c10_5_a_child_that_lives_on_keeps_nothing_of_its_parent_alive) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    const beacon born;
    const beacon release;
    const beacon released;
    const beacon never;
    child middle("middle", [&] {
        auto out = open_sender();
        out.send("one").value();
        const child grandchild("grandchild", [&] {
            ::prctl(PR_SET_PDEATHSIG, 0); // it has to outlive the one in the middle
            ::alarm(240);
            born.raise();
            release.wait();
            released.raise();
        });
        never.wait();
    });
    if (keeps()) born.wait();
    auto in = open_receiver();
    if (!keeps()) born.wait(); // elsewhere the send waited for the receiver
    middle.kill();
    EXPECT_EQ(in.receive().value().text(), "one");
    EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    release.raise();
    released.wait();
}

TEST_P(after_fork, c10_6_descriptors_are_closed_by_exec) {
    const auto before = open_descriptors();
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    if (can().fd_pollable) in.fd().value();
    if (can().fd_pollable) out.fd().value();
    for (const int fd : open_descriptors()) {
        if (before.contains(fd)) continue;
        const int flags = ::fcntl(fd, F_GETFD);
        // Below 0 is the descriptor of the listing itself, which is gone again.
        EXPECT_TRUE(flags < 0 || (flags & FD_CLOEXEC) != 0) << "descriptor " << fd;
    }
}

TEST_P(after_fork, c10_7_a_child_may_open_its_own) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    child forked("forked", [&] {
        auto own = open_sender();
        own.send("from the child").value();
    });
    forked.end_well();
    EXPECT_EQ(in.receive().value().text(), "from the child");
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    if (can().observers) {
        EXPECT_EQ(seen().participants.size(), 2U);
    }
}

TEST_P(after_fork, c10_8_end_points_are_all_closed_with_nothing_left_open) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    open_receiver().close(); // what is opened once for the process is open now
    const auto before = open_descriptors();
    {
        auto in = open_receiver();
        auto out = open_sender();
        introduce(out, in);
        if (can().fd_pollable) in.fd().value();
        if (can().fd_pollable) out.fd().value();
    }
    EXPECT_EQ(open_descriptors(), before);
}

} // namespace hawser::test
