// What an address names, finding or making that queue, and what the kernel's refusals mean.
//
// - Blocks: never. Allocates: yes. Threads, fork, signals: nothing special.
#pragma once

#include <optional>
#include <string>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

#include "os/sysv_queue.hpp"

namespace hawser::sysv_mq {

// KEY of an address: a number, PATH#ID, `private`, or id=N.
struct queue_name {
    enum class kind : std::uint8_t { key, private_one, id };
    kind what = kind::key;
    std::uint32_t number = 0; // key or id
};

// Errors: invalid_argument, with the right spelling · not_found, permission (the path of PATH#ID).
result<queue_name> parse_name(const std::string& rest);

// As wanted.create says; a new queue has exactly the mode, group and max_memory that are wanted. An
// existing one is taken as it is, and is already_exists if another max_memory is wanted.
// rights: sysv_queue_end::may_send or may_receive.
// Errors: not_found · already_exists · permission · invalid_argument · no_space (with the limit,
// its value, and what raises it) · unsupported · system.
result<os::sysv_queue_end> obtain(const queue_name& name, std::uint32_t rights,
                                  const options& wanted);

// The queue if it exists, whatever may be done with it. Errors: not_found · unsupported.
result<os::sysv_queue_end> find(const queue_name& name, const char* operation);

// mode, group and max_memory out of the options, as the queue takes them. Errors: invalid_argument
// (no such group).
result<os::sysv_queue_change> changes_in(const options& wanted, const char* operation);

// Why a change was refused with this errno.
error change_refused(const char* operation, int sys, const os::sysv_queue_change& wanted);

// "kernel.msgmax is 8192"
std::string shown_limit(const char* name, std::uint64_t os::sysv_queue_limits::*value);

} // namespace hawser::sysv_mq
