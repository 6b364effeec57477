// hawser info: all there is to know of one mailbox, or of one object of the kernel's.
#include <cerrno>
#include <chrono>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <hawser/inspect.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/known.hpp"
#include "output/table.hpp"
#include "output/users.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser info shm:orders", "its geometry, and who takes part"},
    {"hawser info mq:/jobs", "an object of the kernel's, as far as it tells"},
    {"hawser info orders --json | jq .geometry.capacity", "for programs"},
}};

struct info_flags {
    std::string address;
};

using facts = std::vector<std::pair<std::string, std::string>>;

std::string when(std::chrono::system_clock::time_point created) {
    const auto age = std::chrono::system_clock::now() - created;
    return fmt::format("{:%Y-%m-%d %H:%M:%S}, {} ago",
                       fmt::localtime(std::chrono::system_clock::to_time_t(created)),
                       human_duration(age));
}

std::string capacity_of(const hawser::options& geometry) {
    const std::uint64_t capacity = geometry.capacity.value_or(0);
    if (capacity == hawser::unbounded) return "unbounded";
    return human_plural(capacity, "message");
}

// What a facility does not have is not shown as 0.
void add_geometry(facts& into, const hawser::options& geometry) {
    const auto add = [&into](const char* name, const auto& value, auto&& shown) {
        if (value) into.emplace_back(name, shown(*value));
    };
    if (geometry.capacity) into.emplace_back("capacity", capacity_of(geometry));
    add("max_message", geometry.max_message, human_limit);
    add("max_memory", geometry.max_memory, human_size);
    add("participants", geometry.participants, human_count);
    add("loans", geometry.loans, human_count);
    if (geometry.sharing) into.emplace_back("sharing", hawser::name_of(*geometry.sharing));
    if (geometry.order) into.emplace_back("order", hawser::name_of(*geometry.order));
    if (geometry.delivery) into.emplace_back("delivery", hawser::name_of(*geometry.delivery));
    add("history", geometry.history, human_count);
    if (geometry.persist) into.emplace_back("persist", *geometry.persist ? "yes" : "no");
    if (geometry.trust) into.emplace_back("trust", hawser::name_of(*geometry.trust));
}

// A mailbox of hawser's own, as opposed to an object of the kernel's.
bool is_own(const hawser::mailbox_info& mailbox) {
    return mailbox.address.starts_with("shm:");
}

// Of an object of the kernel's hardly more is known than who has it.
void add_users(facts& into, const hawser::mailbox_info& mailbox) {
    for (const auto& who : mailbox.participants)
        into.emplace_back(hawser::name_of(who.role), "process " + std::to_string(who.pid));
}

facts facts_of(const hawser::mailbox_info& mailbox) {
    facts all;
    all.emplace_back("address", mailbox.address);
    if (!mailbox.path.empty()) all.emplace_back("path", mailbox.path);
    all.emplace_back("state", hawser::name_of(mailbox.state));
    if (!mailbox.problem.empty()) all.emplace_back("problem", mailbox.problem);
    all.emplace_back("mode", fmt::format("{:04o}", mailbox.mode & 07777));
    all.emplace_back("owner", user_name(mailbox.uid) + ":" + group_name(mailbox.gid));
    if (is_own(mailbox) && !host_has_gone(mailbox))
        all.emplace_back("size",
                         fmt::format("{} of memory, {} in all", human_size(mailbox.memory_bytes),
                                     human_size(mailbox.file_bytes)));
    if (!was_seen_inside(mailbox)) return all;
    if (mailbox.created.time_since_epoch().count() != 0)
        all.emplace_back("created", when(mailbox.created));
    if (is_own(mailbox)) all.emplace_back("layout", std::to_string(mailbox.layout_version));
    add_geometry(all, mailbox.geometry);
    if (is_own(mailbox))
        all.emplace_back("depth",
                         fmt::format("{} queued, {} held by receivers", human_count(mailbox.depth),
                                     human_count(mailbox.held)));
    else if (mailbox.geometry.capacity || mailbox.depth != 0)
        all.emplace_back("depth", human_plural(mailbox.depth, "message"));
    if (!is_own(mailbox)) add_users(all, mailbox);
    return all;
}

std::string state_of(const hawser::participant_info& who) {
    if (!who.alive) return "dead";
    return who.waiting ? "waiting" : "running";
}

bool print_participants(const context& here, const hawser::mailbox_info& mailbox) {
    if (mailbox.participants.empty() || !is_own(mailbox)) return true;
    table shown({{"SLOT", align::right},
                 {"ROLE"},
                 {"STATE"},
                 {"PID", align::right},
                 {"USER"},
                 {"COMMAND"},
                 {"HELD", align::right},
                 {"SENT", align::right},
                 {"RECEIVED", align::right}});
    for (const auto& who : mailbox.participants)
        shown.add({std::to_string(who.slot), std::string(hawser::name_of(who.role)), state_of(who),
                   std::to_string(who.pid), user_name(who.uid), who.command,
                   human_count(who.messages_held), human_count(who.counters.sent),
                   human_count(who.counters.received)});
    return std::puts("") >= 0 && shown.print(here);
}

exit_code run_info(const context& here, const info_flags& flags) {
    const auto mailbox = hawser::inspect_mailbox(flags.address);
    if (!mailbox) return fail(here, mailbox.why());
    bool written = true;
    if (here.json) {
        json document = envelope("info");
        document["mailbox"] = to_json(*mailbox);
        written = print_document(document);
    } else {
        written = print_facts(facts_of(*mailbox)) && print_participants(here, *mailbox);
    }
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_info(CLI::App& app, context& here) {
    auto flags = std::make_shared<info_flags>();
    CLI::App* const verb =
        add_verb(app, "info", "Show one mailbox: its geometry and who takes part.", examples);
    add_address(verb, flags->address);
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_info(here, *flags); });
}

} // namespace tool
