// C8: death and redelivery. Each process here is killed with SIGKILL, and the kernel has taken back
// what it held when kill() returns.
#include <algorithm>
#include <memory>

#include "conformance/contract.hpp"

namespace hawser::test {

class death : public contract {
  protected:
    [[nodiscard]] bool survives_receivers() const {
        return can().survives_kill_of == survival_kind::both ||
               can().survives_kill_of == survival_kind::receiver;
    }
    [[nodiscard]] bool survives_senders() const {
        return can().survives_kill_of == survival_kind::both ||
               can().survives_kill_of == survival_kind::sender;
    }

    // A process that receives so many messages, releases those at odd places if asked to, and waits
    // to be killed.
    std::unique_ptr<child> holder(int count, bool release_odd = false) {
        auto one = std::make_unique<child>("holder", [this, count, release_odd] {
            auto in = open_receiver();
            std::vector<message> in_use;
            for (int i = 0; i < count; ++i) {
                in_use.push_back(in.receive().value());
                if (release_odd && i % 2 == 1) in_use.back().release();
            }
            holding_.raise();
            never_.wait();
        });
        holding_.wait();
        return one;
    }

    // Sends "0", "1", … in a process that has ended when this returns.
    void send_numbers(int count, options wanted = {}) {
        child producer("producer", [this, count, &wanted] {
            auto out = open_sender(wanted);
            for (int i = 0; i < count; ++i) out.send(std::to_string(i)).value();
        });
        producer.end_well();
    }

    struct delivery {
        std::string text;
        bool again;
        auto operator<=>(const delivery&) const = default;
        friend std::ostream& operator<<(std::ostream& out, const delivery& one) {
            return out << one.text << (one.again ? " (again)" : "");
        }
    };
    // The next `count` messages, and that there is no other.
    static std::vector<delivery> deliveries(receiver& in, int count) {
        std::vector<delivery> all;
        for (int i = 0; i < count; ++i) {
            const auto got = in.receive().value();
            all.push_back({std::string(got.text()), got.redelivered()});
        }
        EXPECT_FALSE(in.try_receive()) << "one too many";
        return all;
    }

    beacon holding_;
    beacon never_;
};
HAWSER_CONTRACT(death, in_each_order_as_processes());
// What a killed receiver had taken comes again.
class redelivery : public death {
  protected:
    void SetUp() override {
        death::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(survives_receivers(), "survives_kill_of");
    }
};
HAWSER_CONTRACT(redelivery, in_each_order_as_processes());

TEST_P(redelivery, c8_1_the_message_of_a_killed_receiver_comes_again) {
    send_numbers(1);
    const auto victim = holder(1);
    auto in = open_receiver();
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    victim->kill();
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), "0");
    EXPECT_TRUE(got.redelivered());
    EXPECT_EQ(got.sequence(), 0U);
    EXPECT_FALSE(in.try_receive());
    EXPECT_EQ(in.stats().redelivered, 1U);
}

TEST_P(redelivery, c8_2_exactly_those_in_use_come_again) {
    send_numbers(10);
    holder(6, true)->kill(); // had 0 to 5, released 1, 3 and 5
    auto in = open_receiver();
    auto got = deliveries(in, 7);
    std::sort(got.begin(), got.end());
    const std::vector<delivery> due{{"0", true},  {"2", true},  {"4", true}, {"6", false},
                                    {"7", false}, {"8", false}, {"9", false}};
    EXPECT_EQ(got, due);
    EXPECT_EQ(in.stats().redelivered, 3U);
    EXPECT_EQ(in.stats().received, 4U);
}

TEST_P(redelivery, c8_3_at_most_once_loses_and_counts_them) {
    options wanted;
    wanted.delivery = delivery_policy::at_most_once;
    send_numbers(5, wanted);
    holder(3)->kill();
    auto in = open_receiver();
    const std::vector<delivery> due{{"3", false}, {"4", false}};
    EXPECT_EQ(deliveries(in, 2), due);
    EXPECT_TRUE(succeeds(collect_garbage())); // repairs what the dead have left
    EXPECT_EQ(seen().counters.lost, 3U);
    EXPECT_EQ(seen().held, 0U);
}

TEST_P(redelivery, c8_4_redelivery_keeps_the_order) {
    send_numbers(10);
    holder(4)->kill();
    auto in = open_receiver();
    std::vector<std::string> again;
    std::vector<std::string> first;
    for (const delivery& one : deliveries(in, 10)) (one.again ? again : first).push_back(one.text);
    EXPECT_EQ(again, (std::vector<std::string>{"0", "1", "2", "3"}));
    EXPECT_EQ(first, (std::vector<std::string>{"4", "5", "6", "7", "8", "9"}));
}

// Killed with all its loans in hand, two hundred times; then all is as new.
TEST_P(death, c8_5_a_sender_killed_before_send_leaves_nothing) {
    HAWSER_NEEDS(survives_senders(), "survives_kill_of");
    HAWSER_NEEDS(keeps(), "lives");
    options wanted = bounded(3);
    if (can().observers) {
        wanted.participants = 4;
        wanted.loans = 4;
        wanted.max_message = 1U << 20U;
        wanted.max_memory = 4U << 20U;
    }
    {
        child creator("creator", [&] {
            auto out = open_sender(wanted);
            out.send("so that it stays").value();
        });
        creator.end_well();
    }
    for (int i = 0; i < 200; ++i) {
        child victim("victim", [&] {
            auto out = open_sender();
            std::vector<loan> taken;
            for (std::size_t size : {10U, 5000U, 100000U}) {
                taken.push_back(out.loan_for(longest(out, size)).value());
                fill_pattern(taken.back().bytes(), 1);
            }
            holding_.raise();
            never_.wait();
        });
        holding_.wait();
        victim.kill();
    }
    auto in = open_receiver();
    EXPECT_EQ(drain(in), std::vector<std::string>{"so that it stays"});
    auto out = open_sender();
    std::vector<loan> taken;
    for (int i = 0; i < 4; ++i) taken.push_back(out.loan_for(1000).value());
    taken.clear();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(succeeds(out.try_send("x")));
    if (can().capacity_bounded) {
        EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
    }
    EXPECT_EQ(drain(in).size(), 3U);
    EXPECT_TRUE(succeeds(out.try_send(pattern(longest(out, 1U << 20U), 2))));
    EXPECT_EQ(drain(in).size(), 1U);
    if (can().observers) {
        EXPECT_EQ(seen().held, 0U);
    }
}

