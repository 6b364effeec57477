// The numbers that a mailbox is built from, and where everything lies because of them.
//
// The geometry is fixed when a mailbox is created and stored in its header. Whoever attaches reads
// it once, checks it, computes the layout from it and never believes the shared copy again.
// docs/formats/segment.md describes each byte.
//
// - Blocks: never. Allocates: error texts. Threads, fork, signals: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

namespace hawser::segment {

struct geometry {
    std::uint64_t max_message = 0;
    std::uint64_t max_memory = 0;
    std::uint32_t capacity = 0;
    std::uint32_t participants = 0;
    std::uint32_t loans = 0;
    sharing_policy sharing = sharing_policy::any;
    order_policy order = order_policy::total;
    delivery_policy delivery = delivery_policy::at_least_once;
    bool persist = false;

    friend bool operator==(const geometry&, const geometry&) = default;

    // What is wanted, with the defaults for the rest. Errors: invalid_argument (numbers that do not
    // go together), unsupported.
    static result<geometry> from(const options& wanted);
    // Numbers read from a file that somebody else wrote. Errors: corrupt.
    [[nodiscard]] result<void> check() const;
    // already_exists, with both geometries, unless everything that is wanted is as it is here.
    [[nodiscard]] result<void> satisfies(const options& wanted, const std::string& name) const;

    [[nodiscard]] options to_options() const;
    [[nodiscard]] std::string to_text() const; // "capacity=1024 max_message=16777216 …"
};

// One class of blocks: all of one size.
struct block_class {
    std::uint64_t block_bytes = 0;
    std::uint64_t words_at = 0;
    std::uint64_t data_at = 0;
    std::uint32_t count = 0;
};

// Offsets in the file. Everything that different processes write at the same time is on cache lines
// of its own.
struct layout {
    static constexpr std::size_t max_classes = 32; // header::classes_used has so many bits

    std::uint64_t records_at = 0;
    std::uint64_t lanes_at = 0;
    std::uint64_t lane_bytes = 0;
    std::uint64_t slots_in_lane = 0; // offsets within a lane
    std::uint64_t committed_in_lane = 0;
    std::uint64_t taken_in_lane = 0;
    std::uint64_t chunks_at = 0;
    std::uint64_t chunk_bytes = 0;  // header and payload
    std::uint64_t inline_bytes = 0; // payload only
    std::uint64_t total_bytes = 0;
    std::uint32_t lanes = 0;
    std::uint32_t chunks = 0;
    std::uint32_t evidence_stride = 0; // in words
    std::uint32_t class_count = 0;
    std::array<block_class, max_classes> classes{};

    // Errors: invalid_argument if the numbers are too large together (and says which to lower).
    static result<layout> of(const geometry& shape);

    [[nodiscard]] std::uint64_t lane_at(std::uint32_t lane) const noexcept {
        return lanes_at + lane * lane_bytes;
    }
    [[nodiscard]] std::uint64_t chunk_at(std::uint32_t chunk) const noexcept {
        return chunks_at + chunk * chunk_bytes;
    }
    // The chunks that a lane, or a hand, starts with.
    [[nodiscard]] std::uint32_t first_chunk_of_lane(std::uint32_t lane,
                                                    const geometry& shape) const noexcept {
        return lane * shape.capacity;
    }
    [[nodiscard]] std::uint32_t first_chunk_of_hand(std::uint32_t slot,
                                                    const geometry& shape) const noexcept {
        return lanes * shape.capacity + slot * shape.loans;
    }
    // The smallest class whose blocks hold so many bytes; class_count if none does.
    [[nodiscard]] std::uint32_t class_for(std::uint64_t bytes) const noexcept;
};

} // namespace hawser::segment
