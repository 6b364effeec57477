#include "mailbox.hpp"

#include <optional>

namespace hawser::schedules {

using sync::hand_word;
using sync::hold;
using sync::intent_kind;
using sync::ring_outcome;
using sync::slot_word;

namespace {

bool broken(fault which) {
    return the_policy().broken == which;
}

// What the event words wake with.
struct parker {
    machine& all;

    int wake(word<std::uint32_t>& event, int count) const {
        if (broken(fault::wake_skipped)) return 1;
        const int done = all.futex_wake(event.place(), count);
        return broken(fault::clears_always) ? 0 : done;
    }
    static void ring() {}
};

} // namespace

// --- the stage ---------------------------------------------------------------------------------

mailbox::mailbox(machine& all, const cast& who)
    : all_(all), who_(who), slots_(who.senders + who.receivers + 1),
      chunks_(who.capacity + slots_ * who.loans) {
    prepare_words();
    add_processes();
}

void mailbox::prepare_words() {
    for (std::uint32_t i = 0; i < who_.capacity; ++i) {
        ring_[i].word.is(location_class::slot, i);
        ring_[i].word.put(slot_word{0, i, sync::no_owner, false}.pack());
    }
    for (std::uint32_t i = 0; i < chunks_; ++i) sequences_[i].is(location_class::sequence, i, true);
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
        committed_[slot].is(location_class::evidence, slot);
        taken_[slot].is(location_class::evidence, 10 + slot);
        intents_[slot].is(location_class::intent, slot, true);
        positions_[slot].is(location_class::position, slot, true);
        states_[slot].is(location_class::state, slot, true);
        for (std::uint32_t i = 0; i < who_.loans; ++i) {
            const std::uint32_t chunk = who_.capacity + slot * who_.loans + i;
            hand(slot, i).is(location_class::hand, slot * 10 + i, true);
            hand(slot, i).put(hand_word{chunk, hold::spare}.pack());
            truth_[slot][i] = {chunk, hold::spare};
        }
    }
    head_hint_.is(location_class::hint, 0);
    tail_hint_.is(location_class::hint, 1);
    membership_.is(location_class::epoch, 0, true);
    orphans_.is(location_class::epoch, 1);
    messages_event_.is(location_class::event, 0);
    space_event_.is(location_class::event, 1);
    memory_event_.is(location_class::event, 2);
    for (std::uint32_t i = 0; i < who_.classes * who_.blocks; ++i)
        block_words_[i].is(location_class::block, i);
}

void mailbox::add_processes() {
    std::uint32_t made = 0;
    const bool others_die = !who_.only_receivers_die;
    const auto add = [&](const char* name, std::uint32_t count, const traits& what,
                         void (*body)(void*, std::uint32_t), bool receives) {
        for (std::uint32_t i = 0; i < count; ++i, ++made) {
            all_.add_process(name, i, what, body, this);
            if (receives) receiving_ |= 1U << made;
        }
    };
    const traits receiver{true, true, who_.deadlines};
    // Those who are there from the beginning hold their locks then.
    for (std::uint32_t slot = 0; slot + 1 < slots_; ++slot) {
        const bool sends = slot < who_.senders;
        states_[slot].put(static_cast<std::uint32_t>(sends ? role::sender : role::receiver));
        all_.hold_lock(slot, slot);
    }
    states_[slots_ - 1].put(static_cast<std::uint32_t>(role::unused));
    add("sender", who_.senders, {others_die, true, false}, be_sender, false);
    add("receiver", who_.receivers, receiver, be_receiver, true);
    add("late sender", who_.joining_senders, {others_die, true, false}, be_joining_sender, false);
    add("late receiver", who_.joining_receivers, receiver, be_joining_receiver, false);
    add("reaper", who_.reapers, {who_.reapers_die && others_die, false, false}, be_reaper, false);
}

