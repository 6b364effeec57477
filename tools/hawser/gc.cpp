// hawser gc: clears away what dead processes left.
#include <cerrno>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/inspect.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser gc", "remove every mailbox that is provably dead"},
    {"hawser gc --dry-run", "only say what it would remove, and why"},
    {"hawser gc --json | jq .freed_bytes", "for programs"},
}};

struct gc_flags {
    bool dry_run = false;
};

std::uint64_t freed_bytes(const std::vector<hawser::collected>& all) {
    std::uint64_t sum = 0;
    for (const auto& each : all) sum += each.removed ? each.memory_bytes : 0;
    return sum;
}

bool print_json(const std::vector<hawser::collected>& all, bool dry_run) {
    json document = envelope("gc");
    document["dry_run"] = dry_run;
    document["freed_bytes"] = freed_bytes(all);
    document["mailboxes"] = json::array();
    for (const auto& each : all)
        document["mailboxes"].push_back({{"address", text(each.address)},
                                         {"path", text(each.path)},
                                         {"memory_bytes", each.memory_bytes},
                                         {"removed", each.removed},
                                         {"reason", text(each.reason)}});
    return print_document(document);
}

bool print_text(const context& here, const std::vector<hawser::collected>& all, bool dry_run) {
    if (all.empty()) {
        if (is_terminal(stream::err)) fmt::print(stderr, "nothing to clear away\n");
        return true;
    }
    table shown({{"ADDRESS"}, {"WHAT"}, {"MEMORY", align::right}, {"WHY"}});
    for (const auto& each : all)
        shown.add({each.address,
                   !each.removed ? "stays"
                   : dry_run     ? "would go"
                                 : "removed",
                   human_size(each.memory_bytes), each.reason});
    return shown.print(here);
}

exit_code run_gc(const context& here, const gc_flags& flags) {
    const auto all = hawser::collect_garbage(flags.dry_run);
    if (!all) return fail(here, all.why());
    const bool written =
        here.json ? print_json(*all, flags.dry_run) : print_text(here, *all, flags.dry_run);
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_gc(CLI::App& app, context& here) {
    auto flags = std::make_shared<gc_flags>();
    CLI::App* const verb =
        add_verb(app, "gc", "Clear away what dead processes left behind.", examples);
    verb->add_flag("--dry-run", flags->dry_run, "only say what would be removed");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_gc(here, *flags); });
}

} // namespace tool
