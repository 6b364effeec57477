// C11: fd().
#include <memory>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class descriptor_suite : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().fd_pollable, "fd_pollable");
        // Both kinds of bell, one for each order.
        if (GetParam().order == order_policy::sender) share_bells();
    }
};
class descriptor : public descriptor_suite {};
HAWSER_CONTRACT(descriptor, in_each_order());
class descriptor_between : public descriptor_suite {};
HAWSER_CONTRACT(descriptor_between, in_each_order_and_bodies());
class descriptor_by_death : public descriptor_suite {};
HAWSER_CONTRACT(descriptor_by_death, in_each_order_as_processes());

TEST_P(descriptor, c11_1_quiet_while_there_is_nothing) {
    auto in = open_receiver();
    EXPECT_FALSE(ready_now(in));
    auto out = open_sender();
    introduce(out, in); // that somebody connects may make it ready once
    EXPECT_FALSE(ready_now(in));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    EXPECT_FALSE(ready_now(in));
}

TEST_P(descriptor, c11_2_ready_when_a_message_is_there) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    for (int i = 0; i < 20; ++i) {
        EXPECT_FALSE(ready_now(in));
        out.send("x").value();
        until_ready(in);
        EXPECT_TRUE(succeeds(in.try_receive()));
    }
}

TEST_P(descriptor, c11_3_ready_as_long_as_messages_remain) {
    auto in = open_receiver();
    auto out = open_sender();
    const int count = room(10);
    for (int i = 0; i < count; ++i) out.send("x").value();
    for (int i = 0; i < count; ++i) {
        for (int look = 0; look < 3; ++look) until_ready(in);
        EXPECT_TRUE(succeeds(in.try_receive()));
    }
}

TEST_P(descriptor, c11_4_quiet_after_the_last_message) {
    auto in = open_receiver();
    auto out = open_sender();
    for (int round = 0; round < 20; ++round) {
        const int count = room(round + 1);
        for (int i = 0; i < count; ++i) out.send("x").value();
        until_ready(in);
        for (int i = 0; i < count; ++i) EXPECT_TRUE(succeeds(in.try_receive()));
        EXPECT_FALSE(ready_now(in)) << round;
    }
}

TEST_P(descriptor, c11_5_ready_at_the_end_of_the_stream) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    EXPECT_FALSE(ready_now(in));
    out.close();
    until_ready(in);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
    until_ready(in);
    out = open_sender();
    introduce(out, in);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    EXPECT_FALSE(ready_now(in));
}

TEST_P(descriptor, c11_6_works_in_epoll) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event wanted{};
    wanted.events = static_cast<std::uint32_t>(in.fd_events());
    wanted.data.u64 = 42;
    ASSERT_EQ(::epoll_ctl(set, EPOLL_CTL_ADD, in.fd().value(), &wanted), 0);
    epoll_event got{};
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(::epoll_wait(set, &got, 1, 0), 0);
        out.send("x").value();
        for (int look = 0; look < 2; ++look) {
            ASSERT_EQ(::epoll_wait(set, &got, 1, -1), 1);
            EXPECT_EQ(got.data.u64, 42U);
        }
        EXPECT_TRUE(succeeds(in.try_receive()));
    }
    ::close(set);
}

TEST_P(descriptor, c11_7_ready_for_what_came_before_fd_was_asked_for) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    auto in = open_receiver();
    auto out = open_sender();
    out.send("x").value();
    until_ready(in);
    EXPECT_TRUE(succeeds(in.try_receive()));
    EXPECT_FALSE(ready_now(in));
    if (!can().end_of_stream) return;
    auto late = receiver::open(address("-late"), as_variant()).value();
    auto gone = sender::open(address("-late"), as_variant()).value();
    introduce(gone, late);
    gone.close();
    until_ready(late);
    EXPECT_TRUE(fails_with(late.try_receive(), errc::closed));
}

TEST_P(descriptor, c11_8_a_sender_is_ready_when_there_is_room) {
    HAWSER_NEEDS(can().reliable, "reliable");
    auto in = open_receiver(bounded(2));
    auto out = open_sender();
    introduce(out, in);
    const std::size_t size = filling_size(out);
    for (int i = 0; i < 5 && !can().capacity_bounded; ++i) {
        until_ready(out);
        const std::uint64_t count = fill(out, size);
        EXPECT_GT(count, 0U);
        EXPECT_FALSE(ready_now(out));
        for (std::uint64_t k = 0; k < count; ++k) EXPECT_TRUE(succeeds(in.receive()));
        until_sent(in, [&] { return out.try_send("there is room"); });
        EXPECT_EQ(in.receive().value().text(), "there is room");
    }
    for (int i = 0; i < 20 && can().capacity_bounded; ++i) {
        until_ready(out);
        for (int k = 0; k < 2; ++k) EXPECT_TRUE(succeeds(out.try_send("x")));
        EXPECT_FALSE(ready_now(out));
        EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
        EXPECT_FALSE(ready_now(out));
        in.receive().value();
        until_ready(out);
        EXPECT_TRUE(succeeds(out.try_send("x")));
        EXPECT_FALSE(ready_now(out));
        EXPECT_EQ(drain(in).size(), 2U);
    }
}