sync::lane_memory<word> mailbox::lane() {
    sync::lane_memory<word> made;
    made.slots = ring_.data();
    made.committed = committed_.data();
    made.taken = taken_.data();
    made.head_hint = &head_hint_;
    made.tail_hint = &tail_hint_;
    made.capacity = who_.capacity;
    made.chunks = chunks_;
    made.participants = slots_;
    return made;
}

sync::participant_memory<word> mailbox::words_of(std::uint32_t slot) {
    return {&intents_[slot], &positions_[slot], &hand(slot, 0), slot + 1, who_.loans};
}

// --- the processes -----------------------------------------------------------------------------

void mailbox::be_sender(void* all, std::uint32_t index) {
    auto& here = *static_cast<mailbox*>(all);
    end_point self;
    self.sender = index;
    here.enter(self, index);
    here.send_all(self);
}

void mailbox::be_receiver(void* all, std::uint32_t index) {
    auto& here = *static_cast<mailbox*>(all);
    end_point self;
    self.as = role::receiver;
    here.enter(self, here.who_.senders + index);
    here.receive_all(self);
}

void mailbox::be_joining_sender(void* all, std::uint32_t index) {
    auto& here = *static_cast<mailbox*>(all);
    end_point self;
    self.sender = here.who_.senders + index;
    if (here.join(self)) here.send_all(self);
}

void mailbox::be_joining_receiver(void* all, std::uint32_t) {
    auto& here = *static_cast<mailbox*>(all);
    end_point self;
    self.as = role::receiver;
    if (!here.join(self)) return;
    here.receiving_ |= 1U << here.all_.running();
    here.receive_all(self);
}

void mailbox::be_reaper(void* all, std::uint32_t) {
    auto& here = *static_cast<mailbox*>(all);
    end_point self;
    for (std::uint32_t seen = 0;;) {
        here.all_.wait_for_death(seen);
        seen = here.all_.crashes();
        here.census(self);
    }
}

void mailbox::send_all(end_point& self) {
    for (std::uint32_t i = 0; i < who_.messages; ++i) {
        const std::uint32_t id = self.sender * messages_each + i;
        if (who_.blocks != 0) {
            const auto attach = [&](bool) {
                return attach_block(self, 0) ? got::something : got::nothing;
            };
            wait_until(self, memory_event_, attach);
        }
        fill(self, id);
        if (who_.gives_back && i + 1 == who_.messages) {
            free_block(self.block[0], self.chunk[0]);
            break;
        }
        const auto attempt = [&](bool) {
            if (try_send(self)) return got::something;
            if (who_.drops) drop_oldest(self);
            return who_.drops && try_send(self) ? got::something : got::nothing;
        };
        wait_until(self, space_event_, attempt);
        if (!fates_[id].committed) fail("reported as sent, but not committed: message", id);
        fates_[id].reported = true;
    }
    leave(self);
}

void mailbox::receive_all(end_point& self) {
    got now = got::nothing;
    do {
        const auto try_it = [&](bool thorough) { return now = attempt(self, thorough); };
        if (!wait_until(self, messages_event_, try_it)) break;
    } while (now != got::closed && !who_.takes_one);
    leave(self);
}

// --- waiting -----------------------------------------------------------------------------------

// As in src/transport/shm/waiting.hpp, without the spinning. False: the deadline is over.
template <typename Attempt>
bool mailbox::wait_until(end_point& self, word<std::uint32_t>& event, const Attempt& attempt) {
    for (;;) {
        const std::uint64_t mark = all_.mark();
        if (attempt(false) != got::nothing) return true;
        woken why = woken::by_change;
        if (who_.sleeps) {
            const std::optional<std::uint32_t> armed = sync::arm(event, sync::event_sleepers);
            if (!armed) continue;
            if (!broken(fault::no_second_look) && attempt(false) != got::nothing) return true;
            why = all_.futex_wait(event.place(), *armed);
            if (why == woken::by_deadline && broken(fault::gives_up_blindly)) return false;
            if (attempt(why != woken::by_change) != got::nothing) return true;
            if (why == woken::by_deadline) return false;
        } else {
            why = all_.wait_for_change(mark);
        }
        if (why == woken::by_slice) census(self);
    }
}

