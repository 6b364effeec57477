// Flags that take sizes, durations, and the options of an end point.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <hawser/options.hpp>

#include "context.hpp"

namespace tool {

using maybe_duration = std::optional<std::chrono::nanoseconds>;
using maybe_size = std::optional<std::uint64_t>;
using maybe_count = std::optional<std::uint64_t>;

// The value carries its unit: "250us", "10s". into must live as long as the verb.
CLI::Option* add_duration(CLI::App* verb, const std::string& flag, maybe_duration& into,
                          const std::string& help);
CLI::Option* add_size(CLI::App* verb, const std::string& flag, maybe_size& into,
                      const std::string& help);
// A whole number. (CLI11 would take -1 for the largest there is.)
CLI::Option* add_count(CLI::App* verb, const std::string& flag, maybe_count& into,
                       const std::string& help);

// All options of an end point, each a flag of the same name.
void add_options(CLI::App* verb, hawser::options& into);

} // namespace tool
