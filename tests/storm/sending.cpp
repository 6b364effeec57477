// The sending player.

#include <cmath>
#include <vector>

#include <poll.h>

#include "player_base.hpp"
#include "stall.hpp"

namespace hawser::storm {

namespace {

constexpr std::uint32_t none = ~std::uint32_t{0};
constexpr std::uint64_t steps_of_a_mood = 300;

class sending final : public player {
  public:
    sending(const stage& where, std::uint32_t me) : player(where, me), bytes_(kind_.largest) {
        if (survivor_) watch_.emplace(notes());
    }

  private:
    bool open() override {
        era_ = notes().removals_done.load();
        out_ = open_end<sender>(
            [](hawser::pipe& link, const options& how) { return link.sender(how); });
        return out_.has_value();
    }
    void close() override { out_.reset(); }
    void abandon() override {
        kept_.reset();
        out_.reset();
    }
    errc touch_as_child() override {
        const auto tried = out_->try_send("x");
        return tried ? errc::system : tried.why().code();
    }

    bool step() override {
        if (notes().senders_stop.load()) return false;
        if (number_ == none) number_ = next_number();
        if (number_ == none) { // the ledger is full: the conductor will end the round
            now(doing::idling);
            let_pass(1'000'000);
            return true;
        }
        const std::size_t size = some_size();
        entry& mine = notes().messages[number_];
        mine.sender.store(me_);
        mine.era.store(era_);
        mine.sent.store(fate::begun);
        now(doing::sending);
        const bool going_on = settle(send_somehow(size), mine);
        if (survivor_) watch_->progress();
        if (!survivor_ && chance(100) == 0) {
            now(doing::idling);
            let_pass(some_ns(chance(20) == 0 ? 20'000'000 : 2'000'000));
        }
        return going_on;
    }

    // Numbers rise within a life: they are its order.
    std::uint32_t next_number() {
        if (next_ == page_end_) {
            next_ = notes().messages_used.fetch_add(page_messages);
            page_end_ = next_ + page_messages;
        }
        if (page_end_ > most_messages) {
            page_end_ = next_;
            return none;
        }
        return next_++;
    }

    // Now all small, now all large: memory follows up and down.
    std::size_t some_size() {
        const std::size_t least = sizeof(record);
        if (++steps_ % steps_of_a_mood == 0) generous_ = chance(2) == 0;
        if (!kind_.large()) return least + chance(kind_.largest - least + 1);
        if (!generous_ && chance(10) != 0) return least + chance(200);
        const double share = static_cast<double>(chance(1000)) / 1000;
        const double span = std::log(static_cast<double>(kind_.largest) / 200);
        return std::min(kind_.largest, static_cast<std::size_t>(200 * std::exp(share * span)));
    }

    result<sent> send_somehow(std::size_t size) {
        const std::uint64_t drawn = chance(100);
        const auto message = std::span(bytes_).first(size);
        if (drawn >= 80) return send_loan(size, drawn >= 95);
        write_message(message, number_, me_);
        if (survivor_ || drawn < 50) return out_->send(message);
        if (drawn < 65) return out_->try_send(message);
        return out_->send_for(message, std::chrono::nanoseconds(some_ns(5'000'000)));
    }

    // Now and then one loan is dropped, or one more stays out for a while: one, as drop_oldest
    // needs an entry of the four, and the next loan another.
    result<sent> send_loan(std::size_t size, bool play_with_it) {
        const auto patience =
            survivor_ ? deadline::never() : deadline::after(std::chrono::milliseconds(5));
        auto lent = out_->loan_for(size, patience);
        if (!lent) return lent.why();
        write_message(lent->bytes(), number_, me_);
        if (play_with_it && !survivor_) {
            if (chance(2) == 0) return error{errc::would_block, "loan"};
            kept_.reset();
            if (auto more = out_->loan_for(size, deadline::now())) kept_.emplace(std::move(*more));
            let_pass(some_ns(3'000'000));
        }
        return out_->send(std::move(*lent));
    }

    // False: it is over.
    bool settle(const result<sent>& said, entry& mine) {
        if (said) {
            mine.sequence.store(said->sequence);
            mine.sent.store(said->stored ? fate::stored : fate::dropped);
            number_ = none;
            done_one();
            if (!said->stored) let_pass(20'000);
            return true;
        }
        // The number is used again: should this send have sent after all, it comes twice.
        mine.sent.store(fate::refused);
        notes().count(tally::refusals);
        const errc code = said.why().code();
        const bool no_memory = code == errc::no_space && kind_.full == full_policy::fail;
        if (code == errc::would_block || code == errc::timed_out || no_memory) {
            done_one();
            let_pass(20'000);
            return true;
        }
        const bool gone = code == errc::closed || code == errc::peer_died;
        if (gone && (kind_.removals || !kind_.shared_memory())) {
            notes().count(tally::began_again);
            if (kind_.shared_memory()) return reopen();
            let_pass(100'000);
            return true;
        }
        complain("send: " + said.why().describe());
        return false;
    }

    bool reopen() {
        kept_.reset();
        close();
        return open();
    }

    std::vector<std::byte> bytes_;
    std::optional<sender> out_;
    std::optional<loan> kept_;
    std::optional<stall_watch> watch_;
    std::uint32_t number_ = none;
    std::uint32_t next_ = 0;
    std::uint32_t page_end_ = 0;
    std::uint64_t steps_ = 0;
    std::uint16_t era_ = 0;
    bool generous_ = true;
};

} // namespace

std::unique_ptr<player> make_sender(const stage& where, std::uint32_t me) {
    return std::make_unique<sending>(where, me);
}

} // namespace hawser::storm
