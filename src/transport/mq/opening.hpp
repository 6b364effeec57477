// Finding or making the queue that an address names, and what the kernel's refusals mean.
//
// - Blocks: never. Allocates: yes. Threads, fork, signals: nothing special.
#pragma once

#include <string>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

#include "os/posix_queue.hpp"

namespace hawser::mq {

// Errors: invalid_argument, with the right spelling.
result<void> check_name(const std::string& name);

// As wanted.create says; a new queue has exactly the mode and group that are wanted. An existing
// one is taken as it is, and is already_exists if another geometry is wanted.
// Errors: not_found · already_exists · permission · invalid_argument · no_space (with the limit,
// its value, and what raises it) · unsupported · system.
result<os::posix_queue_end> obtain(const std::string& name, os::queue_access access,
                                   const options& wanted);

// The gid for options.group, no_group where it is not set. Errors: invalid_argument.
result<std::uint32_t> wanted_group(const options& wanted);

} // namespace hawser::mq
