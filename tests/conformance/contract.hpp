// What every test of the contract (docs/reference/contract.md) stands on: the variants that it runs
// in, and a fixture with an address of its own.
//
// - One test for each bullet, named after it: C2.4 is c2_4_… . contract_document_test.cpp checks
//   both directions.
// - A test states what it needs of a transport by the capability that says so (HAWSER_NEEDS); where
//   a transport can't have it, the test is recorded as not applicable, with the capability, and
//   listed at the end of the run. What only this machine lacks (fork under ThreadSanitizer, another
//   user) is told apart (HAWSER_NEEDS_HERE). Nothing is skipped in silence.
// - What every transport promises is written so that the smallest one can keep it: a thread that
//   both sends and receives never has more than room() messages of at most fitting() bytes waiting.
// - Each test ends with nothing left: no file, no queue.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <hawser/hawser.hpp>

#include "conformance/spelling.hpp"
#include "support/asleep.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"
#include "support/two_bodies.hpp"

namespace hawser::test {

struct variant {
    transport_info transport;
    order_policy order = order_policy::total;
    wait_mode wait = wait_mode::adaptive;
    bodies_as bodies = bodies_as::threads;
    std::string_view kind = {}; // another way to spell its addresses (spelling.hpp)
};
std::ostream& operator<<(std::ostream& out, const variant& one);
std::string name_of_variant(const testing::TestParamInfo<variant>& info);

// order=total and order=sender are two things there; elsewhere there is one order.
[[nodiscard]] bool has_both_orders(const capabilities& can);

// Every transport that carries messages × …
std::vector<variant> in_each_order();
std::vector<variant> in_each_order_and_bodies();
std::vector<variant> in_each_wait();
std::vector<variant> in_each_wait_and_bodies();
std::vector<variant> in_each_order_as_processes(); // what kills needs processes to kill
// Every transport and kind once, also those without messages.
std::vector<variant> in_each_transport();
std::vector<variant> in_each_transport_as_processes();

class contract : public testing::TestWithParam<variant> {
  protected:
    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] const capabilities& can() const { return GetParam().transport.can; }
    [[nodiscard]] bodies_as bodies() const { return GetParam().bodies; }
    [[nodiscard]] bool total_order() const {
        return can().ordering == ordering_kind::total && GetParam().order == order_policy::total;
    }
    // What was sent waits for a receiver that comes later.
    [[nodiscard]] bool keeps() const { return can().lives != lifetime_kind::process; }
    [[nodiscard]] bool many() const { return can().many_senders && can().many_receivers; }
    // End points can be opened as often as one likes, by address. What is inherited (pipe) has one
    // sender and one receiver, which open_sender() and open_receiver() give.
    [[nodiscard]] bool by_name() const { return can().needs_relation == relation_kind::none; }

    // The first few end points of a process whose descriptor is asked for hear by themselves, all
    // others of shm through a thread (src/os/bell_hub.hpp). Makes the test's be such others.
    void share_bells();

    // Closes what this process still has of the link, once all have started that need it.
    void let_go() const;
    // As the function of that name (two_bodies.hpp).
    void run_bodies(bodies_as how, const std::vector<body>& all) const;

    // The test's own address, without options; another one for each stem.
    [[nodiscard]] std::string address(std::string_view stem = "") const;
    // Where the object of an address is in the file system, or nothing.
    [[nodiscard]] static std::string path_of(std::string_view address);

    // The options of the variant, with those given.
    [[nodiscard]] options as_variant(options wanted = {}) const;
    // End points on address(), with the options of the variant.
    [[nodiscard]] sender open_sender(const options& wanted = {}) const;
    [[nodiscard]] receiver open_receiver(const options& wanted = {}) const;
    // What an observer sees at address().
    [[nodiscard]] mailbox_info seen() const;
    // Nothing was made at this address, as far as that can be seen.
    void expect_missing(std::string_view stem = "") const;
    // Removes what the facility keeps between two parts of a test.
    void forget() const;

    // So many messages, or as many as surely wait where a thread receives what it sent itself.
    [[nodiscard]] int room(int wanted) const;
    // So many bytes, or as many as such a message may have there.
    [[nodiscard]] std::size_t fitting(std::size_t wanted) const;
    // So many bytes, or the longest message that this sender may send.
    [[nodiscard]] static std::size_t longest(sender& out, std::size_t wanted);

    // Options for a queue of this capacity, where a capacity can be asked for.
    [[nodiscard]] options bounded(std::uint64_t capacity) const;
    // Sends messages of `size` bytes, the number in front (numbered()), until there is no room;
    // how many there are.
    std::uint64_t fill(sender& out, std::size_t size = 8) const;
    // After a refusal: whether there is room again by itself, which take() then takes.
    bool more_room_comes(sender& out, const std::function<bool()>& take) const;
    // Sends into what has just been emptied. In a network the room comes a moment later, and what
    // was refused before may still be on its way: so the receiver goes on looking.
    template <typename Send>
    void until_sent(receiver& in, Send&& send) const;
    // The size with which a queue without a capacity of its own is soon full.
    [[nodiscard]] std::size_t filling_size(sender& out) const;
    // A message of this number, and the number in it.
    [[nodiscard]] static std::vector<std::byte> numbered(std::uint64_t number, std::size_t size);
    [[nodiscard]] static std::uint64_t number_in(const message& got);

