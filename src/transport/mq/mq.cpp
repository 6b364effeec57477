#include "transport/mq/mq.hpp"

namespace hawser::mq {

namespace {

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::kernel,
    .needs_relation = relation_kind::none,
    // A message that a killed receiver had taken is gone.
    .survives_kill_of = survival_kind::sender,
    .max_message = std::uint64_t{16} << 20U, // HARD_MSGSIZEMAX of the kernel
    .both_ways = false,
    .many_senders = true,
    .many_receivers = true,
    .reliable = true,
    .end_of_stream = false, // a queue does not know who has it open
    .numbered = false,
    .observers = false,
    .drops_oldest = false,
    .selection = false,
    .byte_stream = false,
    .permissions = true,
    .capacity_zero = false,
    .capacity_bounded = true,
    .capacity_unbounded = false,
    .priorities = true,
    .notification = true,
    .receipts = false,
    .zero_copy = false,
    .fd_pollable = true,
    .passes_fds = false,
    .peer_credentials = false,
    .crosses_machines = false,
    .sharing_pair = false,
    .sharing_one = false,
    .sharing_any = true,
    .sharing_all = false,
};

} // namespace

const hawser::detail::transport transport{{"mq", "mq:/NAME", "POSIX message queue", abilities},
                                          open_sender,
                                          open_receiver,
                                          nullptr,
                                          nullptr,
                                          inspect,
                                          remove};

} // namespace hawser::mq
