// C17: what goes along with a message: priorities, types, descriptors, credentials.
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

namespace {

envelope with_priority(std::uint32_t priority) {
    envelope with;
    with.priority = priority;
    return with;
}

envelope with_type(std::int64_t type) {
    envelope with;
    with.type = type;
    return with;
}

selection of(selection::rule by, std::int64_t type) {
    selection which;
    which.by = by;
    which.type = type;
    return which;
}

// A pipe whose ends close with it.
struct pair_of_ends {
    pair_of_ends() {
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    }
    ~pair_of_ends() {
        for (const int fd : ends) ::close(fd);
    }
    pair_of_ends(const pair_of_ends&) = delete;
    pair_of_ends& operator=(const pair_of_ends&) = delete;
    std::array<int, 2> ends{};
};

std::set<int> open_descriptors() {
    std::set<int> found;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
        found.insert(std::atoi(entry.path().filename().c_str()));
    return found;
}

} // namespace

class envelopes : public contract {};
HAWSER_CONTRACT(envelopes, in_each_order());
class envelopes_of_others : public contract {};
HAWSER_CONTRACT(envelopes_of_others, in_each_order_as_processes());

TEST_P(envelopes, c17_1_higher_priorities_come_first_and_in_order_within_one) {
    HAWSER_NEEDS(can().priorities, "priorities");
    auto in = open_receiver();
    auto out = open_sender();
    const std::pair<std::uint32_t, const char*> sent[] = {
        {0, "last but one"}, {7, "third"}, {9, "first"}, {7, "fourth"}, {9, "second"}};
    for (const auto& [priority, text] : sent) out.send_with(text, with_priority(priority)).value();
    out.send("last").value(); // no priority is 0
    for (const char* due : {"first", "second", "third", "fourth", "last but one", "last"})
        EXPECT_EQ(in.receive().value().text(), due);
}

TEST_P(envelopes, c17_2_a_message_tells_its_priority) {
    HAWSER_NEEDS(can().priorities, "priorities");
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::uint32_t priority : {0U, 1U, 32767U}) {
        out.send_with("x", with_priority(priority)).value();
        auto got = in.receive().value();
        EXPECT_EQ(got.priority(), priority);
        got.release();
        EXPECT_EQ(got.priority(), 0U);
    }
    EXPECT_TRUE(fails_with(out.send_with("x", with_priority(32768)), errc::invalid_argument));
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(envelopes, c17_3_a_selection_takes_its_messages_and_leaves_the_others) {
    HAWSER_NEEDS(can().selection, "selection");
    using rule = selection::rule;
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::int64_t type : {5, 3, 5, 9, 1})
        out.send_with(std::to_string(type), with_type(type)).value();
    const auto next = [&](rule by, std::int64_t type) {
        const auto got = in.receive_selected(of(by, type), deadline::now());
        return got ? got->type() : 0;
    };
    EXPECT_EQ(next(rule::exactly, 4), 0);
    EXPECT_EQ(next(rule::exactly, 9), 9);
    EXPECT_EQ(next(rule::up_to, 4), 1);
    EXPECT_EQ(next(rule::not_this, 5), 3);
    EXPECT_EQ(next(rule::up_to, 4), 0);
    EXPECT_EQ(next(rule::in_order, 0), 5);
    EXPECT_EQ(in.try_receive().value().text(), "5");
    EXPECT_TRUE(fails_with(
        in.receive_selected(of(rule::exactly, 5), deadline::after(std::chrono::milliseconds(1))),
        errc::timed_out));
}

