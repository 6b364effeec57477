// C12: limits, errors, counters.
#include <algorithm>
#include <memory>
#include <optional>

#include "conformance/contract.hpp"

namespace hawser::test {

class limits : public contract {};
HAWSER_CONTRACT(limits, in_each_order());
class limits_by_death : public contract {};
HAWSER_CONTRACT(limits_by_death, in_each_order_as_processes());

TEST_P(limits, c12_1_participants_is_exact) {
    HAWSER_NEEDS(can().observers, "observers");
    for (const std::uint32_t most : {2U, 3U, 64U}) {
        options wanted;
        wanted.participants = most;
        std::vector<receiver> all;
        for (std::uint32_t i = 0; i < most; ++i) all.push_back(open_receiver(wanted));
        const auto refused = sender::open(address());
        ASSERT_TRUE(fails_with(refused, errc::no_space));
        EXPECT_NE(refused.why().detail().find("participants"), std::string_view::npos)
            << refused.why().describe();
        EXPECT_TRUE(fails_with(receiver::open(address()), errc::no_space));
        all.erase(all.begin());
        EXPECT_TRUE(succeeds(sender::open(address())));
    }
}

TEST_P(limits_by_death, c12_2_slots_come_back_after_death) {
    HAWSER_NEEDS(can().observers, "observers");
    options wanted;
    wanted.participants = 2;
    const beacon opened;
    const beacon never;
    for (int i = 0; i < 50; ++i) {
        child victim("victim", [&] {
            auto in = open_receiver(wanted);
            auto out = open_sender(wanted);
            opened.raise();
            never.wait();
        });
        opened.wait();
        EXPECT_TRUE(fails_with(receiver::open(address()), errc::no_space));
        victim.kill();
    }
    auto in = open_receiver();
    auto out = open_sender();
    EXPECT_TRUE(succeeds(out.send("x")));
    EXPECT_TRUE(succeeds(in.receive()));
}

TEST_P(limits, c12_3_joining_and_leaving_wears_nothing_out) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    options wanted = bounded(2);
    if (can().observers) wanted.participants = 3;
    auto in = open_receiver(wanted);
    for (int i = 0; i < 5000; ++i) {
        ASSERT_TRUE(succeeds(sender::open(address())));
        ASSERT_TRUE(succeeds(receiver::open(many() ? address() : address("-other"))));
        // Whoever connects is heard, and does not wait at the door for ever.
        if (!keeps() && i % 10 == 0) static_cast<void>(in.try_receive());
    }
    if (can().observers) {
        EXPECT_EQ(seen().participants.size(), 1U);
    }
    auto out = open_sender();
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(succeeds(out.send("x")));
    if (can().capacity_bounded) {
        EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
    }
    for (int i = 0; i < 2; ++i) EXPECT_EQ(in.receive().value().text(), "x");
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(limits, c12_4_after_close_every_call_is_refused) {
    auto in = open_receiver();
    auto out = open_sender();
    auto memory = out.loan_for(10).value();
    out.close();
    EXPECT_TRUE(fails_with(out.send("x"), errc::invalid_argument));
    EXPECT_TRUE(fails_with(out.try_send("x"), errc::invalid_argument));
    EXPECT_TRUE(fails_with(out.loan_for(1), errc::invalid_argument));
    EXPECT_TRUE(fails_with(out.send(std::move(memory)), errc::invalid_argument));
    EXPECT_TRUE(fails_with(out.fd(), errc::invalid_argument));
    out.close();
    in.close();
    EXPECT_TRUE(fails_with(in.receive(), errc::invalid_argument));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::invalid_argument));
    EXPECT_TRUE(fails_with(in.fd(), errc::invalid_argument));
    in.close();
}

