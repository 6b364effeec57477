// The shared-memory transport: scheme `shm`.
#pragma once

#include "core/transport.hpp"

namespace hawser::shm {

extern const hawser::detail::transport transport;

result<mailbox_info> inspect(const address& where);
result<void> remove(const address& where, removal how);

} // namespace hawser::shm
