// Memory for messages that do not fit in a chunk. See participant.hpp and sync/block_pool.hpp.

#include <algorithm>
#include <cstring>

#include "os/file.hpp"
#include "segment/participant.hpp"

namespace hawser::segment {

namespace {

constexpr std::uint32_t class_shift = 24;

} // namespace

// The words of a class, or none if the class has not been used yet.
sync::pool_memory<atomic> participant::pool(std::uint32_t block_class) const noexcept {
    if ((memory_->head().classes_used.load() >> block_class & 1) == 0) return {};
    return {memory_->block_words(block_class), memory_->plan().classes[block_class].count};
}

namespace {

error is_full(const error& why) {
    return error{why.code(), "send", why.sys()}.because(
        directory() + " is full, so the message can't be stored. Free space there (hawser gc), or "
                      "send smaller messages.");
}

} // namespace

result<void> participant::ready_class(std::uint32_t block_class) noexcept {
    auto& used = memory_->head().classes_used;
    if ((used.load() >> block_class & 1) != 0) return {};
    const segment::block_class& of = memory_->plan().classes[block_class];
    if (auto done = os::allocate(fd(), of.words_at, of.count * sizeof(std::uint32_t)); !done)
        return is_full(done.why());
    used.fetch_or(1U << block_class);
    return {};
}

result<std::span<std::byte>> participant::make_room(std::uint32_t hand, std::uint64_t size) {
    if (fits_inline(size)) return inline_room(hand, size);
    hand_entry& entry = hand_[hand];
    const layout& plan = memory_->plan();
    const std::uint32_t block_class = plan.class_for(size);
    const auto attached = attach_block(entry, block_class);
    if (!attached) return attached.why();
    if (!*attached) return std::span<std::byte>{};
    const std::uint32_t index = (entry.block & ((1U << class_shift) - 1)) - 1;
    // RELAXED(chunk): ours until the slot's CAS
    memory_->chunk(entry.chunk).block.store(entry.block, std::memory_order_relaxed);
    return std::span{memory_->block(block_class, index), size};
}

// What is in use by messages and by senders that fill one, in all and of one class.
participant::block_use participant::blocks_in_use(std::uint32_t block_class) const noexcept {
    block_use use;
    for (std::uint32_t k = 0; k < memory_->plan().class_count; ++k) {
        const auto blocks = pool(k);
        for (std::uint32_t i = 0; i < blocks.count; ++i) {
            if (!sync::block_word::unpack(blocks.words[i].load()).owned) continue;
            use.bytes += memory_->plan().classes[k].block_bytes;
            if (k == block_class) ++use.of_class;
        }
    }
    return use;
}

bool participant::one_more_fits(const block_use& use, std::uint32_t block_class) const noexcept {
    const segment::block_class& of = memory_->plan().classes[block_class];
    return use.of_class < of.count && use.bytes + of.block_bytes <= memory_->shape().max_memory;
}

bool participant::has_room_for(std::uint64_t size) const noexcept {
    if (fits_inline(size)) return true;
    const std::uint32_t block_class = memory_->plan().class_for(size);
    return one_more_fits(blocks_in_use(block_class), block_class);
}

bool participant::dropping_helps(std::uint32_t lane, std::uint64_t size) const noexcept {
    const layout& plan = memory_->plan();
    const std::uint32_t block_class = plan.class_for(size);
    block_use use = blocks_in_use(block_class);
    const auto ring = memory_->ring(lane);
    for (std::uint32_t i = 0; i < ring.capacity; ++i) {
        const auto slot = sync::slot_word::unpack(ring.slots[i].word.load());
        std::uint32_t block = 0;
        std::span<std::byte> ignored;
        if (!slot.full || slot.chunk >= plan.chunks) continue;
        if (!payload_of(slot.chunk, block, ignored) || block == 0) continue;
        const std::uint32_t queued = block >> class_shift;
        use.bytes -= std::min(use.bytes, plan.classes[queued].block_bytes);
        if (queued == block_class && use.of_class > 0) --use.of_class;
    }
    return one_more_fits(use, block_class);
}

void participant::drop_message(std::uint32_t hand) noexcept {
    hand_entry& entry = hand_[hand];
    std::span<std::byte> ignored;
    payload_of(entry.chunk, entry.block, ignored);
    return_spare(hand);
}

result<bool> participant::attach_block(hand_entry& entry, std::uint32_t block_class) {
    if (auto ready = ready_class(block_class); !ready) return ready.why();
    const auto blocks = pool(block_class);
    if (blocks.words == nullptr) return false; // a peer has taken its mark back
    // STEP(block.claim), of one that has memory if there is one
    auto got = sync::claim(blocks, searches_[block_class], true, entry.chunk);
    if (!got.found) {
        got = sync::claim(blocks, searches_[block_class], false, entry.chunk);
        if (!got.found) return false;
        const auto backed = back_block(blocks, got, block_class, entry.chunk);
        if (!backed || !*backed) {
            sync::free_block(blocks, got.block, entry.chunk); // STEP(block.refuse)
            if (!backed) return backed.why();
            return false;
        }
    }
    entry.block = block_class << class_shift | (got.block + 1);
    return true;
}

// Gives a claimed block its memory. False if max_memory does not allow it.
result<bool> participant::back_block(const sync::pool_memory<atomic>& blocks,
                                     const sync::claimed& block, std::uint32_t block_class,
                                     std::uint32_t chunk) noexcept {
    if (!within_budget(chunk)) return false; // STEP(back.sum)
    const segment::block_class& of = memory_->plan().classes[block_class];
    const std::uint64_t at = of.data_at + block.block * of.block_bytes;
    // STEP(back.allocate)
    if (auto done = os::allocate(fd(), at, of.block_bytes); !done) return is_full(done.why());
    sync::set_backed(blocks, block.block, chunk, true); // STEP(back.mark)
    return true;
}

// Claims come before this look, so two who grow at once may both be refused, but together never
// exceed max_memory. Free blocks of other sizes are given back to make room.
bool participant::within_budget(std::uint32_t chunk) noexcept {
    const std::uint64_t allowed = memory_->shape().max_memory;
    std::uint64_t in_use = bytes_in_memory();
    for (std::uint32_t k = 0; k < memory_->plan().class_count && in_use > allowed; ++k) {
        const auto blocks = pool(k);
        // Each block once: a free one that others put back at once must not keep us here.
        for (std::uint32_t i = 0; i < blocks.count && in_use > allowed; ++i) {
            if (!sync::try_claim(blocks, i, true, chunk)) continue; // STEP(trim.claim)
            // The word first: a block that says it has memory must have it, also if we die here.
            sync::set_backed(blocks, i, chunk, false); // STEP(trim.unmark)
            give_back(k, i);                           // STEP(trim.punch)
            sync::free_block(blocks, i, chunk);        // STEP(trim.free)
            in_use -= memory_->plan().classes[k].block_bytes;
        }
    }
    return in_use <= allowed;
}

// Takes a block's memory away. Its word says already that it has none. (With pages larger than the
// format's, the kernel keeps a page that others share.)
void participant::give_back(std::uint32_t block_class, std::uint32_t block) const noexcept {
    const segment::block_class& of = memory_->plan().classes[block_class];
    os::punch_hole(fd(), of.data_at + block * of.block_bytes, of.block_bytes);
}

std::uint64_t participant::bytes_in_memory() const noexcept {
    std::uint64_t bytes = 0;
    for (std::uint32_t k = 0; k < memory_->plan().class_count; ++k)
        bytes += sync::count_in_memory(pool(k)) * memory_->plan().classes[k].block_bytes;
    return bytes;
}

void participant::free_block(std::uint32_t block, std::uint32_t chunk) noexcept {
    if (block == 0) return;
    const std::uint32_t index = (block & ((1U << class_shift) - 1)) - 1;
    if (sync::free_block(pool(block >> class_shift), index, chunk)) notify_memory();
}

} // namespace hawser::segment
