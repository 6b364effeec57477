// C21: waiting on many with a poller.
#include <deque>
#include <memory>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

using namespace std::chrono_literals;

class polling_suite : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().fd_pollable, "fd_pollable");
        // Both kinds of bell, one for each order.
        if (GetParam().order == order_policy::sender) share_bells();
    }
    // Whether one member is told now, without waiting; all that is ready has the tag.
    static bool told_now(poller& all, std::uint64_t tag = 0) {
        ready found[8];
        const auto some = all.wait(found, deadline::now());
        if (some.is(errc::would_block)) return false;
        for (const ready& one : some.value()) EXPECT_EQ(one.tag, tag);
        return !some.value().empty();
    }
    static ready wait_for_one(poller& all) {
        ready found[1];
        return all.wait(found).value()[0];
    }
    // Waits with the poller until there is a message, or an end; what says would_block meanwhile
    // is a connection.
    static result<message> receive_by(poller& all, receiver& in) {
        for (;;) {
            wait_for_one(all);
            auto got = in.try_receive();
            if (!got.is(errc::would_block)) return got;
        }
    }
};
class polling : public polling_suite {};
HAWSER_CONTRACT(polling, in_each_order());
class polling_by_death : public polling_suite {};
HAWSER_CONTRACT(polling_by_death, in_each_order_as_processes());

TEST_P(polling, c21_1_a_receiver_is_told_as_long_as_there_is_something) {
    auto all = poller::make().value();
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const auto member = all.add(in, 7).value();
    EXPECT_FALSE(told_now(all, 7));
    const int count = room(3);
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < count; ++i) out.send("x").value();
        for (int i = 0; i < count; ++i) {
            for (int look = 0; look < 2; ++look) {
                const ready told = wait_for_one(all);
                EXPECT_EQ(told.tag, 7U);
                EXPECT_EQ(told.member, member);
            }
            EXPECT_TRUE(succeeds(in.try_receive()));
        }
        EXPECT_FALSE(told_now(all, 7));
    }
    if (!can().end_of_stream) return;
    out.close();
    for (int look = 0; look < 2; ++look) EXPECT_TRUE(fails_with(receive_by(all, in), errc::closed));
}

TEST_P(polling, c21_2_a_sender_is_told_while_there_is_room) {
    HAWSER_NEEDS(can().reliable, "reliable");
    auto all = poller::make().value();
    auto in = open_receiver(bounded(2));
    auto out = open_sender();
    introduce(out, in);
    all.add(out, 7).value();
    const std::size_t size = filling_size(out);
    EXPECT_EQ(wait_for_one(all).tag, 7U);
    const std::uint64_t count = fill(out, size);
    EXPECT_FALSE(told_now(all, 7));
    std::thread consumer([&] {
        for (std::uint64_t i = 0; i < count; ++i) in.receive().value();
    });
    EXPECT_EQ(wait_for_one(all).tag, 7U);
    consumer.join();
    until_sent(in, [&] { return out.try_send("there is room"); });
    EXPECT_EQ(in.receive().value().text(), "there is room");
}

TEST_P(polling, c21_3_who_was_not_quick_enough_is_not_told) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    auto all = poller::make().value();
    auto one = open_receiver();
    auto two = open_receiver();
    auto out = open_sender();
    introduce(out, one);
    all.add(two).value();
    for (int i = 0; i < 5; ++i) {
        out.send("x").value();
        EXPECT_EQ(wait_for_one(all).tag, 0U);
        EXPECT_TRUE(succeeds(one.receive()));
        EXPECT_FALSE(told_now(all)) << "with nobody asking it first";
        EXPECT_TRUE(fails_with(two.try_receive(), errc::would_block));
    }
}