TEST_P(envelopes, c17_4_descriptors_arrive_and_are_the_receivers) {
    HAWSER_NEEDS(can().passes_fds, "passes_fds");
    auto in = open_receiver();
    auto out = open_sender();
    const pair_of_ends pipe;
    envelope with;
    with.descriptors = pipe.ends;
    out.send_with("both ends", with).value();
    out.send("none").value();
    auto got = in.receive().value();
    EXPECT_EQ(got.text(), "both ends");
    ASSERT_EQ(got.descriptors(), 2U);
    const int reading = got.take_descriptor(0);
    const int writing = got.take_descriptor(1);
    EXPECT_EQ(got.take_descriptor(0), -1) << "it was taken before";
    EXPECT_EQ(got.take_descriptor(2), -1);
    got.release();
    EXPECT_EQ(in.receive().value().descriptors(), 0U);
    for (const int fd : {reading, writing}) {
        EXPECT_NE(fd, pipe.ends[0]);
        EXPECT_NE(fd, pipe.ends[1]);
        EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    // They are the same pipe.
    EXPECT_EQ(::write(pipe.ends[1], "1", 1), 1);
    EXPECT_EQ(::write(writing, "2", 1), 1);
    char bytes[2];
    EXPECT_EQ(::read(reading, bytes, 2), 2);
    EXPECT_EQ(std::string(bytes, 2), "12");
    ::close(reading);
    ::close(writing);
}

TEST_P(envelopes, c17_5_descriptors_that_nobody_takes_are_closed_with_the_message) {
    HAWSER_NEEDS(can().passes_fds, "passes_fds");
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const pair_of_ends pipe;
    const auto before = open_descriptors();
    const std::vector<int> many(100, pipe.ends[0]);
    envelope with;
    for (int round = 0; round < 10; ++round) {
        with.descriptors = many;
        out.send_with("unwanted", with).value();
        auto got = in.receive().value();
        EXPECT_EQ(got.descriptors(), many.size());
        got.release();
        EXPECT_EQ(got.descriptors(), 0U);
        EXPECT_EQ(open_descriptors(), before);
    }
}

TEST_P(envelopes_of_others, c17_6_the_sender_of_a_message_is_told_by_the_kernel) {
    HAWSER_NEEDS(can().peer_credentials, "peer_credentials");
    auto in = open_receiver();
    for (int i = 0; i < 2; ++i) {
        child producer("producer", [this] { open_sender().send("from me").value(); });
        auto got = in.receive();
        while (got.is(errc::closed)) got = in.receive(); // the end of the one before
        const auto pid = static_cast<std::uint32_t>(producer.pid());
        producer.end_well();
        EXPECT_EQ(got.value().text(), "from me");
        EXPECT_EQ(got->sender(), (credentials{pid, ::geteuid(), ::getegid()}));
    }
}

TEST_P(envelopes, c17_7_what_can_not_be_carried_is_unsupported_and_sends_nothing) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    const pair_of_ends pipe;
    envelope with_descriptors;
    with_descriptors.descriptors = pipe.ends;
    const auto refused = [&](const envelope& with) {
        EXPECT_TRUE(fails_with(out.send_with("x", with), errc::unsupported));
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    };
    if (!can().priorities) refused(with_priority(1));
    if (!can().selection) refused(with_type(1));
    if (!can().passes_fds) refused(with_descriptors);
    out.send_with("an empty envelope", {}).value();
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), "an empty envelope");
    EXPECT_EQ(got.priority(), 0U);
    EXPECT_EQ(got.descriptors(), 0U);
    EXPECT_EQ(got.sender().has_value(), can().peer_credentials);
}

TEST_P(envelopes, c17_8_selecting_where_it_can_not_be_is_unsupported_and_takes_nothing) {
    HAWSER_NEEDS(!can().selection, "selection");
    auto in = open_receiver();
    auto out = open_sender();
    out.send("stays").value();
    using rule = selection::rule;
    for (const auto by : {rule::exactly, rule::not_this, rule::up_to})
        EXPECT_TRUE(fails_with(in.receive_selected(of(by, 1), deadline::now()), errc::unsupported));
    EXPECT_EQ(in.receive().value().text(), "stays");
}

} // namespace hawser::test
