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
    // Can this scheme do it at all?
    std::function<bool(const spelling&, const capabilities&)> applies;
    // In the child: prepares, operates under the fault, looks at what came of it.
    std::function<void(stage&)> act;
};

const std::vector<operation>& operations();

} // namespace hawser::faults
