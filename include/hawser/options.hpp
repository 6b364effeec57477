// The options of an end point. Each has one name, which is the same here, in an address
// (`shm:orders?capacity=64&full=fail`) and as a flag of the command line (`--capacity 64`).
//
// - What is not given is not asked for: opening an existing mailbox takes it as it is, creating one
//   takes the defaults below. What is given must fit: an existing mailbox of another geometry is
//   `already_exists`, with both geometries in the error. The same option given twice with different
//   values (address and struct) is `invalid_argument`.
// - Blocks: never. Allocates: a long `group` or error text. Threads, fork, signals: a plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <hawser/result.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {

// Several processes share a mailbox: who gets the message?
enum class sharing_policy : std::uint8_t {
    pair, // at most two processes
    one,  // one process at a time may receive
    any,  // the system picks one receiver
    all,  // every receiver gets every message
};

enum class order_policy : std::uint8_t {
    total,  // one queue: messages leave in the order in which their sends took effect
    sender, // a queue per sender: in order for each sender, faster with many of them
};

// What a send does when there is no room.
enum class full_policy : std::uint8_t {
    block,       // wait for room
    fail,        // would_block, also from the blocking form
    drop_oldest, // the oldest message makes room; `sent.dropped` says so
    drop_newest, // this message is dropped; `sent.stored` says so
};

enum class create_policy : std::uint8_t {
    open_or_create, // whoever comes first creates
    create,         // must not exist yet
    open,           // must exist
};

// What becomes of a message whose receiver died while it had it.
enum class delivery_policy : std::uint8_t {
    at_least_once, // it comes again, to somebody else, with redelivered() == true
    at_most_once,  // it is lost, and counted
};

// Who shares the mailbox. What a process that may write it can do to the others, and what it can't,
// is in SECURITY.md.
enum class trust_policy : std::uint8_t {
    all,  // a file; whoever may write it could also cut it short, which kills those who use it
    none, // sealed memory that its host hands out; received messages are copied before they are
          // seen. Where the kernel carries the messages it is always so, and nothing to choose.
};

inline constexpr std::uint64_t unbounded = ~std::uint64_t{0}; // for capacity

struct options {
    std::optional<std::uint64_t>
        capacity; // messages that fit; default 1,024 (order=sender: for each sender)
    std::optional<std::uint64_t> max_message; // bytes, default 16 MiB
    std::optional<std::uint64_t> max_memory;  // bytes for messages that do not fit in a chunk;
                                              // default 64 MiB, at least max_message
    std::optional<std::uint32_t>
        participants;                        // end points at the same time; default 64, up to 2,047
    std::optional<std::uint32_t> loans;      // messages one end point may have in use at a time,
                                             // received or loaned; default 8, 2 to 32
    std::optional<sharing_policy> sharing;   // default any
    std::optional<order_policy> order;       // default total
    std::optional<full_policy> full;         // default block; of the sender, not of the mailbox
    std::optional<delivery_policy> delivery; // default at_least_once
    std::optional<wait_mode> wait;           // default adaptive; of the end point
    std::optional<create_policy> create;     // default open_or_create
    std::optional<std::uint32_t> mode; // permission bits, exactly, whatever the umask; default 0600
    std::optional<std::string> group;  // group name or number that the mailbox belongs to
    std::optional<std::uint32_t> history; // messages kept for late joiners (sharing=all)
    std::optional<bool> persist; // default no: an empty mailbox goes with its last participant
    std::optional<trust_policy> trust; // default all
    std::optional<std::string> host;   // trust=none: user name or number whose mailbox to join,
                                       // beside one's own and root's

    // Sets the option called name from its text, as in an address. Errors: invalid_argument, which
    // names the accepted values (and for an unknown name the nearest known one).
    result<void> set(std::string_view name, std::string_view value);

    // These options and those, or invalid_argument where both give one option different values.
    [[nodiscard]] result<options> merged_with(const options& other) const;

    // "capacity=64&full=fail": what is set, in the order above, ready for an address.
    [[nodiscard]] std::string to_text() const;

    [[nodiscard]] bool operator==(const options&) const = default;
};

// Spellings as in an address: "any", "drop_oldest", "at_least_once", …
[[nodiscard]] std::string_view name_of(sharing_policy value) noexcept;
[[nodiscard]] std::string_view name_of(order_policy value) noexcept;
[[nodiscard]] std::string_view name_of(full_policy value) noexcept;
[[nodiscard]] std::string_view name_of(create_policy value) noexcept;
[[nodiscard]] std::string_view name_of(delivery_policy value) noexcept;
[[nodiscard]] std::string_view name_of(wait_mode value) noexcept;
[[nodiscard]] std::string_view name_of(trust_policy value) noexcept;

// "4096", "4KiB", "1.5MB", "64k" (1,000s for kB MB GB, 1,024s for KiB MiB GiB and for k M G) in
// bytes.
[[nodiscard]] result<std::uint64_t> parse_size(std::string_view text);
// "250us", "1.5s", "2min", "10ms", "1h" in nanoseconds; a bare number is an error: the unit is part
// of the value.
[[nodiscard]] result<std::chrono::nanoseconds> parse_duration(std::string_view text);

} // namespace v1
} // namespace hawser
