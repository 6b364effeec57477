// The façades over end points that are made up: what they pass on, what they add, what they refuse.
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <hawser/receiver.hpp>
#include <hawser/sender.hpp>

#include "core/transport.hpp"

namespace hawser {
namespace {

using testing::StartsWith;

// What the made-up ends did; it outlives them.
struct journal {
    std::vector<std::string> sent_texts;
    std::vector<std::uint64_t> released;
    int closed = 0;
    std::optional<error> next_error;
};

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, as lender intends
class shelf final : public detail::lender {
  public:
    explicit shelf(journal& log) : log_(&log) {}
    void release(std::uint64_t ticket) noexcept override { log_->released.push_back(ticket); }
    detail::lent_memory lend(std::uint64_t ticket, std::size_t size) {
        return {this, ticket, std::span{memory_}.first(size)};
    }

  private:
    journal* log_;
    std::array<std::byte, 64> memory_{};
};

class made_up_sender final : public detail::sending_end {
  public:
    explicit made_up_sender(journal& log) : log_(&log), shelf_(log) { where = {"shm", "a b", {}}; }
    ~made_up_sender() override { ++log_->closed; }
    made_up_sender(const made_up_sender&) = delete;
    made_up_sender& operator=(const made_up_sender&) = delete;

    result<sent> send(std::span<const std::byte> bytes, deadline) override {
        if (log_->next_error) return *log_->next_error;
        log_->sent_texts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        return sent{log_->sent_texts.size(), 0, true};
    }
    result<loan> loan_for(std::size_t size, deadline) override {
        if (log_->next_error) return *log_->next_error;
        return loan{shelf_.lend(7, size)};
    }
    result<sent> send(loan& filled, deadline until) override {
        auto outcome = send(filled.bytes(), until);
        if (outcome) filled.memory().forget();
        return outcome;
    }
    result<int> fd() override { return 42; }
    [[nodiscard]] short fd_events() const noexcept override { return 1; }
    [[nodiscard]] hawser::stats stats() const noexcept override { return {.sent = 5}; }

  private:
    journal* log_;
    shelf shelf_;
};

class made_up_receiver final : public detail::receiving_end {
  public:
    made_up_receiver(journal& log, std::uint64_t messages)
        : log_(&log), shelf_(log), messages_(messages) {
        where = {"shm", "a", {}};
    }

    result<message> receive(deadline) override {
        if (next_ < messages_) {
            ++next_;
            return message{shelf_.lend(next_, 1), next_, false};
        }
        return log_->next_error ? *log_->next_error : error{errc::closed, "receive"};
    }
    result<int> fd() override { return error{errc::system, "fd", EMFILE}; }
    [[nodiscard]] short fd_events() const noexcept override { return 1; }
    [[nodiscard]] hawser::stats stats() const noexcept override { return {.received = next_}; }

  private:
    journal* log_;
    shelf shelf_;
    std::uint64_t messages_;
    std::uint64_t next_ = 0;
};

sender sender_over(journal& log) {
    return sender{std::make_unique<made_up_sender>(log)};
}

receiver receiver_over(journal& log, std::uint64_t messages) {
    return receiver{std::make_unique<made_up_receiver>(log, messages)};
}

TEST(sender, passes_on) {
    journal log;
    sender out = sender_over(log);
    EXPECT_EQ(out.send("one").value().sequence, 1U);
    EXPECT_EQ(out.try_send("").value().sequence, 2U);
    EXPECT_EQ(log.sent_texts, (std::vector<std::string>{"one", ""}));
    EXPECT_EQ(out.fd().value(), 42);
    EXPECT_EQ(out.fd_events(), 1);
    EXPECT_EQ(out.stats().sent, 5U);
    EXPECT_EQ(out.where().name(), "shm:a%20b");
}

TEST(sender, a_loan_is_sent_once) {
    journal log;
    sender out = sender_over(log);
    loan lent = out.loan_for(4).value();
    EXPECT_TRUE(out.send(std::move(lent)));
    // NOLINTNEXTLINE(bugprone-use-after-move): that is the question
    EXPECT_TRUE(out.send(std::move(lent)).is(errc::invalid_argument));
    EXPECT_TRUE(out.send(loan{}).is(errc::invalid_argument));
    EXPECT_EQ(log.sent_texts.size(), 1U);
    EXPECT_TRUE(log.released.empty());
}

TEST(sender, an_error_leaves_the_loan_to_the_caller) {
    journal log;
    sender out = sender_over(log);
    loan lent = out.loan_for(4).value();
    log.next_error = error{errc::would_block, "send"};
    EXPECT_TRUE(out.try_send(std::move(lent)).is(errc::would_block));
    // NOLINTNEXTLINE(bugprone-use-after-move): it was not taken
    EXPECT_EQ(lent.size(), 4U);
    log.next_error.reset();
    EXPECT_TRUE(out.send(std::move(lent)));
}

TEST(sender, errors_get_the_address) {
    journal log;
    sender out = sender_over(log);
    log.next_error = error{errc::too_big, "send"}.because("9 bytes.");
    const auto refused = out.send("x");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.why().describe(), "send shm:a%20b: too_big: 9 bytes.");
    EXPECT_EQ(out.loan_for(1).why().address(), "shm:a%20b");

