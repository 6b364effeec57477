// C20: transports that keep nothing by themselves: what is sent goes from one live end to another.
#include <atomic>
#include <memory>
#include <thread>

#include "conformance/contract.hpp"

namespace hawser::test {

using namespace std::chrono_literals;
using steady = deadline::clock;

class connections : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(!keeps(), "lives");
    }
    // Sends this until it is refused for good, and says how.
    static errc send_until_refused(sender& out) {
        for (;;) {
            const auto outcome = out.send_for("into the void", 10ms);
            if (outcome || outcome.is(errc::timed_out)) continue;
            return outcome.why().code();
        }
    }
    // What arrives up to a would_block or `closed`, and how often something went wrong.
    struct heard {
        std::vector<std::string> texts;
        unsigned peer_died = 0;
        unsigned corrupt = 0;
        unsigned too_big = 0;
    };
    // Until this text comes.
    static heard hear_up_to(receiver& in, std::string_view last) {
        heard all;
        for (;;) {
            const auto got = in.receive();
            if (got) {
                all.texts.emplace_back(got->text());
                if (got->text() == last) return all;
                continue;
            }
            all.peer_died += got.is(errc::peer_died) ? 1U : 0U;
            all.corrupt += got.is(errc::corrupt) ? 1U : 0U;
            all.too_big += got.is(errc::too_big) ? 1U : 0U;
            EXPECT_TRUE(got.is(errc::peer_died) || got.is(errc::corrupt) || got.is(errc::too_big) ||
                        got.is(errc::closed))
                << got.why().describe();
        }
    }
};
HAWSER_CONTRACT(connections, in_each_order());
class connections_between : public connections {};
HAWSER_CONTRACT(connections_between, in_each_order_and_bodies());
class connections_by_death : public connections {};
HAWSER_CONTRACT(connections_by_death, in_each_order_as_processes());

TEST_P(connections_between, c20_1_a_send_waits_for_the_first_receiver) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().reliable, "reliable");
    const beacon tried;
    run_bodies(bodies(), {{"producer",
                           [&] {
                               auto out = open_sender();
                               EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
                               const auto begin = steady::now();
                               EXPECT_TRUE(fails_with(out.send_for("x", 5ms), errc::timed_out));
                               EXPECT_GE(steady::now() - begin, 5ms);
                               tried.raise();
                               out.send("at last").value();
                           }},
                          {"consumer", [&] {
                               tried.wait();
                               until_waiting(participant_role::sender);
                               auto in = open_receiver();
                               EXPECT_EQ(in.receive().value().text(), "at last");
                           }}});
}

TEST_P(connections, c20_2_a_sender_is_told_that_the_receiver_has_gone_and_finds_the_next) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().reliable, "reliable");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    in.close();
    const errc told = send_until_refused(out);
    EXPECT_TRUE(told == errc::closed || told == errc::peer_died) << name_of(told);
    EXPECT_TRUE(fails_with(out.try_send("nobody is there"), errc::would_block));
    auto next = open_receiver();
    out.send("to the next").value();
    EXPECT_EQ(next.receive().value().text(), "to the next");
}

TEST_P(connections_by_death, c20_3_a_sender_is_told_that_the_receiver_was_killed) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().reliable, "reliable");
    const beacon receiving;
    const beacon never;
    child victim("victim", [&] {
        auto in = open_receiver();
        receiving.raise();
        EXPECT_TRUE(succeeds(in.receive()));
        receiving.raise();
        never.wait();
    });
    receiving.wait();
    auto out = open_sender();
    out.send("x").value();
    receiving.wait();
    victim.kill();
    const errc told = send_until_refused(out);
    EXPECT_TRUE(told == errc::closed || told == errc::peer_died) << name_of(told);
    auto next = open_receiver();
    out.send("to the next").value();
    EXPECT_EQ(next.receive().value().text(), "to the next");
}

TEST_P(connections_by_death, c20_4_half_a_message_of_a_killed_sender_is_told_once) {
    HAWSER_NEEDS(can().reliable, "reliable");
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    constexpr std::size_t large = 4U << 20U;
    const shared<std::atomic<bool>> in_pieces; // longer than what the facility takes at once
    auto victim = std::make_unique<child>("victim", [&] {
        auto out = open_sender();
        const std::size_t size = longest(out, large);
        *in_pieces = size == large;
        for (std::uint64_t i = 0;; ++i) out.send(numbered(i, size)).value();
    });
    auto in = open_receiver();
    until_waiting(participant_role::sender);
    // Twice: it may have waited for the receiver at first.
    EXPECT_EQ(number_in(in.receive().value()), 0U);
    until_waiting(participant_role::sender);
    victim->kill();
    std::uint64_t next = 1;
    unsigned halves = 0;
    for (;;) {
        const auto got = in.receive();
        if (got) {
            EXPECT_EQ(number_in(*got), next++);
        } else if (got.is(errc::peer_died)) {
            ++halves;
        } else {
            EXPECT_TRUE(fails_with(got, errc::closed));
            break;
        }
    }
    EXPECT_EQ(halves, *in_pieces ? 1U : 0U);
    EXPECT_TRUE(fails_with(in.receive(), errc::closed));
}

