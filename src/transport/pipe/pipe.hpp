// pipe:R,W – the ends of a pipe that this process inherited. README.md has the semantics.
#pragma once

#include "core/transport.hpp"

namespace hawser::pipes {

extern const hawser::detail::transport transport;

} // namespace hawser::pipes
