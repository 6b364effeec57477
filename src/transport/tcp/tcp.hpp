// tcp://HOST:PORT – messages, framed, or raw bytes over TCP. README.md says what that means.
#pragma once

#include "core/transport.hpp"

namespace hawser::tcp {

extern const hawser::detail::transport transport;

} // namespace hawser::tcp
