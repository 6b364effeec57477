// An address names one end point facility: `scheme:rest?option=value&option=value`.
//
// - `shm` is the default scheme: `orders` is `shm:orders`. A rest that begins with `//` keeps it
//   (`tcp://host:port`). Options are percent-decoded; `?` and `&` in a rest are written %3F and
//   %26.
// - Blocks: never. Allocates: its strings. Threads, fork, signals: a plain value.
// - Errors of parse: invalid_argument, with the position and what is expected there.
#pragma once

#include <string>
#include <string_view>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

namespace hawser {
inline namespace v1 {

struct address {
    std::string scheme; // lower case letters, digits, '-'
    std::string rest;   // decoded; what it means is up to the transport
    options wanted;     // the options of the address

    // An address is at most 4,096 bytes long, as given and in its canonical form, and holds no NUL.
    [[nodiscard]] static result<address> parse(std::string_view text);

    // The canonical text; parse(to_text()) gives an equal address.
    [[nodiscard]] std::string to_text() const;
    // scheme and rest without the options: what errors and listings show.
    [[nodiscard]] std::string name() const;

    [[nodiscard]] bool operator==(const address&) const = default;
};

} // namespace v1
} // namespace hawser
