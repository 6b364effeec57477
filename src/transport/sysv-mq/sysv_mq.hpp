// `sysv-mq:KEY`: System V message queues behind the contract.
#pragma once

#include "core/transport.hpp"

namespace hawser::sysv_mq {

extern const hawser::detail::transport transport;

// transport.open_sender, transport.open_receiver, transport.inspect and transport.remove
result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted);
result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted);
result<mailbox_info> inspect(const address& where);
result<void> remove(const address& where, removal how);

} // namespace hawser::sysv_mq
