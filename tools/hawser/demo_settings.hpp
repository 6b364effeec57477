// What the user asked of `hawser demo`, and the wish to stop.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <hawser/options.hpp>

namespace tool::demo {

// Faults on demand, for the tests: a demo that can't fail proves nothing. One consumer, at the
// message in the middle, …
enum class sabotage : std::uint32_t {
    none,
    flip, // writes one bit the other way round
    lose, // notes it as written and does not write it
    hang, // stops
    quit, // ends with an error
};

struct settings {
    std::vector<std::string> paths; // empty: default_paths()
    std::uint32_t producers = 3;
    std::uint32_t consumers = 3;
    bool kill = true;
    std::uint64_t seed = 0;
    std::uint64_t message_bytes = std::uint64_t{64} * 1024; // with the header
    hawser::options mailbox;                                // capacity, order and wait are set
    std::optional<std::uint64_t> limit_bytes;
    std::string output; // empty: a temporary directory
    bool keep = false;
    bool verbose = false;
    sabotage fault = sabotage::none;
    std::chrono::nanoseconds patience = std::chrono::seconds(10);
};

// SIGINT, SIGTERM and SIGHUP ask for an orderly end, however often they come: what a run has made
// is always taken away again.
void catch_stops() noexcept;
// The signal that asked, or 0.
int stop_asked() noexcept;

} // namespace tool::demo
