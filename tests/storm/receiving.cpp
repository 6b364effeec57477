// The receiving player.

#include <vector>

#include <poll.h>

#include "player_base.hpp"
#include "stall.hpp"

namespace hawser::storm {

namespace {

constexpr std::size_t most_held = 2; // of four loans
constexpr std::size_t most_held_large = 1;
constexpr auto short_patience = std::chrono::milliseconds(20);
constexpr auto last_patience = std::chrono::milliseconds(200);

struct in_use {
    message what;
    std::uint32_t number;
};

class receiving final : public player {
  public:
    receiving(const stage& where, std::uint32_t me)
        : player(where, me), last_of_(most_lives), polls_(kind_.has_fd && chance(7) == 0) {
        if (survivor_) watch_.emplace(notes());
    }
    // What is left where nobody is any more. As many as there were.
    void collect(const std::function<void()>& look) {
        if (!open()) return;
        auto got = in_->receive_for(last_patience);
        for (; got; got = in_->receive_for(last_patience)) {
            take(std::move(*got));
            while (!held_.empty()) release_one();
        }
        if (!got.is(errc::closed) && !got.is(errc::timed_out))
            complain("collecting: " + got.why().describe());
        look();
        close();
    }

  private:
    bool open() override {
        last_sequence_.reset();
        in_ = open_end<receiver>(
            [](hawser::pipe& link, const options& how) { return link.receiver(how); });
        return in_.has_value();
    }
    void close() override {
        // Messages outlive their receiver: now and then they do.
        if (chance(2) == 0) in_.reset();
        while (!held_.empty()) release_one();
        in_.reset();
    }
    void abandon() override {
        held_.clear();
        in_.reset();
    }
    errc touch_as_child() override {
        const auto tried = in_->try_receive();
        return tried ? errc::system : tried.why().code();
    }

    bool step() override {
        auto got = next();
        if (!got) return go_on_without(got.why());
        if (survivor_) watch_->progress();
        done_one();
        take(std::move(*got));
        const std::size_t most = survivor_ ? 0 : kind_.large() ? most_held_large : most_held;
        while (held_.size() > most) release_one();
        if (!survivor_ && chance(50) == 0) {
            now(doing::idling);
            let_pass(some_ns(chance(10) == 0 ? 50'000'000 : 3'000'000));
        }
        while (!held_.empty() && chance(2) == 0) release_one();
        return true;
    }

    result<message> next() {
        now(doing::receiving);
        draining_ = notes().drain.load();
        if (draining_) return in_->receive_for(last_patience);
        const std::uint64_t drawn = chance(100);
        const bool told_of_ends = kind_.ends && kind_.many_receivers && !kind_.removals;
        if (!told_of_ends) return in_->receive_for(short_patience);
        if (survivor_ || drawn < 50) return in_->receive();
        if (polls_ && drawn < 90) return receive_by_polling();
        if (drawn < 70) return in_->try_receive();
        return in_->receive_for(std::chrono::nanoseconds(some_ns(20'000'000)));
    }

    // Not without a limit: who is stopped before it rings is waited for.
    result<message> receive_by_polling() {
        const auto fd = in_->fd();
        if (!fd) return fd.why();
        pollfd one{*fd, in_->fd_events(), 0};
        ::poll(&one, 1, 100);
        return in_->try_receive();
    }

    // False: it is over.
    bool go_on_without(const error& why) {
        const errc code = why.code();
        if (code == errc::would_block || code == errc::timed_out) {
            // Only a wait that began as the last one was long enough for a look for the dead.
            const bool last = draining_ && (!kind_.shared_memory() || kind_.removals);
            if (last && code == errc::timed_out) return park();
            if (!survivor_ && code == errc::would_block) let_pass(some_ns(1'000'000));
            return true;
        }
        if (code == errc::closed) return after_the_end();
        if (code == errc::peer_died && kind_.is == facility::unix_socket) {
            notes().count(tally::half_messages);
            return true;
        }
        complain("receive: " + why.describe());
        return false;
    }