TEST_P(polling, c21_4_each_has_its_turn_however_busy_another_one_is) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    constexpr std::string_view names[] = {"", "-other", "-back", "-late", "-a", "-b"};
    constexpr std::size_t count = std::size(names);
    auto all = poller::make().value();
    std::vector<receiver> ins;
    std::vector<sender> outs;
    for (std::size_t i = 0; i < count; ++i) {
        ins.push_back(receiver::open(address(names[i]), as_variant()).value());
        outs.push_back(sender::open(address(names[i]), as_variant()).value());
        introduce(outs[i], ins[i]);
        all.add(ins[i], i).value();
        outs[i].send("x").value();
    }
    for (auto& in : ins) until_ready(in);
    std::array<int, count> told{};
    constexpr int rounds = 10;
    for (int i = 0; i < rounds * static_cast<int>(count);) {
        const std::size_t which = wait_for_one(all).tag; // room for one only
        const auto got = ins[which].try_receive();
        if (got.is(errc::would_block)) continue; // a connection
        ASSERT_TRUE(succeeds(got));
        outs[which].send("x").value(); // it is ready again
        until_ready(ins[which]);
        ++told[which];
        ++i;
    }
    for (const int times : told) EXPECT_NEAR(times, rounds, 3);
    for (auto& in : ins) static_cast<void>(drain(in));
}

TEST_P(polling, c21_5_who_goes_is_told_no_more) {
    auto all = poller::make().value();
    std::optional<receiver> in = open_receiver();
    std::optional<sender> out = open_sender();
    introduce(*out, *in);
    out->send("x").value();
    const auto member = all.add(*in).value();
    EXPECT_TRUE(fails_with(all.add(*in), errc::already_exists));
    auto another = poller::make().value();
    EXPECT_TRUE(fails_with(another.add(*in), errc::already_exists)) << "of one poller only";
    wait_for_one(all);
    EXPECT_TRUE(succeeds(all.change(member, 0)));
    EXPECT_FALSE(told_now(all));
    EXPECT_TRUE(succeeds(all.change(member, in->fd_events())));
    EXPECT_TRUE(fails_with(all.change(member, POLLPRI), errc::invalid_argument));
    receiver moved = std::move(*in); // stays
    wait_for_one(all);
    EXPECT_TRUE(succeeds(all.remove(member)));
    EXPECT_FALSE(told_now(all));
    EXPECT_TRUE(fails_with(all.remove(member), errc::not_found));
    another.add(moved).value();
    another = poller::make().value(); // the poller goes, its members stay as they are
    all.add(moved).value();
    EXPECT_EQ(all.size(), 1U);
    EXPECT_TRUE(succeeds(moved.receive()));
    moved.close();
    EXPECT_EQ(all.size(), 0U);
    EXPECT_TRUE(fails_with(all.add(moved), errc::invalid_argument));
    all.add(*out).value();
    out.reset();
    EXPECT_EQ(all.size(), 0U);
    EXPECT_FALSE(told_now(all));
}

TEST_P(polling, c21_6_members_come_and_go_while_another_thread_waits) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    auto all = poller::make().value();
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    std::thread waiting([&] {
        ready found[4];
        for (bool last = false; !last;)
            for (const ready& one : all.wait(found).value()) last = last || one.tag == 99;
    });
    for (int i = 0; i < 30; ++i) {
        auto late = receiver::open(address("-late"), as_variant()).value();
        const auto member = all.add(late, 1).value();
        if (i % 3 == 0) all.remove(member).value();
        if (i % 3 == 1) late.close();
    }
    all.add(in, 99).value();
    out.send("x").value();
    waiting.join();
    EXPECT_TRUE(succeeds(in.receive()));
}

TEST_P(polling_by_death, c21_7_told_of_what_a_killed_sender_left_and_of_the_end) {
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    const beacon opened;
    const beacon go;
    const beacon sent_all;
    const beacon never;
    child producer("producer", [&] {
        auto out = open_sender();
        opened.raise();
        if (!keeps()) out.send("it is me").value();
        go.wait();
        for (int i = 0; i < 3; ++i) out.send("x").value();
        sent_all.raise();
        never.wait();
    });
    opened.wait();
    auto in = open_receiver();
    auto all = poller::make().value();
    all.add(in).value();
    if (!keeps()) {
        EXPECT_EQ(receive_by(all, in).value().text(), "it is me");
    }
    std::thread killer([&] { // the poller waits
        go.raise();
        sent_all.wait();
        producer.kill();
    });
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(succeeds(receive_by(all, in)));
    EXPECT_TRUE(fails_with(receive_by(all, in), errc::closed));
    killer.join();
}

