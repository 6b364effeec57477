#include "faults.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "scenarios.hpp"

namespace hawser::schedules {

namespace {

constexpr std::uint64_t recorded_executions = 300;

// `swap` of "bool hawser::sync::ring_detail::swap(const lane_memory<Atomic>&, …) [with …]".
std::string bare(std::string_view name) {
    name = name.substr(0, name.find('('));
    const std::size_t before = name.find_last_of(": ");
    return std::string(before == name.npos ? name : name.substr(before + 1));
}

const char* spell(operation what) {
    switch (what) {
    case operation::load:
        return "load";
    case operation::store:
        return "store";
    default:
        return "exchange";
    }
}

std::vector<std::memory_order> weaker_than(std::memory_order order, operation what) {
    using enum std::memory_order;
    switch (order) {
    case seq_cst:
        if (what == operation::load) return {acquire, relaxed};
        if (what == operation::store) return {release, relaxed};
        return {acq_rel, acquire, release, relaxed};
    case acq_rel:
        return {acquire, release, relaxed};
    case acquire:
    case release:
        return {relaxed};
    default:
        return {};
    }
}

std::vector<site> sites_of_all_plays() {
    policy& all = the_policy();
    all.sites.clear();
    all.recording = true;
    for (std::size_t i = 0; i < plays().size(); ++i) {
        all.recorded_play = std::uint64_t{1} << i;
        path some = path::random(1, plays()[i].by_chance());
        while (some.executions() < recorded_executions && some.next()) perform(plays()[i], some);
    }
    all.recording = false;
    std::vector<site> found;
    for (const auto& [place, one] : all.sites) found.push_back(one);
    return found;
}

} // namespace

policy& the_policy() {
    static policy only;
    return only;
}

void policy::record(const std::source_location& where, operation what, location_class on,
                    pair wanted) {
    const std::string_view file = where.file_name();
    if (file.find("src/sync/") == file.npos) return;
    site& one = sites[{std::string(file), where.line(), where.column(), on}];
    one.plays |= recorded_play;
    if (one.line != 0) return;
    one.file = file;
    one.function = bare(where.function_name());
    one.line = where.line();
    one.column = where.column();
    one.on = on;
    one.what = what;
    one.success = wanted.success;
    one.failure = wanted.failure;
}

std::string site::name() const {
    return function + "() " + spell(what) + ' ' + schedules::name_of(on);
}

std::vector<weakening> all_weakenings() {
    std::vector<weakening> all;
    std::map<std::string, int> count;
    for (const site& at : sites_of_all_plays()) {
        std::string name = at.name();
        const int same = ++count[name];
        if (same > 1) name += " #" + std::to_string(same);
        for (const std::memory_order to : weaker_than(at.success, at.what))
            all.push_back(
                {at, false, to,
                 name + ' ' + schedules::name_of(at.success) + " -> " + schedules::name_of(to)});
        if (at.what == operation::rmw && at.failure == std::memory_order_seq_cst)
            all.push_back({at, true, relaxed, name + ", failing: seq_cst -> relaxed"});
    }
    return all;
}

// By the beginning of the name. docs/design/schedules.md says the same at more length.
std::string why_not_needed(const std::string& name) {
    static const std::vector<std::pair<const char*, const char*>> reasons{
        {"try_claim() exchange block, failing", "a claim that fails tells nothing"},
        {"free_block() exchange block, failing", "only a forger makes it fail"},
        {"free_block() load block", "whoever frees wrote the word, or got it with the chunk"},
        {"set_backed()", "read by its writer, or behind the slot's CAS or a lock"},
        {"raise() exchange hint", "a start; every position is judged by its slot"},
        {"raise() exchange evidence", "the slot's CAS that follows carries it"},
        {"arm() load", "only a start for the CAS, which reads the newest"},
        {"arm() exchange event, failing", "only a start for the next CAS"},
        {"notify() exchange",
         "reads the newest flags whatever its order; commit and look are seq_cst"},
        {"swap() exchange slot, failing", "a lost slot is looked at again, seq_cst"},
        {"swap() store hand", "the intent's release comes after it; readers come behind a lock"},
        {"try_exchange() load hint", "a start; every position is judged by its slot"},
        {"happened() load slot seq_cst -> acquire", "acquiring the slot's CAS brings the evidence"},
        {"happened() load evidence", "nothing that the noter wrote is read after it"},
        {"repair() load", "behind the dead one's lock, which orders all that it wrote"},
        {"repair() store hand", "the intent's release comes after it; readers come behind a lock"},
    };
    for (const auto& [begin, reason] : reasons)
        if (name.starts_with(begin)) return reason;
    return {};
}

const std::vector<broken_part>& broken_parts() {
    static const std::vector<broken_part> all{
        {fault::blind_slot_cas, "blind-slot-cas", "a commit does not compare", {"ring"}},
        {fault::no_note, "no-note", "nobody notes whose stamp it overwrites", {"kill"}},
        {fault::note_by_store, "note-by-store", "evidence is set, not raised", {"kill-helpers"}},
        {fault::no_intent, "no-intent", "no intent is announced", {"kill"}},
        {fault::no_position, "no-position", "nor its position", {"kill-wrap"}},
        {fault::intent_cleared_early, "intent-cleared-early", "before the CAS", {"kill"}},
        {fault::no_hand, "no-hand", "what was got is not put into the hand", {"ring"}},
        {fault::blind_repair, "blind-repair", "repair does not look at the evidence", {"kill"}},
        {fault::hint_ahead, "hint-ahead", "a hint is ahead of the truth", {"ring-wrap", "ring"}},
        {fault::blind_claim, "blind-claim", "claiming a block does not compare", {"blocks"}},
        {fault::notifies_without_generation,
         "notifies-without-generation",
         "a notifier leaves the generation",
         {"wait"}},
        {fault::clears_always, "clears-always", "the flag goes though somebody slept", {"wait"}},
        {fault::clears_blindly, "clears-blindly", "and though somebody armed", {"wait"}},
        {fault::wake_skipped, "wake-skipped", "nobody is woken", {"wait"}},
        {fault::no_second_look, "no-second-look", "who armed does not look again", {"wait"}},
        {fault::notifies_before_commit,
         "notifies-before-commit",
         "the wake-up comes before the message",
         {"wait"}},
        {fault::wakes_one_only, "wakes-one-only", "where all are concerned", {"blocks-needs"}},
        {fault::gives_up_blindly,
         "gives-up-blindly",
         "who was woken and is late does not look",
         {"wait-deadline"}},
        {fault::frees_before_spare,
         "frees-before-spare",
         "a message's block goes before the message",
         {"blocks-kill"}},
        {fault::unflagged, "unflagged", "adopted messages come without the flag", {"kill-hands"}},
        {fault::repairs_unlocked, "repairs-unlocked", "repair without the lock", {"kill"}},
        {fault::no_scan, "no-scan", "nobody looks for a dead one's blocks", {"blocks-kill"}},
    };
    return all;
}

} // namespace hawser::schedules
