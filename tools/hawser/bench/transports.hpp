// hawser bench --transports: all schemes of this build beside each other, between the same two
// processes, in one run.
#pragma once

#include <cstdint>

#include "context.hpp"

namespace tool {

// Throws hawser::exception and std::runtime_error, as the other measurements do.
exit_code bench_transports(const context& here, std::uint64_t runs);

} // namespace tool