TEST_P(descriptor, c11_9_the_descriptor_stays_the_same) {
    auto in = open_receiver();
    auto out = open_sender();
    const int of_in = in.fd().value();
    const int of_out = out.fd().value();
    EXPECT_NE(of_in, of_out);
    out.send("x").value();
    in.receive().value();
    EXPECT_EQ(in.fd().value(), of_in);
    EXPECT_EQ(out.fd().value(), of_out);
    EXPECT_EQ(in.fd_events(), POLLIN);
}

TEST_P(descriptor_between, c11_10_wakes_a_poll_elsewhere) {
    const barrier ready(2);
    const beacon next; // where only one at a time surely arrives
    constexpr int rounds = 50;
    const options wanted = bounded(1);
    run_bodies(bodies(), {{"consumer",
                           [&] {
                               auto in = open_receiver(wanted);
                               in.fd().value();
                               ready.arrive();
                               int got = 0;
                               while (true) {
                                   until_ready(in);
                                   const auto one = in.try_receive();
                                   if (one.is(errc::closed)) break;
                                   // Somebody has connected, or half a message is there.
                                   if (!keeps() && one.is(errc::would_block)) continue;
                                   // With one receiver, ready means that there is something.
                                   ASSERT_TRUE(succeeds(one));
                                   EXPECT_EQ(one->text(), std::to_string(got++));
                                   if (!can().reliable) next.raise();
                                   if (!can().end_of_stream && got == rounds) break;
                               }
                               EXPECT_EQ(got, rounds);
                           }},
                          {"producer", [&] {
                               auto out = open_sender(wanted);
                               ready.arrive();
                               for (int i = 0; i < rounds;) {
                                   until_ready(out);
                                   const auto outcome = out.try_send(std::to_string(i));
                                   // Not connected yet.
                                   if (!keeps() && i == 0 && outcome.is(errc::would_block))
                                       continue;
                                   ASSERT_TRUE(succeeds(outcome));
                                   if (!can().reliable) next.wait();
                                   ++i;
                               }
                           }}});
}

TEST_P(descriptor_by_death, c11_11_wakes_for_what_a_killed_sender_left_and_for_the_end) {
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    const beacon go;
    const beacon done;
    const beacon never;
    child producer("producer", [&] {
        auto out = open_sender();
        done.raise();
        if (!keeps()) out.send("it is me").value();
        go.wait();
        for (int i = 0; i < 3; ++i) out.send("x").value();
        done.raise();
        never.wait();
    });
    done.wait();
    auto in = open_receiver();
    if (!keeps()) {
        EXPECT_EQ(in.receive().value().text(), "it is me");
    }
    EXPECT_FALSE(ready_now(in));
    go.raise();
    done.wait();
    producer.kill();
    for (int i = 0; i < 3; ++i) {
        until_ready(in);
        EXPECT_TRUE(succeeds(in.try_receive()));
    }
    // Nothing calls into the library here: the kernel has to tell.
    until_ready(in);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
}

TEST_P(descriptor_by_death, c11_12_wakes_when_an_idle_sender_is_killed) {
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    const beacon opened;
    const beacon never;
    child producer("producer", [&] {
        auto out = open_sender();
        opened.raise();
        if (!keeps()) out.send("it is me").value();
        never.wait();
    });
    opened.wait();
    auto in = open_receiver();
    if (!keeps()) {
        EXPECT_EQ(in.receive().value().text(), "it is me");
    }
    EXPECT_FALSE(ready_now(in));
    producer.kill();
    until_ready(in);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
}

TEST_P(descriptor_by_death, c11_13_wakes_for_redelivery) {
    HAWSER_NEEDS(can().survives_kill_of == survival_kind::both, "survives_kill_of");
    const beacon holding;
    const beacon never;
    child victim("victim", [&] {
        auto in = open_receiver();
        open_sender().send("x").value();
        const auto got = in.receive().value();
        holding.raise();
        never.wait();
    });
    holding.wait();
    auto in = open_receiver();
    EXPECT_FALSE(ready_now(in));
    victim.kill();
    until_ready(in);
    EXPECT_TRUE(in.try_receive().value().redelivered());
}

TEST_P(descriptor, c11_14_another_receiver_may_be_quicker) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    auto one = open_receiver();
    auto two = open_receiver();
    auto out = open_sender();
    introduce(out, one);
    EXPECT_FALSE(ready_now(one));
    EXPECT_FALSE(ready_now(two));
    for (int i = 0; i < 5; ++i) {
        out.send("x").value();
        until_ready(one);
        until_ready(two);
        EXPECT_TRUE(succeeds(one.try_receive()));
        EXPECT_TRUE(fails_with(two.try_receive(), errc::would_block));
        EXPECT_FALSE(ready_now(two));
    }
}

} // namespace hawser::test
