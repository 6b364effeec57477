// Which cases there are, and how they are run: all of them in turn, several times over, with the
// machine's floor measured before and after each.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "measure.hpp"

namespace tool::bench {

struct bench_case {
    std::string group;   // "round trip", "one way", …
    std::string lane;    // who carries the messages
    std::string variant; // the rest of its name: wait, size, payload, placement, shape
    std::string primary; // the figure that is told first, "ns"
    std::map<std::string, std::string> facts; // the same as data
    std::function<figures()> measure;

    [[nodiscard]] std::string name() const { return group + " / " + variant + " / " + lane; }
};

struct suite_plan {
    bool all = false;               // every group; else round trips and rates of hawser's lanes
    bool quick = false;             // shorter measurements, fewer sizes
    std::size_t size = 64;          // of a message, where not all
    std::vector<std::string> words; // only cases whose name has all of them
};
std::vector<bench_case> cases_of(const suite_plan& plan);

struct outcome {
    std::vector<figures> runs;
    std::vector<double> floors_ns; // beside each run, the mean of before and after
    unsigned repeated = 0;         // measured again as the floor moved
    unsigned unsteady = 0;         // runs that are kept although it moved
    unsigned failed = 0;
    double seconds = 0; // that all this took
    bool is_unsupported = false;
    std::string why; // the first failure

    // Medians over the runs, but the largest of what is called max_….
    [[nodiscard]] figures medians() const;
    // Of the primary figure to the floor, the median over the runs; 0 if it is no time.
    [[nodiscard]] double ratio(const std::string& primary) const;
};

struct suite_result {
    std::vector<bench_case> cases;
    std::vector<outcome> outcomes; // one for each case
    std::vector<double> floors_ns;
    double seconds = 0;
};

// A floor that differs by more than this before and after a case has moved.
constexpr double floor_tolerance = 0.25;
// A case is measured again so often at most.
constexpr unsigned most_repeats = 2;

using progress = std::function<void(unsigned run, std::size_t index, const std::string& name)>;
suite_result run_suite(std::vector<bench_case> cases, unsigned runs, const progress& tell);

} // namespace tool::bench
