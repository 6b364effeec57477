// C7: end of stream.
#include <atomic>
#include <memory>

#include "conformance/contract.hpp"

namespace hawser::test {

// Where the end of the stream is told; c7_2 and c7_9 say what they need themselves.
class ends_told : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    }
};
class end_of_stream : public ends_told {};
HAWSER_CONTRACT(end_of_stream, in_each_order());
class end_of_stream_between : public ends_told {};
HAWSER_CONTRACT(end_of_stream_between, in_each_order_and_bodies());
class without_peers : public contract {};
HAWSER_CONTRACT(without_peers, in_each_order());
class without_peers_between : public contract {};
HAWSER_CONTRACT(without_peers_between, in_each_order_and_bodies());
class end_of_stream_by_death : public ends_told {};
HAWSER_CONTRACT(end_of_stream_by_death, in_each_order_as_processes());

TEST_P(end_of_stream, c7_1_closed_comes_after_the_last_message) {
    auto in = open_receiver();
    const int count = room(10);
    {
        auto out = open_sender();
        for (int i = 0; i < count; ++i) out.send(std::to_string(i)).value();
    }
    for (int i = 0; i < count; ++i) EXPECT_EQ(in.receive().value().text(), std::to_string(i));
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(fails_with(in.receive(), errc::closed));
        EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
        EXPECT_TRUE(fails_with(in.receive_for(std::chrono::hours(1)), errc::closed));
    }
}

TEST_P(without_peers_between, c7_2_a_receiver_waits_for_its_first_sender) {
    const beacon opened;
    run_bodies(bodies(), {{"consumer",
                           [&] {
                               auto in = open_receiver();
                               EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
                               opened.raise();
                               EXPECT_EQ(in.receive().value().text(), "at last");
                           }},
                          {"producer", [&] {
                               opened.wait();
                               until_waiting(participant_role::receiver);
                               open_sender().send("at last").value();
                           }}});
}

TEST_P(end_of_stream_between, c7_3_a_blocked_receive_ends_when_the_last_sender_closes) {
    const unsigned receivers = can().many_receivers ? 3 : 1;
    const barrier all_open(receivers + 1);
    const shared<std::atomic<unsigned>> greeted;
    std::vector<body> all;
    for (unsigned i = 0; i < receivers; ++i) {
        all.push_back({"consumer", [&] {
                           auto in = open_receiver();
                           all_open.arrive();
                           auto got = in.receive();
                           if (got) { // where a connection has to tell of the sender
                               EXPECT_EQ(got->text(), "it is me");
                               ++*greeted;
                               got = in.receive();
                           }
                           EXPECT_TRUE(fails_with(got, errc::closed));
                       }});
    }
    all.push_back({"producer", [&] {
                       auto out = open_sender();
                       all_open.arrive();
                       if (!keeps()) {
                           out.send("it is me").value();
                           until([&] { return *greeted == 1; });
                       }
                       until_waiting(participant_role::receiver, receivers);
                   }});
    run_bodies(bodies(), all);
}

TEST_P(end_of_stream_by_death, c7_4_a_blocked_receive_ends_when_the_last_sender_is_killed) {
    const beacon opened;
    const beacon receiving;
    child producer("producer", [&] {
        auto out = open_sender();
        opened.raise();
        if (!keeps()) out.send("it is me").value();
        receiving.wait(2); // for ever: it is raised once
    });
    const beacon heard;
    child consumer("consumer", [&] {
        opened.wait();
        auto in = open_receiver();
        receiving.raise();
        if (!keeps()) {
            EXPECT_EQ(in.receive().value().text(), "it is me");
        }
        heard.raise();
        EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    });
    let_go();
    heard.wait();
    until_waiting(participant_role::receiver);
    producer.kill();
    consumer.end_well();
}

TEST_P(end_of_stream, c7_5_another_sender_opens_the_stream_again) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    auto in = open_receiver();
    for (int i = 0; i < 3; ++i) {
        {
            auto out = open_sender();
            if (keeps()) { // elsewhere a first message may have to tell
                EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
            }
            out.send("more").value();
        }
        EXPECT_EQ(in.receive().value().text(), "more");
        EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    }
}

TEST_P(end_of_stream, c7_6_one_remaining_sender_keeps_it_open) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    auto in = open_receiver();
    auto one = open_sender();
    auto two = open_sender();
    introduce(two, in);
    one.send("one").value();
    one.close();
    EXPECT_EQ(in.receive().value().text(), "one");
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    two.close();
    if (can().crosses_machines) until_ready(in);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
}

TEST_P(end_of_stream_by_death, c7_7_what_a_killed_sender_sent_arrives_first) {
    const beacon done;
    const beacon never;
    const int count = room(100);
    child producer("producer", [&] {
        auto out = open_sender();
        for (int i = 0; i < count; ++i) out.send(std::to_string(i)).value();
        done.raise();
        never.wait();
    });
    if (keeps()) done.wait();
    auto in = open_receiver();
    if (!keeps()) done.wait();
    producer.kill();
    for (int i = 0; i < count; ++i) EXPECT_EQ(in.receive().value().text(), std::to_string(i));
    EXPECT_TRUE(fails_with(in.receive(), errc::closed));
}

TEST_P(end_of_stream, c7_8_a_receiver_that_comes_after_the_senders_gets_what_is_left_and_the_end) {
    HAWSER_NEEDS(keeps(), "lives");
    {
        auto out = open_sender();
        for (int i = 0; i < 3; ++i) out.send("left behind").value();
    }
    auto in = open_receiver();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(in.receive().value().text(), "left behind");
    EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
    // One that finds nothing has not heard of any sender, and waits for the first.
    auto late = open_receiver();
    EXPECT_TRUE(fails_with(late.try_receive(), errc::would_block));
}

TEST_P(without_peers, c7_9_sending_needs_no_receiver_and_does_not_end_without) {
    HAWSER_NEEDS(keeps(), "lives");
    auto out = open_sender();
    open_receiver().close();
    EXPECT_TRUE(succeeds(out.send("x")));
    EXPECT_EQ(open_receiver().try_receive().value().text(), "x");
    EXPECT_TRUE(succeeds(out.send("y")));
    EXPECT_EQ(open_receiver().try_receive().value().text(), "y");
}

} // namespace hawser::test
