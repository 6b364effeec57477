// A mailbox in miniature: the shipped templates of src/sync on words of the machine, and around
// them what src/segment and src/transport/shm do – joining, leaving, the census, repair, adoption,
// waiting in slices, blocks with a budget – as closely as fits. Beside it a ledger that knows what
// really happened, since it sits in the machine, and compares.
//
// Checked, in each execution:
// - nothing is taken before it is committed, or twice; messages of one sender in their order
// - what a message holds is what was written, with its own sequence, and no access races
// - no message is delivered again without the flag; each committed one is delivered or dropped
// - what repair puts into a hand is what its owner had got
// - at the end each chunk is in exactly one place, and each block free
// - never more blocks with memory than allowed, and none used without
// - nobody sleeps while there is what it waits for, unless somebody was killed since the last slice
// - nobody waits for ever, but a sender without receivers
#pragma once

#include <array>
#include <cstdint>

#include "sync/block_pool.hpp"
#include "sync/event_word.hpp"
#include "sync/exchange_ring.hpp"
#include "word.hpp"

namespace hawser::schedules {

// What a scenario has.
struct cast {
    std::uint32_t capacity = 1;
    std::uint32_t senders = 1;
    std::uint32_t receivers = 1;
    std::uint32_t messages = 1; // of each sender
    std::uint32_t loans = 1;
    std::uint32_t joining_senders = 0; // they come later, into any slot without an owner
    std::uint32_t joining_receivers = 0;
    std::uint32_t reapers = 0;        // bystanders that look for the dead, once for each death
    std::uint32_t blocks = 0;         // of each class; 0: messages fit in chunks
    std::uint32_t classes = 2;        // of blocks, 1 or 2; the senders use one and the other
    std::uint32_t blocks_allowed = 0; // with memory
    bool drops = false;               // full=drop_oldest
    bool keeps = false;               // receivers use the whole hand before they release
    bool sleeps = false;              // with event words; otherwise a wait ends with any change
    bool deadlines = false;           // receivers may give up
    bool reapers_die = true;
    bool only_receivers_die = false;
    bool takes_one = false;  // each receiver
    bool stays = false;      // nobody leaves, which would wake everybody
    bool gives_back = false; // senders claim and give back once more than they send
};

class mailbox final : public scenario {
  public:
    mailbox(machine& all, const cast& who);

    void idle(bool excused) override;
    void finish() override;
    void swapped(std::uint64_t before, std::uint64_t after) override;
    void clear_intent() override;

  private:
    static constexpr std::uint32_t most_slots = 6; // of participants; the last one is the janitor's
    static constexpr std::uint32_t most_loans = 2;
    static constexpr std::uint32_t most_capacity = 2;
    static constexpr std::uint32_t most_chunks = most_capacity + most_slots * most_loans;
    static constexpr std::uint32_t most_blocks = 4;
    static constexpr std::uint32_t most_messages = 32;
    static constexpr std::uint32_t messages_each = 4; // ids that a sender has
    static constexpr std::uint32_t no_slot = ~std::uint32_t{0};

    enum class role : std::uint32_t { unused, free, sender, receiver, orphaned };

    // The hand of a dead receiver that this one delivers from.
    struct adoption {
        std::uint32_t slot = no_slot;
        std::uint32_t undelivered = 0;
        std::array<std::uint32_t, most_loans> chunk{};
    };
    // What a process knows by itself; it dies with it. Owns nothing.
    struct end_point {
        std::uint32_t slot = no_slot;
        role as = role::sender;
        std::uint32_t sender = 0; // which one, for the ids
        sync::cursor at;
        sync::cursor oldest;
        std::uint32_t orphans_seen = 0;
        std::array<std::uint32_t, most_loans> chunk{};
        std::array<std::uint32_t, most_loans> block{}; // + 1
        std::array<bool, most_loans> busy{};           // with a message to be released
        std::uint32_t inherited = 0;                   // bits of entries
        std::array<adoption, most_slots> adopted{};
        std::array<sync::pool_search, 2> search{};
    };
    enum class got : std::uint8_t { something, nothing, closed };

    // The processes.
    static void be_sender(void* all, std::uint32_t index);
    static void be_receiver(void* all, std::uint32_t index);
    static void be_joining_sender(void* all, std::uint32_t index);
    static void be_joining_receiver(void* all, std::uint32_t index);
    static void be_reaper(void* all, std::uint32_t index);
    void send_all(end_point& self);
    void receive_all(end_point& self);

