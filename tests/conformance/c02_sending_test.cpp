// C2: sending.
#include <algorithm>
#include <atomic>
#include <string>

#include "conformance/contract.hpp"

namespace hawser::test {

class sending : public contract {};
HAWSER_CONTRACT(sending, in_each_order());
class sending_between : public contract {};
HAWSER_CONTRACT(sending_between, in_each_order_and_bodies());

namespace {

// All small sizes, then those around powers of two, where inline memory and size classes end.
std::vector<std::size_t> sizes_up_to(std::size_t most) {
    std::vector<std::size_t> sizes;
    for (std::size_t size = 0; size <= 300; ++size) sizes.push_back(size);
    for (std::size_t edge = 512; edge <= most; edge *= 2) {
        for (const int off : {-64, -33, -32, -31, -17, -16, -15, -8, -1, 0, 1, 8, 16, 17, 64})
            sizes.push_back(edge + static_cast<std::size_t>(off));
        sizes.push_back(edge + edge / 2);
    }
    return sizes;
}

} // namespace

TEST_P(sending, c2_1_zero_bytes_are_a_message) {
    auto in = open_receiver();
    auto out = open_sender();
    out.send("").value();
    out.send("after").value();
    const auto empty = in.receive().value();
    EXPECT_TRUE(empty.empty());
    EXPECT_EQ(empty.size(), 0U);
    EXPECT_EQ(in.receive().value().text(), "after");
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
}

TEST_P(sending_between, c2_2_every_size_arrives_unchanged) {
    const auto sizes = sizes_up_to(can().zero_copy ? 4U << 20U : 1U << 20U);
    const beacon may_send; // where one at a time is all that surely arrives
    run_bodies(bodies(), {{"producer",
                           [&] {
                               auto out = open_sender();
                               const std::size_t most = longest(out, sizes.back());
                               for (const std::size_t size : sizes) {
                                   if (!can().reliable) may_send.wait();
                                   out.send(pattern(std::min(size, most), size)).value();
                               }
                           }},
                          {"consumer", [&] {
                               auto in = open_receiver();
                               for (const std::size_t size : sizes) {
                                   if (!can().reliable) may_send.raise();
                                   const auto got = in.receive().value();
                                   if (can().zero_copy || size <= 300) {
                                       ASSERT_EQ(got.size(), size);
                                   }
                                   ASSERT_LE(got.size(), size);
                                   ASSERT_TRUE(has_pattern(got.bytes(), size)) << size;
                               }
                           }}});
}

TEST_P(sending, c2_3_any_bytes_are_allowed) {
    std::string all;
    for (int round = 0; round < 2; ++round)
        for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::string& text : {all, std::string(1, '\0'), std::string("a\0b\n", 4)}) {
        out.send(text).value();
        EXPECT_EQ(in.receive().value().text(), text);
    }
}

TEST_P(sending, c2_4_capacity_is_exact) {
    HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    for (const std::uint64_t capacity : {1U, 2U, 3U, 1000U}) {
        if (capacity > 3 && !can().observers) break; // more than others may ask for
        options wanted;
        wanted.capacity = capacity;
        auto in = open_receiver(wanted);
        auto out = open_sender();
        for (std::uint64_t i = 0; i < capacity; ++i) ASSERT_TRUE(succeeds(out.try_send("m")));
        // More often than there are slots: it has to stay exact when the queue goes round.
        for (std::uint64_t round = 0; round < 2 * capacity + 3; ++round) {
            ASSERT_TRUE(fails_with(out.try_send("one too many"), errc::would_block));
            ASSERT_TRUE(succeeds(in.try_receive()));
            ASSERT_TRUE(succeeds(out.try_send("m")));
        }
        EXPECT_EQ(seen().depth, capacity);
        EXPECT_EQ(drain(in).size(), capacity);
        forget();
    }
}

