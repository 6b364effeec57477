// The checks of doctor that look at one mailbox.
#include "doctor_checks.hpp"

#include <algorithm>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <sys/stat.h>

#include "output/human.hpp"
#include "output/known.hpp"
#include "output/users.hpp"

namespace tool {
namespace {

using hawser::mailbox_info;
using hawser::mailbox_state;
using hawser::participant_info;
using hawser::participant_role;

std::string command_for(const char* verb, const mailbox_info& mailbox, const char* flags = "") {
    return fmt::format("hawser {} {}{}", verb, mailbox.address, flags);
}

std::string name_of(const participant_info& who) {
    return fmt::format("{} {} ({})", hawser::name_of(who.role), who.pid, printable(who.command));
}

std::uint64_t own_pid_namespace() {
    struct stat status {};
    return stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

// Is it stopped (Ctrl-Z, SIGSTOP, a debugger)? Only for pids of our own namespace.
bool is_stopped(std::uint32_t pid) {
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    const auto after_name = line.rfind(") ");
    if (after_name == line.npos || after_name + 2 >= line.size()) return false;
    const char state = line[after_name + 2];
    return state == 'T' || state == 't';
}

std::optional<finding> check_state(const mailbox_info& box) {
    const std::string remove = command_for("rm", box, " --force");
    const auto say = [&](level how_bad, const std::string& what, const std::string& why,
                         const std::string& next) {
        return finding{how_bad, box.address, what, why, next};
    };
    switch (box.state) {
    case mailbox_state::in_use:
    case mailbox_state::idle:
        return std::nullopt;
    case mailbox_state::dead:
        if (host_has_gone(box))
            return say(level::problem, "has lost its host: nobody can join", box.problem,
                       "hawser gc");
        return say(level::problem,
                   fmt::format("is left over: nobody takes part, nothing is in it, and it keeps {}",
                               human_size(box.memory_bytes)),
                   "its last processes were killed", "hawser gc");
    case mailbox_state::not_mailbox:
        return say(level::problem, "has the name of a mailbox, and is none",
                   box.problem + " (" + box.path + ")", remove);
    case mailbox_state::other_version:
        return say(level::problem, "was made by another version of hawser",
                   box.problem + "; run all programs with one version, or remove it when its "
                                 "users have gone",
                   remove);
    case mailbox_state::damaged:
        return say(level::problem, "is damaged: nobody can join, its messages are lost",
                   box.problem, remove);
    case mailbox_state::unreadable:
        // With trust=none its host says, or does not say, what is in it.
        if (box.geometry.trust == hawser::trust_policy::none)
            return say(level::note, "can't be looked at", box.problem, {});
        return say(
            level::note, "you may not look at it",
            fmt::format("it belongs to {}, mode {:04o}", user_name(box.uid), box.mode & 07777),
            "ls -l " + box.path);
    }
    return std::nullopt;
}

void check_access(const mailbox_info& box, findings& into) {
    if ((box.mode & S_IWOTH) != 0)
        into.push_back(
            {level::problem, box.address,
             fmt::format("anyone on this machine may write to it (mode {:04o})", box.mode & 07777),
             "and whoever may write may take, forge and destroy its messages",
             "chmod o-rwx " + box.path});
    else if ((box.mode & S_IROTH) != 0)
        into.push_back({level::note,
                        box.address,
                        fmt::format("anyone on this machine may read its messages (mode {:04o})",
                                    box.mode & 07777),
                        {},
                        "chmod o-r " + box.path});
    if (!user_exists(box.uid))
        into.push_back({level::note, box.address,
                        fmt::format("its owner {} is no user of this system", box.uid),
                        "a container made it, or the user was removed", "ls -ln " + box.path});
}

void check_fill(const mailbox_info& box, findings& into) {
    const hawser::options& geometry = box.geometry;
    const bool is_one_queue = geometry.order == hawser::order_policy::total;
    const std::uint64_t capacity = geometry.capacity.value_or(hawser::unbounded);
    const auto receives = [](const participant_info& who) {
        return who.alive && who.role == participant_role::receiver;
    };
    if (is_one_queue && capacity > 0 && box.depth >= capacity) {
        const bool any = std::any_of(box.participants.begin(), box.participants.end(), receives);
        into.push_back({level::note, box.address,
                        fmt::format("is full: {} of {} messages", box.depth, capacity),
                        any ? "its receivers are slower than its senders" : "nobody receives",
                        command_for(any ? "info" : "receive", box)});
    }
    const auto alive = static_cast<std::size_t>(
        std::count_if(box.participants.begin(), box.participants.end(),
                      [](const participant_info& who) { return who.alive; }));
    if (geometry.participants && alive >= *geometry.participants)
        into.push_back(
            {level::problem, box.address,
             fmt::format("all of its {} participant slots are taken", alive),
             "the next to open it gets no_space; `participants` is fixed when it is made",
             command_for("info", box)});
}

void check_dead(const mailbox_info& box, findings& into) {
    for (const participant_info& who : box.participants) {
        if (who.alive) continue;
        const bool holds = who.messages_held > 0;
        into.push_back({level::note, box.address,
                        fmt::format("{} died{}", name_of(who),
                                    holds ? fmt::format(" and held {}",
                                                        human_plural(who.messages_held, "message"))
                                          : ""),
                        holds ? "the next receiver gets them again, marked as redelivered"
                              : "the next participant that looks repairs what it left",
                        command_for(holds ? "receive" : "info", box)});
    }
}

void check_living(const mailbox_info& box, findings& into) {
    const std::uint64_t here = own_pid_namespace();
    for (const participant_info& who : box.participants) {
        if (!who.alive) continue;
        if (who.pid_namespace != here) {
            into.push_back(
                {level::note, box.address, name_of(who) + " runs in another PID namespace",
                 "a container: the pid is what it is called in there, not here", "lsns -t pid"});
            continue;
        }
        if (is_stopped(who.pid))
            into.push_back({level::note, box.address, name_of(who) + " is stopped",
                            who.messages_held == 0
                                ? std::string("it takes part, and does nothing")
                                : fmt::format("it keeps {} from the others",
                                              human_plural(who.messages_held, "message")),
                            fmt::format("kill -CONT {}", who.pid)});
        else if (who.role == participant_role::receiver && box.geometry.loans &&
                 who.messages_held >= *box.geometry.loans)
            into.push_back({level::note, box.address,
                            fmt::format("{} holds {}, all that it may", name_of(who),
                                        human_plural(who.messages_held, "message")),
                            "it is busy, or forgets to release them", command_for("info", box)});
    }
}

} // namespace

findings check_mailbox(const hawser::mailbox_info& mailbox) {
    findings found;
    if (auto state = check_state(mailbox)) found.push_back(std::move(*state));
    const bool is_sound =
        mailbox.state == mailbox_state::in_use || mailbox.state == mailbox_state::idle;
    if (!is_sound) return found;
    check_access(mailbox, found);
    check_fill(mailbox, found);
    check_dead(mailbox, found);
    check_living(mailbox, found);
    return found;
}

} // namespace tool