void mailbox::notify(word<std::uint32_t>& event) {
    if (who_.sleeps) sync::notify_one(event, parker{all_});
}

void mailbox::notify_memory() {
    if (!who_.sleeps || memory_event_.load() % sync::event_generation == 0) return;
    if (broken(fault::wakes_one_only))
        sync::notify_one(memory_event_, parker{all_});
    else
        sync::notify_all(memory_event_, parker{all_});
}

void mailbox::notify_everyone() {
    if (!who_.sleeps) return;
    if (broken(fault::wakes_one_only)) return notify(messages_event_);
    sync::notify_all(messages_event_, parker{all_});
    if (who_.blocks != 0) sync::notify_all(memory_event_, parker{all_});
    sync::notify_all(space_event_, parker{all_});
}

// --- sending -----------------------------------------------------------------------------------

void mailbox::fill(end_point& self, std::uint32_t id) {
    const std::uint32_t chunk = self.chunk[0];
    all_.write_data(chunk);
    content_[chunk] = id;
    block_of_[chunk] = self.block[0];
    if (self.block[0] == 0) return;
    use_block(self.block[0] - 1, chunk, true);
    block_content_[self.block[0] - 1] = id;
}

bool mailbox::try_send(end_point& self) {
    if (broken(fault::notifies_before_commit)) notify(messages_event_);
    const auto done = exchange(self, self.at, intent_kind::send, 0);
    if (done.outcome == ring_outcome::corrupt) fail("corrupt at position", 0);
    if (done.outcome != ring_outcome::done) return false;
    if (!broken(fault::notifies_before_commit)) notify(messages_event_);
    return true;
}

void mailbox::drop_oldest(end_point& self) {
    const auto done = exchange(self, self.oldest, intent_kind::drop, 1);
    if (done.outcome != ring_outcome::done) return;
    all_.read_data(self.chunk[1]);
    self.block[1] = block_of_[self.chunk[1]];
    free_block(self.block[1], self.chunk[1]);
    self.block[1] = 0;
}

sync::exchanged mailbox::exchange(end_point& self, sync::cursor& at, intent_kind kind,
                                  std::uint32_t entry) {
    const std::uint32_t chunk = self.chunk[entry];
    auto* const sequence = kind == intent_kind::send ? &sequences_[chunk] : nullptr;
    const sync::exchange_request<word> what{kind, 0, entry, chunk, sequence};
    doing_[self.slot] = what;
    const auto result = sync::try_exchange(lane(), words_of(self.slot), at, what);
    if (result.outcome == ring_outcome::done) {
        self.chunk[entry] = result.chunk;
        self.block[entry] = 0;
    }
    return result;
}

// --- receiving ---------------------------------------------------------------------------------

mailbox::got mailbox::attempt(end_point& self, bool thorough) {
    const std::uint32_t now = orphans_.load();
    if (now != self.orphans_seen) {
        self.orphans_seen = now;
        census(self);
    }
    if (deliver_adopted(self) || take(self)) return got::something;
    (void)thorough; // at_end() is always thorough here
    if (!at_end()) return got::nothing;
    census(self);
    if (deliver_adopted(self) || take(self)) return got::something;
    return got::closed;
}

bool mailbox::take(end_point& self) {
    std::uint32_t entry = 0;
    while (entry < who_.loans && self.busy[entry]) ++entry;
    if (entry == who_.loans) release(self, entry = 0);
    const auto done = exchange(self, self.at, intent_kind::receive, entry);
    if (done.outcome == ring_outcome::corrupt) fail("corrupt at position", 0);
    if (done.outcome != ring_outcome::done) return false;
    notify(space_event_);
    self.busy[entry] = true;
    if (sequences_[done.chunk].load(relaxed) != done.position)
        fail("a message has another's sequence: chunk", done.chunk);
    deliver(done.chunk, false);
    if (!who_.keeps) release(self, entry);
    return true;
}

