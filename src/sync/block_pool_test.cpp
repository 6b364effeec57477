#include "sync/block_pool.hpp"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

template <typename T>
using plain = std::atomic<T>;

class BlockPool : public testing::Test {
  protected:
    static constexpr std::uint32_t count = 20;

    pool_memory<plain> pool() { return {words_.data(), count}; }
    block_word word(std::uint32_t block) const { return block_word::unpack(words_[block].load()); }
    // All blocks get memory and are free.
    void back_all() {
        for (auto& raw : words_) raw.store(block_word{0, false, true}.pack());
    }

    // One more than the pool: a sentinel that must not be touched.
    std::vector<std::atomic<std::uint32_t>> words_ =
        std::vector<std::atomic<std::uint32_t>>(count + 1);
};

TEST_F(BlockPool, AFreshPoolHasOnlyBlocksWithoutMemory) {
    pool_search from;
    EXPECT_FALSE(claim(pool(), from, true, 1).found);
    const claimed got = claim(pool(), from, false, 7);
    ASSERT_TRUE(got.found);
    EXPECT_FALSE(got.backed);
    EXPECT_EQ(got.block, 0U) << "the nearest first";
    EXPECT_EQ(word(0).chunk, 7U);
    EXPECT_TRUE(word(0).owned);
    EXPECT_FALSE(word(0).backed);
}

TEST_F(BlockPool, FreeingKeepsWhatHasMemory) {
    pool_search from;
    const claimed got = claim(pool(), from, false, 7);
    set_backed(pool(), got.block, 7, true);
    EXPECT_EQ(words_[got.block].load(), (block_word{7, true, true}.pack()));
    EXPECT_TRUE(free_block(pool(), got.block, 7));
    EXPECT_EQ(words_[got.block].load(), (block_word{0, false, true}.pack()));
    const claimed again = claim(pool(), from, true, 8);
    ASSERT_TRUE(again.found);
    EXPECT_TRUE(again.backed);
    EXPECT_EQ(again.block, got.block);
    set_backed(pool(), again.block, 8, false);
    EXPECT_TRUE(free_block(pool(), again.block, 8));
    EXPECT_EQ(words_[got.block].load(), 0U);
}

TEST_F(BlockPool, OnlyItsOwnerFreesABlock) {
    pool_search from;
    const claimed got = claim(pool(), from, false, 7);
    const std::uint32_t before = words_[got.block].load();
    EXPECT_FALSE(free_block(pool(), got.block, 6));
    EXPECT_FALSE(free_block(pool(), got.block, 0));
    EXPECT_EQ(words_[got.block].load(), before);
    EXPECT_TRUE(free_block(pool(), got.block, 7));
    EXPECT_FALSE(free_block(pool(), got.block, 7)) << "once only";
}

TEST_F(BlockPool, AFreeBlockIsNobodysEvenIfItsWordStillNamesAChunk) {
    words_[3].store(block_word{7, false, true}.pack()); // forged
    EXPECT_FALSE(free_block(pool(), 3, 7));
    EXPECT_EQ(words_[3].load(), (block_word{7, false, true}.pack()));
    pool_search from;
    EXPECT_FALSE(claim(pool(), from, true, 1).found) << "nor is it claimed";
}

TEST_F(BlockPool, ABlockBeyondThePoolIsRefused) {
    words_[count].store(block_word{7, true, true}.pack());
    EXPECT_FALSE(free_block(pool(), count, 7));
    EXPECT_FALSE(free_block(pool(), ~0U, 7));
    EXPECT_EQ(words_[count].load(), (block_word{7, true, true}.pack()));
    EXPECT_FALSE(free_block(pool_memory<plain>{}, 0, 7)) << "an unused class has no blocks";
    pool_search from;
    EXPECT_FALSE(claim(pool_memory<plain>{}, from, false, 7).found);
    EXPECT_EQ(count_in_memory(pool_memory<plain>{}), 0U);
}

