// The limits of an address that was put together by hand instead of being parsed.
//
// - Blocks: never. Allocates: error text. Threads, fork, signals: a pure function.
#pragma once

#include <hawser/address.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// Scheme grammar, no NUL (it would cut a path short), length. Errors: invalid_argument.
result<void> check_address(const address& where);

} // namespace detail
} // namespace v1
} // namespace hawser
