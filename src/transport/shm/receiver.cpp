#include <cerrno>

#include <poll.h>

#include "transport/shm/copied.hpp"
#include "transport/shm/ends.hpp"

namespace hawser::shm {

namespace {

using segment::counter;
using segment::participant;
using sync::intent_kind;
using sync::ring_outcome;

} // namespace

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    auto joined = participant::join(where.rest, wanted, segment::slot_state::receiver);
    if (!joined) return joined.why();
    return std::unique_ptr<hawser::detail::receiving_end>(
        std::make_unique<receiver_end>(participant_handle{*joined}, wanted));
}

receiver_end::receiver_end(participant_handle self, const options& wanted)
    : self_(std::move(self)), wait_(wanted.wait.value_or(wait_mode::adaptive)),
      lanes_(self_->memory().plan().lanes), spinner_(!os::single_cpu()),
      joins_at_open_(self_->memory().head().sender_joins.load()),
      sender_was_there_(self_->sender_present()) {}

result<message> receiver_end::receive(deadline until) {
    if (!may_go_on(*self_, poisoned_)) [[unlikely]]
        // It looks again, and an enemy may have changed its mind in between.
        if (const auto may = admit(*self_, poisoned_, "receive"); !may) return may.why();
    self_->tick();
    if (uncopied_.from() != nullptr) return deliver_copy();
    // What a dead receiver left is in a hand already, and needs no spare of ours.
    if (self_->has_adopted() && self_->next_adopted(held_)) return deliver();
    const std::uint32_t hand = self_->claim_spare();
    if (hand == participant::no_hand)
        return error{errc::no_space, "receive"}.because(
            "all " + std::to_string(self_->memory().shape().loans) +
            " messages that this receiver may have in use are in use. Destroy one, or create the "
            "mailbox with a larger loans=.");
    state now = attempt(hand, look::quick);
    if (now != state::nothing) [[likely]]
        return outcome(now, hand);
    if (until.is_now()) {
        self_->census_if_due();
        now = attempt(hand, look::thorough);
        return now == state::nothing ? nothing(hand, errc::would_block) : outcome(now, hand);
    }
    const auto again = [&](look how) {
        now = attempt(hand, how);
        return now != state::nothing || self_->removed();
    };
    auto& event = self_->memory().head().messages;
    switch (wait_on(*self_, event, until, wait_, spinner_, again)) {
    case waited::timed_out:
        return nothing(hand, errc::timed_out);
    case waited::interrupted:
        return nothing(hand, errc::interrupted);
    case waited::finished:
        break;
    }
    return outcome(now, hand);
}

result<message> receiver_end::nothing(std::uint32_t hand, errc code) {
    self_->return_spare(hand);
    bell_.sync(*self_, {&self_->memory().head().messages}, [this] { return available(); });
    return error{code, "receive"};
}

[[gnu::always_inline]] inline result<message> receiver_end::outcome(state now, std::uint32_t hand) {
    // A message of an adopted slot stays where it is; our own entry was not needed.
    if (now != state::got || held_.redelivered) self_->return_spare(hand);
    if (now == state::got) return deliver();
    if (now == state::corrupt) return poison(poisoned_, "receive");
    bell_.sync(*self_, {&self_->memory().head().messages}, [this] { return available(); });
    if (now == state::closed) return error{errc::closed, "receive"};
    return was_removed(*self_, "receive");
}

[[gnu::always_inline]] inline result<message> receiver_end::deliver() {
    self_->count(held_.redelivered ? counter::redelivered : counter::received);
    self_->count(counter::received_bytes, held_.bytes.size());
    sender_was_there_ = true;
    // If it was a wake-up for a fresh message that led us here, somebody else must have it.
    if (held_.redelivered) self_->notify_messages();
    auto lent = self_->lend(held_.ticket, held_.bytes);
    if (self_->memory().is_handed_out()) {
        uncopied_ = std::move(lent);
        return deliver_copy();
    }
    message made{std::move(lent), held_.sequence, held_.redelivered};
    bell_.sync(*self_, {&self_->memory().head().messages}, [this] { return available(); });
    return made;
}

