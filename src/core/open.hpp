// What both façades do before a transport opens an end point: merge and check the options, find the
// transport, refuse what it can't do.
//
// - Blocks: never. Allocates: yes. Threads, fork, signals: pure functions over constant data.
#pragma once

#include <span>
#include <string_view>

#include "core/transport.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

// Ready to be opened: where.wanted holds the options of the address and of the call.
struct opening {
    const transport* by;
    address where;
};

// Errors: invalid_argument (address, ranges, contradiction) · unsupported (scheme, capability).
[[nodiscard]] result<opening> prepare_open(const address& where, const options& wanted);

// Refuses options that need a capability which the transport lacks, naming those of all that have
// it.
result<void> check_supported(const transport_info& by, const options& wanted,
                             std::span<const transport_info> all);

// Says which schemes there are, and which one was probably meant.
[[nodiscard]] error unknown_scheme(std::string_view scheme, std::span<const transport_info> all);

} // namespace detail
} // namespace v1
} // namespace hawser
