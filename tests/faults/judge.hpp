// Whether an error is an honest answer to what the system said.
#pragma once

#include <string>

#include "stage.hpp"

namespace hawser::faults {

// What is wrong with the outcome of a call in which a system call said `injected`; or nothing.
std::string judge(const report& said, int injected);

} // namespace hawser::faults
