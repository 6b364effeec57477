// C9: time and deadlines.
#include <chrono>

#include "conformance/contract.hpp"

namespace hawser::test {

using namespace std::chrono_literals;
using steady = deadline::clock;

class timing : public contract {};
HAWSER_CONTRACT(timing, in_each_wait());
class timing_between : public contract {};
HAWSER_CONTRACT(timing_between, in_each_wait_and_bodies());

TEST_P(timing, c9_1_try_forms_do_not_wait) {
    auto in = open_receiver(bounded(1));
    auto out = open_sender();
    introduce(out, in);
    if (!can().capacity_bounded) {
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
        if (can().reliable) fill(out, filling_size(out)); // up to a would_block
        return;
    }
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
        EXPECT_TRUE(succeeds(out.try_send("x")));
        EXPECT_TRUE(fails_with(out.try_send("y"), errc::would_block));
        EXPECT_TRUE(succeeds(in.try_receive()));
    }
}

TEST_P(timing, c9_2_receive_for_does_not_end_early) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    for (const auto patience : {1us, 1000us, 30000us}) {
        const auto begin = steady::now();
        EXPECT_TRUE(fails_with(in.receive_for(patience), errc::timed_out));
        EXPECT_GE(steady::now() - begin, patience);
    }
    const auto when = steady::now() + 2ms;
    EXPECT_TRUE(fails_with(in.receive_until(when), errc::timed_out));
    EXPECT_GE(steady::now(), when);
}

TEST_P(timing, c9_3_send_for_does_not_end_early) {
    HAWSER_NEEDS(can().reliable, "reliable");
    auto in = open_receiver(bounded(1));
    auto out = open_sender();
    introduce(out, in);
    const std::size_t size = filling_size(out);
    const std::uint64_t only = fill(out, size);
    if (can().capacity_bounded) {
        EXPECT_EQ(only, 1U);
    }
    const auto late = numbered(~std::uint64_t{0}, size);
    for (const auto patience : {1us, 1000us, 30000us}) {
        const auto begin = steady::now();
        EXPECT_TRUE(fails_with(out.send_for(late, patience), errc::timed_out));
        EXPECT_GE(steady::now() - begin, patience);
    }
    const auto when = steady::now() + 2ms;
    EXPECT_TRUE(fails_with(out.send_until(late, when), errc::timed_out));
    EXPECT_GE(steady::now(), when);
    auto memory = out.loan_for(size).value();
    EXPECT_TRUE(fails_with(out.send_for(std::move(memory), 1ms), errc::timed_out));
    for (std::uint64_t i = 0; i < only; ++i) EXPECT_EQ(number_in(in.receive().value()), i);
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(timing, c9_4_a_deadline_that_is_past_still_tries_once) {
    auto in = open_receiver(bounded(1));
    auto out = open_sender();
    introduce(out, in);
    const auto past = steady::now() - 1h;
    EXPECT_TRUE(fails_with(in.receive_until(past), errc::timed_out));
    EXPECT_TRUE(succeeds(out.send_until(pattern(8, 1), past)));
    if (can().crosses_machines) until_ready(in);
    if (can().reliable && !can().capacity_bounded) fill(out, filling_size(out));
    if (can().reliable) {
        const auto more = pattern(filling_size(out), 2);
        EXPECT_TRUE(fails_with(out.send_until(more, past), errc::timed_out));
    }
    EXPECT_TRUE(has_pattern(in.receive_until(past).value().bytes(), 1));
}

TEST_P(timing, c9_5_no_patience_is_the_try_form) {
    auto in = open_receiver(bounded(1));
    auto out = open_sender();
    introduce(out, in);
    for (const auto patience : {0ns, -1ns, std::chrono::nanoseconds(-1h)}) {
        EXPECT_TRUE(fails_with(in.receive_for(patience), errc::would_block));
        EXPECT_TRUE(succeeds(out.send_for("x", patience)));
        if (can().capacity_bounded) {
            EXPECT_TRUE(fails_with(out.send_for("y", patience), errc::would_block));
        }
        if (can().crosses_machines) until_ready(in);
        EXPECT_TRUE(succeeds(in.receive_for(patience)));
    }
    if (!can().reliable || can().capacity_bounded) return;
    const std::size_t size = filling_size(out);
    fill(out, size);
    for (const auto patience : {0ns, -1ns, std::chrono::nanoseconds(-1h)})
        EXPECT_TRUE(fails_with(out.send_for(numbered(0, size), patience), errc::would_block));
}

TEST_P(timing_between, c9_6_a_far_deadline_is_never) {
    const beacon opened;
    run_bodies(bodies(),
               {{"consumer",
                 [&] {
                     auto in = open_receiver();
                     opened.raise();
                     EXPECT_TRUE(succeeds(in.receive_for(std::chrono::nanoseconds::max())));
                     EXPECT_TRUE(succeeds(in.receive_until(steady::time_point::max())));
                     EXPECT_TRUE(succeeds(in.receive_for(1h)));
                 }},
                {"producer", [&] {
                     opened.wait();
                     auto out = open_sender();
                     for (int i = 0; i < 3; ++i) {
                         if (GetParam().wait != wait_mode::spin)
                             until_waiting(participant_role::receiver);
                         out.send("x").value();
                     }
                 }}});
}

TEST_P(timing_between, c9_7_messages_flow_however_one_waits) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    constexpr int rounds = 300;
    const barrier both_open(2);
    run_bodies(bodies(), {{"asking",
                           [&] {
                               auto out = open_sender();
                               auto in = receiver::open(address("-back"), as_variant()).value();
                               if (!can().reliable) both_open.arrive();
                               for (int i = 0; i < rounds; ++i) {
                                   out.send_value(i).value();
                                   ASSERT_EQ(in.receive_value<int>().value(), i);
                               }
                           }},
                          {"answering", [&] {
                               auto in = open_receiver();
                               auto out = sender::open(address("-back"), as_variant()).value();
                               if (!can().reliable) both_open.arrive();
                               for (int i = 0; i < rounds; ++i)
                                   out.send_value(in.receive_value<int>().value()).value();
                           }}});
}

} // namespace hawser::test