    log.next_error = error{errc::timed_out, "send"};
    EXPECT_EQ(out.send("x").why().address(), "shm:a%20b");
    log.next_error = error{errc::corrupt, "send"}.at("shm:other");
    EXPECT_EQ(out.send("x").why().address(), "shm:other");
}

TEST(sender, would_block_stays_as_cheap_as_it_came) {
    journal log;
    sender out = sender_over(log);
    log.next_error = error{errc::would_block, "send"};
    EXPECT_EQ(out.try_send("x").why().address(), "");
}

TEST(sender, a_long_name_is_cut_as_in_any_error) {
    journal log;
    auto end = std::make_unique<made_up_sender>(log);
    end->where.rest = std::string(1000, '?');
    sender out{std::move(end)};
    log.next_error = error{errc::closed, "send"};
    const std::string name = out.where().name();
    EXPECT_EQ(out.send("x").why().address(), std::string_view(name).substr(0, 160));
}

void expect_closed(sender& out) {
    journal other;
    shelf lending(other);
    loan lent{lending.lend(1, 1)};
    EXPECT_TRUE(out.send("x").is(errc::invalid_argument));
    EXPECT_THAT(out.try_send("x").why().describe(), StartsWith("send: invalid_argument: it was"));
    EXPECT_TRUE(out.send(std::move(lent)).is(errc::invalid_argument));
    EXPECT_TRUE(out.loan_for(1).is(errc::invalid_argument));
    EXPECT_TRUE(out.fd().is(errc::invalid_argument));
    EXPECT_EQ(out.fd_events(), 0);
    EXPECT_EQ(out.stats().sent, 0U);
    EXPECT_EQ(out.where(), address{});
}

TEST(sender, refuses_calls_after_close) {
    journal log;
    sender out = sender_over(log);
    out.close();
    EXPECT_EQ(log.closed, 1);
    expect_closed(out);
    out.close();
    EXPECT_EQ(log.closed, 1);
}

TEST(sender, refuses_calls_after_it_was_moved) {
    journal log;
    sender out = sender_over(log);
    sender other = std::move(out);
    expect_closed(out); // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_TRUE(other.send("x"));
    EXPECT_EQ(log.closed, 0);

    journal log_of_old;
    out = sender_over(log_of_old);
    out = std::move(other);
    EXPECT_EQ(log_of_old.closed, 1);
    EXPECT_TRUE(out.send("y"));
}

TEST(receiver, passes_on_and_adds_the_address) {
    journal log;
    receiver in = receiver_over(log, 1);
    EXPECT_EQ(in.receive().value().sequence(), 1U);
    const auto end = in.try_receive();
    ASSERT_TRUE(end.is(errc::closed));
    EXPECT_EQ(end.why().address(), "shm:a");
    EXPECT_EQ(in.fd().why().sys(), EMFILE);
    EXPECT_EQ(in.fd().why().address(), "shm:a");
    EXPECT_EQ(in.fd_events(), 1);
    EXPECT_EQ(in.stats().received, 1U);
    log.next_error = error{errc::would_block, "receive"};
    EXPECT_EQ(in.try_receive().why().address(), "");
}

TEST(receiver, refuses_calls_after_close_and_after_it_was_moved) {
    journal log;
    receiver in = receiver_over(log, 1);
    receiver other = std::move(in);
    EXPECT_TRUE(in.receive().is(errc::invalid_argument)); // NOLINT(bugprone-use-after-move)
    EXPECT_TRUE(other.receive());
    other.close();
    EXPECT_TRUE(other.receive().is(errc::invalid_argument));
    EXPECT_TRUE(other.fd().is(errc::invalid_argument));
    EXPECT_EQ(other.fd_events(), 0);
    EXPECT_EQ(other.stats().received, 0U);
    EXPECT_EQ(other.where(), address{});
    EXPECT_THROW(static_cast<void>(other.begin()), exception);
}

TEST(receiver, is_a_range_that_ends_at_closed) {
    journal log;
    receiver in = receiver_over(log, 3);
    std::vector<std::uint64_t> seen;
    for (const auto& each : in) {
        seen.push_back(each.sequence());
        // Whatever was shown before is given back before the next one is asked for.
        EXPECT_EQ(log.released.size(), each.sequence() - 1);
    }
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2, 3}));
    EXPECT_EQ(log.released, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(receiver, as_a_range_may_lose_its_messages_to_the_loop) {
    journal log;
    receiver in = receiver_over(log, 3);
    std::vector<message> kept;
    for (auto& each : in) kept.push_back(std::move(each));
    EXPECT_EQ(kept.size(), 3U);
    EXPECT_TRUE(log.released.empty());
}

TEST(receiver, as_a_range_throws_any_other_error_and_is_over) {
    journal log;
    log.next_error = error{errc::corrupt, "receive"};
    receiver in = receiver_over(log, 1);
    auto each = in.begin();
    EXPECT_EQ(each->sequence(), 1U);
    EXPECT_THROW(++each, exception);
    EXPECT_TRUE(each == in.end());
    EXPECT_EQ(log.released, std::vector<std::uint64_t>{1});
}

} // namespace
} // namespace hawser
