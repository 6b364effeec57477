// C6: what a send does when there is no room.
#include <atomic>
#include <optional>

#include "conformance/contract.hpp"

namespace hawser::test {

class when_full : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().reliable, "reliable");
    }
    [[nodiscard]] options bounded(std::uint64_t capacity, full_policy full) const {
        options wanted = contract::bounded(capacity);
        wanted.full = full;
        return wanted;
    }
    // Sends until a message is dropped, and what room comes a moment later is used up, too; how
    // many were not.
    std::uint64_t fill_dropping(sender& out, std::size_t size) const {
        std::uint64_t kept = 0;
        const auto take = [&] {
            const bool stored = out.send(numbered(kept, size)).value().stored;
            if (stored) ++kept;
            return stored;
        };
        do {
            while (take()) {
            }
        } while (more_room_comes(out, take));
        return kept;
    }
};
HAWSER_CONTRACT(when_full, in_each_order());
class when_full_between : public when_full {};
HAWSER_CONTRACT(when_full_between, in_each_order_and_bodies());

TEST_P(when_full, c6_1_fail_does_not_wait) {
    std::optional<receiver> in; // nobody needs it where what is sent waits
    if (!keeps()) in.emplace(open_receiver(contract::bounded(2)));
    auto out = open_sender(bounded(2, full_policy::fail));
    if (in) introduce(out, *in);
    const std::size_t size = filling_size(out);
    std::uint64_t waiting = 2;
    if (can().capacity_bounded)
        for (int i = 0; i < 2; ++i) EXPECT_TRUE(succeeds(out.send(numbered(0, size))));
    else
        waiting = fill(out, size);
    const auto more = numbered(1, size);
    EXPECT_TRUE(fails_with(out.send(more), errc::would_block));
    EXPECT_TRUE(fails_with(out.send_for(more, std::chrono::hours(1)), errc::would_block));
    EXPECT_TRUE(fails_with(out.try_send(more), errc::would_block));
    if (!in) in.emplace(open_receiver());
    const std::uint64_t first = can().capacity_bounded ? 1 : waiting;
    for (std::uint64_t i = 0; i < first; ++i) EXPECT_EQ(in->receive().value().size(), size);
    until_sent(*in, [&] { return out.send(more); });
    for (std::uint64_t i = first; i < waiting; ++i) EXPECT_TRUE(succeeds(in->receive()));
    EXPECT_EQ(number_in(in->receive().value()), 1U);
    EXPECT_TRUE(drain(*in).empty());
}

TEST_P(when_full, c6_2_drop_oldest_keeps_the_newest) {
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
    std::optional<receiver> in;
    if (!keeps()) in.emplace(open_receiver());
    auto out = open_sender(bounded(5, full_policy::drop_newest));
    if (in) introduce(out, *in);
    const std::uint64_t before = out.stats().sent;
    const std::size_t size = filling_size(out);
    // Kept is what was asked for, or as much as fits.
    const std::uint64_t kept = can().capacity_bounded ? 5 : fill_dropping(out, size);
    const std::uint64_t begin = can().capacity_bounded ? 0 : kept;
    const std::uint64_t dropped = out.stats().dropped;
    for (std::uint64_t i = begin; i < kept + 18; ++i)
        EXPECT_EQ(out.send(numbered(i, size)).value().stored, i < kept) << i;
    EXPECT_EQ(out.stats().sent - before, kept);
    EXPECT_EQ(out.stats().dropped - dropped, 18U);
    if (!in) in.emplace(open_receiver());
    for (std::uint64_t i = 0; i < kept; ++i) EXPECT_EQ(number_in(in->receive().value()), i);
    EXPECT_TRUE(fails_with(in->try_receive(), errc::would_block));
}

TEST_P(when_full, c6_4_the_policy_is_the_senders_own) {
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
    HAWSER_NEEDS(can().drops_oldest, "drops_oldest");
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
