// fifo:PATH, messages in a named pipe. README.md has the semantics.
#pragma once

#include "core/transport.hpp"

namespace hawser::fifo {

extern const hawser::detail::transport transport;

} // namespace hawser::fifo
