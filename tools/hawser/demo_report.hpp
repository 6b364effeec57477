// The summary of a run, for people and as JSON (schema hawser.demo, version 1).
//
// Every number is from the ledger, which hawser has no part in; only what the mailbox says of
// itself is from the mailbox.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "context.hpp"
#include "demo_ledger.hpp"
#include "demo_plan.hpp"
#include "demo_run.hpp"
#include "demo_settings.hpp"
#include "demo_verify.hpp"

namespace tool::demo {

struct report {
    const settings& wanted;
    const plan& work;
    const ledger& notes;
    const outcome& run;
    verification files;
    std::string place;                    // of the results
    std::vector<std::string> left_behind; // what could not be taken away
    std::string kept;                     // the directory of the results, if it stays
    std::uint64_t total_ns = 0;           // from the first look at a file to the last

    // Not one byte differs, nobody failed, and nothing is left behind.
    [[nodiscard]] bool passed() const;
};

// "116 MB", in millions of bytes as the throughput is.
std::string megabytes(std::uint64_t bytes);

// On stdout. False if stdout can't take it.
[[nodiscard]] bool print_summary(const context& here, const report& of);
[[nodiscard]] bool print_json(const report& of);

} // namespace tool::demo
