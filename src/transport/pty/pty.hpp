// pty: – pseudo-terminals, as streams of bytes. README.md has the semantics.
#pragma once

#include "core/transport.hpp"

namespace hawser::pty {

extern const hawser::detail::transport transport;

} // namespace hawser::pty
