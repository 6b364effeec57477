// One end point's membership in a mailbox: its slot, its hand, its share in keeping the mailbox
// whole.
//
// - The right to act as slot x is x's lock byte, held by this end point's own file description.
//   Dying gives it back, so whoever can take the lock of a live slot knows that its owner is gone,
//   and may repair what it left (census()).
// - Messages of a dead receiver are delivered by a receiver that adopts its slot: it keeps the lock
//   and delivers out of that hand.
// - Blocks: join() at most a few seconds (segment.hpp); the rest never, except sleep(). Allocates:
//   join(), and the census when it adopts.
// - Threads: one at a time, but release() may come from any thread. Deletes itself when it has
//   retired and all it lent is back.
// - Fork: usable() is false in a child; release() does nothing there.
// - A crash anywhere leaves what the next census repairs.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <hawser/message.hpp>
#include <hawser/options.hpp>
#include <hawser/result.hpp>
#include <hawser/stats.hpp>

#include "os/bell.hpp"
#include "os/futex.hpp"
#include "segment/segment.hpp"
#include "sync/block_pool.hpp"
#include "sync/event_word.hpp"

namespace hawser::segment {

// No blocking call sleeps longer without a look around, and the dead are looked for this often.
inline constexpr std::int64_t slice_ns = 50'000'000;
inline constexpr std::int64_t census_interval_ns = 40'000'000;

// A message in a hand, ready to be lent to the user.
struct held_message {
    std::uint64_t ticket = 0;
    std::span<std::byte> bytes;
    std::uint64_t sequence = 0;
    bool redelivered = false;
};

using counter_values = std::array<std::uint64_t, counters>;

// The counters of a record, as an observer sees them.
[[nodiscard]] hawser::stats counters_of(const participant_record& record) noexcept;

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): it deletes itself, nobody else may
class participant final : public hawser::detail::lender {
  public:
    static constexpr std::uint32_t no_hand = ~std::uint32_t{0};
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};

    // Opens or creates the mailbox and takes a slot. Errors: those of open_segment · no_space (no
    // slot left).
    static result<participant*> join(const std::string& name, const options& wanted,
                                     slot_state role);
    // Repairs what the dead left in a mailbox that exists, and removes it if then it is unused and
    // not to persist. Takes no slot. True if it was removed. Errors: those of open_segment.
    static result<bool> tidy(const std::string& name, trust_policy trust = trust_policy::all);
    // Gives up the slot, at once or when the last memory that it lent comes back. The pointer is
    // dead after this.
    void retire() noexcept;

    participant(const participant&) = delete;
    participant& operator=(const participant&) = delete;

    [[nodiscard]] const shared_memory& memory() const noexcept { return *memory_; }
    [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    [[nodiscard]] bool usable() const noexcept { return generation_ == os::fork_generation(); }
    [[nodiscard]] bool removed() const noexcept {
        return head_->life.load() != static_cast<std::uint32_t>(life::open);
    }

    // The hand. A claimed entry is spare and nobody else's business until it is exchanged, lent or
    // returned.
    // In turn, so that the memory of one that was just exchanged has time to come here.
    [[nodiscard]] std::uint32_t claim_spare() noexcept {
        for (std::uint32_t i = 0; i < loans_; ++i) {
            const std::uint32_t hand = next_hand_;
            next_hand_ = hand + 1 == loans_ ? 0 : hand + 1;
            // SYNC(release): acquire: what the releasing thread did to the entry is done
            if (hand_[hand].busy.load(std::memory_order_acquire)) continue;
            // SYNC(release): our own thread's
            hand_[hand].busy.store(true, std::memory_order_relaxed);
            return hand;
        }
        return no_hand;
    }
    void return_spare(std::uint32_t hand) noexcept { // frees its block, if it has one
        hand_entry& entry = hand_[hand];
        if (entry.block != 0) [[unlikely]]
            free_block(std::exchange(entry.block, 0), entry.chunk);
        entry.busy.store(false, std::memory_order_release); // SYNC(release)
    }

    // Memory for a payload that fits in the chunk of a claimed entry.
    [[nodiscard]] bool fits_inline(std::uint64_t size) const noexcept {
        return size <= most_inline_;
    }
    [[nodiscard]] std::span<std::byte> inline_room(std::uint32_t hand,
                                                   std::uint64_t size) noexcept {
        const std::uint32_t chunk = hand_[hand].chunk;
        // RELAXED(chunk): ours until the slot's CAS
        memory_->chunk(chunk).block.store(0, std::memory_order_relaxed);
        return {memory_->inline_payload(chunk), size};
    }
    // Memory for a payload of any size. Empty: max_memory is used up for now.
    // Errors: no_space (the file system is full).
    result<std::span<std::byte>> make_room(std::uint32_t hand, std::uint64_t size);
    // Whether make_room() would succeed now. Changes nothing and wakes nobody.
    [[nodiscard]] bool has_room_for(std::uint64_t size) const noexcept;
    // Whether it could succeed if all messages queued in the lane were dropped.
    [[nodiscard]] bool dropping_helps(std::uint32_t lane, std::uint64_t size) const noexcept;
    // The length of what was filled in, at most the size asked for. Before a send.
    void set_length(std::uint32_t hand, std::uint64_t size) noexcept {
        // RELAXED(chunk): ours until the slot's CAS
        memory_->chunk(hand_[hand].chunk).length.store(size, std::memory_order_relaxed);
    }

    // Exchanges a claimed entry's chunk with the lane (exchange_ring.hpp), whose memory() stays
    // what it is.
    template <sync::intent_kind Kind>
    sync::exchanged exchange(const sync::lane_memory<atomic>& ring, std::uint32_t lane,
                             sync::cursor& at, std::uint32_t hand) noexcept;
    // After a receive: the message in that entry. False if a peer has forged it; the entry is spare
    // again then.
    bool open_message(std::uint32_t hand, std::uint64_t sequence, held_message& out) noexcept;
    // After a drop: what the entry holds is spare.
    void drop_message(std::uint32_t hand) noexcept;
    // A message of an adopted slot, if there is one.
    bool next_adopted(held_message& out) noexcept;
    [[nodiscard]] bool has_adopted() const noexcept {
        return inherited_ != 0 || (!adoptions_.empty() && has_undelivered());
    }

    // Lending to the user, and the way back from any thread.
    hawser::detail::lent_memory lend(std::uint64_t ticket, std::span<std::byte> bytes) noexcept {
        ++lent_;
        return {this, ticket, bytes};
    }
    void
    take_back(hawser::detail::lent_memory& lent) noexcept; // in the owner's thread, still claimed
    void release(std::uint64_t ticket) noexcept override;

    // Looks for the dead and repairs what they left. census_if_due() does so when nobody did for a
    // while: one clock reading, and `tick()` spares even that most of the time.
    void census() noexcept;
    void census_if_due() noexcept;
    void tick() noexcept {
        if ((++ticks_ & 255U) == 0) census_if_due();
    }
    // Messages were left for adoption since we looked last: adopt them.
    void adopt_orphans() noexcept {
        if (head_->orphans.load() != orphans_seen_) [[unlikely]]
            adopt_new_orphans();
    }
    [[nodiscard]] bool sender_present() const noexcept;

    // Sleeping and waking. sleep() waits on the value that arming returned, at most for timeout_ns.
    os::futex_outcome sleep(atomic<std::uint32_t>& event, std::uint32_t armed,
                            std::int64_t timeout_ns) noexcept;
    void notify_messages() noexcept {
        if (sync::anybody_to_notify(head_->messages)) [[unlikely]]
            wake_for(head_->messages, os::bell_tone::touch);
    }
    void notify_space(atomic<std::uint32_t>& space) noexcept {
        if (sync::anybody_to_notify(space)) [[unlikely]]
            wake_for(space, os::bell_tone::write);
    }
    void notify_memory() noexcept;
    void notify_everyone() noexcept { wake_everyone(fd(), *memory_); }

    void count(counter which, std::uint64_t more = 1) noexcept {
        const auto index = static_cast<std::size_t>(which);
        counted_[index] += more;
        // RELAXED(counter): observers only want the number
        own_->counters[index].store(counted_[index], std::memory_order_relaxed);
    }
    [[nodiscard]] hawser::stats stats() const noexcept;
    // How often this end point has looked for the dead, which takes longer than all other looks.
    [[nodiscard]] std::uint32_t censuses() const noexcept { return censuses_; }

  private:
    // Asks for the memory that a message of a few lines takes.
    template <sync::intent_kind Kind>
    void expect_chunk(std::uint32_t chunk) const noexcept {
        const auto* line = reinterpret_cast<const std::byte*>(&memory_->chunk(chunk));
        for (std::size_t i = 0; i < 2; ++i, line += line_bytes)
            if constexpr (Kind == sync::intent_kind::receive)
                sync::expect_read(line);
            else
                sync::expect_write(line);
    }

    // A slot whose lock this end point holds in order to deliver what is in its hand.
    struct alignas(64) adoption {
        std::uint32_t slot = 0;
        std::uint32_t undelivered = 0;         // bits of hand entries; the owner's thread
        std::atomic<std::uint32_t> unreleased; // bits of hand entries; any thread
        std::atomic<bool> over{false};
        std::array<std::uint32_t, max_loans> chunk{};
        std::array<std::uint32_t, max_loans> block{}; // of what was delivered, as in chunk_header
    };
    struct hand_entry {
        std::atomic<bool> busy{false};
        std::uint32_t chunk = 0;
        std::uint32_t block = 0; // as in chunk_header, our own copy
    };

    participant(opened segment, std::string path, slot_state role) noexcept;
    ~participant();

    result<void> take_slot();
    result<bool> try_all_slots();
    result<bool> try_slot(std::uint32_t slot);
    result<void> prepare(std::uint32_t slot);
    result<void> prepare_lane(std::uint32_t slot);
    bool read_hand(std::uint32_t slot) noexcept;
    void write_identity(participant_record& record) const noexcept;

    // In the record of somebody else; the caller holds its lock.
    static void count_in(participant_record& record, counter which, std::uint64_t more) noexcept;

    void adopt_new_orphans() noexcept;
    [[nodiscard]] bool has_undelivered() const noexcept;
    void wake_for(atomic<std::uint32_t>& event, os::bell_tone tone) noexcept;

    bool lock(std::uint32_t slot) const noexcept;
    void unlock(std::uint32_t slot) const noexcept;
    void look_at_name() noexcept;
    void look_for_dead(std::initializer_list<slot_state> states) noexcept;
    struct waiting_message {
        std::uint32_t hand = 0;
        std::uint64_t sequence = 0;
    };
    template <typename ChunkOf>
    [[nodiscard]] waiting_message oldest_of(std::uint32_t entries,
                                            ChunkOf&& chunk_of) const noexcept;
    bool recover(std::uint32_t slot) noexcept;
    void repair(std::uint32_t slot) noexcept;
    [[nodiscard]] sync::participant_memory<atomic> words_of(std::uint32_t slot) const noexcept;
    void settle_hand(std::uint32_t slot) noexcept;
    void free_blocks_of(std::span<const std::uint32_t> chunks) noexcept;
    void adopt(std::uint32_t slot) noexcept;
    void leave_as_orphaned(std::uint32_t slot) noexcept;
    void set_free(std::uint32_t slot) noexcept;
    void release_adopted(adoption& from, std::uint32_t hand) noexcept;
    bool payload_of(std::uint32_t chunk, std::uint32_t& block,
                    std::span<std::byte>& out) const noexcept;
    void free_block(std::uint32_t block, std::uint32_t chunk) noexcept;

    struct block_use {
        std::uint64_t bytes = 0;
        std::uint32_t of_class = 0;
    };
    [[nodiscard]] block_use blocks_in_use(std::uint32_t block_class) const noexcept;
    [[nodiscard]] bool one_more_fits(const block_use& use,
                                     std::uint32_t block_class) const noexcept;
    result<void> ready_class(std::uint32_t block_class) noexcept;
    result<bool> attach_block(hand_entry& entry, std::uint32_t block_class);
    result<bool> back_block(const sync::pool_memory<atomic>& blocks, const sync::claimed& block,
                            std::uint32_t block_class, std::uint32_t chunk) noexcept;
    bool within_budget(std::uint32_t chunk) noexcept;
    void give_back(std::uint32_t block_class, std::uint32_t block) const noexcept;
    [[nodiscard]] std::uint64_t bytes_in_memory() const noexcept;
    [[nodiscard]] sync::pool_memory<atomic> pool(std::uint32_t block_class) const noexcept;

    void came_back() noexcept;
    void leave() noexcept;

    os::fork_guard fd_;
    std::shared_ptr<shared_memory> memory_;
    header* head_;                      // of the memory
    participant_record* own_ = nullptr; // our slot's
    std::string path_;
    slot_state role_;
    unsigned generation_;
    std::uint32_t slot_ = no_slot;
    std::uint64_t most_inline_;   // bytes that fit in a chunk, if a message may have so many
    std::uint32_t loans_;         // as the geometry says
    std::uint32_t next_hand_ = 0; // to be tried first
    sync::participant_memory<atomic> own_words_; // of our slot
    std::uint32_t ticks_ = 0;
    std::uint32_t censuses_ = 0;
    std::uint32_t orphans_seen_ = 0;
    std::uint64_t lent_ = 0; // the owner's thread
    // What came back, counted down from 0; retire() adds what was lent, and whoever reaches 0 after
    // that leaves.
    std::atomic<std::int64_t> outstanding_{0};
    std::array<hand_entry, max_loans> hand_{};
    counter_values counted_{}; // the record's are only written
    std::array<sync::pool_search, layout::max_classes> searches_{};
    std::uint32_t inherited_ = 0; // bits of our own hand: messages that the slot's last owner left
    std::vector<std::unique_ptr<adoption>> adoptions_;
};

template <sync::intent_kind Kind>
[[gnu::always_inline]] inline sync::exchanged
participant::exchange(const sync::lane_memory<atomic>& ring, std::uint32_t lane, sync::cursor& at,
                      std::uint32_t hand) noexcept {
    hand_entry& entry = hand_[hand];
    atomic<std::uint64_t>* sequence =
        Kind == sync::intent_kind::send ? &memory_->chunk(entry.chunk).sequence : nullptr;
    const auto result =
        sync::try_exchange(ring, own_words_, at, {Kind, lane, hand, entry.chunk, sequence},
                           [this](std::uint32_t chunk) { expect_chunk<Kind>(chunk); });
    if (result.outcome == sync::ring_outcome::done) {
        entry.chunk = result.chunk;
        entry.block = 0;
        sync::expect_later_slot(ring, at, Kind == sync::intent_kind::send);
    }
    return result;
}

} // namespace hawser::segment
