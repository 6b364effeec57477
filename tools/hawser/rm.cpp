// hawser rm: removes mailboxes by name.
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/inspect.hpp>

#include "output/error.hpp"
#include "output/json.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser rm shm:orders", "remove it, unless somebody takes part"},
    {"hawser rm shm:orders --force", "participants get `closed`; its messages are gone"},
    {"hawser ls --names | xargs -r hawser rm", "all that nobody uses"},
}};

struct rm_flags {
    std::vector<std::string> addresses;
    bool force = false;
};

// Goes on after a failure, and exits with the code of the first.
exit_code run_rm(const context& here, const rm_flags& flags) {
    const auto how = flags.force ? hawser::removal::by_force : hawser::removal::if_unused;
    exit_code first = exit_ok;
    json removed = json::array();
    for (const std::string& address : flags.addresses) {
        const auto done = hawser::remove_mailbox(address, how);
        if (done) {
            removed.push_back(text(address));
            continue;
        }
        const exit_code code = fail(here, done.why());
        if (first == exit_ok) first = code;
    }
    if (!here.json) return first;
    json document = envelope("rm");
    document["removed"] = std::move(removed);
    if (!print_document(document)) return fail_file(here, "write", "stdout", errno);
    return first;
}

} // namespace

void add_rm(CLI::App& app, context& here) {
    auto flags = std::make_shared<rm_flags>();
    CLI::App* const verb = add_verb(app, "rm", "Remove mailboxes.", examples);
    verb->add_option("address", flags->addresses, "the mailboxes to remove")
        ->required()
        ->type_name("ADDRESS");
    verb->add_flag("--force", flags->force,
                   "also while it is in use, damaged, of another version, or no mailbox at all");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_rm(here, *flags); });
}

} // namespace tool
