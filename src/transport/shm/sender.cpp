#include <poll.h>

#include "segment/access_bound.hpp"
#include "transport/shm/ends.hpp"

namespace hawser::shm {

namespace {

using segment::counter;
using segment::participant;
using sync::intent_kind;
using sync::ring_outcome;

error queue_full() {
    return error{errc::would_block, "send"}.because("the mailbox is full.");
}

// A sender that must not wait can tell a full queue (would_block) from used-up memory.
error memory_full(const char* operation, full_policy full) {
    const errc code = full == full_policy::fail ? errc::no_space : errc::would_block;
    return error{code, operation}.because("max_memory is used up by messages that wait or are "
                                          "being read. Receive some, or create the "
                                          "mailbox with a larger max_memory=.");
}

errc late(deadline until) noexcept {
    return until.is_now() ? errc::would_block : errc::timed_out;
}

// For a call that may wait: time is over.
bool is_over(deadline until) noexcept {
    return !until.is_never() && !until.is_now() && os::monotonic_ns() >= until.at_ns();
}

error not_in_time(const char* operation, waited how, deadline until) {
    if (how == waited::interrupted) return error{errc::interrupted, operation};
    return error{late(until), operation};
}

} // namespace

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    auto joined = participant::join(where.rest, wanted, segment::slot_state::sender);
    if (!joined) return joined.why();
    return std::unique_ptr<hawser::detail::sending_end>(
        std::make_unique<sender_end>(participant_handle{*joined}, wanted));
}

sender_end::sender_end(participant_handle self, const options& wanted) noexcept
    : self_(std::move(self)), full_(wanted.full.value_or(full_policy::block)),
      wait_(wanted.wait.value_or(wait_mode::adaptive)), spinner_(!os::single_cpu()) {
    const auto& memory = self_->memory();
    lane_ = memory.shape().order == order_policy::sender ? self_->slot() : 0;
    ring_ = memory.ring(lane_);
    at_.jump(ring_.tail_hint->load(), ring_.capacity);
    oldest_.jump(ring_.head_hint->load(), ring_.capacity);
}

result<sent> sender_end::send(std::span<const std::byte> bytes, deadline until) {
    // What nearly every send is: small, with a spare chunk to put it in.
    if (self_->fits_inline(bytes.size()) && may_go_on(*self_, poisoned_)) [[likely]] {
        const std::uint32_t hand = self_->claim_spare();
        if (hand == participant::no_hand) return no_spare("send");
        memory_short_of_ = 0;
        return send_in({hand, self_->inline_room(hand, bytes.size())}, bytes, until);
    }
    return send_with_room(bytes, until);
}

result<sent> sender_end::send_with_room(std::span<const std::byte> bytes, deadline until) {
    const auto found = find_room(bytes.size(), until, "send");
    if (!found) return found.why();
    if (!found->stored) {
        self_->count(counter::dropped);
        return sent{0, found->drops, false};
    }
    return send_in(*found, bytes, until);
}

[[gnu::always_inline]] inline result<sent>
sender_end::send_in(const room& found, std::span<const std::byte> bytes, deadline until) {
    segment::copy_in(found.bytes, bytes);
    auto result = commit(found.hand, bytes.size(), found.drops, until);
    self_->return_spare(found.hand);
    after_call();
    return result;
}

result<loan> sender_end::loan_for(std::size_t size, deadline until) {
    const auto found = find_room(size, until, "loan");
    if (!found) return found.why();
    if (!found->stored) return memory_full("loan", full_policy::drop_newest);
    return loan{self_->lend(found->hand, found->bytes)};
}

result<sent> sender_end::send(loan& filled, deadline until) {
    if (const auto may = admit(*self_, poisoned_, "send"); !may) return may.why();
    auto& memory = filled.memory();
    if (memory.from() != self_.get())
        return error{errc::invalid_argument, "send"}.because(
            "the loan is of another sender, or was sent already.");
    const auto hand = static_cast<std::uint32_t>(memory.ticket());
    auto result = commit(hand, filled.size(), 0, until);
    if (result) {
        self_->take_back(memory);
        self_->return_spare(hand);
    }
    after_call();
    return result;
}

