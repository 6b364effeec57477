// What the facility behind an end point is set to, as far as it has such a setting, and how full it
// is.
//
// - A snapshot; a plain value. Blocks, allocates: never. Threads, fork, signals: nothing special.
#pragma once

#include <cstdint>
#include <optional>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {

struct attributes {
    std::optional<std::uint64_t> capacity;       // messages that fit
    std::optional<std::uint64_t> capacity_bytes; // bytes that fit
    std::optional<std::uint64_t> max_message;    // bytes
    std::optional<std::uint64_t> depth;          // messages waiting
    std::optional<std::uint64_t> depth_bytes;    // bytes waiting
    std::optional<std::uint32_t> mode;           // permission bits
    std::optional<std::uint32_t> uid;
    std::optional<std::uint32_t> gid;
};

} // namespace v1
} // namespace hawser
