// The bytes of a segment: header, participant record, lane head, chunk header.
// docs/formats/segment.md is the same in words.
//
// Only fixed-width fields and offsets; no pointer, no object of a library. A page without memory
// reads as zeroes, so zero is the state before the first use everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "segment/accessor.hpp"
#include "sync/exchange_ring.hpp"

namespace hawser::segment {

inline constexpr std::size_t line_bytes = 64;

inline constexpr std::uint64_t magic = 0x0a0d'5245'5357'4148ULL; // "HAWSER\r\n"
inline constexpr std::uint32_t layout_version = 1;

// Where the lock bytes are: far behind the end of any segment. Slot i's is lock_base + i; the
// door's is before them.
inline constexpr std::uint64_t lock_base = std::uint64_t{1} << 48;
inline constexpr std::uint64_t door_byte = lock_base - 1;

enum class life : std::uint32_t { open = 1, removed = 2 };

struct header {
    // What never changes after creation. Read and written through the file, never the mapping.
    std::uint64_t magic;
    std::uint32_t layout_version;
    std::uint32_t header_bytes;
    std::uint64_t features; // bits that an older reader must not ignore; none so far
    std::uint64_t total_bytes;
    std::uint64_t max_message;
    std::uint64_t max_memory;
    std::uint32_t capacity;
    std::uint32_t participants;
    std::uint32_t loans;
    std::uint8_t sharing;
    std::uint8_t order;
    std::uint8_t delivery;
    std::uint8_t persist;
    std::int64_t created_ns; // CLOCK_REALTIME
    std::uint64_t checksum;  // FNV-1a of all the bytes above
    std::uint64_t bell;      // the byte that ringing the bell writes
    std::uint8_t padding0[168];

    // What changes now and then, each on its own line.
    atomic<std::uint32_t> life; // 256
    std::uint8_t padding1[60];
    atomic<std::uint32_t> slots_used; // participant slots below have memory
    std::uint8_t padding2[60];
    atomic<std::uint32_t> classes_used; // bit k: the words of block class k have memory
    std::uint8_t padding3[60];
    atomic<std::uint32_t> membership; // raised when anyone joins, leaves or is reaped
    atomic<std::uint32_t> orphans;    // raised when messages of a dead receiver are to be adopted
    atomic<std::uint64_t> sender_joins;
    std::uint8_t padding4[48];
    atomic<std::int64_t> census_ns; // CLOCK_MONOTONIC of the last census
    std::uint8_t padding5[56];
    atomic<std::uint32_t> messages; // event word: a message was sent
    std::uint8_t padding6[60];
    atomic<std::uint32_t> memory; // event word: a block was freed
    std::uint8_t padding7[60];
    std::uint8_t padding8[4096 - 704];
};
static_assert(sizeof(header) == 4096 && std::is_standard_layout_v<header>);
static_assert(offsetof(header, life) == 256 && offsetof(header, memory) == 640);

enum class slot_state : std::uint32_t {
    unused = 0,   // never had an owner; no chunks in the hand yet
    free = 1,     //
    sender = 2,   // has, or had, an owner
    receiver = 3, //
    orphaned = 4, // repaired; messages in the hand wait for a receiver to adopt them
};

inline constexpr std::uint32_t max_loans = 32;

enum class counter : std::uint32_t {
    sent,
    sent_bytes,
    received,
    received_bytes,
    redelivered,
    dropped,
    lost,
    sleeps,
    wakes,
    reaped,
    count,
};
inline constexpr auto counters = static_cast<std::size_t>(counter::count);

// One participant. Written by whoever holds the slot's lock byte; read by observers.
struct participant_record {
    atomic<std::uint32_t> state; // slot_state
    atomic<std::uint32_t> pid;
    atomic<std::uint32_t> uid;
    atomic<std::uint32_t> waiting; // 1 while it sleeps in a call
    atomic<std::uint64_t> pid_namespace;
    atomic<std::uint64_t> command[2]; // 16 characters
    atomic<std::uint32_t> lane_ready; // order=sender: this slot's lane has memory
    std::uint32_t padding0;
    std::uint64_t padding1[2];

    atomic<std::uint64_t> intent;
    atomic<std::uint64_t> intent_position;
    std::uint64_t padding2[6];

    atomic<std::uint64_t> hand[max_loans];

    atomic<std::uint64_t> counters[segment::counters];
    std::uint64_t padding3[6];
};
static_assert(sizeof(participant_record) == 512 && offsetof(participant_record, hand) == 128);

struct lane_head {
    atomic<std::uint64_t> tail_hint;
    std::uint64_t padding0[7];
    atomic<std::uint64_t> head_hint;
    std::uint64_t padding1[7];
    atomic<std::uint32_t> space; // event word: a slot was freed
    std::uint32_t padding2[15];
};
static_assert(sizeof(lane_head) == 192);

using ring_slot = sync::ring_slot<atomic>;
static_assert(sizeof(ring_slot) == line_bytes);

// Before the payload of each chunk. Written by its holder, read by the next one.
struct chunk_header {
    atomic<std::uint64_t> length;
    atomic<std::uint64_t> sequence; // the position that the sender commits it at
    atomic<std::uint32_t> block;    // 0: the payload follows; otherwise class << 24 | block + 1
    std::uint32_t padding[3];
};
static_assert(sizeof(chunk_header) == 32);

} // namespace hawser::segment