TEST_P(limits, c12_5_errors_name_code_operation_and_address) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    auto in = open_receiver();
    const auto empty = in.receive_for(std::chrono::milliseconds(1));
    ASSERT_TRUE(fails_with(empty, errc::timed_out));
    EXPECT_EQ(empty.why().address(), address());
    EXPECT_EQ(empty.why().operation(), "receive");
    const std::string text = empty.why().describe();
    EXPECT_NE(text.find(address()), std::string::npos) << text;
    EXPECT_NE(text.find("timed_out"), std::string::npos) << text;
    // The one that comes all the time stays cheap: it names no address.
    EXPECT_EQ(in.try_receive().why().operation(), "receive");
    const auto opened = receiver::open(address() + "?create=create");
    ASSERT_TRUE(fails_with(opened, errc::already_exists));
    EXPECT_EQ(opened.why().address(), address());
    EXPECT_FALSE(opened.why().detail().empty());
    try {
        in.try_receive().value();
        ADD_FAILURE() << "value() of an error throws";
    } catch (const exception& thrown) {
        EXPECT_EQ(thrown.code(), errc::would_block);
    }
}

TEST_P(limits, c12_6_options_out_of_range_are_named) {
    const std::pair<const char*, const char*> wrong[] = {
        {"participants", "0"}, {"participants", "2048"}, {"loans", "1"},
        {"loans", "33"},       {"max_message", "0"},     {"mode", "01777"},
        {"capacity", "-1"},    {"sharing", "some"},      {"persist", "maybe"}};
    for (const auto& [option, value] : wrong) {
        const auto refused = sender::open(address() + "?" + option + "=" + value);
        ASSERT_TRUE(fails_with(refused, errc::invalid_argument)) << option << "=" << value;
        EXPECT_NE(refused.why().detail().find(option), std::string_view::npos)
            << refused.why().describe();
    }
    options wanted;
    wanted.loans = 33;
    EXPECT_TRUE(fails_with(sender::open(address(), wanted), errc::invalid_argument));
    wanted = {};
    wanted.max_message = 1U << 20U;
    wanted.max_memory = 1U << 10U;
    if (can().zero_copy) { // the memory that messages are in
        EXPECT_TRUE(fails_with(sender::open(address(), wanted), errc::invalid_argument));
    }
    expect_missing();
}

TEST_P(limits, c12_7_counters_are_exact) {
    auto in = open_receiver();
    auto out = open_sender();
    std::uint64_t bytes = 0;
    const int waiting = room(10);
    int left = 0;
    for (std::uint64_t i = 0; i < 100; ++i) {
        out.send(pattern(i * 10, i)).value();
        bytes += i * 10;
        if (++left < waiting && i < 99) continue;
        for (; left > 0; --left) EXPECT_TRUE(succeeds(in.receive()));
    }
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    EXPECT_EQ(out.stats().sent, 100U);
    EXPECT_EQ(out.stats().sent_bytes, bytes);
    EXPECT_EQ(out.stats().received, 0U);
    EXPECT_EQ(out.stats().dropped, 0U);
    EXPECT_EQ(in.stats().received, 100U);
    EXPECT_EQ(in.stats().received_bytes, bytes);
    EXPECT_EQ(in.stats().sent, 0U);
    EXPECT_EQ(in.stats().redelivered, 0U);
    EXPECT_EQ(in.stats().lost, 0U);
    EXPECT_EQ(in.stats().reaped, 0U);
}

TEST_P(limits, c12_8_the_mailbox_counts_also_for_those_who_left) {
    HAWSER_NEEDS(can().observers, "observers");
    auto in = open_receiver();
    for (int i = 0; i < 10; ++i) open_sender().send("12345").value();
    for (int i = 0; i < 4; ++i) open_receiver().receive().value();
    const auto counters = seen().counters;
    EXPECT_EQ(counters.sent, 10U);
    EXPECT_EQ(counters.sent_bytes, 50U);
    EXPECT_EQ(counters.received, 4U);
    EXPECT_EQ(counters.received_bytes, 20U);
    EXPECT_EQ(drain(in).size(), 6U);
}

} // namespace hawser::test
