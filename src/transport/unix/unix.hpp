// The transports over Unix sockets: schemes `unix`, `unix-seqpacket` and `unix-dgram`. README.md
// says what they do. (The namespace is not called unix, which is a macro of some compilers.)
#pragma once

#include "core/transport.hpp"

namespace hawser::local {

extern const hawser::detail::transport stream_transport;
extern const hawser::detail::transport seqpacket_transport;
extern const hawser::detail::transport dgram_transport;

} // namespace hawser::local
