// The three parts of the suite. Each prints its figures and returns how many checks it passed and
// failed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace hawser::storm {

struct settings {
    std::int64_t storm_ns = 60'000'000'000;
    std::int64_t frozen_ns = 10'000'000'000;
    std::uint64_t seed = 0;
    std::string kind; // only kinds whose name contains it
    bool sample = false;
};

struct outcome {
    std::size_t passed = 0;
    std::size_t failed = 0;
};

outcome storm(const settings& chosen);
outcome frozen_peer(const settings& chosen);
outcome recovery_time(const settings& chosen);

// `figure: NAME = VALUE (target: TARGET)`, from which docs/proof-report.md is made.
void print_figure(const std::string& name, const std::string& value,
                  const std::string& target = {});
// "37 us", "1.25 ms".
std::string in_words(std::int64_t ns);
std::string with_commas(std::uint64_t number);

} // namespace hawser::storm
