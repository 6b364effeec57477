#include "judge.hpp"

#include <algorithm>

namespace hawser::storm {

namespace {

// The entries of one pass, and what it has found.
class judgement {
  public:
    judgement(const book& notes, const kind& of, const deeds& done)
        : notes_(notes), kind_(of), done_(done),
          used_(std::min(notes.messages_used.load(), most_messages)) {}

    verdict pass() {
        for (std::uint32_t i = 0; i < used_; ++i) look_at(i);
        settle_missing();
        if (kind_.loses == loss::with_queue) check_runs();
        if (kind_.shared_memory() && !kind_.removals) {
            check_places();
            if (notes_.counters_read.load()) check_counters();
        }
        return std::move(said_);
    }

  private:
    void look_at(std::uint32_t number) {
        const entry& its = notes_.messages[number];
        const fate sent = its.sent.load();
        const bool fresh = its.fresh.load() != 0;
        const bool delivered = fresh || its.flagged.load() != 0;
        if (sent != fate::unused) ++said_.messages;
        fresh_ += fresh ? 1 : 0;
        flagged_ += its.flagged.load();
        if (fresh && its.released.load() == 0) ++unreleased_;
        if (its.fresh.load() > 1) wrong(number, "was delivered twice, unflagged");
        switch (sent) {
        case fate::unused:
        case fate::refused:
            if (delivered) wrong(number, "was delivered although its send had not sent it");
            said_.uncommitted += sent == fate::refused ? 1 : 0;
            return;
        case fate::dropped:
            if (delivered) wrong(number, "was delivered although it had been dropped");
            ++said_.dropped;
            return;
        case fate::begun:
            ++begun_;
            ++(delivered ? said_.ambiguous : said_.uncommitted);
            return;
        case fate::stored:
            ++said_.stored;
            if (delivered)
                ++(its.flagged.load() != 0 ? said_.again : said_.once);
            else
                missing(number, its);
            return;
        }
    }

    void missing(std::uint32_t number, const entry& its) {
        if (its.era.load() < notes_.removals_begun.load()) {
            ++said_.removed;
            return;
        }
        ++missing_;
        if (kind_.loses != loss::none || kind_.full == full_policy::drop_oldest) return;
        ++said_.unexplained;
        wrong(number, "was sent and never came");
    }

    // Those that may be missing, against what was counted. A kill may come between the deed and
    // its count.
    void settle_missing() {
        if (kind_.full == full_policy::drop_oldest) {
            const std::uint64_t counted = notes_.counters.dropped + done_.sender_kills;
            const std::uint64_t others =
                kind_.loses == loss::with_receiver ? done_.receiver_kills : 0;
            said_.dropped = missing_;
            if (notes_.counters_read.load() && missing_ > counted + others)
                unexplained(missing_ - counted - others, "are missing and not counted as dropped");
        } else if (kind_.loses == loss::with_receiver) {
            said_.lost = missing_;
            if (missing_ > done_.receiver_kills)
                unexplained(missing_ - done_.receiver_kills,
                            "are missing, more than receivers were killed");
        } else {
            said_.lost = kind_.loses == loss::with_queue ? missing_ : 0;
        }
    }

    // A receiver that was killed takes its queue along: what is missing lies between its last
    // message and the first one of its successor, in the order of each sender.
    void check_runs() {
        std::vector<std::uint32_t> last_holder(most_lives, 0);
        std::vector<std::uint32_t> run(most_lives, 0);
        for (std::uint32_t i = 0; i < used_; ++i) {
            const entry& its = notes_.messages[i];
            const std::uint32_t sender = its.sender.load();
            if (sender >= most_lives || its.sent.load() != fate::stored) continue;
            const std::uint32_t holder = its.holder.load();
            if (its.fresh.load() == 0) {
                ++run[sender];
                continue;
            }
            if (run[sender] != 0 && holder == last_holder[sender])
                gap(i, run[sender], "before it are missing, and its receiver lived");
            run[sender] = 0;
            last_holder[sender] = holder;
        }
        for (std::uint32_t sender = 0; sender < most_lives; ++sender)
            if (run[sender] != 0 && last_holder[sender] == done_.last_receiver)
                unexplained(run[sender], "are missing at the end, and the last receiver lived");
    }

