// C19: what a facility is set to, and what of it can be changed.
#include "conformance/contract.hpp"

namespace hawser::test {

class settings : public contract {
  protected:
    // What this transport has, or nothing.
    static attributes of(receiver& in) {
        auto all = in.attributes();
        if (all) return *all;
        EXPECT_TRUE(fails_with(all, errc::unsupported));
        return {};
    }
};
HAWSER_CONTRACT(settings, in_each_order());

TEST_P(settings, c19_1_attributes_are_as_they_were_asked_for) {
    options wanted = bounded(5);
    if (can().permissions && GetParam().kind != "abstract") wanted.mode = 0640;
    auto in = open_receiver(wanted);
    const attributes now = of(in);
    if (can().capacity_bounded && now.capacity) {
        EXPECT_EQ(now.capacity, 5U);
    }
    if (wanted.mode && now.mode) {
        EXPECT_EQ(*now.mode & 0777U, 0640U);
    }
    if (now.max_message) {
        EXPECT_GT(*now.max_message, 0U);
        EXPECT_LE(*now.max_message, can().max_message);
    }
    auto out = open_sender();
    introduce(out, in);
    const auto of_sender = out.attributes();
    EXPECT_EQ(static_cast<bool>(of_sender), static_cast<bool>(in.attributes()));
    if (of_sender && of_sender->max_message) {
        const std::uint64_t most = *of_sender->max_message;
        if (most < (1U << 20U)) {
            EXPECT_TRUE(fails_with(out.try_send(pattern(most + 1, 1)), errc::too_big));
        }
    }
}

TEST_P(settings, c19_2_the_depth_is_what_waits) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const attributes empty = of(in);
    for (int i = 0; i < 3; ++i) out.send("12345").value();
    if (can().crosses_machines) until_ready(in);
    const attributes three = of(in);
    EXPECT_EQ(three.depth.has_value(), empty.depth.has_value());
    if (three.depth) {
        EXPECT_EQ(empty.depth, 0U);
        EXPECT_EQ(three.depth, 3U);
    }
    if (three.depth_bytes) {
        EXPECT_EQ(empty.depth_bytes, 0U);
        EXPECT_GE(three.depth_bytes.value(), three.depth ? 15U : 1U);
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ(in.receive().value().text(), "12345");
    if (three.depth) {
        EXPECT_EQ(of(in).depth, 0U);
    }
}

TEST_P(settings, c19_3_capacity_in_bytes_can_be_changed_where_there_is_one) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const attributes before = of(in);
    options larger;
    larger.max_memory = 8192;
    const auto changed = in.change(larger);
    if (changed) {
        ASSERT_TRUE(of(in).capacity_bytes.has_value());
        EXPECT_GE(of(in).capacity_bytes.value(), 8192U); // a kernel may round up
        EXPECT_NE(of(in).capacity_bytes, before.capacity_bytes);
    } else {
        EXPECT_TRUE(fails_with(changed, errc::unsupported));
        EXPECT_EQ(of(in).capacity_bytes, before.capacity_bytes);
    }
    out.send("goes on").value();
    EXPECT_EQ(in.receive().value().text(), "goes on");
}

TEST_P(settings, c19_4_mode_can_be_changed_where_there_are_permissions_that_are_told) {
    auto in = open_receiver();
    options wanted;
    wanted.mode = 0660;
    const auto changed = in.change(wanted);
    if (!changed) {
        EXPECT_TRUE(fails_with(changed, errc::unsupported));
        return;
    }
    EXPECT_TRUE(can().permissions);
    EXPECT_EQ(of(in).mode.value() & 0777U, 0660U);
    EXPECT_EQ(inspect_mailbox(address()).value().mode & 0777U, 0660U);
}

TEST_P(settings, c19_5_what_can_not_be_changed_is_unsupported_and_stays) {
    auto in = open_receiver();
    auto out = open_sender();
    options wanted;
    wanted.loans = 4;
    const attributes before = of(in);
    EXPECT_TRUE(fails_with(in.change(wanted), errc::unsupported));
    EXPECT_EQ(of(in).capacity_bytes, before.capacity_bytes);
    EXPECT_EQ(of(in).mode, before.mode);
    introduce(out, in);
    EXPECT_TRUE(fails_with(out.change(wanted), errc::unsupported));
}

} // namespace hawser::test
