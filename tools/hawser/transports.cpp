// hawser transports: what this build can carry messages over, and what each can do.
#include <cerrno>
#include <memory>

#include <CLI/CLI.hpp>

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
    {"hawser transports --json | jq -r '.transports[].scheme'", "the schemes alone"},
}};

struct named_flag {
    const char* name;
    bool hawser::capabilities::*place;
};

constexpr std::array<named_flag, 25> yes_or_no{{
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

exit_code run_transports(const context& here) {
    const bool written = here.json ? print_json() : print_text(here);
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_transports(CLI::App& app, context& here) {
    CLI::App* const verb =
        add_verb(app, "transports", "List the transports of this build.", examples);
    add_json_flag(verb, here);
    verb->callback([&here] { here.status = run_transports(here); });
}

} // namespace tool
