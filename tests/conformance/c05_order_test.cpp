// C5: order.
#include <array>
#include <atomic>

#include "conformance/contract.hpp"

namespace hawser::test {

class order_between : public contract {
  protected:
    struct id {
        std::uint32_t sender, number;
    };
    static constexpr std::uint32_t senders = 4;
    static constexpr std::uint32_t each = 3000;

    // A body that sends `each` numbered messages, once all are there.
    body numbered_sender(const barrier& all_open, std::uint32_t who, unsigned receivers = 1) const {
        return {"sender", [this, &all_open, who, receivers] {
                    auto out = open_sender();
                    all_open.arrive();
                    // Nobody ends before all are known: that would be an end of the stream.
                    greet(out);
                    all_known_.arrive();
                    for (std::uint32_t i = 0; i < each; ++i) out.send_value(id{who, i}).value();
                    if (done_->fetch_add(1) + 1 == senders) end_all(out, receivers);
                }};
    }

    barrier all_known_{senders};
    shared<std::atomic<unsigned>> done_; // senders
};
HAWSER_CONTRACT(order_between, in_each_order_and_bodies());

TEST_P(order_between, c5_1_each_sender_is_heard_in_its_order) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    HAWSER_NEEDS(can().reliable, "reliable");
    HAWSER_NEEDS(can().ordering != ordering_kind::none, "ordering");
    const barrier all_open(senders + 1);
    std::vector<body> all;
    for (std::uint32_t who = 0; who < senders; ++who) all.push_back(numbered_sender(all_open, who));
    all.push_back({"receiver", [&] {
                       auto in = open_receiver();
                       all_open.arrive();
                       std::array<std::uint32_t, senders> next{};
                       receive_all(in, [&](const message& got) {
                           const id its = got.value_as<id>().value();
                           ASSERT_EQ(its.number, next.at(its.sender)++);
                       });
                       for (const std::uint32_t count : next) EXPECT_EQ(count, each);
                   }});
    run_bodies(bodies(), all);
}

TEST_P(order_between, c5_2_total_order_has_no_gap) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    HAWSER_NEEDS(can().numbered, "numbered");
    HAWSER_NEEDS(total_order(), "ordering");
    const barrier all_open(senders + 1);
    std::vector<body> all;
    for (std::uint32_t who = 0; who < senders; ++who) all.push_back(numbered_sender(all_open, who));
    all.push_back({"receiver", [&] {
                       auto in = open_receiver();
                       all_open.arrive();
                       std::uint64_t next = 0;
                       for (const auto& got : in) ASSERT_EQ(got.sequence(), next++);
                       EXPECT_EQ(next, senders * each);
                   }});
    run_bodies(bodies(), all);
}

TEST_P(order_between, c5_3_several_receivers_each_see_rising_places) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    HAWSER_NEEDS(can().numbered, "numbered");
    HAWSER_NEEDS(total_order(), "ordering");
    const barrier all_open(senders + 3);
    std::vector<body> all;
    for (std::uint32_t who = 0; who < senders; ++who) all.push_back(numbered_sender(all_open, who));
    const shared<std::atomic<std::uint64_t>> received;
    for (int i = 0; i < 3; ++i) {
        all.push_back({"receiver", [&] {
                           auto in = open_receiver();
                           all_open.arrive();
                           std::int64_t last = -1;
                           for (const auto& got : in) {
                               ASSERT_GT(static_cast<std::int64_t>(got.sequence()), last);
                               last = static_cast<std::int64_t>(got.sequence());
                               received->fetch_add(1);
                           }
                       }});
    }
    run_bodies(bodies(), all);
    EXPECT_EQ(received->load(), senders * each);
}

class order : public contract {};
HAWSER_CONTRACT(order, in_each_order());

TEST_P(order, c5_4_total_is_the_order_in_which_sends_took_effect) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(total_order(), "ordering");
    auto in = open_receiver();
    auto one = open_sender();
    auto two = open_sender();
    const auto count = static_cast<std::uint64_t>(room(20));
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto placed = (i % 3 == 0 ? one : two).send(std::to_string(i)).value();
        if (can().numbered) {
            EXPECT_EQ(placed.sequence, i);
        }
    }
    for (std::uint64_t i = 0; i < count; ++i)
        EXPECT_EQ(in.receive().value().text(), std::to_string(i));
}

TEST_P(order, c5_5_with_order_sender_each_has_its_own_capacity_and_places) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    HAWSER_NEEDS(can().numbered, "numbered");
    HAWSER_NEEDS(!total_order(), "ordering");
    options wanted;
    wanted.capacity = 3;
    auto in = open_receiver(wanted);
    auto one = open_sender();
    auto two = open_sender();
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(one.try_send("1").value().sequence, i);
    EXPECT_TRUE(fails_with(one.try_send("1"), errc::would_block));
    for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(two.try_send("2").value().sequence, i);
    EXPECT_TRUE(fails_with(two.try_send("2"), errc::would_block));
    EXPECT_EQ(seen().depth, 6U);
    EXPECT_EQ(drain(in).size(), 6U);
}

} // namespace hawser::test
