// What every test of the contract (docs/reference/contract.md) stands on: the variants that it runs
// in, and a fixture with an address of its own.
//
// - One test for each bullet, named after it: C2.4 is c2_4_… . contract_document_test.cpp checks
//   both directions.
// - A test states what it needs of a transport (HAWSER_NEEDS); where a variant can't have it, the
//   test is recorded as not applicable, with the reason, and listed at the end of the run. Nothing
//   is skipped in silence.
// - Each test ends with nothing left in the private directory.
#pragma once

#include <chrono>
#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <hawser/hawser.hpp>

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
};
std::ostream& operator<<(std::ostream& out, const variant& one);
std::string name_of_variant(const testing::TestParamInfo<variant>& info);

// Every transport × …
std::vector<variant> in_each_order();
std::vector<variant> in_each_order_and_bodies();
std::vector<variant> in_each_wait();
std::vector<variant> in_each_wait_and_bodies();
std::vector<variant> in_each_order_as_processes(); // what kills needs processes to kill

class contract : public testing::TestWithParam<variant> {
  protected:
    void SetUp() override;
    void TearDown() override;

    [[nodiscard]] const capabilities& can() const { return GetParam().transport.can; }
    [[nodiscard]] bodies_as bodies() const { return GetParam().bodies; }
    [[nodiscard]] bool total_order() const { return GetParam().order == order_policy::total; }

    // The test's own address, without options; another one for each stem.
    [[nodiscard]] std::string address(std::string_view stem = "") const;
    // Where the mailbox of an address is in the file system (transports that live there).
    [[nodiscard]] static std::string path_of(std::string_view address);

    // The options of the variant, with those given.
    [[nodiscard]] options as_variant(options wanted = {}) const;
    // End points on address(), with the options of the variant.
    [[nodiscard]] sender open_sender(const options& wanted = {}) const;
    [[nodiscard]] receiver open_receiver(const options& wanted = {}) const;
    // What an observer sees at address().
    [[nodiscard]] mailbox_info seen() const;

    // Records the test as not applicable in this variant; the test then returns.
    void not_applicable(const std::string& reason) const;

  private:
    std::string name_;
};

// In a test: ends it as not applicable unless the transport can do this.
#define HAWSER_NEEDS(can_do, what)                                                                 \
    do {                                                                                           \
        if (!(can_do)) {                                                                           \
            not_applicable(what);                                                                  \
            GTEST_SKIP() << "not applicable: " << (what);                                          \
        }                                                                                          \
    } while (false)

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

template <typename EndPoint>
bool ready_now(EndPoint& end) {
    return descriptor_ready(end.fd().value(), end.fd_events(), 0);
}
template <typename EndPoint>
void until_ready(EndPoint& end) {
    EXPECT_TRUE(descriptor_ready(end.fd().value(), end.fd_events(), -1));
}

} // namespace hawser::test
