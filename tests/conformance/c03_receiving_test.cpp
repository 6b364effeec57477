// C3: receiving.
#include <algorithm>
#include <array>
#include <thread>

#include "conformance/contract.hpp"

namespace hawser::test {

class receiving : public contract {};
HAWSER_CONTRACT(receiving, in_each_order());
class receiving_between : public contract {};
HAWSER_CONTRACT(receiving_between, in_each_order_and_bodies());

TEST_P(receiving_between, c3_1_a_blocked_receive_goes_on_when_a_message_comes) {
    const beacon opened;
    run_bodies(bodies(), {{"consumer",
                           [&] {
                               auto in = open_receiver();
                               opened.raise();
                               for (int i = 0; i < 20; ++i)
                                   EXPECT_EQ(in.receive().value().text(), std::to_string(i));
                           }},
                          {"producer", [&] {
                               opened.wait();
                               auto out = open_sender();
                               for (int i = 0; i < 20; ++i) {
                                   until_waiting(participant_role::receiver);
                                   out.send(std::to_string(i)).value();
                               }
                           }}});
}

TEST_P(receiving, c3_2_a_message_owns_its_bytes) {
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::size_t wanted : {40U, 100000U}) {
        const std::size_t size = fitting(wanted);
        out.send(pattern(size, 1)).value();
        const auto kept = in.receive().value();
        for (std::uint64_t i = 2; i < 3000; ++i) {
            out.send(pattern(fitting(i % 2 == 0 ? 40 : 2000), i)).value();
            in.receive().value();
        }
        EXPECT_TRUE(has_pattern(kept.bytes(), 1));
    }
}

TEST_P(receiving, c3_3_a_message_outlives_its_receiver) {
    auto in = std::make_unique<receiver>(open_receiver());
    auto out = open_sender();
    out.send(pattern(fitting(60000), 1)).value();
    auto got = in->receive().value();
    in.reset();
    EXPECT_TRUE(has_pattern(got.bytes(), 1));
    out.close();
    EXPECT_TRUE(has_pattern(got.bytes(), 1));
    got.release();
    EXPECT_TRUE(got.bytes().empty());
}

TEST_P(receiving, c3_4_a_message_may_be_released_in_another_thread) {
    options wanted;
    wanted.loans = 2;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    for (std::uint64_t i = 0; i < 200; ++i) {
        out.send(pattern(fitting(i * 37), i)).value();
        std::thread other([got = in.receive().value(), i]() mutable {
            EXPECT_TRUE(has_pattern(got.bytes(), i));
            got.release();
        });
        // Meanwhile this thread receives: the other one only releases.
        out.send("between").value();
        EXPECT_EQ(in.receive().value().text(), "between");
        other.join();
    }
}

TEST_P(receiving, c3_5_as_many_messages_in_use_as_loans) {
    for (const std::uint32_t loans : {2U, 8U, 32U}) {
        options wanted;
        wanted.loans = loans;
        auto in = open_receiver(wanted);
        auto out = open_sender();
        std::vector<message> in_use;
        if (can().observers) {
            for (std::uint32_t i = 0; i < loans; ++i) out.send("x").value();
            for (std::uint32_t i = 0; i < loans; ++i) in_use.push_back(in.receive().value());
        }
        while (in_use.size() < loans) {
            out.send("x").value();
            in_use.push_back(in.receive().value());
        }
        out.send("x").value();
        const auto refused = in.receive();
        ASSERT_TRUE(fails_with(refused, errc::no_space));
        EXPECT_NE(refused.why().detail().find("loans"), std::string_view::npos)
            << refused.why().describe();
        EXPECT_TRUE(fails_with(in.try_receive(), errc::no_space));
        if (can().observers) {
            EXPECT_EQ(seen().held, loans);
        }
        in_use[loans / 2].release();
        EXPECT_TRUE(succeeds(in.receive()));
    }
}

TEST_P(receiving, c3_6_iteration_ends_at_the_end) {
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    auto in = open_receiver();
    const int count = room(100);
    {
        auto out = open_sender();
        for (int i = 0; i < count; ++i) out.send(std::to_string(i)).value();
    }
    int next = 0;
    for (const auto& got : in) EXPECT_EQ(got.text(), std::to_string(next++));
    EXPECT_EQ(next, count);
    for ([[maybe_unused]] const auto& got : in) ADD_FAILURE() << "there is nothing";
}

TEST_P(receiving, c3_7_a_value_of_another_size_is_refused) {
    auto in = open_receiver();
    auto out = open_sender();
    out.send("four").value();
    EXPECT_TRUE(fails_with(in.receive_value<std::uint64_t>(), errc::invalid_argument));
    out.send("four").value();
    EXPECT_TRUE(succeeds(in.receive_value<std::uint32_t>()));
}

// Four senders, four receivers: each id exactly once, and each receiver sees each sender's in
// order.
TEST_P(receiving_between, c3_8_each_message_goes_to_exactly_one_receiver) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    HAWSER_NEEDS(can().reliable, "reliable");
    constexpr unsigned pairs = 4;
    constexpr unsigned each = 2000;
    struct id {
        std::uint32_t sender, number;
    };
    const shared<std::array<std::array<std::atomic<std::uint8_t>, each>, pairs>> times_seen;
    const barrier all_open(2 * pairs);
    const shared<std::atomic<unsigned>> done;
    std::vector<body> all;
    for (std::uint32_t who = 0; who < pairs; ++who) {
        all.push_back({"sender", [&, who] {
                           auto out = open_sender();
                           all_open.arrive();
                           for (std::uint32_t i = 0; i < each; ++i)
                               out.send_value(id{who, i}).value();
                           if (done->fetch_add(1) + 1 == pairs) end_all(out, pairs);
                       }});
        all.push_back({"receiver", [&] {
                           auto in = open_receiver();
                           all_open.arrive();
                           std::array<std::int64_t, pairs> last{-1, -1, -1, -1};
                           receive_all(in, [&](const message& got) {
                               const id its = got.value_as<id>().value();
                               ASSERT_LT(last.at(its.sender), its.number);
                               last.at(its.sender) = its.number;
                               ++(*times_seen).at(its.sender).at(its.number);
                           });
                       }});
    }
    run_bodies(bodies(), all);
    for (const auto& of_sender : *times_seen)
        for (const auto& times : of_sender) ASSERT_EQ(times.load(), 1);
}

TEST_P(receiving, c3_9_a_closed_receiver_stays_until_its_last_message) {
    HAWSER_NEEDS(can().observers, "observers");
    options wanted;
    wanted.participants = 2;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    out.send("one").value();
    auto got = in.receive().value();
    in.close();
    EXPECT_TRUE(fails_with(in.try_receive(), errc::invalid_argument));
    EXPECT_EQ(got.text(), "one");
    EXPECT_TRUE(fails_with(receiver::open(address()), errc::no_space));
    got.release();
    EXPECT_TRUE(succeeds(receiver::open(address())));
}

} // namespace hawser::test