// A hand entry and memory for the payload, before anything can be seen by others.
result<sender_end::room> sender_end::find_room(std::size_t size, deadline until,
                                               const char* operation) {
    if (const auto may = admit(*self_, poisoned_, operation); !may) return may.why();
    const auto& shape = self_->memory().shape();
    if (size > shape.max_message)
        return error{errc::too_big, operation}.because(
            "the message has " + std::to_string(size) + " bytes, and max_message is " +
            std::to_string(shape.max_message) +
            ". Whoever creates the mailbox can give a larger max_message=.");
    room found;
    found.hand = self_->claim_spare();
    if (found.hand == participant::no_hand) return no_spare(operation);
    auto made = self_->make_room(found.hand, size);
    if (made && (made->size() == size)) {
        found.bytes = *made;
        memory_short_of_ = 0;
        return found;
    }
    if (made) {
        const auto waited = wait_for_memory(found, size, until);
        memory_short_of_ = waited && *waited ? 0 : size;
        if (memory_short_of_ == 0) return found;
        self_->return_spare(found.hand);
        after_call();
        if (!waited) return waited.why();
        found.stored = false;
        return found;
    }
    self_->return_spare(found.hand);
    return made.why();
}

// max_memory is used up. True when there is room, false if the message is to be dropped.
result<bool> sender_end::wait_for_memory(room& found, std::size_t size, deadline until) {
    if (full_ == full_policy::drop_newest) return false;
    std::optional<error> failed;
    const auto attempt = [&](look) {
        auto made = self_->make_room(found.hand, size);
        // Only what helps is thrown away: if receivers hold the memory, no drop gives any. And not
        // more than what was there: others may send as fast as we drop.
        sync::budget drops{self_->memory().shape().capacity};
        while (full_ == full_policy::drop_oldest && made && made->size() != size && drops.spend() &&
               !is_over(until) && self_->dropping_helps(lane_, size) &&
               drop_oldest() == dropped::one) {
            ++found.drops;
            made = self_->make_room(found.hand, size);
        }
        if (made && made->size() == size) {
            found.bytes = *made;
            return true;
        }
        if (!made) failed = made.why();
        return !made || self_->removed();
    };
    if (full_ == full_policy::fail || until.is_now()) {
        if (!attempt(look::quick)) return memory_full("send", full_);
    } else {
        auto& event = self_->memory().head().memory;
        const auto how = wait_on(*self_, event, until, wait_, spinner_, attempt);
        if (how != waited::finished) return not_in_time("send", how, until);
    }
    if (failed) return *failed;
    if (found.bytes.size() != size) return was_removed(*self_, "send");
    return true;
}

error sender_end::no_spare(const char* operation) const {
    return error{errc::no_space, operation}.because(
        "all " + std::to_string(self_->memory().shape().loans) +
        " loans of this sender are out (and full=drop_oldest needs one more). Send or drop one, or "
        "create the mailbox with a larger loans=.");
}

[[gnu::always_inline]] inline result<sent> sender_end::commit(std::uint32_t hand, std::size_t size,
                                                              std::uint64_t drops, deadline until) {
    self_->set_length(hand, size);
    self_->tick();
    const auto done = self_->exchange<intent_kind::send>(ring_, lane_, at_, hand);
    if (done.outcome == ring_outcome::done) [[likely]]
        return committed(size, drops, done);
    if (done.outcome == ring_outcome::corrupt) return poison(poisoned_, "send");
    return commit_when_full(hand, size, drops, until);
}

