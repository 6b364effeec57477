// Everything of the contract that reads text: addresses, options, sizes, durations. Whatever the
// bytes are, each reader answers with a value or invalid_argument, and what it accepts it can write
// and read back.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/options.hpp>

#include "core/address_check.hpp"
#include "core/options_check.hpp"
#include "core/text.hpp"

namespace {

// An assert that is never compiled out.
void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// A refusal is of the caller's doing, says why, and can be shown on a terminal.
void require_refusal(const hawser::error& why) {
    require(why.code() == hawser::errc::invalid_argument, "refused as invalid_argument");
    require(!why.detail().empty(), "a refusal has a reason");
    for (const char letter : why.describe())
        require(static_cast<unsigned char>(letter) >= 0x20 && letter != 0x7F,
                "a refusal has no control characters");
}

void try_address(std::string_view text) {
    const auto parsed = hawser::address::parse(text);
    if (!parsed) return require_refusal(parsed.why());
    require(text.size() <= 4096, "an address has at most 4096 bytes");
    require(hawser::detail::check_address(*parsed).has_value(), "it is within its limits");
    require(hawser::detail::check_ranges(parsed->wanted).has_value(), "options are in range");
    const std::string written = parsed->to_text();
    const auto again = hawser::address::parse(written);
    require(again.has_value(), "what to_text() writes can be read");
    require(*again == *parsed, "parse(to_text()) is equal");
    require(again->to_text() == written, "the canonical text is stable");
    require(written.starts_with(parsed->name()), "the text begins with the name");
}

void try_option(std::string_view name, std::string_view value) {
    hawser::options some;
    if (const auto set = some.set(name, value); !set) {
        require(some == hawser::options{}, "a refused option leaves no trace");
        return require_refusal(set.why());
    }
    require(hawser::detail::check_ranges(some).has_value(), "an accepted option is in range");
    const auto again = hawser::address::parse("shm:a?" + some.to_text());
    require(again.has_value() && again->wanted == some, "an option reads back");
}

void try_units(std::string_view text) {
    if (const auto size = hawser::parse_size(text); !size)
        require_refusal(size.why());
    else
        require(hawser::parse_size(hawser::detail::size_text(*size)).value() == *size,
                "a size reads back");
    if (const auto duration = hawser::parse_duration(text); !duration)
        require_refusal(duration.why());
    else
        require(duration->count() >= 0, "a duration is not negative");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    try_address(text);
    try_units(text);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
        try_option(text.substr(0, equals), text.substr(equals + 1));
    return 0;
}
