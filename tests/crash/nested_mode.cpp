// The repairer itself is killed: for each state that a kill of the first victim can leave, a second
// one that repairs it is killed in each state that its own kill can leave; and now and then a
// third.

#include <cstdio>
#include <random>

#include "modes.hpp"
#include "support/watchdog.hpp"

namespace hawser::crash {

namespace {

// What comes before a repairer: the first victim, killed in its state.
struct scenery {
    stage& on;
    const exploration& first;
    std::size_t state = 0;

    void make() const {
        visit dying(on, first.states[state], &first.way);
        dying.who().kill();
    }
    [[nodiscard]] std::unique_ptr<victim> repairer() const {
        return std::make_unique<victim>([this] { on.played().repair(on.at()); });
    }
};

exploration explore_repairer(const scenery& at, std::string& wrong) {
    at.make();
    auto who = at.repairer();
    snapshot world(at.on.at().path(), *at.on.at().book);
    exploration found = explore(*who, world);
    if (who->failed()) wrong = "the repairer ended by itself";
    who->kill();
    if (wrong.empty()) wrong = at.on.played().check(at.on.at());
    return found;
}

std::string kill_repairer_at(const scenery& at, std::uint64_t k, const route* known) {
    at.make();
    auto who = at.repairer();
    const bool exact = known != nullptr && who->run_to(k, *known);
    if (!exact) who->step_to(k); // it took another way: from where it is
    if (who->failed()) return "the repairer ended by itself";
    who->kill();
    return at.on.played().check(at.on.at());
}

// Two repairers, each killed somewhere.
std::string kill_two_repairers(const scenery& at, std::mt19937_64& random, std::uint64_t last) {
    at.make();
    for (int i = 0; i < 2; ++i) {
        auto who = at.repairer();
        who->step_to(random() % (last + 1));
        if (who->failed()) return "the repairer ended by itself";
        who->kill();
    }
    return at.on.played().check(at.on.at());
}

std::string arguments_of(const operation& op, std::size_t state, std::uint64_t k) {
    return "--nested --op " + op.name + " --state " + std::to_string(state) + " --k " +
           std::to_string(k);
}

void guarded(tally& result, const std::string& arguments, const std::function<std::string()>& act) {
    const test::watchdog limit(std::chrono::minutes(5), arguments);
    try {
        result.note(act(), arguments);
    } catch (const std::exception& why) {
        result.note(why.what(), arguments);
    }
}

void nest_in(const scenery& at, const extent& how, std::mt19937_64& random, tally& result) {
    const operation& op = at.on.played();
    exploration second;
    guarded(result, arguments_of(op, at.state, to_the_end), [&] {
        std::string wrong;
        second = explore_repairer(at, wrong);
        return wrong;
    });
    const auto kills = some_of(second.states, how.most(2, 40));
    result.all_states = result.all_states && kills.size() == second.states.size();
    result.besides += second.states.size();
    for (const std::uint64_t k : kills) {
        if (result.hopeless()) return;
        guarded(result, arguments_of(op, at.state, k),
                [&] { return kill_repairer_at(at, k, &second.way); });
    }
    // The third: statistical, as all triples are too many.
    if (random() % (how.sample ? 16 : 2) == 0)
        guarded(result,
                arguments_of(op, at.state, 0) + " (two repairers killed, seed " +
                    std::to_string(how.seed) + ")",
                [&] { return kill_two_repairers(at, random, second.way.length()); });
}

} // namespace

tally nested_everywhere(const operation& first, const extent& how) {
    tally result;
    stage on(first);
    std::mt19937_64 random(how.seed ^ std::hash<std::string>{}(first.name));
    // The sample takes a half of the pairs, another one with another seed.
    if (how.sample && !how.only_one() && random() % 2 == 0) return result;
    const exploration& found = explore_once(on, result);
    if (how.only_one()) {
        const scenery at{on, found, how.state % found.states.size()};
        guarded(result, arguments_of(first, at.state, how.k),
                [&] { return kill_repairer_at(at, how.k, nullptr); });
        return result;
    }
    result.instructions = 0; // of the repairers, many
    std::vector<std::uint64_t> states;
    for (std::size_t i = 0; i < found.states.size(); ++i) states.push_back(i);
    const auto chosen = some_of(states, how.most(1, SIZE_MAX));
    result.all_states = chosen.size() == states.size();
    for (const std::uint64_t state : chosen) {
        if (result.hopeless()) break;
        // The sample takes another one for each repairer.
        const std::size_t which = how.sample ? random() % states.size() : state;
        nest_in({on, found, which}, how, random, result);
    }
    return result;
}

} // namespace hawser::crash
