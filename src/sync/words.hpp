// The words that a mailbox is made of, as values: each packs into one atomic word of shared memory.
//
// unpack() accepts any bits, since another process wrote them; whoever uses a field as an index
// checks it against the geometry first. The layouts are described in docs/formats/segment.md.
#pragma once

#include <cstdint>

namespace hawser::sync {

inline constexpr std::uint32_t chunk_bits = 20;
inline constexpr std::uint32_t owner_bits = 11;
inline constexpr std::uint32_t max_chunks = (1U << chunk_bits) - 1;
inline constexpr std::uint32_t max_participants = (1U << owner_bits) - 1;

// Who stamped a slot word last: participant slot + 1, or nobody.
inline constexpr std::uint32_t no_owner = 0;

// A slot of a lane: {full:1, owner:11, chunk:20, turn:32}, from the low bit up.
struct slot_word {
    std::uint32_t turn = 0;
    std::uint32_t chunk = 0;
    std::uint32_t owner = no_owner;
    bool full = false;

    [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
        return std::uint64_t{full} | std::uint64_t{owner} << 1 |
               std::uint64_t{chunk} << (1 + owner_bits) |
               std::uint64_t{turn} << (1 + owner_bits + chunk_bits);
    }
    static constexpr slot_word unpack(std::uint64_t raw) noexcept {
        slot_word word;
        word.full = (raw & 1) != 0;
        word.owner = static_cast<std::uint32_t>(raw >> 1) & ((1U << owner_bits) - 1);
        word.chunk = static_cast<std::uint32_t>(raw >> (1 + owner_bits)) & max_chunks;
        word.turn = static_cast<std::uint32_t>(raw >> (1 + owner_bits + chunk_bits));
        return word;
    }
};

// What a chunk in a hand is.
enum class hold : std::uint8_t {
    spare = 0,   // memory without a message
    message = 1, // taken from the mailbox and not released yet
};

// An entry of a hand: {kind:1, chunk:20}.
struct hand_word {
    std::uint32_t chunk = 0;
    hold kind = hold::spare;

    [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
        return static_cast<std::uint64_t>(kind) | std::uint64_t{chunk} << 1;
    }
    static constexpr hand_word unpack(std::uint64_t raw) noexcept {
        return {static_cast<std::uint32_t>(raw >> 1) & max_chunks,
                (raw & 1) != 0 ? hold::message : hold::spare};
    }
};

// What a participant is about to do to a slot.
enum class intent_kind : std::uint8_t {
    none = 0,
    send = 1,
    receive = 2,
    drop = 3, // receive in order to throw away
};

// {kind:2, hand:6, lane:12, chunk:20}; the position is a word of its own, written before this one.
struct intent_word {
    intent_kind kind = intent_kind::none;
    std::uint32_t hand = 0;  // which entry of the hand gives its chunk
    std::uint32_t lane = 0;  //
    std::uint32_t chunk = 0; // the chunk that it gets

    [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
        return static_cast<std::uint64_t>(kind) | std::uint64_t{hand} << 2 |
               std::uint64_t{lane} << 8 | std::uint64_t{chunk} << 20;
    }
    static constexpr intent_word unpack(std::uint64_t raw) noexcept {
        intent_word word;
        word.kind = static_cast<intent_kind>(raw & 3);
        word.hand = static_cast<std::uint32_t>(raw >> 2) & 0x3f;
        word.lane = static_cast<std::uint32_t>(raw >> 8) & 0xfff;
        word.chunk = static_cast<std::uint32_t>(raw >> 20) & max_chunks;
        return word;
    }
};

// The state of a block: {backed:1, owned:1, chunk:20}.
struct block_word {
    std::uint32_t chunk = 0; // which chunk's payload it holds, if owned
    bool owned = false;
    bool backed = false; // it has memory

    [[nodiscard]] constexpr std::uint32_t pack() const noexcept {
        return std::uint32_t{backed} | std::uint32_t{owned} << 1 | chunk << 2;
    }
    static constexpr block_word unpack(std::uint32_t raw) noexcept {
        return {(raw >> 2) & max_chunks, (raw & 2) != 0, (raw & 1) != 0};
    }
};

} // namespace hawser::sync
