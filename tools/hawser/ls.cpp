// hawser ls: which mailboxes there are.
#include <algorithm>
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
    {"hawser ls", "mailboxes, what is queued, who takes part"},
    {"hawser ls --names", "addresses only, one a line"},
    {"hawser ls --json | jq '.mailboxes[].depth'", "for programs"},
}};

struct ls_flags {
    bool names = false;
};

std::size_t count_alive(const hawser::mailbox_info& mailbox, hawser::participant_role role) {
    return static_cast<std::size_t>(
        std::count_if(mailbox.participants.begin(), mailbox.participants.end(),
                      [&](const auto& who) { return who.alive && who.role == role; }));
}

bool print_names(const std::vector<hawser::mailbox_info>& all) {
    bool written = true;
    // A name that is no single line can't be one of a list of lines.
    for (const auto& each : all) written &= std::puts(printable(each.address).c_str()) >= 0;
    return written && std::fflush(stdout) == 0;
}

bool print_json(const std::vector<hawser::mailbox_info>& all) {
    json document = envelope("ls");
    document["directory"] = text(hawser::mailbox_directory());
    document["mailboxes"] = json::array();
    for (const auto& each : all) document["mailboxes"].push_back(to_json(each));
    return print_document(document);
}

bool print_table(const context& here, const std::vector<hawser::mailbox_info>& all) {
    table shown({{"ADDRESS"},
                 {"STATE"},
                 {"DEPTH", align::right},
                 {"HELD", align::right},
                 {"SENDERS", align::right},
                 {"RECEIVERS", align::right},
                 {"SENT", align::right},
                 {"RECEIVED", align::right},
                 {"MEMORY", align::right}});
    for (const auto& each : all)
        shown.add({each.address, std::string(hawser::name_of(each.state)), human_count(each.depth),
                   human_count(each.held),
                   human_count(count_alive(each, hawser::participant_role::sender)),
                   human_count(count_alive(each, hawser::participant_role::receiver)),
                   human_count(each.counters.sent), human_count(each.counters.received),
                   human_size(each.memory_bytes)});
    return shown.print(here);
}

exit_code run_ls(const context& here, const ls_flags& flags) {
    const auto all = hawser::list_mailboxes();
    if (!all) return fail(here, all.why());
    bool written = true;
    if (flags.names)
        written = print_names(*all);
    else if (here.json)
        written = print_json(*all);
    else if (!all->empty())
        written = print_table(here, *all);
    else if (is_terminal(stream::err))
        fmt::print(stderr, "no mailboxes in {}; make one: echo hello | hawser send shm:first\n",
                   printable(hawser::mailbox_directory()));
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_ls(CLI::App& app, context& here) {
    auto flags = std::make_shared<ls_flags>();
    CLI::App* const verb = add_verb(app, "ls", "List the mailboxes of this machine.", examples);
    verb->add_flag("--names", flags->names, "addresses only, one a line");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_ls(here, *flags); });
}

} // namespace tool
