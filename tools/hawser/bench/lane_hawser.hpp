// hawser's own lanes: mailboxes with different options, through the public headers.
#pragma once

#include <vector>

#include "lane.hpp"

namespace tool::bench {

std::vector<lane_kind> hawser_lanes();

// Makes lanes of mailboxes with these options.
std::function<std::unique_ptr<flow>(const lane_plan&)> hawser_maker(const std::string& options);

// An address of this measurement's own.
std::string mailbox_address(const std::string& stem, const std::string& options);

} // namespace tool::bench
