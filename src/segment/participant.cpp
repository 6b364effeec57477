#include "segment/participant.hpp"

#include <algorithm>
#include <cstring>

#include "os/clock.hpp"
#include "os/lock.hpp"
#include "segment/parker.hpp"

namespace hawser::segment {

namespace {

// Tickets below this are entries of one's own hand; above, addresses of adoptions.
constexpr std::uint64_t adopted_tickets = 4096;
constexpr std::uint64_t hand_bits =
    63; // an adoption is 64-byte aligned, so its address leaves these free

slot_state state_of(const participant_record& record) noexcept {
    return static_cast<slot_state>(record.state.load());
}

bool had_owner(slot_state state) noexcept {
    return state == slot_state::sender || state == slot_state::receiver ||
           state == slot_state::orphaned;
}

} // namespace

// --- joining -----------------------------------------------------------------------------------

participant::participant(opened segment, std::string path, slot_state role) noexcept
    : fd_(std::move(segment.fd)), memory_(std::move(segment.memory)), head_(&memory_->head()),
      path_(std::move(path)), role_(role), generation_(os::fork_generation()),
      most_inline_(std::min(memory_->plan().inline_bytes, memory_->shape().max_message)),
      loans_(memory_->shape().loans) {}

// The mapping may outlive us, if other end points of this process share it, and keeps our
// description alive: so the locks are given back by hand.
participant::~participant() {
    if (usable()) os::unlock(fd(), door_byte, 1 + memory_->shape().participants);
}

result<participant*> participant::join(const std::string& name, const options& wanted,
                                       slot_state role) {
    const auto path = path_of(name);
    if (!path) return path.why();
    const bool must_be_new = wanted.create == create_policy::create;
    const std::int64_t give_up_ns = os::monotonic_ns() + patience_ns;
    while (os::monotonic_ns() < give_up_ns) {
        auto segment = open_segment(name, wanted);
        if (!segment) return segment.why();
        const bool created = segment->created;
        const auto drop = [](participant* unjoined) { delete unjoined; };
        std::unique_ptr<participant, decltype(drop)> self(
            new participant(std::move(*segment), *path, role), drop);
        // STEP(enter.slot)
        if (const auto taken = self->take_slot(); !taken)
            return taken.why().detail().empty() ? explain_open(taken.why(), name) : taken.why();
        if (created) { // STEP(enter.publish)
            const auto named = publish(self->fd(), *self->memory_, *path);
            if (!named && (must_be_new || !named.is(errc::already_exists))) return named.why();
            if (!named) continue; // another was quicker: join that one
        }
        leave_door(self->fd()); // STEP(enter.leave)
        return self.release();
    }
    return made_and_removed();
}

result<void> participant::take_slot() {
    // A slot may be locked for a moment by whoever looks after the dead: look again before giving
    // up.
    constexpr int rounds = 10;
    constexpr std::int64_t moment_between_ns = 1'000'000;
    for (int round = 0; round < rounds; ++round) {
        if (round != 0) os::pause_ns(moment_between_ns);
        const auto taken = try_all_slots();
        if (!taken) return taken.why();
        if (*taken) return {};
    }
    return error{errc::no_space, "open"}.because(
        "all " + std::to_string(memory_->shape().participants) +
        " participant slots are taken. hawser info shows by whom; whoever creates the mailbox can "
        "give participants= up to " +
        std::to_string(sync::max_participants) + ".");
}

result<bool> participant::try_all_slots() {
    const std::uint32_t used = memory_->slots_used();
    const auto in_use = [&](std::uint32_t slot) {
        return slot < used && had_owner(state_of(memory_->record(slot)));
    };
    // First those that nobody has, then those whose owner may be dead.
    for (const bool dead : {false, true}) {
        for (std::uint32_t slot = 0; slot < memory_->shape().participants; ++slot) {
            if (in_use(slot) != dead) continue;
            auto taken = try_slot(slot);
            if (!taken || *taken) return taken;
        }
    }
    return false;
}

// Takes the slot's lock and makes the slot this end point's own. False if somebody has it, or if it
// has messages that only a receiver can take over.
result<bool> participant::try_slot(std::uint32_t slot) {
    // STEP(join.lock)
    auto locked = os::try_lock(fd(), lock_base + slot, os::lock_kind::exclusive);
    if (!locked || !*locked) return locked;
    if (auto prepared = prepare(slot); !prepared) {
        unlock(slot);
        return prepared.why();
    }
    participant_record& record = memory_->record(slot);
    if (had_owner(state_of(record))) {
        repair(slot); // STEP(join.repair)
        if (role_ != slot_state::receiver && memory_->held_by(slot) != 0) {
            leave_as_orphaned(slot); // STEP(join.orphan)
            notify_everyone();
            return false;
        }
    }
    if (!read_hand(slot)) { // STEP(join.hand)
        unlock(slot);
        return error{errc::corrupt, "open"}.because(
            "the hand of a free participant slot makes no sense: some process has written where it "
            "must not. Remove the mailbox with hawser rm --force.");
    }
    slot_ = slot;
    own_ = &record;
    own_words_ = words_of(slot);
    header& head = memory_->head();
    orphans_seen_ = head.orphans.load() - 1; // so that the first look finds something new
    for (std::size_t i = 0; i < counters; ++i) counted_[i] = record.counters[i].load();
    write_identity(record);
    record.state.store(static_cast<std::uint32_t>(role_)); // STEP(join.live)
    if (role_ == slot_state::sender) head.sender_joins.fetch_add(1);
    head.membership.fetch_add(1);
    return true;
}

// Memory for the slot, then its first content. Each step can be repeated, should we die on the way.
result<void> participant::prepare(std::uint32_t slot) {
    const geometry& shape = memory_->shape();
    const layout& plan = memory_->plan();
    // With all records below: whoever reads `slots_used` may look at every one of them.
    const std::uint64_t records_bytes = (slot + std::uint64_t{1}) * sizeof(participant_record);
    if (auto done = os::allocate(fd(), plan.records_at, records_bytes); !done) return done;
    const std::uint32_t first = plan.first_chunk_of_hand(slot, shape);
    const std::uint64_t hand_bytes = shape.loans * plan.chunk_bytes;
    if (auto done = os::allocate(fd(), plan.chunk_at(first), hand_bytes); !done) return done;
    participant_record& record = memory_->record(slot);
    if (state_of(record) == slot_state::unused) {
        for (std::uint32_t i = 0; i < shape.loans; ++i)
            record.hand[i].store(sync::hand_word{first + i, sync::hold::spare}.pack());
        record.state.store(static_cast<std::uint32_t>(slot_state::free));
    }
    if (role_ == slot_state::sender && shape.order == order_policy::sender)
        if (auto done = prepare_lane(slot); !done) return done;
    // It only rises, so it can't be raised by others more often than there are slots.
    sync::budget tries{2 * std::uint64_t{shape.participants} + 64};
    if (sync::raise(memory_->head().slots_used, slot + 1, tries)) return {};
    return error{errc::corrupt, "open"}.because(
        "the number of participant slots in use does not stay what it is: some process writes "
        "where it must not. Remove the mailbox with hawser rm --force.");
}

result<void> participant::prepare_lane(std::uint32_t slot) {
    participant_record& record = memory_->record(slot);
    if (record.lane_ready.load() != 0) return {};
    const geometry& shape = memory_->shape();
    const layout& plan = memory_->plan();
    const std::uint32_t first = plan.first_chunk_of_lane(slot, shape);
    if (auto done = os::allocate(fd(), plan.lane_at(slot), plan.lane_bytes); !done) return done;
    const std::uint64_t chunks_bytes = shape.capacity * plan.chunk_bytes;
    if (auto done = os::allocate(fd(), plan.chunk_at(first), chunks_bytes); !done) return done;
    const auto ring = memory_->ring(slot);
    for (std::uint32_t i = 0; i < shape.capacity; ++i)
        ring.slots[i].word.store(sync::slot_word{0, first + i, sync::no_owner, false}.pack());
    record.lane_ready.store(1);
    return {};
}

// Takes over the hand of a free slot. From here on our own copy counts and the shared one is only
// written.
bool participant::read_hand(std::uint32_t slot) noexcept {
    for (std::uint32_t i = 0; i < memory_->shape().loans; ++i) {
        const auto word = sync::hand_word::unpack(memory_->record(slot).hand[i].load());
        const bool message = word.kind == sync::hold::message;
        if (word.chunk >= memory_->plan().chunks || (message && role_ != slot_state::receiver))
            return false;
        hand_[i].chunk = word.chunk;
        if (!message) continue;
        hand_[i].busy.store(true);
        inherited_ |= 1U << i;
    }
    return true;
}

void participant::write_identity(participant_record& record) const noexcept {
    const os::identity self = os::own_identity();
    record.pid.store(self.pid);
    record.uid.store(self.uid);
    record.pid_namespace.store(self.pid_namespace);
    for (std::size_t i = 0; i < 2; ++i) {
        std::uint64_t part = 0;
        std::memcpy(&part, self.command.data() + i * sizeof part, sizeof part);
        record.command[i].store(part);
    }
    record.waiting.store(0);
}

// --- leaving -----------------------------------------------------------------------------------

void participant::retire() noexcept {
    if (!usable()) return; // a fork child has nothing to give back
    const auto lent = static_cast<std::int64_t>(lent_);
    if (outstanding_.fetch_add(lent) + lent == 0) leave();
}

// Something lent is back. The last one after retire() leaves for it.
void participant::came_back() noexcept {
    if (outstanding_.fetch_sub(1) == 1) leave();
}

void participant::leave() noexcept {
    role_ = slot_state::free; // adopts no more
    for (const auto& adopted : adoptions_)
        if (!adopted->over.load()) leave_as_orphaned(adopted->slot);
    adoptions_.clear();
    if (inherited_ != 0)
        leave_as_orphaned(slot_);
    else
        set_free(slot_);
    slot_ = no_slot;
    notify_everyone();
    if (!memory_->shape().persist && !inhabited(fd(), *memory_)) {
        census(); // a dead one's slot that is not repaired keeps the mailbox
        remove_if_unused(fd(), *memory_, path_);
    }
    delete this;
}

result<bool> participant::tidy(const std::string& name, trust_policy trust) {
    const auto path = path_of(name);
    if (!path) return path.why();
    options existing;
    existing.create = create_policy::open;
    existing.trust = trust;
    auto segment = open_segment(name, existing);
    if (!segment) return segment.why();
    participant visitor(std::move(*segment), *path, slot_state::free);
    visitor.census();
    leave_door(visitor.fd());
    if (visitor.memory_->shape().persist) return false;
    return remove_if_unused(visitor.fd(), *visitor.memory_, *path);
}

// --- the hand ----------------------------------------------------------------------------------

bool participant::open_message(std::uint32_t hand, std::uint64_t sequence,
                               held_message& out) noexcept {
    hand_entry& entry = hand_[hand];
    if (!payload_of(entry.chunk, entry.block, out.bytes)) {
        memory_->record(slot_).hand[hand].store(
            sync::hand_word{entry.chunk, sync::hold::spare}.pack());
        return_spare(hand);
        return false;
    }
    out.ticket = hand;
    out.sequence = sequence;
    out.redelivered = false;
    return true;
}

// Where a chunk's payload is. What the header says was written by another process: each number is
// read once and checked.
bool participant::payload_of(std::uint32_t chunk, std::uint32_t& block,
                             std::span<std::byte>& out) const noexcept {
    const chunk_header& head = memory_->chunk(chunk);
    // RELAXED(chunk): the CAS that took the chunk has acquired what its sender wrote
    const std::uint64_t length = head.length.load(std::memory_order_relaxed);
    block = head.block.load(std::memory_order_relaxed); // RELAXED(chunk)
    const layout& plan = memory_->plan();
    if (block == 0) {
        if (length > plan.inline_bytes) return false;
        out = {memory_->inline_payload(chunk), length};
        return true;
    }
    const std::uint32_t index = (block & 0xff'ffffU) - 1;
    const std::uint32_t block_class = block >> 24;
    const bool known = block_class < plan.class_count &&
                       (memory_->head().classes_used.load() >> block_class & 1) != 0 &&
                       index < plan.classes[block_class].count &&
                       length <= plan.classes[block_class].block_bytes;
    if (known) {
        const auto word = sync::block_word::unpack(memory_->block_words(block_class)[index].load());
        if (word.owned && word.backed && word.chunk == chunk) {
            out = {memory_->block(block_class, index), length};
            return true;
        }
    }
    block = 0;
    return false;
}

void participant::take_back(hawser::detail::lent_memory& lent) noexcept {
    --lent_;
    lent.forget();
}

void participant::release(std::uint64_t ticket) noexcept {
    if (!usable()) return;
    if (ticket >= adopted_tickets) {
        auto* from = reinterpret_cast<adoption*>(ticket & ~hand_bits);
        release_adopted(*from, static_cast<std::uint32_t>(ticket & hand_bits));
    } else {
        const auto hand = static_cast<std::uint32_t>(ticket);
        // STEP(release.spare) first, the block after: a chunk that is a message always has its
        // payload.
        own_->hand[hand].store(sync::hand_word{hand_[hand].chunk, sync::hold::spare}.pack(),
                               std::memory_order_release); // SYNC(hand)
        return_spare(hand);                                // STEP(release.free)
    }
    came_back();
}

// --- counting ----------------------------------------------------------------------------------

void participant::count_in(participant_record& record, counter which, std::uint64_t more) noexcept {
    auto& cell = record.counters[static_cast<std::size_t>(which)];
    // RELAXED(counter): one writer; observers only want the number
    cell.store(cell.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

namespace {

hawser::stats to_stats(const counter_values& values) noexcept {
    const auto read = [&](counter which) { return values[static_cast<std::size_t>(which)]; };
    hawser::stats all;
    all.sent = read(counter::sent);
    all.sent_bytes = read(counter::sent_bytes);
    all.received = read(counter::received);
    all.received_bytes = read(counter::received_bytes);
    all.redelivered = read(counter::redelivered);
    all.dropped = read(counter::dropped);
    all.lost = read(counter::lost);
    all.sleeps = read(counter::sleeps);
    all.wakes = read(counter::wakes);
    all.reaped = read(counter::reaped);
    return all;
}

} // namespace

hawser::stats participant::stats() const noexcept {
    return to_stats(counted_);
}

hawser::stats counters_of(const participant_record& record) noexcept {
    counter_values values{};
    for (std::size_t i = 0; i < counters; ++i) values[i] = record.counters[i].load();
    return to_stats(values);
}

// --- waking ------------------------------------------------------------------------------------

os::futex_outcome participant::sleep(atomic<std::uint32_t>& event, std::uint32_t armed,
                                     std::int64_t timeout_ns) noexcept {
    own_->waiting.store(1, std::memory_order_relaxed); // RELAXED(counter)
    count(counter::sleeps);
    const auto outcome = os::futex_wait(&event, armed, timeout_ns);
    own_->waiting.store(0, std::memory_order_relaxed); // RELAXED(counter)
    return outcome;
}

void participant::wake_for(atomic<std::uint32_t>& event, os::bell_tone tone) noexcept {
    if (sync::notify_one(event, parker{fd(), tone}).woke) count(counter::wakes);
}

void participant::notify_memory() noexcept {
    auto& event = memory_->head().memory;
    if (event.load() % sync::event_generation == 0) return;
    sync::notify_all(event, parker{fd(), os::bell_tone::write});
}

} // namespace hawser::segment
