// hawser stat: the counters of one mailbox.
#include <cerrno>
#include <memory>

#include <CLI/CLI.hpp>

#include <hawser/inspect.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/known.hpp"
#include "output/table.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser stat shm:orders", "what was sent, received, dropped, repaired"},
    {"watch -d hawser stat orders", "how it changes"},
    {"hawser stat orders --json | jq .counters.dropped", "for programs"},
}};

struct stat_flags {
    std::string address;
};

bool print_json(const hawser::mailbox_info& mailbox) {
    json document = envelope("stat");
    document["address"] = text(mailbox.address);
    document["state"] = hawser::name_of(mailbox.state);
    const json seen = to_json(mailbox); // null where it could not be seen
    for (const char* const name : {"problem", "depth", "held", "counters"})
        document[name] = seen[name];
    return print_document(document);
}

bool print_text(const hawser::mailbox_info& mailbox) {
    if (!was_seen_inside(mailbox))
        return print_facts({{"state", std::string(hawser::name_of(mailbox.state))},
                            {"problem", mailbox.problem},
                            {"counters", "-"}});
    const hawser::stats& sums = mailbox.counters;
    return print_facts({
        {"sent", human_count(sums.sent) + " (" + human_size(sums.sent_bytes) + ")"},
        {"received", human_count(sums.received) + " (" + human_size(sums.received_bytes) + ")"},
        {"queued", human_count(mailbox.depth)},
        {"held", human_count(mailbox.held)},
        {"redelivered", human_count(sums.redelivered)},
        {"dropped", human_count(sums.dropped)},
        {"lost", human_count(sums.lost)},
        {"sleeps", human_count(sums.sleeps)},
        {"wakes", human_count(sums.wakes)},
        {"reaped", human_count(sums.reaped)},
    });
}

exit_code run_stat(const context& here, const stat_flags& flags) {
    const auto mailbox = hawser::inspect_mailbox(flags.address);
    if (!mailbox) return fail(here, mailbox.why());
    const bool written = here.json ? print_json(*mailbox) : print_text(*mailbox);
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_stat(CLI::App& app, context& here) {
    auto flags = std::make_shared<stat_flags>();
    CLI::App* const verb = add_verb(app, "stat", "Show the counters of one mailbox.", examples);
    add_address(verb, flags->address);
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_stat(here, *flags); });
}

} // namespace tool
