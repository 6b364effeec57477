// What a transport can do, as data: the conformance suite picks its cases by it, the tables in the
// documents are made from it, and `hawser transports` prints it.
//
// - Blocks, allocates: never. Threads, fork, signals: constant data.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <hawser/options.hpp>

namespace hawser {
inline namespace v1 {

enum class boundary_kind : std::uint8_t { message, stream };
enum class ordering_kind : std::uint8_t { total, per_sender, none };
enum class lifetime_kind : std::uint8_t { process, kernel, file, server };
enum class relation_kind : std::uint8_t { none, parent_child };
enum class survival_kind : std::uint8_t { neither, sender, receiver, both };

struct capabilities {
    boundary_kind boundaries;
    ordering_kind ordering;
    lifetime_kind lives;             // what keeps it and what is in it
    relation_kind needs_relation;    // must the processes be related?
    survival_kind survives_kill_of;  // whose kill -9 leaves the others working with nothing lost
    std::uint64_t max_message;       // bytes, the most that can be asked for
    bool max_message_varies = false; // it is what a setting of this system allows (sysctl)
    bool both_ways = false;
    bool many_senders = false;   // at the same time
    bool many_receivers = false; // at the same time; each message goes to one of them
    bool reliable = false; // what was sent arrives as long as both ends live; false for datagrams
                           // of a network
    bool end_of_stream = false; // a receiver is told that the last sender has gone
    bool numbered = false;      // sender and receiver are told the same sequence
    bool observers = false;     // participants and counters can be seen from outside
    bool drops_oldest = false;  // full=drop_oldest
    bool selection = false;     // receive by type
    bool byte_stream = false;   // its raw bytes can be reached (byte_stream.hpp)
    bool permissions = false;   // it has an owner, a group and a mode (mode=, group=)
    bool capacity_zero = false;
    bool capacity_bounded = false; // capacity=N messages can be asked for
    bool capacity_unbounded = false;
    bool priorities = false;
    bool notification = false;
    bool receipts = false;
    bool zero_copy = false;
    bool fd_pollable = false;
    bool passes_fds = false;
    bool peer_credentials = false;
    bool crosses_machines = false;
    bool sharing_pair = false;
    bool sharing_one = false;
    bool sharing_any = false;
    bool sharing_all = false;
};

struct transport_info {
    std::string_view scheme;   // "shm"
    std::string_view syntax;   // "shm:NAME"
    std::string_view facility; // one line: what it is made of
    capabilities can;
};

// All transports of this build, in the order of the documents.
[[nodiscard]] std::span<const transport_info> transports() noexcept;

[[nodiscard]] std::string_view name_of(boundary_kind value) noexcept;
[[nodiscard]] std::string_view name_of(ordering_kind value) noexcept;
[[nodiscard]] std::string_view name_of(lifetime_kind value) noexcept;
[[nodiscard]] std::string_view name_of(relation_kind value) noexcept;
[[nodiscard]] std::string_view name_of(survival_kind value) noexcept;

} // namespace v1
} // namespace hawser