TEST_P(polling_by_death, c21_8_a_poller_that_is_killed_takes_nothing_along) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    HAWSER_NEEDS(can().reliable, "reliable");
    const beacon waits;
    const auto poll_for_ever = [&](int messages) {
        auto in = open_receiver();
        auto all = poller::make().value();
        all.add(in).value();
        EXPECT_FALSE(told_now(all));
        waits.raise();
        for (int i = 0; i < messages; ++i)
            EXPECT_EQ(receive_by(all, in).value().text(), std::to_string(i));
    };
    child victim("victim", [&] { // never takes what it is told of
        auto in = open_receiver();
        auto all = poller::make().value();
        all.add(in).value();
        waits.raise();
        for (;;) wait_for_one(all);
    });
    waits.wait();
    child other("other", [&] { poll_for_ever(10); });
    waits.wait();
    auto out = open_sender();
    for (int i = 0; i < 10; ++i) {
        if (i == 5) victim.kill();
        out.send(std::to_string(i)).value();
    }
    EXPECT_TRUE(other.end_well());
}

TEST_P(polling, c21_9_a_child_may_not_use_its_parents_poller) {
    HAWSER_NEEDS_HERE(can_fork, "fork: not under ThreadSanitizer");
    auto all = poller::make().value();
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    all.add(in, 3).value();
    child forked("forked", [&] {
        ready found[1];
        EXPECT_TRUE(fails_with(all.wait(found), errc::invalid_argument));
        EXPECT_TRUE(fails_with(all.add(out), errc::invalid_argument));
        in.close(); // says nothing to anybody
        all = poller::make().value();
        EXPECT_TRUE(fails_with(all.wait(found, deadline::now()), errc::would_block));
    });
    EXPECT_TRUE(forked.end_well());
    out.send("x").value();
    EXPECT_EQ(wait_for_one(all).tag, 3U);
    EXPECT_TRUE(succeeds(in.receive()));
}

namespace {

// As many descriptors as the system lets this process have.
std::size_t descriptors_to_use() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

struct eventfds {
    std::vector<int> all;
    ~eventfds() {
        for (const int fd : all) ::close(fd);
    }
};

} // namespace

// As many end points of the transport as its names and the limits allow; timers and descriptors
// make up for the rest.
TEST_P(polling, c21_10_ten_thousand_members) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    constexpr std::size_t members = 10000;
    const bool free_names = keeps() && can().zero_copy;
    const std::size_t descriptors = descriptors_to_use();
    const std::size_t ends = free_names ? std::min<std::size_t>(2000, descriptors / 8) : 1;
    options small = as_variant();
    if (free_names) {
        small.capacity = 2;
        small.participants = 2;
        small.max_message = 64;
    }
    auto all = poller::make().value();
    std::vector<receiver> ins;
    for (std::size_t i = 0; i < ends; ++i) {
        ins.push_back(
            receiver::open(address(i == 0 ? "" : "-" + std::to_string(i)), small).value());
        all.add(ins[i], i).value();
    }
    eventfds more;
    while (more.all.size() < std::min<std::size_t>(3000, descriptors / 4)) {
        more.all.push_back(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        all.add_fd(more.all.back(), POLLIN, members).value();
    }
    const deadline far = deadline::after(1000h);
    while (all.size() < members) all.add_timer(far, members).value();
    EXPECT_EQ(all.size(), members);
    EXPECT_FALSE(told_now(all));
    for (std::size_t i = 0; i < ends; i += 97) {
        auto out = sender::open(address(i == 0 ? "" : "-" + std::to_string(i)), small).value();
        for (int k = 0; k < 3; ++k) {
            out.send("x").value();
            while (wait_for_one(all).tag == i && ins[i].try_receive().is(errc::would_block)) {
            }
        }
        ins[i].close(); // or its end would be told from now on
    }
    EXPECT_FALSE(told_now(all));
}

class polling_without : public contract {};
HAWSER_CONTRACT(polling_without, in_each_order());

TEST_P(polling_without, c21_11_what_has_no_descriptor_can_not_be_a_member) {
    auto all = poller::make().value();
    auto in = open_receiver();
    auto out = open_sender();
    if (can().fd_pollable) {
        EXPECT_TRUE(succeeds(all.add(in)));
        EXPECT_TRUE(succeeds(all.add(out)));
        EXPECT_EQ(all.size(), 2U);
        return;
    }
    EXPECT_TRUE(fails_with(all.add(in), errc::unsupported));
    EXPECT_TRUE(fails_with(all.add(out), errc::unsupported));
    EXPECT_EQ(all.size(), 0U);
}

} // namespace hawser::test