bool mailbox::at_end() {
    all_.kernel_step("looks for the end");
    for (std::uint32_t slot = 0; slot < slots_; ++slot)
        if (states_[slot].load() == static_cast<std::uint32_t>(role::sender)) return false;
    return true;
}

void mailbox::check_content(std::uint32_t chunk, std::uint32_t id) {
    all_.read_data(chunk);
    if (content_[chunk] != id) fail("a message was overwritten in use: chunk", chunk);
    if (block_of_[chunk] == 0) return;
    const std::uint32_t block = block_of_[chunk] - 1;
    const auto named = sync::block_word::unpack(block_words_[block].load());
    if (!named.owned || !named.backed || named.chunk != chunk)
        fail("a message has lost its block", block);
    use_block(block, chunk, false);
    if (block_content_[block] != id) fail("a message's block was overwritten", block);
}

void mailbox::deliver(std::uint32_t chunk, bool flagged) {
    const std::uint32_t id = content_[chunk];
    check_content(chunk, id);
    fate& of = fates_[id];
    if (all_.is_tracing())
        all_.note((flagged ? "DELIVERS again message " : "DELIVERS message ") + std::to_string(id));
    if (of.dropped) fail("delivered and dropped: message", id);
    if (of.delivered != 0 && !flagged) fail("delivered twice without the flag: message", id);
    ++of.delivered;
}

// Spare first, block after.
void mailbox::release(end_point& self, std::uint32_t entry) {
    const std::uint32_t chunk = self.chunk[entry];
    check_content(chunk, content_[chunk]);
    self.block[entry] = block_of_[chunk];
    if (broken(fault::frees_before_spare)) free_block(self.block[entry], chunk);
    hand(self.slot, entry).store(hand_word{chunk, hold::spare}.pack(), std::memory_order_release);
    truth_[self.slot][entry].kind = hold::spare;
    free_block(self.block[entry], chunk);
    self.block[entry] = 0;
    self.busy[entry] = false;
}

// A message of a hand that was taken over: one's own first, then those of adopted slots.
bool mailbox::deliver_adopted(end_point& self) {
    for (std::uint32_t i = 0; i < who_.loans; ++i) {
        if ((self.inherited & 1U << i) == 0) continue;
        self.inherited &= ~(1U << i);
        deliver(self.chunk[i], !broken(fault::unflagged));
        if (!who_.keeps) release(self, i);
        return true;
    }
    for (adoption& from : self.adopted) {
        for (std::uint32_t i = 0; i < who_.loans; ++i) {
            if ((from.undelivered & 1U << i) == 0) continue;
            from.undelivered &= ~(1U << i);
            deliver(from.chunk[i], !broken(fault::unflagged));
            release_adopted(from, i);
            // If it was a wake-up for a fresh message that led here, somebody else must have it.
            notify(messages_event_);
            return true;
        }
    }
    return false;
}

// --- joining and leaving -----------------------------------------------------------------------

// One that was there from the beginning, or whose slot is its own now.
void mailbox::enter(end_point& self, std::uint32_t slot) {
    self.slot = slot;
    for (std::uint32_t i = 0; i < who_.loans; ++i) {
        const auto held = hand_word::unpack(hand(slot, i).peek());
        self.chunk[i] = held.chunk;
        if (held.kind != hold::message) continue;
        self.busy[i] = true;
        self.inherited |= 1U << i;
    }
}

// Waits for a slot without an owner; there may never be one. In the end no_space: a sender that
// finds only slots with messages of the dead changes them itself, and would come again for ever.
bool mailbox::join(end_point& self) {
    constexpr int rounds = 10;
    for (int round = 0; round < rounds; ++round) {
        const std::uint64_t mark = all_.mark();
        for (std::uint32_t slot = 0; slot + 1 < slots_; ++slot)
            if (try_slot(self, slot)) return true;
        all_.wait_for_change(mark);
    }
    return false;
}