    // Makes the receiver hear of the sender, where only a connection tells.
    void introduce(sender& out, receiver& in) const;
    void greet(sender& out) const; // the sender's half of it; receive_all() skips it
    // Receives until the end, or a message of no bytes where nothing tells the end: `end_all`, to
    // be called by the last of the senders.
    template <typename Use>
    void receive_all(receiver& in, Use&& use) const;
    void end_all(sender& out, unsigned receivers) const;

    // From the thread that is going to wait, unless it opened the end point itself.
    void note_waiter(participant_role role) const { waiters_.note(role); }
    // Until so many sleep in a blocking call on address().
    void until_waiting(participant_role role, std::size_t at_least = 1) const;

    // Records the test as not applicable in this variant; the test then returns.
    void not_applicable(const std::string& reason, bool by_capability) const;

  private:
    static constexpr std::string_view greeting = "it is me, the sender";

    // The end of the link that is still there, once: the address of a descriptor.
    [[nodiscard]] std::string take_end(std::size_t which) const;
    void make_link() const;

    spelling spelling_;
    std::vector<receiver> first_few_;
    waiters waiters_;
    mutable std::mutex link_mutex_;
    mutable std::array<int, 2> link_{-1, -1}; // reading, writing; -1: taken
};

#define HAWSER_NEEDS_AS(can_do, what, by_capability)                                               \
    do {                                                                                           \
        if (!(can_do)) {                                                                           \
            not_applicable(what, by_capability);                                                   \
            GTEST_SKIP() << "not applicable: " << (what);                                          \
        }                                                                                          \
    } while (false)
// In a test: ends it as not applicable unless the transport can do this. `what` is the capability,
// as capabilities.hpp names it.
#define HAWSER_NEEDS(can_do, what) HAWSER_NEEDS_AS(can_do, what, true)
// The same for what this machine or this build lacks.
#define HAWSER_NEEDS_HERE(is_so, what) HAWSER_NEEDS_AS(is_so, what, false)

// For a suite of tests that are the same in all variants of each transport.
#define HAWSER_CONTRACT(suite, variants)                                                           \
    INSTANTIATE_TEST_SUITE_P(contract, suite, testing::ValuesIn(variants), name_of_variant)

// EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
testing::AssertionResult fails_with(const error* why, errc code);
template <typename T>
testing::AssertionResult fails_with(const result<T>& outcome, errc code) {
    return fails_with(outcome ? nullptr : &outcome.why(), code);
}
// EXPECT_TRUE(succeeds(in.try_receive()));
testing::AssertionResult succeeds(const error* why);
template <typename T>
testing::AssertionResult succeeds(const result<T>& outcome) {
    return succeeds(outcome ? nullptr : &outcome.why());
}

// Bytes that tell size, seed and position: a byte that strays is noticed.
void fill_pattern(std::span<std::byte> bytes, std::uint64_t seed);
[[nodiscard]] bool has_pattern(std::span<const std::byte> bytes, std::uint64_t seed);
[[nodiscard]] std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed);

// Receives until there is nothing (would_block) or an end, releasing each; the texts.
std::vector<std::string> drain(receiver& in);

// True when poll(2) says that the end point is ready, without waiting; and waiting until it is.
template <typename EndPoint>
bool ready_now(EndPoint& end);
template <typename EndPoint>
void until_ready(EndPoint& end);
bool descriptor_ready(int fd, short events, int timeout_ms);

template <typename Send>
void contract::until_sent(receiver& in, Send&& send) const {
    auto outcome = send();
    while (can().crosses_machines && outcome.is(errc::would_block)) {
        EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
        outcome = send();
    }
    EXPECT_TRUE(succeeds(outcome));
}

template <typename Use>
void contract::receive_all(receiver& in, Use&& use) const {
    for (;;) {
        const auto got = in.receive();
        if (got.is(errc::closed) && can().end_of_stream) return;
        if (got.value().empty() && !can().end_of_stream) return;
        if (got->text() == greeting) continue;
        use(*got);
    }
}

template <typename EndPoint>
bool ready_now(EndPoint& end) {
    return descriptor_ready(end.fd().value(), end.fd_events(), 0);
}
template <typename EndPoint>
void until_ready(EndPoint& end) {
    EXPECT_TRUE(descriptor_ready(end.fd().value(), end.fd_events(), -1));
}

} // namespace hawser::test