result<sent> sender_end::committed(std::size_t size, std::uint64_t drops,
                                   const sync::exchanged& done) {
    self_->count(counter::sent);
    self_->count(counter::sent_bytes, size);
    self_->notify_messages();
    return sent{done.position, drops, true};
}

result<sent> sender_end::commit_when_full(std::uint32_t hand, std::size_t size, std::uint64_t drops,
                                          deadline until) {
    if (full_ == full_policy::drop_oldest) return make_way(hand, size, drops, until);
    sync::exchanged done;
    const auto attempt = [&](look) {
        done = self_->exchange<intent_kind::send>(ring_, lane_, at_, hand);
        return done.outcome == ring_outcome::done || done.outcome == ring_outcome::corrupt ||
               self_->removed();
    };
    if (full_ != full_policy::block || until.is_now()) {
        self_->census_if_due();
        if (!attempt(look::quick)) {
            if (full_ != full_policy::drop_newest) return queue_full();
            self_->count(counter::dropped);
            return sent{0, drops, false};
        }
    } else {
        auto& event = self_->memory().lane(lane_).space;
        const auto how = wait_on(*self_, event, until, wait_, spinner_, attempt);
        if (how != waited::finished) return not_in_time("send", how, until);
    }
    if (done.outcome == ring_outcome::done) return committed(size, drops, done);
    if (done.outcome == ring_outcome::corrupt) return poison(poisoned_, "send");
    return was_removed(*self_, "send");
}

// full=drop_oldest: takes the oldest message away and tries again. Others may be quicker with the
// slot, but whoever was has stored a message of its own; so this ends.
result<sent> sender_end::make_way(std::uint32_t hand, std::size_t size, std::uint64_t drops,
                                  deadline until) {
    constexpr std::uint32_t tries_between_checks = 16;
    for (std::uint32_t tries = 1;; ++tries) {
        const dropped made_way = drop_oldest();
        if (made_way == dropped::one) ++drops;
        const auto done = self_->exchange<intent_kind::send>(ring_, lane_, at_, hand);
        if (done.outcome == ring_outcome::done) return committed(size, drops, done);
        if (done.outcome == ring_outcome::corrupt) return poison(poisoned_, "send");
        if (made_way == dropped::no_spare) return no_spare("send");
        if (tries % tries_between_checks != 0) continue;
        if (const auto may = admit(*self_, poisoned_, "send"); !may) return may.why();
        if (until.is_now() ? tries >= segment::tries_at_once : is_over(until))
            return error{late(until), "send"};
    }
}

sender_end::dropped sender_end::drop_oldest() {
    const std::uint32_t hand = self_->claim_spare();
    if (hand == participant::no_hand) return dropped::no_spare;
    // STEP(drop.count) first: one too many, should we die in between, but never one in silence.
    self_->count(counter::dropped);
    const auto done = self_->exchange<intent_kind::drop>(ring_, lane_, oldest_, hand);
    if (done.outcome != ring_outcome::done) {
        constexpr std::uint64_t one_less = ~std::uint64_t{0};
        self_->count(counter::dropped, one_less); // STEP(drop.uncount)
        self_->return_spare(hand);
        return dropped::nothing;
    }
    self_->drop_message(hand);
    return dropped::one;
}

result<int> sender_end::fd() {
    if (const auto may = admit(*self_, poisoned_, "fd"); !may) return may.why();
    auto listening = bell_.listen(*self_);
    after_call();
    return listening;
}

short sender_end::fd_events() const noexcept {
    return POLLIN;
}

void sender_end::answer_bell() {
    const auto& memory = self_->memory();
    bell_.sync(*self_, {&memory.lane(lane_).space, &memory.head().memory}, [&] {
        sync::cursor from = at_;
        if (self_->removed()) return true;
        // After a message that found no memory: ready when it would.
        if (memory_short_of_ != 0 && !self_->has_room_for(memory_short_of_)) return false;
        return sync::has_room(ring_, from);
    });
}

} // namespace hawser::shm
