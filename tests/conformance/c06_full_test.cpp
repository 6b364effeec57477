// C6: what a send does when there is no room.
#include <atomic>

#include "conformance/contract.hpp"

namespace hawser::test {

class when_full : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    }
    [[nodiscard]] static options bounded(std::uint64_t capacity, full_policy full) {
        options wanted;
        wanted.capacity = capacity;
        wanted.full = full;
        return wanted;
    }
};
HAWSER_CONTRACT(when_full, in_each_order());
class when_full_between : public when_full {};
HAWSER_CONTRACT(when_full_between, in_each_order_and_bodies());

TEST_P(when_full, c6_1_fail_does_not_wait) {
    auto out = open_sender(bounded(2, full_policy::fail));
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(succeeds(out.send("x")));
    EXPECT_TRUE(fails_with(out.send("x"), errc::would_block));
    EXPECT_TRUE(fails_with(out.send_for("x", std::chrono::hours(1)), errc::would_block));
    EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
    auto in = open_receiver();
    EXPECT_EQ(in.try_receive().value().text(), "x");
    EXPECT_TRUE(succeeds(out.send("x")));
    EXPECT_EQ(drain(in).size(), 2U);
}

TEST_P(when_full, c6_2_drop_oldest_keeps_the_newest) {
    constexpr int capacity = 5;
    constexpr int count = 23;
    auto out = open_sender(bounded(capacity, full_policy::drop_oldest));
    std::uint64_t dropped = 0;
    for (int i = 0; i < count; ++i) {
        const auto outcome = out.send(std::to_string(i)).value();
        EXPECT_TRUE(outcome.stored);
        EXPECT_EQ(outcome.sequence, static_cast<std::uint64_t>(i));
        EXPECT_EQ(outcome.dropped, i < capacity ? 0U : 1U);
        dropped += outcome.dropped;
    }
    EXPECT_EQ(dropped, static_cast<std::uint64_t>(count - capacity));
    EXPECT_EQ(out.stats().dropped, dropped);
    auto in = open_receiver();
    for (int i = count - capacity; i < count; ++i)
        EXPECT_EQ(in.try_receive().value().text(), std::to_string(i));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
}

TEST_P(when_full, c6_3_drop_newest_keeps_the_oldest) {
    constexpr int capacity = 5;
    constexpr int count = 23;
    auto out = open_sender(bounded(capacity, full_policy::drop_newest));
    for (int i = 0; i < count; ++i)
        EXPECT_EQ(out.send(std::to_string(i)).value().stored, i < capacity) << i;
    EXPECT_EQ(out.stats().sent, static_cast<std::uint64_t>(capacity));
    EXPECT_EQ(out.stats().dropped, static_cast<std::uint64_t>(count - capacity));
    auto in = open_receiver();
    for (int i = 0; i < capacity; ++i)
        EXPECT_EQ(in.try_receive().value().text(), std::to_string(i));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
}

TEST_P(when_full, c6_4_the_policy_is_the_senders_own) {
    HAWSER_NEEDS(total_order(), "ordering");
    auto failing = open_sender(bounded(1, full_policy::fail));
    auto in = open_receiver();
    auto dropping = open_sender(bounded(1, full_policy::drop_oldest));
    failing.send("first").value();
    EXPECT_TRUE(fails_with(failing.send("second"), errc::would_block));
    EXPECT_EQ(dropping.send("third").value().dropped, 1U);
    EXPECT_EQ(drain(in), std::vector<std::string>{"third"});
}

TEST_P(when_full, c6_5_loans_follow_the_policy) {
    auto out = open_sender(bounded(1, full_policy::drop_oldest));
    for (int i = 0; i < 50; ++i) {
        auto memory = out.loan_for(5000).value();
        fill_pattern(memory.bytes(), static_cast<std::uint64_t>(i));
        EXPECT_EQ(out.send(std::move(memory)).value().dropped, i == 0 ? 0U : 1U);
    }
    auto in = open_receiver();
    EXPECT_TRUE(has_pattern(in.try_receive().value().bytes(), 49));
    out = open_sender(bounded(1, full_policy::drop_newest));
    EXPECT_TRUE(out.send("kept").value().stored);
    auto memory = out.loan_for(5000).value();
    EXPECT_FALSE(out.send(std::move(memory)).value().stored);
    // NOLINTNEXTLINE(bugprone-use-after-move): it succeeded, so the loan is gone
    EXPECT_TRUE(memory.bytes().empty());
    EXPECT_EQ(drain(in), std::vector<std::string>{"kept"});
}

TEST_P(when_full, c6_7_without_a_spare_loan_nothing_can_be_dropped) {
    options wanted = bounded(2, full_policy::drop_oldest);
    wanted.loans = 2;
    auto out = open_sender(wanted);
    out.send("a").value();
    out.send("b").value();
    auto one = out.loan_for(1).value();
    const auto other = out.loan_for(1).value();
    EXPECT_TRUE(fails_with(out.send(std::move(one)), errc::no_space));
    auto in = open_receiver(wanted);
    EXPECT_EQ(drain(in), (std::vector<std::string>{"a", "b"}));
}

TEST_P(when_full, c6_8_nothing_is_dropped_where_that_gives_no_memory) {
    constexpr std::size_t most = 1 << 16;
    options wanted = bounded(10, full_policy::drop_oldest);
    wanted.max_message = most;
    wanted.max_memory = most;
    const std::string large(most, 'x');
    auto out = open_sender(wanted);
    auto in = open_receiver(wanted);
    out.send(large).value();
    auto held = in.receive().value();
    out.send("a").value();
    out.send("b").value();
    EXPECT_TRUE(fails_with(out.try_send(large), errc::would_block));
    EXPECT_EQ(inspect_mailbox(address()).value().depth, 2U);
    held.release();
    EXPECT_EQ(out.try_send(large).value().dropped, 0U);
    EXPECT_EQ(drain(in).size(), 3U);
}

// Two who drop and two who receive, on three slots: each message is received once or dropped once.
TEST_P(when_full_between, c6_6_what_is_dropped_is_counted_and_never_received) {
    constexpr int each = 5000;
    const options wanted = bounded(3, full_policy::drop_oldest);
    const barrier all_open(4);
    const shared<std::atomic<std::uint64_t>> dropped;
    const shared<std::atomic<std::uint64_t>> received;
    std::vector<body> all;
    for (int i = 0; i < 2; ++i) {
        all.push_back({"sender", [&] {
                           auto out = open_sender(wanted);
                           all_open.arrive();
                           for (int k = 0; k < each; ++k)
                               dropped->fetch_add(out.send_value(k).value().dropped);
                       }});
        all.push_back({"receiver", [&] {
                           auto in = open_receiver(wanted);
                           all_open.arrive();
                           for (const auto& got : in) {
                               EXPECT_FALSE(got.redelivered());
                               received->fetch_add(1);
                           }
                       }});
    }
    run_bodies(bodies(), all);
    EXPECT_EQ(dropped->load() + received->load(), 2U * each);
}

} // namespace hawser::test
