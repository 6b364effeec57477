#include "sync/words.hpp"

#include <array>
#include <bit>
#include <numeric>

#include <gtest/gtest.h>

namespace hawser::sync {
namespace {

constexpr std::uint64_t all = ~std::uint64_t{0};

// Each mask is one field filled with ones: no bit in two of them, and none missing below `bits`.
template <std::size_t Count>
void expect_partition(const std::array<std::uint64_t, Count>& masks, int bits) {
    std::uint64_t seen = 0;
    for (const std::uint64_t mask : masks) {
        EXPECT_NE(mask, 0U);
        EXPECT_EQ(seen & mask, 0U) << std::hex << mask;
        seen |= mask;
    }
    EXPECT_EQ(seen, bits == 64 ? all : (std::uint64_t{1} << bits) - 1);
}

TEST(Words, SlotWordIsWhereTheFormatSays) {
    EXPECT_EQ((slot_word{0, 0, 0, true}.pack()), 1U);
    EXPECT_EQ((slot_word{0, 0, 1, false}.pack()), 2U);
    EXPECT_EQ((slot_word{0, 1, 0, false}.pack()), std::uint64_t{1} << 12);
    EXPECT_EQ((slot_word{1, 0, 0, false}.pack()), std::uint64_t{1} << 32);
}

TEST(Words, SlotWordFieldsDoNotOverlapAndFillTheWord) {
    expect_partition<4>({slot_word{~0U, 0, 0, false}.pack(),
                         slot_word{0, max_chunks, 0, false}.pack(),
                         slot_word{0, 0, max_participants, false}.pack(), //
                         slot_word{0, 0, 0, true}.pack()},
                        64);
}

TEST(Words, SlotWordKeepsAnyBits) {
    for (int shift = 0; shift < 64; ++shift) {
        for (const std::uint64_t raw : {std::uint64_t{1} << shift, all << shift, ~(all << shift)})
            EXPECT_EQ(slot_word::unpack(raw).pack(), raw) << std::hex << raw;
    }
    const slot_word word = slot_word::unpack(slot_word{0x8765'4321, 0xa'bcde, 0x5a5, true}.pack());
    EXPECT_EQ(word.turn, 0x8765'4321U);
    EXPECT_EQ(word.chunk, 0xa'bcdeU);
    EXPECT_EQ(word.owner, 0x5a5U);
    EXPECT_TRUE(word.full);
}

TEST(Words, HandWord) {
    EXPECT_EQ((hand_word{0, hold::message}.pack()), 1U);
    EXPECT_EQ((hand_word{1, hold::spare}.pack()), 2U);
    expect_partition<2>(
        {hand_word{max_chunks, hold::spare}.pack(), hand_word{0, hold::message}.pack()}, 21);
    const hand_word word = hand_word::unpack(hand_word{0xa'bcde, hold::message}.pack());
    EXPECT_EQ(word.chunk, 0xa'bcdeU);
    EXPECT_EQ(word.kind, hold::message);
    EXPECT_EQ(hand_word::unpack(hand_word{7, hold::spare}.pack()).kind, hold::spare);
    EXPECT_EQ(hand_word::unpack(all).chunk, max_chunks) << "no bit from above reaches the chunk";
}

TEST(Words, IntentWord) {
    EXPECT_EQ((intent_word{intent_kind::send, 0, 0, 0}.pack()), 1U);
    EXPECT_EQ((intent_word{intent_kind::none, 1, 0, 0}.pack()), 1U << 2);
    EXPECT_EQ((intent_word{intent_kind::none, 0, 1, 0}.pack()), 1U << 8);
    EXPECT_EQ((intent_word{intent_kind::none, 0, 0, 1}.pack()), 1U << 20);
    expect_partition<4>({intent_word{intent_kind::drop, 0, 0, 0}.pack(),
                         intent_word{intent_kind::none, 63, 0, 0}.pack(),
                         intent_word{intent_kind::none, 0, 4095, 0}.pack(),
                         intent_word{intent_kind::none, 0, 0, max_chunks}.pack()},
                        40);
    EXPECT_GE(4095U, max_participants) << "a lane for each participant";
}

TEST(Words, IntentWordRoundTripsEveryKind) {
    for (const auto kind :
         {intent_kind::none, intent_kind::send, intent_kind::receive, intent_kind::drop}) {
        const auto word = intent_word::unpack(intent_word{kind, 31, 2046, 0xa'bcde}.pack());
        EXPECT_EQ(word.kind, kind);
        EXPECT_EQ(word.hand, 31U);
        EXPECT_EQ(word.lane, 2046U);
        EXPECT_EQ(word.chunk, 0xa'bcdeU);
    }
    EXPECT_EQ(intent_word::unpack(0).kind, intent_kind::none) << "0 is what clearing stores";
    EXPECT_EQ(intent_word::unpack(all).chunk, max_chunks);
}

TEST(Words, BlockWord) {
    EXPECT_EQ((block_word{0, false, false}.pack()), 0U) << "fresh memory: free, without memory";
    EXPECT_EQ((block_word{0, false, true}.pack()), 1U);
    EXPECT_EQ((block_word{0, true, false}.pack()), 2U);
    EXPECT_EQ((block_word{1, false, false}.pack()), 4U);
    expect_partition<3>({block_word{max_chunks, false, false}.pack(),
                         block_word{0, true, false}.pack(), block_word{0, false, true}.pack()},
                        22);
    for (const bool owned : {false, true}) {
        for (const bool backed : {false, true}) {
            const auto word = block_word::unpack(block_word{0xa'bcde, owned, backed}.pack());
            EXPECT_EQ(word.chunk, 0xa'bcdeU);
            EXPECT_EQ(word.owned, owned);
            EXPECT_EQ(word.backed, backed);
        }
    }
    EXPECT_EQ(block_word::unpack(~0U).chunk, max_chunks);
}

} // namespace
} // namespace hawser::sync