// Where others are not trusted, the user sees nothing that they could change while it is read.
result<message> receiver_end::deliver_copy() {
    if (!copied::replace(uncopied_))
        return error{errc::no_space, "receive", ENOMEM}.because(
            "there is no memory for a copy of the message, of " +
            std::to_string(uncopied_.bytes().size()) +
            " bytes, which trust=none needs. It is kept: receive again when there is.");
    message made{std::move(uncopied_), held_.sequence, held_.redelivered};
    bell_.sync(*self_, {&self_->memory().head().messages}, [this] { return available(); });
    return made;
}

// Adopted messages first: they are the oldest.
receiver_end::state receiver_end::attempt(std::uint32_t hand, look how) {
    self_->adopt_orphans();
    if (self_->has_adopted() && self_->next_adopted(held_)) return state::got;
    const state taken = take(hand);
    if (taken != state::nothing || !at_end(how)) return taken;
    // A receiver that died just now may have a message that is not to be missed.
    self_->census();
    if (self_->has_adopted() && self_->next_adopted(held_)) return state::got;
    // No sender was there a moment ago; what the last one sent before it left, we see now.
    const state last = take(hand);
    return last == state::nothing && !contended_ ? state::closed : last;
}

[[gnu::always_inline]] inline receiver_end::state receiver_end::take(std::uint32_t hand) {
    contended_ = false;
    const auto& memory = self_->memory();
    if (memory.plan().lanes == 1) return take_from(0, hand);
    const std::uint32_t lanes = memory.slots_used();
    for (std::uint32_t i = 0; i < lanes; ++i) {
        const std::uint32_t lane = next_lane_ < lanes ? next_lane_ : 0;
        next_lane_ = lane + 1; // each lane in its turn, so that none starves
        if (!memory.lane_ready(lane)) continue;
        const state taken = take_from(lane, hand);
        if (taken != state::nothing) return taken;
    }
    return state::nothing;
}

[[gnu::always_inline]] inline receiver_end::state receiver_end::take_from(std::uint32_t lane,
                                                                          std::uint32_t hand) {
    lane_view& from = view(lane);
    const auto done = self_->exchange<intent_kind::receive>(from.ring, lane, from.at, hand);
    if (done.outcome == ring_outcome::corrupt) return state::corrupt;
    if (done.outcome == ring_outcome::contended) contended_ = true;
    if (done.outcome != ring_outcome::done) return state::nothing;
    self_->notify_space(*from.space);
    return self_->open_message(hand, done.position, held_) ? state::got : state::corrupt;
}

[[gnu::always_inline]] inline receiver_end::lane_view& receiver_end::view(std::uint32_t lane) {
    lane_view& view = lanes_[lane];
    if (view.ring.slots == nullptr) {
        view.ring = self_->memory().ring(lane);
        view.space = &self_->memory().lane(lane).space;
        view.at.jump(view.ring.head_hint->load(), view.ring.capacity);
    }
    return view;
}

// Nobody sends any more, though somebody did. Looked at only when someone came or went, or when the
// look must be thorough.
bool receiver_end::at_end(look how) {
    const auto& head = self_->memory().head();
    const std::uint32_t membership = head.membership.load();
    if (how == look::quick && membership == membership_) return ended_;
    membership_ = membership;
    if (head.sender_joins.load() != joins_at_open_) sender_was_there_ = true;
    ended_ = sender_was_there_ && !self_->sender_present();
    return ended_;
}

// Would try_receive have something to say? Takes nothing.
bool receiver_end::available() {
    const auto& memory = self_->memory();
    if (uncopied_.from() != nullptr) return true;
    self_->adopt_orphans();
    if (self_->has_adopted() || self_->removed() || at_end(look::thorough)) return true;
    for (std::uint32_t lane = 0; lane < memory.plan().lanes; ++lane) {
        if (!memory.lane_ready(lane)) continue;
        const lane_view& seen = view(lane);
        sync::cursor from = seen.at;
        if (sync::has_message(seen.ring, from)) return true;
    }
    return false;
}

result<int> receiver_end::fd() {
    if (const auto may = admit(*self_, poisoned_, "fd"); !may) return may.why();
    auto listening = bell_.listen(*self_);
    bell_.sync(*self_, {&self_->memory().head().messages}, [this] { return available(); });
    return listening;
}

short receiver_end::fd_events() const noexcept {
    return POLLIN;
}

} // namespace hawser::shm
