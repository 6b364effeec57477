// hawser ls: which mailboxes there are, and which IPC objects of the system itself.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <hawser/inspect.hpp>
#include <hawser/system_objects.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "output/known.hpp"
#include "output/table.hpp"
#include "output/users.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser ls", "mailboxes, and the system's queues, segments, semaphores"},
    {"hawser ls --names", "addresses of mailboxes only, one a line"},
    {"hawser ls --json | jq '.mailboxes[].depth'", "for programs"},
}};

struct ls_flags {
    bool names = false;
    bool mailboxes = false;
    bool all = false;
};

using mailboxes = std::vector<hawser::mailbox_info>;
using objects = hawser::system_object_list;

std::size_t count_alive(const hawser::mailbox_info& mailbox, hawser::participant_role role) {
    return static_cast<std::size_t>(
        std::count_if(mailbox.participants.begin(), mailbox.participants.end(),
                      [&](const auto& who) { return who.alive && who.role == role; }));
}

bool print_names(const mailboxes& all) {
    bool written = true;
    // A name that is no single line can't be one of a list of lines.
    for (const auto& each : all) written &= std::puts(printable(each.address).c_str()) >= 0;
    return written && std::fflush(stdout) == 0;
}

// ---- JSON -------------------------------------------------------------------------------------

// null where the facility has no such thing, or it can't be seen.
template <typename T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

json or_null(const std::optional<std::chrono::system_clock::time_point>& when) {
    if (!when) return nullptr;
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(*when)));
}

json or_null(std::uint32_t pid) {
    return pid != 0 ? json(pid) : json(nullptr);
}

std::string octal(std::uint32_t mode) {
    return fmt::format("{:04o}", mode & 07777U);
}

json to_json(const hawser::system_object& one) {
    return json{{"kind", hawser::name_of(one.kind)},
                {"name", text(one.name)},
                {"address", text(one.address)},
                {"key", or_null(one.key)},
                {"id", or_null(one.id)},
                {"made_by_hawser", one.made_by_hawser},
                {"uid", or_null(one.uid)},
                {"gid", or_null(one.gid)},
                {"mode", one.mode ? json(octal(*one.mode)) : json(nullptr)},
                {"depth", or_null(one.depth)},
                {"bytes", or_null(one.bytes)},
                {"capacity", or_null(one.capacity)},
                {"capacity_bytes", or_null(one.capacity_bytes)},
                {"max_message", or_null(one.max_message)},
                {"members", or_null(one.members)},
                {"connections", or_null(one.connections)},
                {"owner_lives", hawser::name_of(one.owner_lives)},
                {"users", or_null(one.users)},
                {"all_users_seen", one.all_users_seen},
                {"creator_pid", or_null(one.creator_pid)},
                {"last_sender_pid", or_null(one.last_sender_pid)},
                {"last_receiver_pid", or_null(one.last_receiver_pid)},
                {"last_user_pid", or_null(one.last_user_pid)},
                {"notified_pid", or_null(one.notified_pid)},
                {"changed", or_null(one.changed)},
                {"used", or_null(one.used)}};
}

bool print_json(const mailboxes& all, const objects* others) {
    json document = envelope("ls");
    document["directory"] = text(hawser::mailbox_directory());
    document["mailboxes"] = json::array();
    for (const auto& each : all) document["mailboxes"].push_back(tool::to_json(each));
    if (others == nullptr) return print_document(document);
    document["objects"] = json::array();
    for (const auto& each : others->objects) document["objects"].push_back(to_json(each));
    document["limits"] = json::array();
    for (const auto& each : others->limits)
        document["limits"].push_back(
            {{"name", each.name}, {"value", each.value}, {"used", or_null(each.used)}});
    document["not_seen"] = json::array();
    for (const auto& each : others->not_seen) document["not_seen"].push_back(text(each));
    return print_document(document);
}

// ---- tables -----------------------------------------------------------------------------------

constexpr const char* nothing = "-";

bool print_table(const context& here, const mailboxes& all) {
    table shown({{"ADDRESS"},
                 {"STATE"},
                 {"DEPTH", align::right},
                 {"HELD", align::right},
                 {"SENDERS", align::right},
                 {"RECEIVERS", align::right},
                 {"SENT", align::right},
                 {"RECEIVED", align::right},
                 {"MEMORY", align::right}});
    for (const auto& each : all) {
        const bool seen = was_seen_inside(each);
        const auto count = [&](std::uint64_t n) { return seen ? human_count(n) : nothing; };
        shown.add({each.address, std::string(hawser::name_of(each.state)), count(each.depth),
                   count(each.held), count(count_alive(each, hawser::participant_role::sender)),
                   count(count_alive(each, hawser::participant_role::receiver)),
                   count(each.counters.sent), count(each.counters.received),
                   host_has_gone(each) ? nothing : human_size(each.memory_bytes)});
    }
    return shown.print(here);
}