    // FIFO, seen from above: no place is given twice, and each sender's places rise.
    void check_places() {
        const bool total = kind_.order == order_policy::total;
        std::vector<std::uint64_t> next_of(most_lives, 0);
        std::vector<bool> given(total ? used_ + std::size_t{1} : 0);
        for (std::uint32_t i = 0; i < used_; ++i) {
            const entry& its = notes_.messages[i];
            const std::uint32_t sender = its.sender.load();
            const bool known = its.sent.load() == fate::stored || its.fresh.load() != 0;
            if (!known || sender >= most_lives) continue;
            const std::uint64_t place = its.sequence.load();
            if (place < next_of[sender]) wrong(i, "has a place before an earlier one's");
            next_of[sender] = place + 1;
            if (!total) continue;
            if (place >= given.size() || given[place])
                wrong(i, "has place " + std::to_string(place) + ", which is not its own");
            else
                given[place] = true;
        }
    }

    void check_counters() {
        const auto& counted = notes_.counters;
        const std::uint64_t receivers = done_.receiver_kills;
        within("sent", counted.sent, said_.stored, said_.stored + begun_);
        within("received", counted.received, fresh_, fresh_ + receivers);
        within("redelivered", counted.redelivered, flagged_, flagged_ + receivers);
        const std::uint64_t kills = receivers + done_.sender_kills;
        if (kind_.delivery == delivery_policy::at_most_once) {
            const std::uint64_t gone =
                unreleased_ + (kind_.full == full_policy::drop_oldest ? receivers : missing_);
            within("lost", counted.lost, gone > 2 * kills ? gone - 2 * kills : 0, gone + receivers);
        } else {
            within("lost", counted.lost, 0, 0);
        }
        if (kind_.full == full_policy::drop_newest)
            within("dropped", counted.dropped, said_.dropped, said_.dropped + begun_);
        else if (kind_.full == full_policy::drop_oldest)
            within("dropped", counted.dropped, missing_ > kills ? missing_ - kills : 0,
                   missing_ + begun_);
        else
            within("dropped", counted.dropped, 0, 0);
    }

    void within(const char* what, std::uint64_t counted, std::uint64_t least, std::uint64_t most) {
        if (counted >= least && counted <= most) return;
        said_.wrong.push_back("the mailbox has counted " + std::to_string(counted) + " " + what +
                              ", and the ledger says " + std::to_string(least) + " to " +
                              std::to_string(most));
    }

    void wrong(std::uint32_t number, const std::string& what) {
        said_.wrong.push_back("message " + std::to_string(number) + " of life " +
                              std::to_string(notes_.messages[number].sender.load()) + " " + what);
    }
    void unexplained(std::uint64_t how_many, const std::string& what) {
        said_.unexplained += how_many;
        said_.wrong.push_back(std::to_string(how_many) + " messages " + what);
    }
    void gap(std::uint32_t number, std::uint32_t how_many, const std::string& what) {
        said_.unexplained += how_many;
        wrong(number, "came, " + std::to_string(how_many) + " " + what);
    }

    const book& notes_;
    const kind& kind_;
    const deeds& done_;
    const std::uint32_t used_;
    verdict said_;
    std::uint64_t fresh_ = 0;
    std::uint64_t flagged_ = 0;
    std::uint64_t unreleased_ = 0; // delivered, and not noted as released
    std::uint64_t begun_ = 0;
    std::uint64_t missing_ = 0;
};

} // namespace

verdict judge(const book& notes, const kind& of, const deeds& done) {
    return judgement(notes, of, done).pass();
}

} // namespace hawser::storm
