// C4: loans and zero copy.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class loans : public contract {};
HAWSER_CONTRACT(loans, in_each_order());

namespace {

// True if the bytes lie in a mapping of the file at this path.
bool in_mapping_of(const std::string& path, std::span<const std::byte> bytes) {
    struct stat file {};
    if (::stat(path.c_str(), &file) != 0) return false;
    const auto from = reinterpret_cast<std::uintptr_t>(bytes.data());
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        unsigned long inode = 0;
        if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %lu", &begin, &end,
                        &inode) != 3)
            continue;
        if (inode == file.st_ino && from >= begin && from + bytes.size() <= end) return true;
    }
    return false;
}

} // namespace

TEST_P(loans, c4_1_a_filled_loan_arrives) {
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::size_t wanted : {0U, 1U, 100U, 5000U, 3000000U}) {
        const std::size_t size = fitting(wanted);
        auto memory = out.loan_for(size).value();
        ASSERT_EQ(memory.size(), size);
        fill_pattern(memory.bytes(), size);
        out.send(std::move(memory)).value();
        const auto got = in.receive().value();
        EXPECT_EQ(got.size(), size);
        EXPECT_TRUE(has_pattern(got.bytes(), size));
    }
}

TEST_P(loans, c4_2_a_loan_may_shrink) {
    auto in = open_receiver();
    auto out = open_sender();
    for (const std::size_t wanted : {0U, 10U, 4000U}) {
        const std::size_t size = fitting(wanted);
        auto memory = out.loan_for(longest(out, 100000)).value();
        memory.shrink(size);
        ASSERT_EQ(memory.size(), size);
        fill_pattern(memory.bytes(), 7);
        out.send(std::move(memory)).value();
        const auto got = in.receive().value();
        EXPECT_EQ(got.size(), size);
        EXPECT_TRUE(has_pattern(got.bytes(), 7));
    }
}

