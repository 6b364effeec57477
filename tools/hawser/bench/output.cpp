#include "output.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "environment.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"

namespace tool::bench {
namespace {

std::string of_figure(const std::string& name, double value) {
    if (name.ends_with("bytes_per_s")) return fmt::format("{:.2f} GB/s", value / 1e9);
    if (name.ends_with("per_s")) return human_rate(value);
    if (name.ends_with("percent")) return fmt::format("{:.2f} %", value);
    if (name.ends_with("bytes")) return human_size(static_cast<std::uint64_t>(value));
    if (value >= 10'000) return fmt::format("{:.1f} us", value / 1000);
    return fmt::format("{:.1f} ns", value);
}

std::string if_there(const figures& all, const std::string& name) {
    const auto at = all.find(name);
    return at == all.end() ? "" : of_figure(name, at->second);
}

std::string ratio_text(double ratio) {
    return ratio > 0 ? fmt::format("{:.2f}", ratio) : "";
}

std::vector<std::string> row_of(const bench_case& one, const outcome& came) {
    if (came.runs.empty()) return {one.variant, one.lane, "-", "", "", "", ""};
    const figures all = came.medians();
    const bool trip = one.group == "round trip" || one.group == "paced";
    return {one.variant,
            one.lane,
            of_figure(one.primary, all.at(one.primary)),
            trip ? "" : if_there(all, "per_s"),
            ratio_text(came.ratio(one.primary)),
            if_there(all, "p99_ns"),
            came.unsteady > 0 ? fmt::format("floor moved in {}", came.unsteady) : ""};
}

bool print_group(const context& here, const suite_result& found, const std::string& group) {
    fmt::print("\n{}\n", group);
    table rows({{"case"},
                {"lane"},
                {"each", align::right},
                {"rate", align::right},
                {"of floor", align::right},
                {"p99", align::right},
                {""}});
    for (std::size_t i = 0; i < found.cases.size(); ++i)
        if (found.cases[i].group == group) rows.add(row_of(found.cases[i], found.outcomes[i]));
    return rows.print(here);
}

void print_what_is_missing(const suite_result& found) {
    for (const missing_peer& one : missing_peers())
        fmt::print("\nnot measured: {}: {}\n", one.name, one.why);
    for (std::size_t i = 0; i < found.cases.size(); ++i)
        if (!found.outcomes[i].why.empty())
            fmt::print("\n{}: {}: {}\n",
                       found.outcomes[i].is_unsupported ? "not supported" : "failed",
                       found.cases[i].name(), printable(found.outcomes[i].why));
}

json to_json(const bench_case& one, const outcome& came) {
    json all{{"group", one.group},        {"lane", one.lane},       {"variant", one.variant},
             {"facts", one.facts},        {"primary", one.primary}, {"repeated", came.repeated},
             {"unsteady", came.unsteady}, {"failed", came.failed},  {"seconds", came.seconds}};
    if (!came.why.empty()) {
        all["why"] = text(came.why);
        all["unsupported"] = came.is_unsupported;
    }
    if (came.runs.empty()) return all;
    all["medians"] = came.medians();
    if (const double ratio = came.ratio(one.primary); ratio > 0) all["of_floor"] = ratio;
    all["floors_ns"] = came.floors_ns;
    all["runs"] = came.runs;
    return all;
}

} // namespace

bool print_text(const context& here, const suite_result& found, unsigned runs) {
    if (!found.floors_ns.empty()) {
        const auto [least, most] = std::ranges::minmax(found.floors_ns);
        fmt::print(
            "Medians of {}; the floor is measured before and after each.\n"
            "Floor: two-line cache ping-pong, round trip {:.0f} ns (from {:.0f} to {:.0f})\n",
            human_plural(runs, "run"), median_of(found.floors_ns), least, most);
    }
    std::vector<std::string> told;
    for (const bench_case& one : found.cases) {
        if (std::ranges::find(told, one.group) != told.end()) continue;
        told.push_back(one.group);
        if (!print_group(here, found, one.group)) return false;
    }
    print_what_is_missing(found);
    return std::fflush(stdout) == 0;
}

bool print_json(const suite_result& found, unsigned runs) {
    json document = envelope("bench", 2);
    for (const auto& [name, value] : environment()) document["environment"][name] = text(value);
    document["runs"] = runs;
    document["seconds"] = found.seconds;
    document["floor_ns"] = median_of(found.floors_ns);
    document["floors_ns"] = found.floors_ns;
    document["missing"] = json::array();
    for (const missing_peer& one : missing_peers())
        document["missing"].push_back({{"name", one.name}, {"why", one.why}});
    document["cases"] = json::array();
    for (std::size_t i = 0; i < found.cases.size(); ++i)
        document["cases"].push_back(to_json(found.cases[i], found.outcomes[i]));
    return print_document(document);
}

} // namespace tool::bench
