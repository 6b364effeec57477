// hawser gc: clears away what dead processes left.
#include <cerrno>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/inspect.hpp>
#include <hawser/system_objects.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser gc", "remove every mailbox, FIFO and socket of hawser that is provably dead"},
    {"hawser gc --dry-run", "only say what it would remove, and why"},
    {"hawser gc --json | jq .freed_bytes", "for programs"},
}};

struct gc_flags {
    bool dry_run = false;
    bool mailboxes = false;
};

using mailboxes = std::vector<hawser::collected>;
using objects = std::vector<hawser::collected_object>;

std::uint64_t freed_bytes(const mailboxes& all) {
    std::uint64_t sum = 0;
    for (const auto& each : all) sum += each.removed ? each.memory_bytes : 0;
    return sum;
}

bool print_json(const mailboxes& all, const objects& others, bool dry_run) {
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
    document["objects"] = json::array();
    for (const auto& each : others)
        document["objects"].push_back({{"kind", hawser::name_of(each.kind)},
                                       {"name", text(each.name)},
                                       {"address", text(each.address)},
                                       {"removed", each.removed},
                                       {"reason", text(each.reason)},
                                       {"command", text(each.command)}});
    return print_document(document);
}

std::string what_became(bool removed, bool dry_run) {
    return !removed ? "stays" : dry_run ? "would go" : "removed";
}

std::string reason_of(const hawser::collected_object& one) {
    return one.command.empty() ? one.reason : fmt::format("{}; try: {}", one.reason, one.command);
}

bool print_text(const context& here, const mailboxes& all, const objects& others, bool dry_run) {
    if (all.empty() && others.empty()) {
        if (is_terminal(stream::err)) fmt::print(stderr, "nothing to clear away\n");
        return true;
    }
    table shown({{"ADDRESS"}, {"WHAT"}, {"MEMORY", align::right}, {"WHY"}});
    for (const auto& each : all)
        shown.add({each.address, what_became(each.removed, dry_run), human_size(each.memory_bytes),
                   each.reason});
    for (const auto& each : others)
        shown.add({each.address.empty() ? each.name : each.address,
                   what_became(each.removed, dry_run), "-", reason_of(each)});
    return shown.print(here);
}

exit_code run_gc(const context& here, const gc_flags& flags) {
    const auto all = hawser::collect_garbage(flags.dry_run);
    if (!all) return fail(here, all.why());
    auto others = flags.mailboxes ? hawser::result<objects>(objects{})
                                  : hawser::collect_system_objects(flags.dry_run);
    if (!others) return fail(here, others.why());
    const bool written = here.json ? print_json(*all, *others, flags.dry_run)
                                   : print_text(here, *all, *others, flags.dry_run);
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_gc(CLI::App& app, context& here) {
    auto flags = std::make_shared<gc_flags>();
    CLI::App* const verb =
        add_verb(app, "gc", "Clear away what dead processes left behind.", examples);
    verb->add_flag("--dry-run", flags->dry_run, "only say what would be removed");
    verb->add_flag("--mailboxes", flags->mailboxes, "mailboxes only, no FIFOs, sockets, queues");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_gc(here, *flags); });
}

} // namespace tool