TEST_P(connections, c20_5_a_message_that_is_too_large_for_the_receiver_is_skipped_and_told) {
    options wanted;
    wanted.max_message = 100;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    for (int i = 0; i < 3; ++i) {
        out.send(pattern(100, 1)).value();
        out.send(pattern(101, 1)).value();
        out.send(pattern(1400, 1)).value();
        out.send("small").value();
        EXPECT_EQ(in.receive().value().size(), 100U);
        for (int k = 0; k < 2; ++k) {
            const auto refused = in.receive();
            ASSERT_TRUE(fails_with(refused, errc::too_big));
            EXPECT_NE(refused.why().detail().find("100"), std::string_view::npos);
        }
        EXPECT_EQ(in.receive().value().text(), "small");
    }
}

TEST_P(connections, c20_6_bytes_that_are_no_message_are_corrupt_and_others_go_on) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(can().byte_stream, "byte_stream");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    auto stranger = byte_stream::open(address(), stream_role::writer).value();
    stranger.write_all("GET / HTTP/1.1\r\nHost: somebody else\r\n\r\n").value();
    const auto got = in.receive();
    EXPECT_TRUE(fails_with(got, errc::corrupt));
    stranger.close();
    out.send("goes on").value();
    const heard rest = hear_up_to(in, "goes on");
    EXPECT_EQ(rest.texts, std::vector<std::string>{"goes on"});
    EXPECT_EQ(rest.too_big, 0U);
}

TEST_P(connections, c20_7_a_send_that_timed_out_in_the_middle_leaves_the_stream_whole) {
    HAWSER_NEEDS(can().reliable, "reliable");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const std::size_t size = longest(out, 4U << 20U);
    for (int round = 0; round < 3; ++round) {
        std::uint64_t sent = 0;
        while (out.send_for(numbered(sent, size), 5ms)) ++sent;
        std::uint64_t got = 0;
        for (; got < sent; ++got) EXPECT_EQ(number_in(in.receive().value()), got);
        // What was begun of the last one is taken back: what follows is found, and nothing else.
        std::thread next([&] { out.send("next").value(); });
        EXPECT_EQ(in.receive().value().text(), "next");
        next.join();
        EXPECT_TRUE(drain(in).empty());
    }
}

TEST_P(connections, c20_8_a_receiver_tells_the_port_that_it_got) {
    HAWSER_NEEDS(can().crosses_machines, "crosses_machines");
    const std::string any = address().substr(0, address().rfind(':')) + ":0";
    auto in = receiver::open(any).value();
    const std::string where = in.where().name();
    EXPECT_NE(where, any);
    auto out = sender::open(where).value();
    out.send("found").value();
    EXPECT_EQ(in.receive().value().text(), "found");
}

TEST_P(connections, c20_9_nothing_is_left_when_all_have_closed) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    for (const bool receiver_first : {true, false}) {
        auto in = open_receiver();
        auto out = open_sender();
        introduce(out, in);
        if (receiver_first) in.close();
        out.close();
        in.close();
        expect_missing();
    }
}

TEST_P(connections_by_death, c20_10_a_sender_that_stops_in_the_middle_is_in_nobodys_way) {
    HAWSER_NEEDS(can().many_senders, "many_senders");
    HAWSER_NEEDS(can().reliable, "reliable");
    child stopped("stopped", [&] {
        auto out = open_sender();
        const std::size_t size = longest(out, 4U << 20U);
        for (std::uint64_t i = 0;; ++i) out.send(numbered(i, size)).value();
    });
    auto in = open_receiver();
    EXPECT_EQ(number_in(in.receive().value()), 0U);
    until_waiting(participant_role::sender);
    stopped.stop();
    auto out = open_sender();
    while (in.try_receive()) { // what it sent before
    }
    for (int i = 0; i < 100; ++i) {
        out.send("goes on").value();
        auto got = in.receive().value();
        while (got.text() != "goes on") got = in.receive().value();
    }
    stopped.kill();
    out.send("after its death").value();
    const heard rest = hear_up_to(in, "after its death");
    EXPECT_LE(rest.peer_died, 1U);
    EXPECT_EQ(rest.corrupt, 0U);
}

} // namespace hawser::test