TEST_P(loans, c4_3_a_dropped_loan_goes_back_unsent) {
    auto in = open_receiver(bounded(3));
    auto out = open_sender();
    const std::size_t large = longest(out, 100000);
    for (int i = 0; i < 1000; ++i) {
        const auto memory = out.loan_for(i % 2 == 0 ? 10U : large).value();
        EXPECT_FALSE(memory.bytes().empty());
    }
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(succeeds(out.try_send("x")));
    if (can().capacity_bounded) {
        EXPECT_TRUE(fails_with(out.try_send("x"), errc::would_block));
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ(in.receive().value().text(), "x");
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(loans, c4_4_as_many_loans_out_as_loans) {
    for (const std::uint32_t limit : {2U, 8U, 32U}) {
        options wanted;
        wanted.loans = limit;
        auto in = open_receiver(wanted);
        auto out = open_sender(can().observers ? options{} : wanted);
        std::vector<loan> taken;
        for (std::uint32_t i = 0; i < limit; ++i) taken.push_back(out.loan_for(100).value());
        const auto refused = out.loan_for(100);
        ASSERT_TRUE(fails_with(refused, errc::no_space));
        EXPECT_NE(refused.why().detail().find("loans"), std::string_view::npos)
            << refused.why().describe();
        if (can().zero_copy) { // elsewhere it is a copy that needs none
            EXPECT_TRUE(fails_with(out.send("needs a hand too"), errc::no_space));
        }
        taken.pop_back();
        EXPECT_TRUE(succeeds(out.try_send("now there is one")));
        EXPECT_TRUE(succeeds(out.loan_for(100)));
        (many() ? open_receiver() : std::move(in)).receive().value();
    }
}

TEST_P(loans, c4_5_a_loan_above_max_message_is_too_big) {
    options wanted;
    wanted.max_message = std::min<std::uint64_t>(5000, can().max_message);
    const auto in = open_receiver(wanted);
    auto out = open_sender(can().observers ? options{} : wanted);
    const std::size_t most = longest(out, 5000); // 5,000, or what the facility has
    EXPECT_TRUE(fails_with(out.loan_for(most + 1), errc::too_big));
    EXPECT_TRUE(fails_with(out.loan_for(5001), errc::too_big));
    EXPECT_TRUE(fails_with(out.loan_for(~std::size_t{0}), errc::too_big));
    EXPECT_TRUE(succeeds(out.loan_for(most)));
    if (can().max_message >= 5000 && can().lives != lifetime_kind::kernel) {
        EXPECT_EQ(most, 5000U);
    }
}

TEST_P(loans, c4_6_messages_and_loans_are_the_mailbox_itself) {
    HAWSER_NEEDS(can().zero_copy, "zero_copy");
    auto in = open_receiver();
    auto out = open_sender();
    const std::string path = path_of(address());
    for (const std::size_t size : {1U, 100U, 2000000U}) {
        auto memory = out.loan_for(size).value();
        EXPECT_TRUE(in_mapping_of(path, memory.bytes()));
        fill_pattern(memory.bytes(), 3);
        out.send(std::move(memory)).value();
        auto got = in.receive().value();
        const auto* const at = got.bytes().data();
        EXPECT_TRUE(in_mapping_of(path, got.bytes()));
        out.send("something else").value();
        in.receive().value();
        const message moved = std::move(got);
        EXPECT_EQ(moved.bytes().data(), at);
        EXPECT_TRUE(has_pattern(moved.bytes(), 3));
    }
}

TEST_P(loans, c4_7_a_loan_takes_no_room_until_it_is_sent) {
    HAWSER_NEEDS(can().reliable, "reliable");
    const options wanted = bounded(2);
    auto in = open_receiver(wanted);
    auto out = open_sender();
    introduce(out, in);
    const std::size_t size = filling_size(out);
    std::uint64_t waiting = 2;
    if (can().capacity_bounded)
        for (int i = 0; i < 2; ++i) out.send("x").value();
    else
        waiting = fill(out, size);
    const std::size_t loaned = can().capacity_bounded ? 4 : size;
    auto memory = out.loan_for(loaned).value();
    fill_pattern(memory.bytes(), 9);
    ASSERT_TRUE(fails_with(out.try_send(std::move(memory)), errc::would_block));
    // NOLINTNEXTLINE(bugprone-use-after-move): a refused loan is still the caller's
    EXPECT_EQ(memory.size(), loaned);
    EXPECT_TRUE(has_pattern(memory.bytes(), 9));
    // One makes room for one; where bytes are counted, all of them surely do.
    const std::uint64_t first = can().capacity_bounded ? 1 : waiting;
    for (std::uint64_t i = 0; i < first; ++i) in.receive().value();
    until_sent(in, [&] { return out.try_send(std::move(memory)); });
    for (std::uint64_t i = first; i < waiting; ++i) in.receive().value();
    EXPECT_TRUE(has_pattern(in.receive().value().bytes(), 9));
}

TEST_P(loans, c4_8_a_loan_is_sent_by_the_sender_that_gave_it) {
    auto in = open_receiver();
    HAWSER_NEEDS(can().many_senders, "many_senders");
    auto one = open_sender();
    auto two = open_sender();
    auto memory = one.loan_for(4).value();
    ASSERT_TRUE(fails_with(two.send(std::move(memory)), errc::invalid_argument));
    // NOLINTNEXTLINE(bugprone-use-after-move): a refused loan is still the caller's
    EXPECT_TRUE(succeeds(one.send(std::move(memory))));
    EXPECT_TRUE(fails_with(one.send(loan{}), errc::invalid_argument));
    EXPECT_TRUE(succeeds(in.receive()));
    EXPECT_TRUE(drain(in).empty());
}

TEST_P(loans, c4_9_a_loan_waits_for_memory_only) {
    HAWSER_NEEDS(can().zero_copy, "zero_copy");
    constexpr std::uint64_t most = 1U << 20U;
    options wanted;
    wanted.max_message = most;
    wanted.max_memory = most;
    wanted.loans = 32;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    std::vector<loan> taken;
    auto next = out.loan_for(most, deadline::now());
    for (; next; next = out.loan_for(most, deadline::now())) taken.push_back(std::move(*next));
    ASSERT_FALSE(taken.empty());
    EXPECT_TRUE(fails_with(next, errc::would_block));
    EXPECT_TRUE(fails_with(out.loan_for(most, deadline::after(std::chrono::milliseconds(2))),
                           errc::timed_out));
    options impatient;
    impatient.full = full_policy::fail;
    auto other = open_sender(impatient);
    EXPECT_TRUE(fails_with(other.loan_for(most), errc::no_space));
    taken.pop_back();
    EXPECT_TRUE(succeeds(out.loan_for(most)));
}

TEST_P(loans, c4_10_a_loan_may_outlive_its_sender) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    options wanted;
    if (can().observers) wanted.participants = 2;
    auto in = open_receiver(wanted);
    auto memory = [this] {
        auto out = open_sender();
        return out.loan_for(longest(out, 70000)).value();
    }();
    fill_pattern(memory.bytes(), 5);
    EXPECT_TRUE(has_pattern(memory.bytes(), 5));
    if (can().observers) {
        EXPECT_TRUE(fails_with(sender::open(address()), errc::no_space));
    }
    memory = loan{};
    EXPECT_TRUE(succeeds(sender::open(address())));
    EXPECT_TRUE(drain(in).empty());
}

} // namespace hawser::test
