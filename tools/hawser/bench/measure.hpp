// What is measured on lanes, each once: the caller repeats and takes medians.
//
// - Blocks for the time that it is given. Forks (crew.hpp). Throws unsupported, hawser::exception
//   and std::runtime_error.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "crew.hpp"
#include "lane.hpp"

namespace tool::bench {

using std::chrono::milliseconds;

// Names end in their unit: ns, p99_ns, per_s, bytes_per_s, percent, bytes, share.
using figures = std::map<std::string, double>;

figures round_trip(const lane_kind& kind, const lane_plan& plan, placement where,
                   milliseconds span);

// Messages that receivers get in a window, after a start that is not counted; with several also
// the share of the slowest one.
figures one_way(const lane_kind& kind, lane_plan plan, placement where, milliseconds window);

// A message at each tick, whether or not the last one has arrived: from the moment it was meant to
// leave to the moment it is there.
figures paced(const lane_kind& kind, lane_plan plan, placement where, unsigned per_second,
              milliseconds span);

// The CPU that so many receivers take which wait for what does not come.
figures idle(const lane_kind& kind, lane_plan plan, milliseconds span);

} // namespace tool::bench