bool mailbox::try_slot(end_point& self, std::uint32_t slot) {
    if (!all_.try_lock(slot)) return false;
    if (static_cast<role>(states_[slot].load()) != role::free) {
        repair(slot);
        if (self.as == role::sender && messages_held(slot) != 0) {
            leave_as_orphaned(slot);
            notify_everyone();
            return false;
        }
    }
    enter(self, slot);
    self.orphans_seen = orphans_.load() - 1;
    self.at.jump((self.as == role::sender ? tail_hint_ : head_hint_).load(), who_.capacity);
    self.oldest.jump(head_hint_.load(), who_.capacity);
    states_[slot].store(static_cast<std::uint32_t>(self.as));
    membership_.fetch_add(1);
    return true;
}

void mailbox::leave(end_point& self) {
    if (who_.stays) all_.wait_for_death(most_processes); // that is, for ever
    for (std::uint32_t i = 0; i < who_.loans; ++i)
        if (self.busy[i] && (self.inherited & 1U << i) == 0) release(self, i);
    for (const adoption& from : self.adopted)
        if (from.undelivered != 0) leave_as_orphaned(from.slot);
    if (self.inherited != 0)
        leave_as_orphaned(self.slot);
    else
        set_free(self.slot);
    notify_everyone();
}

void mailbox::set_free(std::uint32_t slot) {
    states_[slot].store(static_cast<std::uint32_t>(role::free));
    membership_.fetch_add(1);
    all_.unlock(slot);
}

void mailbox::leave_as_orphaned(std::uint32_t slot) {
    states_[slot].store(static_cast<std::uint32_t>(role::orphaned));
    all_.unlock(slot);
    orphans_.fetch_add(1);
    membership_.fetch_add(1);
}

// --- the census --------------------------------------------------------------------------------

void mailbox::census(end_point& self) {
    look_for_dead(self, role::receiver, role::orphaned);
    look_for_dead(self, role::sender, role::sender);
}

void mailbox::look_for_dead(end_point& self, role one, role other) {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
        const auto state = static_cast<role>(states_[slot].load());
        if (slot == self.slot || (state != one && state != other)) continue;
        if (state == role::orphaned && self.as != role::receiver) {
            if (!all_.is_locked(slot)) orphans_.fetch_add(1);
            continue;
        }
        bool ours = false;
        for (const adoption& from : self.adopted) ours = ours || from.slot == slot;
        if (ours) continue;
        if (broken(fault::repairs_unlocked) || all_.try_lock(slot)) recover(self, slot);
    }
}

void mailbox::recover(end_point& self, std::uint32_t slot) {
    const auto state = static_cast<role>(states_[slot].load());
    if (state == role::unused || state == role::free) return all_.unlock(slot);
    repair(slot);
    if (messages_held(slot) == 0)
        set_free(slot);
    else if (self.as == role::receiver)
        adopt(self, slot);
    else
        leave_as_orphaned(slot);
    notify_everyone();
}

void mailbox::repair(std::uint32_t slot) {
    const auto lane_of = [this](std::uint32_t index) {
        return index == 0 ? lane() : sync::lane_memory<word>{};
    };
    if (!sync::repair(words_of(slot), lane_of)) fail("repair found nonsense in slot", slot);
    check_repaired(slot);
    for (std::uint32_t i = 0; i < who_.loans && who_.blocks != 0; ++i) {
        const auto held = hand_word::unpack(hand(slot, i).load());
        if (held.kind == hold::spare && !broken(fault::no_scan)) free_blocks_of(held.chunk);
    }
}

std::uint32_t mailbox::messages_held(std::uint32_t slot) {
    std::uint32_t found = 0;
    for (std::uint32_t i = 0; i < who_.loans; ++i)
        if (hand_word::unpack(hand(slot, i).load()).kind == hold::message) ++found;
    return found;
}

