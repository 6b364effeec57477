// Blocks of one size, for payloads that do not fit in a chunk. A word for each says who has it.
//
// A block belongs to a chunk, and who holds the chunk is always decidable (exchange_ring.hpp); so
// the CAS that claims a block names its owner for good, and a crash at any point leaves blocks that
// can be told from the chunk's state. There is no free list.
//
// - Blocks, allocates, system calls: never. Finding a block is a bounded search: the first cache
//   line first, which keeps a ping-pong in warm memory, then onwards from the last find, which
//   makes a deep queue cheap.
// - Threads: claiming with one thread at a time for each pool_search; freeing in any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "sync/words.hpp"

namespace hawser::sync {

template <template <typename> class Atomic>
struct pool_memory {
    Atomic<std::uint32_t>* words = nullptr;
    std::uint32_t count = 0;
};

// Where the last claim was; private to a claimer.
struct pool_search {
    std::uint32_t next = 0;
};

struct claimed {
    bool found = false;
    bool backed = false; // false: it has no memory yet
    std::uint32_t block = 0;
};

namespace pool_detail {

inline constexpr std::uint32_t near_blocks = 8;

} // namespace pool_detail

// Claims one block if it is free. The caller is the chunk's only holder.
template <template <typename> class Atomic>
bool try_claim(const pool_memory<Atomic>& pool, std::uint32_t block, bool backed,
               std::uint32_t chunk) noexcept {
    Atomic<std::uint32_t>& word = pool.words[block];
    std::uint32_t free = block_word{0, false, backed}.pack();
    // seq_cst, as this is how a sender that has armed for memory looks again (event_word.hpp); the
    // CAS acquires what the last owner released.
    if (word.load() != free) return false;
    return word.compare_exchange_strong(free, block_word{chunk, true, backed}.pack());
}

// Claims a free block for a chunk of which the caller is the only holder. Only one that has memory,
// or only one that has none.
template <template <typename> class Atomic>
claimed claim(const pool_memory<Atomic>& pool, pool_search& from, bool backed,
              std::uint32_t chunk) noexcept {
    for (std::uint32_t i = 0; i < pool.count && i < pool_detail::near_blocks; ++i)
        if (try_claim(pool, i, backed, chunk)) return {true, backed, i};
    for (std::uint32_t tries = 0; tries < pool.count; ++tries) {
        const std::uint32_t i = from.next < pool.count ? from.next : 0;
        from.next = i + 1;
        if (try_claim(pool, i, backed, chunk)) return {true, backed, i};
    }
    return {};
}

// The owner says that its block has memory now, or has none any more.
template <template <typename> class Atomic>
void set_backed(const pool_memory<Atomic>& pool, std::uint32_t block, std::uint32_t chunk,
                bool backed) noexcept {
    // SYNC(block): release
    pool.words[block].store(block_word{chunk, true, backed}.pack(), std::memory_order_release);
}

// Frees a block if it is the chunk's; what a peer has forged is left alone. True if it was.
template <template <typename> class Atomic>
bool free_block(const pool_memory<Atomic>& pool, std::uint32_t block,
                std::uint32_t chunk) noexcept {
    if (block >= pool.count) return false;
    // SYNC(block): acquire
    std::uint32_t raw = pool.words[block].load(std::memory_order_acquire);
    const block_word word = block_word::unpack(raw);
    if (!word.owned || word.chunk != chunk) return false;
    return pool.words[block].compare_exchange_strong(raw, block_word{0, false, word.backed}.pack());
}

// Blocks that have memory or are about to get it.
template <template <typename> class Atomic>
std::uint32_t count_in_memory(const pool_memory<Atomic>& pool) noexcept {
    std::uint32_t found = 0;
    for (std::uint32_t i = 0; i < pool.count; ++i)
        if (pool.words[i].load() != 0) ++found;
    return found;
}

} // namespace hawser::sync
