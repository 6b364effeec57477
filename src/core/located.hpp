// Errors of end points know what failed; the façades add where.
//
// - Blocks, allocates: never. Threads, fork, signals: pure functions.
#pragma once

#include <hawser/address.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// The error with the address' name (cut like any address of an error), unless it has one already.
[[nodiscard]] error located(const error& why, const address& where) noexcept;

// invalid_argument: the end point was closed, or moved from.
[[nodiscard]] error used_after_close(const char* operation) noexcept;

// The same for a result of an open end. would_block is left as it is: it is the everyday answer of
// a polling loop, and its caller knows the address.
template <typename T, typename End>
void locate(result<T>& outcome, const End& end) noexcept {
    if (end != nullptr && !outcome.is(errc::would_block))
        outcome = located(outcome.why(), end->where);
}

// Where an end point is that has none.
[[nodiscard]] const address& nowhere() noexcept;

} // namespace detail
} // namespace v1
} // namespace hawser
