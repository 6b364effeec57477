#include "suite.hpp"

#include <algorithm>
#include <set>

namespace tool::bench {
namespace {

constexpr milliseconds floor_span{5};

// One measurement, again if the floor did not hold still. What is kept is the last.
class runner {
  public:
    explicit runner(std::size_t measurements)
        : repeats_left_(std::max<std::size_t>(measurements / 5, 10)), floor_(floor_ns(floor_span)) {
    }

    void measure(const bench_case& one, outcome& into, std::vector<double>& floors) {
        if (into.is_unsupported || into.failed >= 2) return;
        try {
            for (unsigned attempt = 0;; ++attempt) {
                const double before = floor_;
                figures found = one.measure();
                floor_ = floor_ns(floor_span);
                floors.push_back(floor_);
                const bool strange =
                    one.primary.ends_with("ns") && moved(before, floor_, floor_tolerance);
                if (strange && attempt < most_repeats && repeats_left_ > 0) {
                    --repeats_left_;
                    ++into.repeated;
                    continue;
                }
                into.unsteady += strange ? 1 : 0;
                into.runs.push_back(std::move(found));
                into.floors_ns.push_back((before + floor_) / 2);
                return;
            }
        } catch (const interrupted&) {
            throw;
        } catch (const unsupported& why) {
            note(into, why.what());
            into.is_unsupported = true;
        } catch (const std::exception& why) {
            note(into, why.what());
        }
    }

  private:
    static void note(outcome& into, const char* why) {
        ++into.failed;
        if (into.why.empty()) into.why = why;
    }

    std::size_t repeats_left_; // on a busy machine everything would be measured three times
    double floor_;
};

} // namespace

figures outcome::medians() const {
    std::map<std::string, std::vector<double>> all;
    for (const figures& run : runs)
        for (const auto& [name, value] : run) all[name].push_back(value);
    figures found;
    for (const auto& [name, values] : all)
        found[name] =
            name.starts_with("max_") ? *std::ranges::max_element(values) : median_of(values);
    return found;
}

double outcome::ratio(const std::string& primary) const {
    if (!primary.ends_with("ns")) return 0;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < runs.size(); ++i)
        ratios.push_back(runs[i].at(primary) / floors_ns[i]);
    return median_of(std::move(ratios));
}

suite_result run_suite(std::vector<bench_case> cases, unsigned runs, const progress& tell) {
    suite_result result;
    const std::uint64_t begin = now_ns();
    result.outcomes.resize(cases.size());
    runner all(cases.size() * runs);
    for (unsigned run = 0; run < runs; ++run) {
        for (std::size_t i = 0; i < cases.size(); ++i) {
            tell(run, i, cases[i].name());
            const std::uint64_t start = now_ns();
            all.measure(cases[i], result.outcomes[i], result.floors_ns);
            result.outcomes[i].seconds += static_cast<double>(now_ns() - start) / 1e9;
        }
    }
    result.cases = std::move(cases);
    result.seconds = static_cast<double>(now_ns() - begin) / 1e9;
    return result;
}

} // namespace tool::bench
