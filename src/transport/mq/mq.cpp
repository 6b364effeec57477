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
    .many_senders = true,
    .many_receivers = true,
    .reliable = true,
    .end_of_stream = false, // a queue does not know who has it open
    .permissions = true,
    .capacity_bounded = true,
    .priorities = true,
    .notification = true,
    .fd_pollable = true,
    .sharing_any = true,
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