// "10 x 8KiB", "16KiB", "3 members"
std::string limit_of(const hawser::system_object& one) {
    if (one.capacity && one.max_message)
        return fmt::format("{} x {}", human_count(*one.capacity), human_limit(*one.max_message));
    if (one.capacity_bytes) return human_size(*one.capacity_bytes);
    if (one.members) return human_plural(*one.members, "member");
    return nothing;
}

// "3", or "3+" where not all processes could be looked at.
std::string users_of(const hawser::system_object& one) {
    if (!one.users || (*one.users == 0 && !one.all_users_seen)) return nothing;
    return human_count(*one.users) + (one.all_users_seen ? "" : "+");
}

// A leftover is what nobody alive seems to use; a segment may wait for its next user all the same.
std::string_view state_of(hawser::owner_life life) {
    switch (life) {
    case hawser::owner_life::yes:
        return "in use";
    case hawser::owner_life::no:
        return "left over";
    default:
        return "unknown";
    }
}

std::string words_of(hawser::system_object_kind kind) {
    std::string word(hawser::name_of(kind));
    std::replace(word.begin(), word.end(), '_', ' ');
    return word;
}

bool print_table(const context& here, const std::vector<hawser::system_object>& all) {
    table shown({{"KIND"},
                 {"NAME"},
                 {"OWNER"},
                 {"MODE"},
                 {"DEPTH", align::right},
                 {"BYTES", align::right},
                 {"LIMIT", align::right},
                 {"USERS", align::right},
                 {"STATE"}});
    for (const auto& each : all)
        shown.add({words_of(each.kind), each.name, each.uid ? user_name(*each.uid) : nothing,
                   each.mode ? octal(*each.mode) : nothing,
                   each.depth ? human_count(*each.depth) : nothing,
                   each.bytes ? human_size(*each.bytes) : nothing, limit_of(each), users_of(each),
                   std::string(state_of(each.owner_lives))});
    return shown.print(here);
}

bool print_tables(const context& here, const mailboxes& all, const objects* others) {
    const bool more = others != nullptr && !others->objects.empty();
    bool written = true;
    if (!all.empty()) written = print_table(here, all);
    if (!all.empty() && more) written &= std::puts("") >= 0;
    if (more) written &= print_table(here, others->objects);
    if (!is_terminal(stream::err)) return written;
    if (all.empty())
        fmt::print(stderr, "no mailboxes in {}; make one: echo hello | hawser send shm:first\n",
                   printable(hawser::mailbox_directory()));
    if (others != nullptr)
        for (const auto& each : others->not_seen)
            fmt::print(stderr, "not seen: {}\n", printable(each));
    return written;
}

exit_code run_ls(const context& here, const ls_flags& flags) {
    const auto all = hawser::list_mailboxes();
    if (!all) return fail(here, all.why());
    bool written = true;
    if (flags.names) {
        written = print_names(*all);
    } else if (flags.mailboxes) {
        written = here.json ? print_json(*all, nullptr) : print_tables(here, *all, nullptr);
    } else {
        const auto others = hawser::list_system_objects(
            flags.all ? hawser::which_sockets::all : hawser::which_sockets::made_by_hawser);
        if (!others) return fail(here, others.why());
        written = here.json ? print_json(*all, &*others) : print_tables(here, *all, &*others);
    }
    return written ? exit_ok : fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_ls(CLI::App& app, context& here) {
    auto flags = std::make_shared<ls_flags>();
    CLI::App* const verb =
        add_verb(app, "ls", "List the mailboxes of this machine, and the system's own IPC objects.",
                 examples);
    verb->add_flag("--names", flags->names, "addresses of mailboxes only, one a line");
    auto* const only =
        verb->add_flag("--mailboxes", flags->mailboxes, "mailboxes only, no objects of the system");
    verb->add_flag("--all", flags->all, "every Unix socket with a name, not only those of hawser")
        ->excludes(only);
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_ls(here, *flags); });
}

} // namespace tool
