// udp://HOST:PORT – each message is one datagram. README.md says what that means.
#pragma once

#include "core/transport.hpp"

namespace hawser::udp {

extern const hawser::detail::transport transport;

} // namespace hawser::udp
