// Memory without a name whose size nobody can change any more: a memfd with seals.
//
// - What may be done with it follows from its mode, as with any file, also for whoever got a
//   descriptor: each opens a description of its own, and the kernel checks.
// - What the seals can't stop: writing, and punching holes (the pages then read as zeroes).
// - Blocks: never, whatever the descriptor is that somebody else gave. Allocates: error texts.
//   Threads: any. Fork, signals: nothing special.
#pragma once

#include <hawser/result.hpp>

#include "os/fd.hpp"
#include "os/mapping.hpp"

namespace hawser::os {

// Memory of no bytes yet, which grows with set_size() (file.hpp) until it is sealed. Errors: system
// (EMFILE, or ENOSYS: the kernel has none).
result<unique_fd> make_memory(const char* label) noexcept;

// From now on neither the size nor this rule can be changed, by anybody.
result<void> seal_size(int fd) noexcept;

// A descriptor to hand out, which is no more than a name: nothing can be read, written or locked
// through it, but whom the mode admits can open the memory by it.
result<unique_fd> name_only(int fd) noexcept;

// Opens what came from another process, if it is sealed memory: a regular file in memory that has
// pages of the usual size, whose size is sealed and whose content is not.
// Errors: corrupt (it is something else, and what) · permission (its mode) · system.
result<unique_fd> open_sealed(int fd, access_kind access) noexcept;

} // namespace hawser::os
