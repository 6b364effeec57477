// What the suite must find: each thing broken on purpose, and each order weakened that matters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "word.hpp"

namespace hawser::schedules {

// A fault, and the plays in which it shows.
struct broken_part {
    fault what;
    const char* name;
    const char* says;
    std::vector<const char*> plays;
};
const std::vector<broken_part>& broken_parts();

// One order of one site, made weaker.
struct weakening {
    site at;
    bool on_failure = false; // the order of a CAS that fails
    std::memory_order to = std::memory_order_relaxed;
    std::string name; // `swap() store intent release -> relaxed`
};
// Of all sites that the plays came by. Plays each one a few times.
std::vector<weakening> all_weakenings();
// Why this model can't miss what the weakening takes away; empty: it has to be found.
std::string why_not_needed(const std::string& name);

// For as long as it lives the templates are broken so.
class broken_meanwhile {
  public:
    explicit broken_meanwhile(fault what) { the_policy().broken = what; }
    explicit broken_meanwhile(const weakening& what) {
        the_policy().weakened = &what.at;
        the_policy().on_failure = what.on_failure;
        the_policy().to = what.to;
    }
    broken_meanwhile(const broken_meanwhile&) = delete;
    broken_meanwhile& operator=(const broken_meanwhile&) = delete;
    ~broken_meanwhile() {
        the_policy().broken = fault::none;
        the_policy().weakened = nullptr;
    }
};

} // namespace hawser::schedules
