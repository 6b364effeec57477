#include "transport/sysv-mq/sysv_mq.hpp"

namespace hawser::sysv_mq {

namespace {

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::kernel,
    .needs_relation = relation_kind::none,
    // A message that a killed receiver had taken is gone.
    .survives_kill_of = survival_kind::sender,
    .max_message = 0x7FFFFFFF, // the most that kernel.msgmax can be
    .many_senders = true,
    .many_receivers = true,
    .reliable = true,
    .end_of_stream = false, // a queue does not know who uses it
    .selection = true,
    .permissions = true,
    .capacity_bounded = false, // in bytes, not in messages of one's choice
    .priorities = true,
    .sharing_any = true,
};

} // namespace

const hawser::detail::transport transport{
    {"sysv-mq", "sysv-mq:KEY", "System V message queue", abilities},
    open_sender,
    open_receiver,
    nullptr,
    nullptr,
    inspect,
    remove};

} // namespace hawser::sysv_mq
