// C1: opening and creating.
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class opening : public contract {};
HAWSER_CONTRACT(opening, in_each_order());
class opening_between : public contract {};
HAWSER_CONTRACT(opening_between, in_each_wait_and_bodies());

TEST_P(opening_between, c1_1_hello) {
    const beacon opened;
    run_bodies(bodies(), {{"producer",
                           [&] {
                               auto out = open_sender();
                               // What is not reliable gets lost where nobody receives yet.
                               if (!can().reliable) opened.wait();
                               out.send("hello").value();
                           }},
                          {"consumer", [&] {
                               auto in = open_receiver();
                               opened.raise();
                               EXPECT_EQ(in.receive().value().text(), "hello");
                           }}});
}

TEST_P(opening, c1_2_either_end_may_come_first) {
    HAWSER_NEEDS(by_name(), "needs_relation");
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
    HAWSER_NEEDS(by_name(), "needs_relation");
    const auto first = open_receiver();
    options wanted;
    wanted.create = create_policy::create;
    EXPECT_TRUE(fails_with(receiver::open(address(), as_variant(wanted)), errc::already_exists));
    EXPECT_TRUE(succeeds(receiver::open(address("-other"), as_variant(wanted))));
    if (!keeps()) return; // elsewhere it is the receiver who makes anything
    EXPECT_TRUE(fails_with(sender::open(address(), as_variant(wanted)), errc::already_exists));
    EXPECT_TRUE(succeeds(sender::open(address("-late"), as_variant(wanted))));
}

TEST_P(opening, c1_4_open_refuses_what_is_missing) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    options wanted;
    wanted.create = create_policy::open;
    // Who sends datagrams into a network is not told whether anybody is there.
    EXPECT_TRUE(fails_with(sender::open(address(), as_variant(wanted)),
                           can().reliable ? errc::not_found : errc::unsupported));
    EXPECT_TRUE(fails_with(receiver::open(address(), as_variant(wanted)), errc::not_found));
    expect_missing();
}

TEST_P(opening, c1_5_options_not_given_take_it_as_it_is) {
    HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    const std::uint64_t capacity = can().observers ? 37 : 7;
    options wanted;
    wanted.capacity = capacity;
    wanted.max_message = 5000;
    const auto in = open_receiver(wanted);
    auto out = sender::open(address()).value();
    const options geometry = seen().geometry;
    EXPECT_EQ(geometry.capacity, capacity);
    EXPECT_EQ(geometry.max_message, 5000U);
    EXPECT_TRUE(fails_with(out.send(pattern(5001, 1)), errc::too_big));
}

TEST_P(opening, c1_6_another_geometry_is_already_exists) {
    HAWSER_NEEDS(can().capacity_bounded, "capacity_bounded");
    options mine;
    mine.capacity = can().observers ? 37 : 7;
    const auto in = open_receiver(mine);
    options yours;
    yours.capacity = can().observers ? 41 : 9;
    const auto refused = sender::open(address(), as_variant(yours));
    ASSERT_TRUE(fails_with(refused, errc::already_exists));
    const std::string detail{refused.why().detail()};
    for (const options* one : {&mine, &yours})
        EXPECT_NE(detail.find(std::to_string(*one->capacity)), std::string::npos) << detail;
    EXPECT_TRUE(succeeds(sender::open(address(), as_variant(mine))));
}

TEST_P(opening, c1_7_options_of_address_and_call_are_merged) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    options wanted;
    wanted.max_message = 777;
    auto in = receiver::open(address() + "?loans=3", as_variant(wanted)).value();
    auto out = sender::open(address() + "?loans=3", as_variant(wanted)).value();
    EXPECT_TRUE(fails_with(out.send(pattern(778, 1)), errc::too_big));
    const std::vector<loan> taken = [&] {
        std::vector<loan> all;
        for (int i = 0; i < 3; ++i) all.push_back(out.loan_for(10).value());
        return all;
    }();
    EXPECT_TRUE(fails_with(out.loan_for(10), errc::no_space));
    wanted.loans = 4;
    EXPECT_TRUE(fails_with(sender::open(address() + "?loans=3", as_variant(wanted)),
                           errc::invalid_argument));
    if (!can().observers) return;
    in.close();
    out.close();
    wanted.loans.reset();
    const auto other = receiver::open(address("-other") + "?capacity=3", as_variant(wanted));
    const auto geometry = inspect_mailbox(address("-other")).value().geometry;
    EXPECT_EQ(geometry.capacity, 3U);
    EXPECT_EQ(geometry.max_message, 777U);
    wanted.capacity = 4;
    EXPECT_TRUE(fails_with(sender::open(address("-other") + "?capacity=3", as_variant(wanted)),
                           errc::invalid_argument));
}

TEST_P(opening, c1_8_a_bare_name_is_shm) {
    const std::string name = "bare-" + std::to_string(::getpid());
    auto out = sender::open(name).value();
    EXPECT_EQ(out.where().name(), "shm:" + name);
    if (GetParam().transport.scheme != "shm") return;
    auto in = open_receiver();
    out = sender::open(address().substr(address().find(':') + 1)).value();
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
    HAWSER_NEEDS(by_name(), "needs_relation");
    const auto in = open_receiver();
    const auto out = open_sender();
    EXPECT_EQ(in.where().name(), address());
    EXPECT_EQ(out.where().name(), address());
}

TEST_P(opening, c1_11_an_end_point_can_be_moved) {
    HAWSER_NEEDS(by_name(), "needs_relation");
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
    EXPECT_TRUE(succeeds(second.send("from another one")));
    EXPECT_EQ(third.receive().value().text(), "from another one");
    if (can().observers) {
        EXPECT_EQ(seen().participants.size(), 2U);
    }
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
    if (!can().sharing_all) refused("?history=3");
    if (!can().capacity_bounded) refused("?capacity=3");
    if (!can().drops_oldest) refused("?full=drop_oldest");
    if (can().ordering != ordering_kind::total) refused("?order=total");
    if (can().survives_kill_of != survival_kind::both) refused("?delivery=at_least_once");
    if (!keeps()) refused("?persist=yes");
    if (!can().observers) refused("?participants=3");
    expect_missing();
}

// Many arrive at once; each sends one message and takes one.
TEST_P(opening_between, c1_13_racing_creators_share_one_mailbox) {
    HAWSER_NEEDS(many(), "many_receivers");
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
