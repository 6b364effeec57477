// Where a measurement was made: what a reader needs to judge the figures.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tool::bench {

// Name and value, in the order in which they are shown. What can't be found out says so.
std::vector<std::pair<std::string, std::string>> environment();

} // namespace tool::bench