TEST_F(BlockPool, ExhaustionFindsEveryBlockOnceAndThenNone) {
    pool_search from;
    std::set<std::uint32_t> got;
    for (std::uint32_t i = 0; i < count; ++i) {
        const claimed one = claim(pool(), from, false, 100 + i);
        ASSERT_TRUE(one.found) << i;
        EXPECT_TRUE(got.insert(one.block).second);
    }
    EXPECT_FALSE(claim(pool(), from, false, 99).found);
    EXPECT_EQ(words_[count].load(), 0U) << "the word behind the pool is untouched";
    // Wherever the search has got to, a single free block is found.
    for (std::uint32_t block = 0; block < count; ++block) {
        const std::uint32_t owner = word(block).chunk;
        ASSERT_TRUE(free_block(pool(), block, owner));
        const claimed one = claim(pool(), from, false, owner);
        ASSERT_TRUE(one.found) << block;
        EXPECT_EQ(one.block, block);
    }
}

TEST_F(BlockPool, NearBlocksComeFirst) {
    back_all();
    pool_search from;
    for (std::uint32_t i = 0; i < 12; ++i) claim(pool(), from, true, 50 + i);
    ASSERT_TRUE(free_block(pool(), 5, word(5).chunk));
    EXPECT_EQ(claim(pool(), from, true, 80).block, 5U) << "warm, though the search is beyond it";
}

TEST_F(BlockPool, BeyondTheNearOnesTheSearchGoesOnFromTheLastFind) {
    back_all();
    pool_search from;
    for (std::uint32_t i = 0; i < 12; ++i) claim(pool(), from, true, 50 + i);
    const std::uint32_t far = 10;
    ASSERT_TRUE(free_block(pool(), far, word(far).chunk));
    EXPECT_EQ(claim(pool(), from, true, 80).block, 12U) << "onwards, not back";
    from.next = ~0U; // nonsense is no index
    EXPECT_EQ(claim(pool(), from, true, 81).block, far);
}

TEST_F(BlockPool, FreeingForAChunkFreesItsBlocksAndNoOthers) {
    for (const std::uint32_t block : {0U, 7U, 13U, count - 1})
        words_[block].store(block_word{7, true, block != 7}.pack());
    words_[8].store(block_word{8, true, true}.pack());
    for (std::uint32_t i = 0; i < count; ++i) free_block(pool(), i, 7);
    EXPECT_EQ(words_[0].load(), (block_word{0, false, true}.pack()));
    EXPECT_EQ(words_[7].load(), 0U);
    EXPECT_EQ(words_[13].load(), (block_word{0, false, true}.pack()));
    EXPECT_EQ(words_[count - 1].load(), (block_word{0, false, true}.pack()));
    EXPECT_EQ(words_[8].load(), (block_word{8, true, true}.pack()));
}

TEST_F(BlockPool, CountsWhatHasMemoryAndWhatIsAboutToGetIt) {
    EXPECT_EQ(count_in_memory(pool()), 0U);
    words_[1].store(block_word{0, false, true}.pack());    // free, with memory
    words_[2].store(block_word{0, true, false}.pack());    // claimed for chunk 0, memory to come
    words_[19].store(block_word{5, true, true}.pack());    // in use
    words_[count].store(block_word{5, true, true}.pack()); // not of this pool
    EXPECT_EQ(count_in_memory(pool()), 3U);
}

// Two claimers and the same words: never the same block at the same time.
TEST_F(BlockPool, TwoThreadsNeverGetTheSameBlock) {
    back_all();
    std::vector<std::atomic<int>> holders(count);
    const auto work = [&](std::uint32_t chunk) {
        pool_search from;
        for (int round = 0; round < 20'000; ++round) {
            const claimed got = claim(pool(), from, true, chunk);
            ASSERT_TRUE(got.found);
            ASSERT_EQ(holders[got.block].fetch_add(1), 0);
            holders[got.block].fetch_sub(1);
            ASSERT_TRUE(free_block(pool(), got.block, chunk));
        }
    };
    std::thread other(work, 1);
    work(2);
    other.join();
    for (std::uint32_t i = 0; i < count; ++i)
        EXPECT_EQ(words_[i].load(), (block_word{0, false, true}.pack()));
}

} // namespace
} // namespace hawser::sync
