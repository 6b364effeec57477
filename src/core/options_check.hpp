// Whether options make sense by themselves, whoever set them: text is checked when it is read, a
// struct when an end point is opened. Both use the same table of fields (options.cpp).
//
// - What options mean together, or for an existing mailbox, is up to the transport.
// - Blocks: never. Allocates: error text. Threads, fork, signals: pure functions.
#pragma once

#include <string>
#include <string_view>

#include <hawser/options.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// Every option that is set is within its range. Errors: invalid_argument, with the option, its
// value and what is accepted.
result<void> check_ranges(const options& wanted);

// "capacity=64": one option as to_text() writes it, or nothing where it is not set.
[[nodiscard]] std::string option_text(const options& wanted, std::string_view name);

} // namespace detail
} // namespace v1
} // namespace hawser
