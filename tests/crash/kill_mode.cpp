// Killed at k, for every k: what a kill leaves must be mended by the survivors.

#include <algorithm>

#include "modes.hpp"
#include "support/watchdog.hpp"

namespace hawser::crash {

namespace {

// All instructions if they are not too many; else all states that differ, and a spread of others.
std::vector<std::uint64_t> points_of(const exploration& found, const extent& how, tally& result) {
    const std::uint64_t last = found.way.length();
    const std::size_t most = how.most(12, 2500);
    if (last < most) {
        result.all_instructions = result.all_states = true;
        return spread(last, SIZE_MAX);
    }
    auto points = some_of(found.states, most);
    result.all_states = points.size() == found.states.size();
    if (points.size() < most)
        for (const std::uint64_t k : spread(last, most - points.size())) points.push_back(k);
    std::ranges::sort(points);
    points.erase(std::unique(points.begin(), points.end()), points.end());
    return points;
}

std::string kill_at(stage& on, std::uint64_t k, const route* known) {
    visit there(on, k, known);
    if (there.who().failed()) return "the victim ended by itself";
    there.who().kill();
    return on.played().check(on.at());
}

} // namespace

tally kill_everywhere(const operation& op, const extent& how) {
    tally result;
    stage on(op);
    const auto attempt = [&](std::uint64_t k, const route* known) {
        const std::string arguments = "--kill --op " + op.name + " --k " + std::to_string(k);
        const test::watchdog limit(std::chrono::minutes(5), arguments);
        try {
            result.note(kill_at(on, k, known), arguments);
        } catch (const std::exception& why) {
            result.note(why.what(), arguments);
        }
    };
    if (how.only_one()) return attempt(how.k, nullptr), result;
    attempt(to_the_end, nullptr); // the first time may be longer than all others
    const exploration& found = explore_once(on, result);
    for (const std::uint64_t k : points_of(found, how, result)) {
        if (result.hopeless()) break;
        attempt(k, &found.way);
    }
    return result;
}

} // namespace hawser::crash
