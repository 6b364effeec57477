// The kinds of mailboxes that the storm goes through, and what each of them allows to happen to a
// message.
//
// - shm: each order × delivery × full policy × size of messages, with capacities of 1, 2, 16 and
//   1,024 and with and without persist; and the same with removal by force.
// - The kernel's facilities which several processes may share, or whose receiver has successors:
//   FIFO, pipe in packet mode, Unix sockets, POSIX and System V queues.
// - The list is the same in every process of a run: a kind is passed on by its place in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <hawser/options.hpp>

namespace hawser::storm {

enum class facility : std::uint8_t { shm, fifo, pipe, unix_socket, mq, sysv_mq };

// What may become of a message whose send returned, beside being delivered.
enum class loss : std::uint8_t {
    none,          // nothing: each one is delivered
    with_receiver, // lost with a receiver that was killed with it in its hand, at most one each
                   // that nobody had seen
    with_queue,    // lost with a receiver that was killed, as the queue was its own: a run of
                   // messages between its last and the first one of its successor
};

struct kind {
    std::string name;
    facility is = facility::shm;
    std::string scheme;  // what an address begins with
    std::string options; // and ends with
    order_policy order = order_policy::total;
    delivery_policy delivery = delivery_policy::at_least_once;
    full_policy full = full_policy::block;
    loss loses = loss::none;
    std::size_t largest = 200;   // bytes of a message
    bool many_receivers = true;  // otherwise one at a time, each a successor of the last
    bool ends = true;            // receivers are told when the last sender has gone
    bool removals = false;       // removed by force now and then
    bool persist = false;        //
    bool has_fd = true;          // fd() is there
    bool by_inheritance = false; // opened by fork only

    [[nodiscard]] bool shared_memory() const noexcept { return is == facility::shm; }
    [[nodiscard]] bool large() const noexcept { return largest > 4096; }
    [[nodiscard]] bool drops() const noexcept {
        return full == full_policy::drop_oldest || full == full_policy::drop_newest;
    }
};

const std::vector<kind>& all_kinds();

} // namespace hawser::storm
