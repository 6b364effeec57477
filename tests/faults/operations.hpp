// The operations whose system calls are made to fail. To add one: an entry in operations.cpp.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "stage.hpp"

namespace hawser::faults {

struct operation {
    std::string name;
    bool opens_or_closes = false; // all of its calls are in the sample
    // Can this scheme do it at all? Operations on messages are asked only of those that have some.
    std::function<bool(const spelling&, const capabilities&)> applies;
    // In the child: prepares, operates under the fault, looks at what came of it.
    std::function<void(stage&)> act;
    bool on_bytes = false;
};

const std::vector<operation>& operations();

} // namespace hawser::faults