TEST_P(sending_between, c2_5_a_blocked_send_goes_on_when_there_is_room) {
    HAWSER_NEEDS(can().reliable, "reliable");
    const options wanted = bounded(1);
    const beacon opened;
    const shared<std::atomic<bool>> enough;
    run_bodies(bodies(), {{"producer",
                           [&] {
                               auto out = open_sender(wanted);
                               const std::size_t size = filling_size(out);
                               opened.raise();
                               for (std::uint64_t i = 0; !*enough; ++i)
                                   out.send(numbered(i, size)).value();
                               out.send("").value();
                           }},
                          {"consumer", [&] {
                               opened.wait();
                               auto in = open_receiver(wanted);
                               std::uint64_t next = 0;
                               for (int round = 0; round < 20; ++round) {
                                   // The queue is full, and the sender of the next message sleeps.
                                   until_waiting(participant_role::sender);
                                   EXPECT_EQ(number_in(in.receive().value()), next++);
                                   if (can().capacity_bounded) continue;
                                   while (const auto got = in.try_receive())
                                       EXPECT_EQ(number_in(*got), next++);
                               }
                               *enough = true;
                               for (;;) {
                                   const auto got = in.receive().value();
                                   if (got.empty()) break;
                                   EXPECT_EQ(number_in(got), next++);
                               }
                           }}});
}

TEST_P(sending, c2_6_too_big_begins_one_above_max_message) {
    for (const std::uint64_t most : {1U, 100U, 1500U, 4096U, 65537U}) {
        if (fitting(most) < most) break;
        options wanted;
        wanted.max_message = most;
        auto in = open_receiver(wanted);
        // Where there is an object that has the limit, the sender is told by it.
        auto out = open_sender(can().observers ? options{} : wanted);
        const auto refused = out.send(pattern(most + 1, 1));
        ASSERT_TRUE(fails_with(refused, errc::too_big));
        EXPECT_NE(refused.why().detail().find(std::to_string(most)), std::string_view::npos)
            << refused.why().describe();
        EXPECT_TRUE(fails_with(out.try_send(pattern(most + 1, 1)), errc::too_big));
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
        ASSERT_TRUE(succeeds(out.send(pattern(most, 1))));
        EXPECT_TRUE(has_pattern(in.receive().value().bytes(), 1));
        forget();
    }
}

TEST_P(sending, c2_7_sequences_count_from_zero) {
    HAWSER_NEEDS(can().numbered, "numbered");
    auto in = open_receiver();
    auto out = open_sender();
    for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(out.send("x").value().sequence, i);
    for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(in.receive().value().sequence(), i);
}

TEST_P(sending, c2_8_values_arrive_as_values) {
    struct point {
        std::int32_t x, y;
        bool operator==(const point&) const = default;
    };
    auto in = open_receiver();
    auto out = open_sender();
    out.send_value(point{3, -4}).value();
    out.send_value(std::uint64_t{1} << 63U).value();
    EXPECT_EQ(in.receive_value<point>().value(), (point{3, -4}));
    EXPECT_EQ(in.receive().value().value_as<std::uint64_t>().value(), std::uint64_t{1} << 63U);
}

TEST_P(sending, c2_9_what_was_sent_stays_when_the_sender_leaves) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    auto in = open_receiver();
    {
        auto out = open_sender();
        out.send("one").value();
        out.close();
    }
    std::vector<std::string> due{"one"};
    if (can().many_senders) {
        open_sender().send("two").value();
        due.emplace_back("two");
    }
    std::vector<std::string> texts;
    while (texts.size() < due.size()) texts.emplace_back(in.receive().value().text());
    std::sort(texts.begin(), texts.end());
    EXPECT_EQ(texts, due);
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(sending, c2_10_max_memory_bounds_large_messages) {
    HAWSER_NEEDS(can().zero_copy, "zero_copy");
    constexpr std::uint64_t most = 1U << 20U;
    options wanted;
    wanted.max_message = most;
    wanted.max_memory = 3 * most;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    unsigned stored = 0;
    auto outcome = out.try_send(pattern(most, stored));
    for (; outcome; outcome = out.try_send(pattern(most, stored))) ++stored;
    EXPECT_TRUE(fails_with(outcome, errc::would_block));
    EXPECT_GE(stored, 1U);
    EXPECT_LE(stored * most, seen().geometry.max_memory.value());
    EXPECT_TRUE(succeeds(out.try_send("small ones need none of it")));
    EXPECT_TRUE(has_pattern(in.receive().value().bytes(), 0));
    EXPECT_TRUE(succeeds(out.try_send(pattern(most, stored))));
    EXPECT_EQ(drain(in).size(), stored + 1);
}

} // namespace hawser::test
