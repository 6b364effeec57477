// Locks on single bytes of a file that belong to an open file description (OFD, fcntl(2)).
//
// - The kernel releases a lock when the last reference to the description goes: descriptors in this
//   process and in fork children, and mappings. So a lock that can be taken certifies that its
//   holder is wholly gone.
// - Two descriptions conflict also within one process; one description never conflicts with itself.
// - Never blocks, never allocates (in user space). The bytes need not exist.
#pragma once

#include <cstdint>

#include <hawser/result.hpp>

namespace hawser::os {

enum class lock_kind : std::uint8_t { shared, exclusive };

// True if the lock is now held, false if another description holds one that conflicts.
// Errors: system (ENOLCK: no memory for locks). The descriptor must be open for writing (for
// reading, if shared).
result<bool> try_lock(int fd, std::uint64_t first_byte, lock_kind kind) noexcept;
void unlock(int fd, std::uint64_t first_byte, std::uint64_t bytes = 1) noexcept;

// The first byte in the range that another description has locked, or `none_locked`. Takes nothing;
// a read-only descriptor will do.
inline constexpr std::uint64_t none_locked = ~std::uint64_t{0};
std::uint64_t first_locked(int fd, std::uint64_t first_byte, std::uint64_t bytes) noexcept;

} // namespace hawser::os