TEST_P(redelivery, c8_6_a_message_comes_again_as_often_as_receivers_die) {
    send_numbers(2);
    for (int i = 0; i < 5; ++i) holder(2)->kill();
    auto in = open_receiver();
    const std::vector<delivery> due{{"0", true}, {"1", true}};
    EXPECT_EQ(deliveries(in, 2), due);
}

TEST_P(redelivery, c8_7_redelivery_wakes_a_blocked_receiver) {
    send_numbers(1);
    const auto victim = holder(1);
    child other("other", [this] {
        auto in = open_receiver();
        const auto got = in.receive().value();
        EXPECT_EQ(got.text(), "0");
        EXPECT_TRUE(got.redelivered());
    });
    until_waiting(participant_role::receiver);
    victim->kill();
    other.end_well();
}

TEST_P(death, c8_8_a_sender_killed_while_it_waits_for_room_leaves_nothing) {
    HAWSER_NEEDS(survives_senders(), "survives_kill_of");
    HAWSER_NEEDS(keeps(), "lives");
    HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    const options wanted = bounded(2);
    auto starter = std::make_unique<child>("starter", [&] {
        auto out = open_sender(wanted);
        for (int i = 0; i < 2; ++i) out.send("x").value();
        out.send("must never be seen").value();
    });
    until_waiting(participant_role::sender);
    starter->kill();
    auto in = open_receiver();
    EXPECT_EQ(drain(in), (std::vector<std::string>{"x", "x"}));
    auto out = open_sender();
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(succeeds(out.try_send("y")));
    EXPECT_TRUE(fails_with(out.try_send("y"), errc::would_block));
    EXPECT_EQ(drain(in).size(), 2U);
}

TEST_P(death, c8_9_a_receiver_killed_while_it_waits_takes_nothing_along) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    HAWSER_NEEDS(can().reliable, "reliable");
    child victim("victim", [this] { (void)open_receiver().receive(); });
    until_waiting(participant_role::receiver);
    child other("other", [this] {
        auto in = open_receiver();
        for (int i = 0; i < 10; ++i) EXPECT_EQ(in.receive().value().text(), std::to_string(i));
    });
    until_waiting(participant_role::receiver, 2);
    victim.kill();
    send_numbers(10);
    other.end_well();
}

TEST_P(death, c8_10_what_is_queued_survives_the_death_of_all) {
    HAWSER_NEEDS(keeps(), "lives");
    child producer("producer", [this] {
        auto out = open_sender();
        for (int i = 0; i < 5; ++i) out.send(std::to_string(i)).value();
        holding_.raise();
        never_.wait();
    });
    holding_.wait();
    if (!survives_receivers()) { // what was taken is gone with its taker; the rest is there
        producer.kill();
        holder(2)->kill();
        auto in = open_receiver();
        const std::vector<delivery> rest{{"2", false}, {"3", false}, {"4", false}};
        EXPECT_EQ(deliveries(in, 3), rest);
        return;
    }
    const auto consumer = holder(2);
    producer.kill();
    consumer->kill();
    EXPECT_EQ(seen().state, mailbox_state::idle);
    EXPECT_EQ(seen().depth, 3U);
    EXPECT_EQ(seen().held, 2U);
    auto in = open_receiver();
    auto got = deliveries(in, 5);
    std::sort(got.begin(), got.end());
    const std::vector<delivery> due{
        {"0", true}, {"1", true}, {"2", false}, {"3", false}, {"4", false}};
    EXPECT_EQ(got, due);
}

TEST_P(redelivery, c8_11_a_stopped_receiver_is_in_nobodys_way) {
    send_numbers(5);
    const auto stopped = holder(2);
    stopped->stop();
    auto in = open_receiver();
    const std::vector<delivery> due{{"2", false}, {"3", false}, {"4", false}};
    EXPECT_EQ(deliveries(in, 3), due);
    auto out = open_sender();
    for (int i = 0; i < 5000; ++i) {
        out.send("goes on").value();
        EXPECT_EQ(in.receive().value().text(), "goes on");
    }
    EXPECT_EQ(seen().held, 2U);
    stopped->go_on();
    stopped->kill();
    const std::vector<delivery> rest{{"0", true}, {"1", true}};
    EXPECT_EQ(deliveries(in, 2), rest);
}

TEST_P(redelivery, c8_12_the_end_comes_after_what_the_dead_had) {
    const beacon opened;
    child consumer("consumer", [&] {
        auto in = open_receiver();
        opened.raise();
        never_.wait(); // once: then the holder is dead and the sender gone
        const auto got = in.receive().value();
        EXPECT_EQ(got.text(), "0");
        EXPECT_TRUE(got.redelivered());
        EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    });
    opened.wait();
    send_numbers(1);
    const beacon never;
    child victim("victim", [&] {
        auto in = open_receiver();
        const auto got = in.receive().value();
        holding_.raise();
        never.wait();
    });
    holding_.wait();
    victim.kill();
    never_.raise();
    consumer.end_well();
}

} // namespace hawser::test
