// The census: finding the dead, repairing what they left, adopting their messages. See
// participant.hpp.

#include <algorithm>
#include <cstring>

#include "os/clock.hpp"
#include "os/lock.hpp"
#include "segment/participant.hpp"

namespace hawser::segment {

bool participant::lock(std::uint32_t slot) const noexcept {
    const auto locked = os::try_lock(fd(), lock_base + slot, os::lock_kind::exclusive);
    return locked && *locked;
}

void participant::unlock(std::uint32_t slot) const noexcept {
    os::unlock(fd(), lock_base + slot);
}

sync::participant_memory<atomic> participant::words_of(std::uint32_t slot) const noexcept {
    participant_record& record = memory_->record(slot);
    return {&record.intent, &record.intent_position, record.hand, slot + 1, memory_->shape().loans};
}

void participant::census_if_due() noexcept {
    const std::int64_t now_ns = os::monotonic_ns();
    auto& last_ns = memory_->head().census_ns;
    std::int64_t seen_ns = last_ns.load();
    // A stamp from the future is nonsense that must not keep the dead unburied.
    if (seen_ns <= now_ns && seen_ns > now_ns - census_interval_ns) return;
    if (last_ns.compare_exchange_strong(seen_ns, now_ns)) census();
}

// Receivers first: while a dead sender still seems to be there, no receiver takes the stream for
// ended, and by the time that it is gone, the messages of dead receivers are to be seen.
void participant::census() noexcept {
    ++censuses_;
    look_at_name();
    look_for_dead({slot_state::receiver, slot_state::orphaned});
    look_for_dead({slot_state::sender});
}

// A name that is gone without a word: whoever removed the mailbox by force was killed before it
// told us, or the file was unlinked by hand. Nobody new can come, so nobody may wait for that.
void participant::look_at_name() noexcept {
    if (memory_->is_handed_out() || removed()) return; // such memory never has a name
    const auto file = os::status_of(fd());
    if (!file || file->links != 0) return;
    memory_->head().life.store(static_cast<std::uint32_t>(life::removed)); // STEP(census.name)
    notify_everyone();
}

void participant::look_for_dead(std::initializer_list<slot_state> states) noexcept {
    bool news = false;
    const std::uint32_t used = memory_->slots_used();
    for (std::uint32_t slot = 0; slot < used; ++slot) {
        const auto state = static_cast<slot_state>(memory_->record(slot).state.load());
        if (slot == slot_ || std::ranges::find(states, state) == states.end()) continue;
        if (state == slot_state::orphaned && role_ != slot_state::receiver) {
            // Not for us. A receiver may have looked while somebody else had the lock: tell again.
            memory_->head().orphans.fetch_add(1);
            continue;
        }
        const bool ours = std::ranges::any_of(adoptions_, [slot](const auto& adopted) {
            return adopted->slot == slot && !adopted->over.load();
        });
        // STEP(census.lock)
        if (!ours && lock(slot)) news = recover(slot) || news;
    }
    // Whoever waits may wait for what a dead one did, or for what it was going to do.
    if (news) notify_everyone();
}

// The lock of the slot is ours, so its owner is dead, or just left. Every step can be repeated by
// the next one who gets the lock. Gives the lock back, unless the slot is adopted. False if there
// was nothing to do.
bool participant::recover(std::uint32_t slot) noexcept {
    const auto state = static_cast<slot_state>(memory_->record(slot).state.load());
    if (state == slot_state::unused || state == slot_state::free) {
        unlock(slot);
        return false;
    }
    repair(slot); // STEP(census.repair)
    if (memory_->held_by(slot) == 0)
        set_free(slot);
    else if (role_ == slot_state::receiver)
        adopt(slot); // STEP(census.adopt)
    else
        leave_as_orphaned(slot);
    return true;
}

// First what the hand really holds, then what that says about the blocks.
void participant::repair(std::uint32_t slot) noexcept {
    participant_record& record = memory_->record(slot);
    const auto lane_of = [this](std::uint32_t lane) {
        const bool exists = lane < memory_->plan().lanes && memory_->lane_ready(lane);
        return exists ? memory_->ring(lane) : sync::lane_memory<atomic>{};
    };
    sync::repair(words_of(slot), lane_of);
    settle_hand(slot);
    const auto state = static_cast<slot_state>(record.state.load());
    if (state != slot_state::orphaned) count_in(record, counter::reaped, 1);
}

// Spare chunks need no block, and with delivery=at_most_once no message comes again.
void participant::settle_hand(std::uint32_t slot) noexcept {
    participant_record& record = memory_->record(slot);
    std::array<std::uint32_t, max_loans> spare{};
    std::size_t spares = 0;
    for (std::uint32_t i = 0; i < memory_->shape().loans; ++i) {
        auto word = sync::hand_word::unpack(record.hand[i].load());
        if (word.chunk >= memory_->plan().chunks) continue;
        const bool once = memory_->shape().delivery == delivery_policy::at_most_once;
        if (word.kind == sync::hold::message && once) {
            // Counted first: one too many, should we die in between, but never one in silence.
            count_in(record, counter::lost, 1); // STEP(settle.count), then STEP(settle.spare)
            record.hand[i].store(sync::hand_word{word.chunk, sync::hold::spare}.pack());
            word.kind = sync::hold::spare;
        }
        if (word.kind == sync::hold::spare) spare[spares++] = word.chunk;
    }
    free_blocks_of(std::span(spare).first(spares));
}

void participant::free_blocks_of(std::span<const std::uint32_t> chunks) noexcept {
    for (std::uint32_t k = 0; k < memory_->plan().class_count; ++k) {
        const auto blocks = pool(k);
        for (std::uint32_t i = 0; i < blocks.count; ++i) {
            const auto word = sync::block_word::unpack(blocks.words[i].load());
            if (!word.owned || std::ranges::find(chunks, word.chunk) == chunks.end()) continue;
            // Its claimer may have got memory for it and died before it said so.
            if (!word.backed) give_back(k, i);       // STEP(reclaim.punch)
            sync::free_block(blocks, i, word.chunk); // STEP(reclaim.free)
        }
    }
}

void participant::set_free(std::uint32_t slot) noexcept {
    participant_record& record = memory_->record(slot);
    record.pid.store(0);
    record.state.store(static_cast<std::uint32_t>(slot_state::free)); // STEP(leave.free)
    memory_->head().membership.fetch_add(1);
    unlock(slot); // STEP(leave.unlock)
}

void participant::leave_as_orphaned(std::uint32_t slot) noexcept {
    header& head = memory_->head();
    // STEP(orphan.state)
    memory_->record(slot).state.store(static_cast<std::uint32_t>(slot_state::orphaned));
    unlock(slot); // STEP(orphan.unlock)
    // STEP(orphan.tell) after the unlock, so that whoever sees the new number can take the lock.
    head.orphans.fetch_add(1);
    head.membership.fetch_add(1);
}

// --- adoption ----------------------------------------------------------------------------------

void participant::adopt(std::uint32_t slot) noexcept {
    std::erase_if(adoptions_, [](const auto& adopted) { return adopted->over.load(); });
    auto adopted = std::make_unique<adoption>();
    adopted->slot = slot;
    participant_record& record = memory_->record(slot);
    for (std::uint32_t i = 0; i < memory_->shape().loans; ++i) {
        const auto word = sync::hand_word::unpack(record.hand[i].load());
        if (word.kind != sync::hold::message || word.chunk >= memory_->plan().chunks) continue;
        adopted->chunk[i] = word.chunk;
        adopted->undelivered |= 1U << i;
    }
    if (adopted->undelivered == 0) return set_free(slot);
    adopted->unreleased.store(adopted->undelivered);
    record.state.store(static_cast<std::uint32_t>(slot_state::receiver)); // STEP(adopt.state)
    write_identity(record);
    memory_->head().membership.fetch_add(1);
    adoptions_.push_back(std::move(adopted));
}

void participant::adopt_new_orphans() noexcept {
    orphans_seen_ = head_->orphans.load();
    census();
}

bool participant::has_undelivered() const noexcept {
    return std::ranges::any_of(adoptions_,
                               [](const auto& adopted) { return adopted->undelivered != 0; });
}

// Of some entries of a hand the one whose message was sent first. (Of different lanes any: each
// lane's own order is kept all the same.)
template <typename ChunkOf>
participant::waiting_message participant::oldest_of(std::uint32_t entries,
                                                    ChunkOf&& chunk_of) const noexcept {
    waiting_message oldest;
    bool found = false;
    for (std::uint32_t rest = entries; rest != 0; rest &= rest - 1) {
        waiting_message other;
        other.hand = static_cast<std::uint32_t>(std::countr_zero(rest));
        other.sequence = memory_->chunk(chunk_of(other.hand)).sequence.load();
        if (!found || other.sequence < oldest.sequence) oldest = other;
        found = true;
    }
    return oldest;
}

bool participant::next_adopted(held_message& out) noexcept {
    const auto own = [this](std::uint32_t i) { return hand_[i].chunk; };
    while (inherited_ != 0) {
        const auto [hand, sequence] = oldest_of(inherited_, own);
        inherited_ &= ~(1U << hand);
        if (!open_message(hand, sequence, out)) continue; // forged: nothing to deliver
        out.redelivered = true;
        return true;
    }
    for (const auto& adopted : adoptions_) {
        const auto theirs = [&](std::uint32_t i) { return adopted->chunk[i]; };
        while (adopted->undelivered != 0) {
            const auto [hand, sequence] = oldest_of(adopted->undelivered, theirs);
            adopted->undelivered &= ~(1U << hand);
            if (!payload_of(adopted->chunk[hand], adopted->block[hand], out.bytes)) {
                release_adopted(*adopted, hand); // forged: nothing to deliver
                continue;
            }
            out.ticket = reinterpret_cast<std::uint64_t>(adopted.get()) | hand;
            out.sequence = sequence;
            out.redelivered = true;
            return true;
        }
    }
    return false;
}

void participant::release_adopted(adoption& from, std::uint32_t hand) noexcept {
    const std::uint32_t chunk = from.chunk[hand];
    memory_->record(from.slot).hand[hand].store(sync::hand_word{chunk, sync::hold::spare}.pack());
    free_block(from.block[hand], chunk);
    const std::uint32_t bit = 1U << hand;
    if (from.unreleased.fetch_and(~bit) != bit) return;
    set_free(from.slot);
    from.over.store(true); // the owner's thread may delete it from here on
}

bool participant::sender_present() const noexcept {
    const std::uint32_t used = memory_->slots_used();
    for (std::uint32_t slot = 0; slot < used; ++slot)
        if (memory_->record(slot).state.load() == static_cast<std::uint32_t>(slot_state::sender))
            return true;
    return false;
}

} // namespace hawser::segment
