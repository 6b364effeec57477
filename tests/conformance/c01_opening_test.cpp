// C1: opening and creating.
#include "conformance/contract.hpp"

namespace hawser::test {

class opening : public contract {};
HAWSER_CONTRACT(opening, in_each_order());
class opening_between : public contract {};
HAWSER_CONTRACT(opening_between, in_each_wait_and_bodies());

TEST_P(opening_between, c1_1_hello) {
    run_bodies(bodies(), {{"producer",
                           [this] {
                               auto out = open_sender();
                               out.send("hello").value();
                           }},
                          {"consumer", [this] {
                               auto in = open_receiver();
                               EXPECT_EQ(in.receive().value().text(), "hello");
                           }}});
}

TEST_P(opening, c1_2_either_end_may_come_first) {
    for (const bool sender_first : {true, false}) {
        std::optional<sender> out;
        std::optional<receiver> in;
        if (sender_first) out.emplace(open_sender());
        in.emplace(open_receiver());
        if (!sender_first) out.emplace(open_sender());
        out->send("hello").value();
        EXPECT_EQ(in->receive().value().text(), "hello");
    }
}

TEST_P(opening, c1_3_create_refuses_what_exists) {
    const auto first = open_receiver();
    options wanted;
    wanted.create = create_policy::create;
    EXPECT_TRUE(fails_with(sender::open(address(), as_variant(wanted)), errc::already_exists));
    EXPECT_TRUE(succeeds(sender::open(address("-other"), as_variant(wanted))));
}

TEST_P(opening, c1_4_open_refuses_what_is_missing) {
    options wanted;
    wanted.create = create_policy::open;
    EXPECT_TRUE(fails_with(sender::open(address(), as_variant(wanted)), errc::not_found));
    EXPECT_TRUE(fails_with(receiver::open(address(), as_variant(wanted)), errc::not_found));
    EXPECT_TRUE(fails_with(inspect_mailbox(address()), errc::not_found));
}

TEST_P(opening, c1_5_options_not_given_take_it_as_it_is) {
    options wanted;
    wanted.capacity = 37;
    wanted.max_message = 5000;
    const auto in = open_receiver(wanted);
    auto out = sender::open(address()).value();
    const options geometry = seen().geometry;
    EXPECT_EQ(geometry.capacity, 37U);
    EXPECT_EQ(geometry.max_message, 5000U);
    EXPECT_TRUE(fails_with(out.send(pattern(5001, 1)), errc::too_big));
}

TEST_P(opening, c1_6_another_geometry_is_already_exists) {
    options mine;
    mine.capacity = 37;
    const auto in = open_receiver(mine);
    options yours;
    yours.capacity = 41;
    const auto refused = sender::open(address(), as_variant(yours));
    ASSERT_TRUE(fails_with(refused, errc::already_exists));
    const std::string detail{refused.why().detail()};
    EXPECT_NE(detail.find("37"), std::string::npos) << detail;
    EXPECT_NE(detail.find("41"), std::string::npos) << detail;
    options same;
    same.capacity = 37;
    EXPECT_TRUE(succeeds(sender::open(address(), as_variant(same))));
}

TEST_P(opening, c1_7_options_of_address_and_call_are_merged) {
    options wanted;
    wanted.max_message = 777;
    const auto in = receiver::open(address() + "?capacity=3", as_variant(wanted)).value();
    EXPECT_EQ(seen().geometry.capacity, 3U);
    EXPECT_EQ(seen().geometry.max_message, 777U);
    wanted.capacity = 4;
    EXPECT_TRUE(fails_with(sender::open(address() + "?capacity=3", as_variant(wanted)),
                           errc::invalid_argument));
}

TEST_P(opening, c1_8_a_bare_name_is_shm) {
    HAWSER_NEEDS(GetParam().transport.scheme == "shm", "shm is the default scheme");
    auto in = open_receiver();
    auto out = sender::open(address().substr(address().find(':') + 1)).value();
    out.send("hello").value();
    EXPECT_EQ(in.receive().value().text(), "hello");
}

TEST_P(opening, c1_9_unknown_options_and_schemes_are_refused) {
    const auto unknown = sender::open(address() + "?capasity=3");
    ASSERT_TRUE(fails_with(unknown, errc::invalid_argument));
    EXPECT_NE(unknown.why().detail().find("capacity"), std::string_view::npos)
        << unknown.why().describe();
    EXPECT_TRUE(fails_with(sender::open(address() + "?full=maybe"), errc::invalid_argument));
    EXPECT_TRUE(fails_with(sender::open("no-such-scheme:x"), errc::unsupported));
    EXPECT_TRUE(fails_with(receiver::open("no-such-scheme:x"), errc::unsupported));
}

TEST_P(opening, c1_10_where_tells_the_address) {
    const auto in = open_receiver();
    const auto out = open_sender();
    EXPECT_EQ(in.where().name(), address());
    EXPECT_EQ(out.where().name(), address());
}

TEST_P(opening, c1_11_an_end_point_can_be_moved) {
    auto in = open_receiver();
    auto first = open_sender();
    sender second = std::move(first);
    second.send("hello").value();
    receiver third = std::move(in);
    EXPECT_EQ(third.receive().value().text(), "hello");
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is tested
    EXPECT_TRUE(fails_with(first.try_send("x"), errc::invalid_argument));
    // NOLINTNEXTLINE(bugprone-use-after-move)
    EXPECT_TRUE(fails_with(in.try_receive(), errc::invalid_argument));
    second = open_sender();
    EXPECT_EQ(seen().participants.size(), 2U);
}

TEST_P(opening, c1_12_what_the_transport_lacks_is_unsupported) {
    const auto refused = [this](const char* option) {
        EXPECT_TRUE(fails_with(sender::open(address() + option), errc::unsupported)) << option;
        EXPECT_TRUE(fails_with(receiver::open(address() + option), errc::unsupported)) << option;
    };
    if (!can().capacity_zero) refused("?capacity=0");
    if (!can().capacity_unbounded) refused("?capacity=unbounded");
    if (!can().sharing_pair) refused("?sharing=pair");
    if (!can().sharing_one) refused("?sharing=one");
    if (!can().sharing_all) refused("?sharing=all");
    EXPECT_TRUE(fails_with(inspect_mailbox(address()), errc::not_found));
}

// Many arrive at once; each sends one message and takes one.
TEST_P(opening_between, c1_13_racing_creators_share_one_mailbox) {
    constexpr unsigned racers = 6;
    const barrier all_ready(racers);
    const barrier all_sent(racers);
    const shared<std::atomic<unsigned>> taken;
    std::vector<body> bodies_of_all;
    for (unsigned i = 0; i < racers; ++i) {
        bodies_of_all.push_back({"racer", [&] {
                                     all_ready.arrive();
                                     auto in = open_receiver();
                                     auto out = open_sender();
                                     out.send("one each").value();
                                     all_sent.arrive();
                                     in.receive().value();
                                     taken->fetch_add(1);
                                 }});
    }
    run_bodies(bodies(), bodies_of_all);
    EXPECT_EQ(taken->load(), racers);
}

} // namespace hawser::test