void mailbox::adopt(end_point& self, std::uint32_t slot) {
    adoption& into = self.adopted[slot];
    into.slot = slot;
    into.undelivered = 0;
    for (std::uint32_t i = 0; i < who_.loans; ++i) {
        const auto held = hand_word::unpack(hand(slot, i).load());
        if (held.kind != hold::message) continue;
        into.chunk[i] = held.chunk;
        into.undelivered |= 1U << i;
    }
    states_[slot].store(static_cast<std::uint32_t>(role::receiver));
    membership_.fetch_add(1);
}

void mailbox::release_adopted(adoption& from, std::uint32_t entry) {
    const std::uint32_t chunk = from.chunk[entry];
    hand(from.slot, entry).store(hand_word{chunk, hold::spare}.pack());
    truth_[from.slot][entry].kind = hold::spare;
    if (who_.blocks != 0) free_blocks_of(chunk);
    notify_memory();
    if (from.undelivered != 0) return;
    const std::uint32_t slot = from.slot;
    from.slot = no_slot;
    set_free(slot);
}

// --- blocks ------------------------------------------------------------------------------------

sync::pool_memory<word> mailbox::pool(std::uint32_t of_class) {
    return {&block_words_[of_class * who_.blocks], who_.blocks};
}

// The senders' messages are of different classes in turn.
bool mailbox::attach_block(end_point& self, std::uint32_t entry) {
    const std::uint32_t of_class = self.sender % who_.classes;
    const std::uint32_t chunk = self.chunk[entry];
    const auto blocks = pool(of_class);
    auto found = sync::claim(blocks, self.search[of_class], true, chunk);
    if (!found.found) {
        found = sync::claim(blocks, self.search[of_class], false, chunk);
        if (!found.found) return false;
        if (!back_block(chunk, of_class * who_.blocks + found.block)) {
            sync::free_block(blocks, found.block, chunk);
            return false;
        }
    }
    self.block[entry] = of_class * who_.blocks + found.block + 1;
    return true;
}

bool mailbox::back_block(std::uint32_t chunk, std::uint32_t block) {
    if (!within_budget(chunk)) return false;
    all_.kernel_step("allocates");
    has_memory_[block] = true;
    std::uint32_t used = 0;
    for (const bool one : has_memory_) used += one ? 1 : 0;
    if (used > who_.blocks_allowed) fail("more blocks have memory than allowed:", used);
    sync::set_backed(pool(block / who_.blocks), block % who_.blocks, chunk, true);
    return true;
}

bool mailbox::within_budget(std::uint32_t chunk) {
    std::uint32_t used = 0;
    for (std::uint32_t k = 0; k < who_.classes; ++k) used += sync::count_in_memory(pool(k));
    for (std::uint32_t k = 0; k < who_.classes && used > who_.blocks_allowed; ++k) {
        for (std::uint32_t i = 0; i < who_.blocks && used > who_.blocks_allowed; ++i) {
            if (!sync::try_claim(pool(k), i, true, chunk)) continue;
            sync::set_backed(pool(k), i, chunk, false);
            punch(k * who_.blocks + i);
            sync::free_block(pool(k), i, chunk);
            --used;
        }
    }
    return used <= who_.blocks_allowed;
}

void mailbox::punch(std::uint32_t block) {
    all_.kernel_step("punches");
    has_memory_[block] = false;
}

// block: + 1, 0 for none.
void mailbox::free_block(std::uint32_t block, std::uint32_t chunk) {
    if (block == 0) return;
    const std::uint32_t index = block - 1;
    if (sync::free_block(pool(index / who_.blocks), index % who_.blocks, chunk)) notify_memory();
}

