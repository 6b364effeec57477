// The one way to shared memory: every word of a segment is a segment::atomic, and every byte of a
// payload that hawser itself copies goes through copy_in().
//
// One load for each look: what is loaded is a private value from then on, to be checked before it
// is an index or a length. Nothing else may touch a segment. tests/hostile/havoc puts a header of
// this name in front of it, in which loads are answered by a fuzzer and the memory can't be
// touched; docs/design/hostile-peer.md says what that shows.
//
// - Blocks, allocates, system calls: never.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace hawser::segment {

template <typename T>
using atomic = std::atomic<T>;

static_assert(atomic<std::uint64_t>::is_always_lock_free && sizeof(atomic<std::uint64_t>) == 8);
static_assert(atomic<std::uint32_t>::is_always_lock_free && sizeof(atomic<std::uint32_t>) == 4);

// Into a payload, which is at least as long. Others may write there at the same time.
inline void copy_in(std::span<std::byte> payload, std::span<const std::byte> from) noexcept {
    if (!from.empty()) std::memcpy(payload.data(), from.data(), from.size());
}
// Out of a payload into private memory that is at least as long.
inline void copy_out(std::span<std::byte> to, std::span<const std::byte> payload) noexcept {
    if (!payload.empty()) std::memcpy(to.data(), payload.data(), payload.size());
}

} // namespace hawser::segment
