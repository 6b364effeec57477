// Two processes that work together on a measurement: this one and a child, pinned to two CPUs.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace tool {

// The CPUs this process may use; the first two are taken, or one twice.
std::vector<int> usable_cpus();

// Runs `there` in a child on the second CPU and `here` in this process on the first. The child's
// failure is an exception (std::runtime_error) here.
void run_pair(const std::function<void()>& there, const std::function<void()>& here);

// The time that `operate(count)` takes for each of `count`, in ns: the median over batches.
double median_ns(std::uint64_t batches, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& operate);

double median_of(std::vector<double> values);

// The floor of the machine: a round trip of two cache lines, each written by one side and read by
// the other.
double ping_pong_ns(std::uint64_t batches);

} // namespace tool