void mailbox::free_blocks_of(std::uint32_t chunk) {
    for (std::uint32_t i = 0; i < who_.classes * who_.blocks; ++i) {
        const auto named = sync::block_word::unpack(block_words_[i].load());
        if (!named.owned || named.chunk != chunk) continue;
        if (!named.backed) punch(i);
        sync::free_block(pool(i / who_.blocks), i % who_.blocks, chunk);
    }
}

// The payload. Its place as plain data is behind the chunks'.
void mailbox::use_block(std::uint32_t block, std::uint32_t chunk, bool writes) {
    if (!has_memory_[block]) fail("a block without memory is used by chunk", chunk);
    if (writes)
        all_.write_data(chunks_ + block);
    else
        all_.read_data(chunks_ + block);
}

// --- the ledger --------------------------------------------------------------------------------

void mailbox::fail(const char* what, std::uint32_t which) {
    all_.fail(what + (" " + std::to_string(which)));
}

void mailbox::swapped(std::uint64_t before, std::uint64_t after) {
    const auto was = slot_word::unpack(before);
    const auto now = slot_word::unpack(after);
    const std::uint32_t slot = now.owner - 1;
    const auto& doing = doing_[slot];
    truth_[slot][doing.hand] = {was.chunk, hold::spare};
    if (now.full) {
        const std::uint32_t id = content_[now.chunk];
        if (fates_[id].committed) fail("committed twice: message", id);
        if (was.full) fail("written over another message: message", id);
        fates_[id].committed = true;
        return;
    }
    const std::uint32_t id = content_[was.chunk];
    fate& of = fates_[id];
    if (!was.full || !of.committed) fail("taken before it is committed: message", id);
    if (of.taken) fail("taken twice: message", id);
    of.taken = true;
    of.dropped = doing.kind == intent_kind::drop;
    if (!of.dropped) truth_[slot][doing.hand].kind = hold::message;
    std::uint32_t& last = last_taken_[id / messages_each];
    if (last > id % messages_each + 1) fail("not in the order of its sender: message", id);
    last = id % messages_each + 1;
}

void mailbox::clear_intent() {
    for (std::uint32_t slot = 0; slot < slots_; ++slot)
        if (all_.holds_lock(slot) && intents_[slot].peek() != 0) intents_[slot].store(0);
}

void mailbox::check_repaired(std::uint32_t slot) {
    for (std::uint32_t i = 0; i < who_.loans; ++i) {
        const auto held = hand_word::unpack(hand(slot, i).peek());
        const auto& truth = truth_[slot][i];
        if (held.chunk != truth.chunk || held.kind != truth.kind)
            fail("repair decided wrongly about slot", slot);
    }
}

bool mailbox::something_queued() const {
    for (std::uint32_t i = 0; i < who_.capacity; ++i)
        if (slot_word::unpack(ring_[i].word.peek()).full) return true;
    return false;
}

bool mailbox::a_sender_is_there() const {
    for (std::uint32_t slot = 0; slot < slots_; ++slot)
        if (states_[slot].peek() == static_cast<std::uint32_t>(role::sender)) return true;
    return false;
}

// A sender that looked now would get a block: a free one that has memory, or one that may get it,
// perhaps from the other class.
bool mailbox::could_have_block(std::uint32_t sender) const {
    const std::uint32_t of_class = sender % who_.classes;
    std::uint32_t used = 1; // the one that it would claim
    bool a_free_one = false;
    for (std::uint32_t i = 0; i < who_.classes * who_.blocks; ++i) {
        const auto named = sync::block_word::unpack(block_words_[i].peek());
        const bool mine = i / who_.blocks == of_class;
        if (mine && !named.owned && named.backed) return true;
        if (mine && !named.owned) a_free_one = true;
        if (named.owned) ++used; // free ones with memory could be trimmed
    }
    return a_free_one && used <= who_.blocks_allowed;
}

