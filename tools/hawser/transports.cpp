// hawser transports: what this build can carry messages over, and what each can do.
#include <cerrno>
#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/capabilities.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/table.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser transports", "the schemes of this build"},
    {"hawser transports --json", "with all that each can do, as data"},
    {"hawser transports --markdown", "the table of the README"},
}};

struct named_flag {
    const char* name;
    bool hawser::capabilities::*place;
};

constexpr std::array<named_flag, 27> yes_or_no{{
    {"max_message_varies", &hawser::capabilities::max_message_varies},
    {"both_ways", &hawser::capabilities::both_ways},
    {"many_senders", &hawser::capabilities::many_senders},
    {"many_receivers", &hawser::capabilities::many_receivers},
    {"reliable", &hawser::capabilities::reliable},
    {"end_of_stream", &hawser::capabilities::end_of_stream},
    {"numbered", &hawser::capabilities::numbered},
    {"observers", &hawser::capabilities::observers},
    {"drops_oldest", &hawser::capabilities::drops_oldest},
    {"selection", &hawser::capabilities::selection},
    {"byte_stream", &hawser::capabilities::byte_stream},
    {"permissions", &hawser::capabilities::permissions},
    {"capacity_zero", &hawser::capabilities::capacity_zero},
    {"capacity_bounded", &hawser::capabilities::capacity_bounded},
    {"capacity_unbounded", &hawser::capabilities::capacity_unbounded},
    {"priorities", &hawser::capabilities::priorities},
    {"notification", &hawser::capabilities::notification},
    {"receipts", &hawser::capabilities::receipts},
    {"zero_copy", &hawser::capabilities::zero_copy},
    {"fd_pollable", &hawser::capabilities::fd_pollable},
    {"passes_fds", &hawser::capabilities::passes_fds},
    {"peer_credentials", &hawser::capabilities::peer_credentials},
    {"crosses_machines", &hawser::capabilities::crosses_machines},
    {"sharing_pair", &hawser::capabilities::sharing_pair},
    {"sharing_one", &hawser::capabilities::sharing_one},
    {"sharing_any", &hawser::capabilities::sharing_any},
    {"sharing_all", &hawser::capabilities::sharing_all},
}};

json to_json(const hawser::capabilities& can) {
    json all{{"boundaries", hawser::name_of(can.boundaries)},
             {"ordering", hawser::name_of(can.ordering)},
             {"lives", hawser::name_of(can.lives)},
             {"needs_relation", hawser::name_of(can.needs_relation)},
             {"survives_kill_of", hawser::name_of(can.survives_kill_of)},
             {"max_message", can.max_message}};
    for (const named_flag& each : yes_or_no) all[each.name] = can.*each.place;
    return all;
}

bool print_json() {
    json document = envelope("transports");
    document["transports"] = json::array();
    for (const auto& each : hawser::transports())
        document["transports"].push_back({{"scheme", each.scheme},
                                          {"syntax", each.syntax},
                                          {"facility", each.facility},
                                          {"can", to_json(each.can)}});
    return print_document(document);
}

bool print_text(const context& here) {
    table shown({{"SYNTAX"}, {"BOUNDARIES"}, {"ORDER"}, {"SURVIVES KILL OF"}, {"FACILITY"}});
    for (const auto& each : hawser::transports())
        shown.add({std::string(each.syntax), std::string(hawser::name_of(each.can.boundaries)),
                   std::string(hawser::name_of(each.can.ordering)),
                   std::string(hawser::name_of(each.can.survives_kill_of)),
                   std::string(each.facility)});
    return shown.print(here);
}

// ---- the table of the README --------------------------------------------------------------------

// The same on every machine.
std::string largest_message(const hawser::capabilities& can) {
    return can.max_message_varies ? "by sysctl" : human_limit(can.max_message);
}

std::string who(const hawser::capabilities& can) {
    return fmt::format("{} → {}", can.many_senders ? "many" : "one",
                       can.many_receivers ? "many" : "one");
}

// What it can do besides, in the words of capabilities.hpp.
std::string extras(const hawser::capabilities& can) {
    std::string all;
    const auto add = [&all](bool has, std::string_view what) {
        if (!has) return;
        if (!all.empty()) all += ", ";
        all += what;
    };
    add(can.zero_copy, "zero copy");
    add(can.survives_kill_of == hawser::survival_kind::both, "redelivery");
    add(can.priorities, "priorities");
    add(can.selection, "selection");
    add(can.notification, "notification");
    add(can.peer_credentials, "credentials");
    add(can.passes_fds, "descriptors");
    add(can.byte_stream, "byte stream");
    add(can.crosses_machines, "across machines");
    add(!can.fd_pollable, "no `fd()`");
    add(!can.reliable, "may lose");
    return all;
}

bool print_markdown() {
    std::string text = "| address | facility | order | senders → receivers | end of stream | lives "
                       "| largest message | besides |\n|---|---|---|---|---|---|---|---|\n";
    for (const auto& each : hawser::transports())
        text += fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} |\n", each.syntax,
                            each.facility, hawser::name_of(each.can.ordering), who(each.can),
                            each.can.end_of_stream ? "yes" : "no", hawser::name_of(each.can.lives),
                            largest_message(each.can), extras(each.can));
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
           std::fflush(stdout) == 0;
}

exit_code run_transports(const context& here, bool markdown) {
    const bool written = markdown ? print_markdown() : here.json ? print_json() : print_text(here);
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_transports(CLI::App& app, context& here) {
    CLI::App* const verb =
        add_verb(app, "transports", "List the transports of this build.", examples);
    add_json_flag(verb, here);
    auto markdown = std::make_shared<bool>(false);
    verb->add_flag("--markdown", *markdown, "as a table of a document");
    verb->callback([=, &here] { here.status = run_transports(here, *markdown); });
}

} // namespace tool