    bool after_the_end() {
        if (notes().senders_stop.load() && !kind_.removals) return park();
        if (kind_.shared_memory() && !kind_.removals) {
            complain("the stream ended although a sender is there");
            return false;
        }
        notes().count(tally::began_again);
        let_pass(100'000);
        if (!kind_.shared_memory()) return true;
        close();
        if (notes().drain.load() && drained_again_++ > 2) return false;
        return open();
    }

    // Nothing is left to receive; stays until others have looked at the mailbox.
    bool park() {
        while (!held_.empty()) release_one();
        now(doing::parked);
        while (!notes().receivers_go.load() && !leaving()) let_pass(1'000'000);
        return false;
    }

    // --- what came -----------------------------------------------------------------------------

    void take(message&& got) {
        record head{};
        if (const auto wrong = read_message(got.bytes(), head); !wrong.empty()) {
            complain(wrong);
            return;
        }
        entry& its = notes().messages[head.number];
        if (its.sender.load() != head.sender) complain(told(head, "is of another sender"));
        if (got.redelivered())
            note_redelivered(head, its);
        else
            note_fresh(got, head, its);
        its.holder.store(me_);
        held_.push_back({std::move(got), head.number});
    }

    void note_redelivered(const record& head, entry& its) {
        const std::uint32_t holder = its.holder.load();
        its.flagged.fetch_add(1);
        if (!kind_.shared_memory() || kind_.delivery == delivery_policy::at_most_once)
            complain(told(head, "came again where that can't be"));
        if (its.released.load() != 0) complain(told(head, "came again after its release"));
        if (holder != 0 && !notes().is_dead(holder))
            complain(told(head, "came again, and life " + std::to_string(holder) +
                                    ", which has it, lives"));
    }

    void note_fresh(const message& got, const record& head, entry& its) {
        if (its.fresh.fetch_add(1) != 0) complain(told(head, "came twice and is not flagged"));
        // In their order from each sender, and with order=total over all.
        std::uint32_t& last = last_of_[head.sender];
        if (last > head.number) complain(told(head, "came after a later one of its sender"));
        last = head.number + 1;
        if (!kind_.shared_memory()) return;
        const std::uint64_t sequence = got.sequence();
        const bool total = kind_.order == order_policy::total;
        if (total && last_sequence_ && sequence <= *last_sequence_)
            complain(told(head, "has place " + std::to_string(sequence) + ", after " +
                                    std::to_string(*last_sequence_)));
        last_sequence_ = sequence;
        if (its.sent.load() == fate::stored && its.sequence.load() != sequence)
            complain(told(head, "has place " + std::to_string(sequence) +
                                    ", and its sender was told " +
                                    std::to_string(its.sequence.load())));
        else
            its.sequence.store(sequence);
    }

    static std::string told(const record& head, const std::string& what) {
        return "message " + std::to_string(head.number) + " of life " +
               std::to_string(head.sender) + " " + what;
    }

    // Any of them; its bytes must be those that came.
    void release_one() {
        const auto place = static_cast<std::ptrdiff_t>(chance(held_.size()));
        in_use one = std::move(held_[static_cast<std::size_t>(place)]);
        held_.erase(held_.begin() + place);
        record head{};
        const auto wrong = read_message(one.what.bytes(), head);
        if (!wrong.empty()) complain("in use: " + wrong);
        if (wrong.empty() && head.number != one.number)
            complain("a message in use has become another one");
        notes().count(tally::checked_again);
        one.what.release();
        notes().messages[one.number].released.store(1);
    }

    std::optional<receiver> in_;
    std::optional<stall_watch> watch_;
    std::vector<in_use> held_;
    std::vector<std::uint32_t> last_of_; // by life: one more than the number that came last
    std::optional<std::uint64_t> last_sequence_;
    bool polls_;
    bool draining_ = false; // since before the attempt that ended last
    int drained_again_ = 0;
};

} // namespace

std::unique_ptr<player> make_receiver(const stage& where, std::uint32_t me) {
    return std::make_unique<receiving>(where, me);
}

void collect_the_rest(const stage& where, std::uint32_t me, const std::function<void()>& look) {
    receiving(where, me).collect(look);
}

} // namespace hawser::storm