// Whoever sleeps now must have nothing to do.
void mailbox::idle(bool excused) {
    if (excused || !who_.sleeps) return;
    for (std::uint32_t i = 0; i < who_.senders + who_.receivers; ++i) {
        if (all_.sleeps_on(i, messages_event_.place()) &&
            (something_queued() || !a_sender_is_there()))
            fail("a wake-up was lost: receiver", i - who_.senders);
        bool full = true;
        for (std::uint32_t k = 0; k < who_.capacity; ++k)
            full = full && slot_word::unpack(ring_[k].word.peek()).full;
        if (all_.sleeps_on(i, space_event_.place()) && !full) fail("a wake-up was lost: sender", i);
        if (all_.sleeps_on(i, memory_event_.place()) && could_have_block(i))
            fail("a wake-up for memory was lost: sender", i);
    }
}

// A janitor who sees everything takes what is left, and then nothing may be missing.
void mailbox::finish() {
    bool receives = false;
    for (std::uint32_t i = 0; i < most_processes; ++i) {
        if ((receiving_ & 1U << i) == 0) continue;
        receives = receives || all_.is_alive(i);
        if (all_.is_stuck(i) && !who_.stays) return fail("waits for ever: receiver, process", i);
    }
    for (std::uint32_t i = 0; i < who_.senders; ++i)
        if (all_.is_stuck(i) && receives && !who_.deadlines && !who_.stays)
            return fail("waits for ever: sender", i);
    end_point janitor;
    janitor.as = role::receiver;
    enter(janitor, slots_ - 1);
    census(janitor);
    for (bool more = true; more;) more = deliver_adopted(janitor) || take(janitor);
    for (std::uint32_t i = 0; i < who_.loans; ++i)
        if (janitor.busy[i]) release(janitor, i);
    check_chunks();
    check_messages();
    check_rest();
}

void mailbox::check_chunks() {
    std::array<std::uint32_t, most_chunks> places{};
    for (std::uint32_t i = 0; i < who_.capacity; ++i)
        ++places.at(slot_word::unpack(ring_[i].word.peek()).chunk);
    for (std::uint32_t slot = 0; slot < slots_; ++slot)
        for (std::uint32_t i = 0; i < who_.loans; ++i)
            ++places.at(hand_word::unpack(hand(slot, i).peek()).chunk);
    for (std::uint32_t chunk = 0; chunk < chunks_; ++chunk)
        if (places[chunk] != 1)
            fail(places[chunk] == 0 ? "nowhere is chunk" : "in two places is chunk", chunk);
}

void mailbox::check_messages() {
    for (std::uint32_t id = 0; id < most_messages; ++id) {
        const fate& of = fates_[id];
        if (of.reported && !of.committed) fail("reported but not committed: message", id);
        if (of.delivered != 0 && !of.committed) fail("delivered but not committed: message", id);
        if (of.committed && !of.dropped && of.delivered == 0) fail("lost: message", id);
    }
}

void mailbox::check_rest() {
    for (std::uint32_t slot = 0; slot + 1 < slots_; ++slot) {
        if (all_.is_locked(slot)) continue; // it waits, and may
        if (states_[slot].peek() != static_cast<std::uint32_t>(role::free))
            fail("not free at the end: slot", slot);
        if (intents_[slot].peek() != 0) fail("an intent is left in slot", slot);
    }
    for (std::uint32_t i = 0; i < who_.classes * who_.blocks; ++i) {
        const auto named = sync::block_word::unpack(block_words_[i].peek());
        bool waits = false; // its chunk is in the hand of one who waits
        for (std::uint32_t slot = 0; slot + 1 < slots_; ++slot)
            for (std::uint32_t k = 0; k < who_.loans; ++k)
                waits = waits || (all_.is_locked(slot) &&
                                  hand_word::unpack(hand(slot, k).peek()).chunk == named.chunk);
        if (named.owned && !waits) fail("owned at the end: block", i);
        if (!named.owned && named.backed != has_memory_[i])
            fail("its word is wrong about its memory: block", i);
    }
}

} // namespace hawser::schedules
