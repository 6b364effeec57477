// The shared-memory transport: scheme `shm`.
#pragma once

#include "core/transport.hpp"

namespace hawser::shm {

extern const hawser::detail::transport transport;

} // namespace hawser::shm