    // Sending.
    void prepare_words();
    void add_processes();
    void fill(end_point& self, std::uint32_t id);
    bool try_send(end_point& self);
    void drop_oldest(end_point& self);
    sync::exchanged exchange(end_point& self, sync::cursor& at, sync::intent_kind kind,
                             std::uint32_t entry);
    // Receiving.
    got attempt(end_point& self, bool thorough);
    bool take(end_point& self);
    bool at_end();
    void deliver(std::uint32_t chunk, bool flagged);
    void release(end_point& self, std::uint32_t entry);
    bool deliver_adopted(end_point& self);
    void check_content(std::uint32_t chunk, std::uint32_t id);

    // Joining, leaving, repair.
    bool join(end_point& self);
    bool try_slot(end_point& self, std::uint32_t slot);
    void enter(end_point& self, std::uint32_t slot);
    void leave(end_point& self);
    void census(end_point& self);
    void look_for_dead(end_point& self, role one, role other);
    void recover(end_point& self, std::uint32_t slot);
    void repair(std::uint32_t slot);
    void adopt(end_point& self, std::uint32_t slot);
    void release_adopted(adoption& from, std::uint32_t entry);
    void set_free(std::uint32_t slot);
    void leave_as_orphaned(std::uint32_t slot);
    std::uint32_t messages_held(std::uint32_t slot);

    // Waiting.
    template <typename Attempt>
    bool wait_until(end_point& self, word<std::uint32_t>& event, const Attempt& attempt);
    void notify(word<std::uint32_t>& event);
    void notify_memory();
    void notify_everyone();

    // Blocks.
    bool attach_block(end_point& self, std::uint32_t entry);
    bool back_block(std::uint32_t chunk, std::uint32_t block);
    bool within_budget(std::uint32_t chunk);
    void free_block(std::uint32_t block, std::uint32_t chunk);
    void free_blocks_of(std::uint32_t chunk);
    void punch(std::uint32_t block);
    void use_block(std::uint32_t block, std::uint32_t chunk, bool writes);
    sync::pool_memory<word> pool(std::uint32_t of_class);

    // The ledger.
    void check_repaired(std::uint32_t slot);
    void check_chunks();
    void check_messages();
    void check_rest();
    [[nodiscard]] bool something_queued() const;
    [[nodiscard]] bool a_sender_is_there() const;
    [[nodiscard]] bool could_have_block(std::uint32_t sender) const;
    void fail(const char* what, std::uint32_t which);

    sync::lane_memory<word> lane();
    sync::participant_memory<word> words_of(std::uint32_t slot);
    word<std::uint64_t>& hand(std::uint32_t slot, std::uint32_t entry) {
        return hands_[slot * who_.loans + entry];
    }

    machine& all_;
    cast who_;
    std::uint32_t slots_ = 0;
    std::uint32_t chunks_ = 0;
    std::uint32_t receiving_ = 0; // bits of processes

    std::array<sync::ring_slot<word>, most_capacity> ring_;
    std::array<word<std::uint64_t>, most_slots> committed_;
    std::array<word<std::uint64_t>, most_slots> taken_;
    word<std::uint64_t> head_hint_;
    word<std::uint64_t> tail_hint_;
    std::array<word<std::uint64_t>, most_slots> intents_;
    std::array<word<std::uint64_t>, most_slots> positions_;
    std::array<word<std::uint64_t>, most_slots * most_loans> hands_;
    std::array<word<std::uint64_t>, most_chunks> sequences_;
    std::array<word<std::uint32_t>, most_slots> states_;
    word<std::uint32_t> membership_;
    word<std::uint32_t> orphans_;
    word<std::uint32_t> messages_event_;
    word<std::uint32_t> space_event_;
    word<std::uint32_t> memory_event_;
    std::array<word<std::uint32_t>, most_blocks> block_words_;

    // Plain memory in the segment.
    std::array<std::uint32_t, most_chunks> content_{};       // id
    std::array<std::uint32_t, most_chunks> block_of_{};      // + 1
    std::array<std::uint32_t, most_blocks> block_content_{}; // id
    std::array<bool, most_blocks> has_memory_{};

    // What really happened.
    struct fate {
        bool committed = false;
        bool taken = false;
        bool dropped = false;
        bool reported = false; // to its sender, as sent
        std::uint32_t delivered = 0;
        std::uint64_t position = 0;
    };
    struct got_by {
        std::uint32_t chunk = 0;
        sync::hold kind = sync::hold::spare;
    };
    std::array<fate, most_messages> fates_{};
    std::array<std::array<got_by, most_loans>, most_slots> truth_{};
    std::array<sync::exchange_request<word>, most_slots> doing_{};
    std::array<std::uint32_t, most_messages / messages_each> last_taken_{};
};

} // namespace hawser::schedules
