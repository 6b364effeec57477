// Looking at mailboxes from outside: hawser/inspect.hpp.

#include <hawser/inspect.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <hawser/address.hpp>

#include "os/clock.hpp"
#include "os/lock.hpp"
#include "segment/handout.hpp"
#include "segment/participant.hpp"
#include "transport/shm/shm.hpp"

namespace hawser {
inline namespace v1 {

namespace {

using segment::slot_state;

std::string address_of(const std::string& name) {
    return address{"shm", name, {}}.to_text(); // with escapes where the name needs them
}

std::string command_of(const segment::participant_record& record) {
    std::array<char, 17> text{};
    for (std::size_t i = 0; i < 2; ++i) {
        const std::uint64_t part = record.command[i].load();
        std::memcpy(text.data() + i * sizeof part, &part, sizeof part);
    }
    return std::string{text.data()};
}

participant_role role_of(slot_state state) noexcept {
    switch (state) {
    case slot_state::sender:
        return participant_role::sender;
    case slot_state::receiver:
    case slot_state::orphaned:
        return participant_role::receiver;
    default:
        return participant_role::none;
    }
}

participant_info describe(int fd, const segment::shared_memory& memory, std::uint32_t slot) {
    const auto& record = memory.record(slot);
    participant_info info;
    info.slot = slot;
    info.role = role_of(static_cast<slot_state>(record.state.load()));
    info.alive = os::first_locked(fd, segment::lock_base + slot, 1) != os::none_locked;
    info.waiting = info.alive && record.waiting.load() != 0;
    info.pid = record.pid.load();
    info.uid = record.uid.load();
    info.pid_namespace = record.pid_namespace.load();
    info.command = command_of(record);
    info.messages_held = static_cast<std::uint32_t>(memory.held_by(slot));
    info.counters = segment::counters_of(record);
    return info;
}

void add(stats& sum, const stats& more) noexcept {
    sum.sent += more.sent;
    sum.sent_bytes += more.sent_bytes;
    sum.received += more.received;
    sum.received_bytes += more.received_bytes;
    sum.redelivered += more.redelivered;
    sum.dropped += more.dropped;
    sum.lost += more.lost;
    sum.sleeps += more.sleeps;
    sum.wakes += more.wakes;
    sum.reaped += more.reaped;
}

void look_inside(mailbox_info& info, int fd, const segment::shared_memory& memory) {
    const auto created_ns = std::chrono::nanoseconds(segment::created_ns(fd));
    info.created = std::chrono::system_clock::time_point(
        std::chrono::duration_cast<std::chrono::system_clock::duration>(created_ns));
    info.layout_version = segment::layout_version;
    info.geometry = memory.shape().to_options();
    info.geometry.mode = info.mode;
    info.geometry.group = std::to_string(info.gid);
    info.depth = memory.depth();
    bool inhabited = false;
    for (std::uint32_t slot = 0; slot < memory.slots_used(); ++slot) {
        participant_info one = describe(fd, memory, slot);
        add(info.counters, one.counters);
        info.held += one.messages_held;
        inhabited = inhabited || one.alive;
        if (one.alive || one.role != participant_role::none)
            info.participants.push_back(std::move(one));
    }
    const bool empty = info.depth == 0 && info.held == 0 && !memory.shape().persist;
    info.state =
        inhabited ? mailbox_state::in_use : (empty ? mailbox_state::dead : mailbox_state::idle);
}

mailbox_state state_for(const error& why) noexcept {
    switch (why.code()) {
    case errc::permission:
        return mailbox_state::unreadable;
    case errc::unsupported:
        return mailbox_state::other_version;
    default:
        return mailbox_state::damaged;
    }
}

bool begins_as_mailbox(int fd) noexcept {
    std::uint64_t magic = 0;
    const auto got = os::read_start(fd, &magic, sizeof magic);
    return got && *got == sizeof magic && magic == segment::magic;
}

// How long a host may take to answer somebody who only looks. It is a matter of microseconds,
// unless it is stopped.
constexpr std::int64_t look_patience_ns = 1'000'000'000;
constexpr std::int64_t list_patience_ns = 2'000'000'000; // all of a list together

std::int64_t soon() {
    return os::monotonic_ns() + look_patience_ns;
}

// What the file behind the descriptor is, with what is inside if it is a mailbox.
void inspect_open(mailbox_info& info, int fd, const os::file_status& file) {
    info.file_bytes = file.bytes;
    info.memory_bytes = file.memory_bytes;
    const auto shape = segment::read_geometry(fd, file);
    if (!shape) {
        info.state = begins_as_mailbox(fd) ? state_for(shape.why()) : mailbox_state::not_mailbox;
        info.problem = shape.why().detail();
        return;
    }
    const auto memory = segment::observe(fd, file, *shape);
    if (!memory) {
        info.state = mailbox_state::damaged;
        info.problem = memory.why().describe();
        return;
    }
    look_inside(info, fd, **memory);
}

// A mailbox with trust=none, as its host shows it. Whoever it is may be looked at.
void inspect_handed_out(mailbox_info& info, std::int64_t until_ns) {
    const auto fd = segment::fetch(info.path, {.also_uid = 0, .anybody = true},
                                   os::access_kind::read_only, until_ns);
    if (fd) {
        if (const auto file = os::status_of(fd->get())) inspect_open(info, fd->get(), *file);
        info.geometry.trust = trust_policy::none;
        return;
    }
    info.geometry.trust = trust_policy::none;
    switch (fd.why().code()) {
    case errc::not_found:
        info.state = mailbox_state::dead;
        info.problem = "its host has gone: nobody can join any more. Processes that had joined "
                       "before may still be in it, unseen; gc removes no more than the name.";
        return;
    case errc::permission:
    case errc::timed_out:
    case errc::no_space:
        info.state = mailbox_state::unreadable;
        break;
    default:
        break;
    }
    info.problem = fd.why().detail();
}

bool is_socket(const std::string& path) {
    const auto seen = os::look_at(path);
    return seen && seen->is_socket;
}

mailbox_info inspect_file(const std::string& name, const std::string& path,
                          const os::file_status& file, std::int64_t until_ns) {
    mailbox_info info;
    info.address = address_of(name);
    info.path = path;
    info.mode = file.mode;
    info.uid = file.uid;
    info.gid = file.gid;
    info.file_bytes = file.bytes;
    info.memory_bytes = file.memory_bytes;
    if (!file.regular && is_socket(path)) {
        inspect_handed_out(info, until_ns);
        return info;
    }
    if (!file.regular) {
        info.problem = "not a regular file: some other program's, or put there on purpose.";
        return info;
    }
    auto fd = os::open_existing(path, os::access_kind::read_only);
    if (!fd) {
        info.state = state_for(fd.why());
        info.problem =
            fd.is(errc::permission) ? "this user may not read it." : std::strerror(fd.why().sys());
        return info;
    }
    inspect_open(info, fd->get(), file);
    info.geometry.trust = trust_policy::all;
    return info;
}

// The name of a file in the mailbox directory, if it is one of ours.
std::string mailbox_name(const std::string& file) {
    const std::string_view prefix = segment::file_prefix;
    return file.starts_with(prefix) ? file.substr(prefix.size()) : std::string{};
}

error in_use(const std::string& name, int fd, const segment::shared_memory& memory) {
    std::string who;
    for (std::uint32_t slot = 0; slot < memory.slots_used(); ++slot) {
        if (os::first_locked(fd, segment::lock_base + slot, 1) == os::none_locked) continue;
        const auto& record = memory.record(slot);
        who += (who.empty() ? "" : ", ") + std::string("pid ") + std::to_string(record.pid.load()) +
               " (" + command_of(record) + ")";
    }
    return error{errc::already_exists, "rm"}
        .at(address_of(name))
        .because("it is in use by " + (who.empty() ? "a process that is joining" : who) +
                 ". End that first, or take it away from them: hawser rm --force " +
                 address_of(name));
}

// Tells everyone who is in there that it is over.
void mark_removed(int fd, segment::shared_memory& memory) {
    memory.head().life.store(static_cast<std::uint32_t>(segment::life::removed));
    segment::wake_everyone(fd, memory);
}

result<void> remove_healthy(const std::string& name, const std::string& path, removal how, int fd,
                            const os::file_status& file, const segment::geometry& shape) {
    auto memory = segment::observe(fd, file, shape, os::access_kind::read_write);
    if (!memory) return memory.why();
    // By force or not: the name is only taken away behind the shut door, or another remover, who
    // has looked at the name already, would take away what comes after us.
    constexpr std::int64_t patience_ns = 5'000'000'000;
    const bool force = how == removal::by_force;
    if (!segment::shut_door(fd, force ? patience_ns : segment::moment_ns)) {
        if (!force) return in_use(name, fd, **memory);
        return error{errc::timed_out, "rm"}.because(
            "for five seconds a process has been opening or removing it; it is stopped, or very "
            "slow. Continue or end it.");
    }
    if (!force && segment::inhabited(fd, **memory)) return in_use(name, fd, **memory);
    const auto named = os::status_of(path);
    if (!named || !named->same_file_as(file))
        return error{errc::not_found, "rm"}.because("somebody else removed it just now.");
    if (auto gone = os::remove_name(path); !gone) return gone; // STEP(force.unlink)
    mark_removed(fd, **memory);                                // STEP(force.tell)
    return {};
}

// The name of a mailbox with trust=none. Those who are in it have the memory, whatever becomes of
// the name: so by force they are told.
result<void> remove_handed_out(const std::string& name, const std::string& path, removal how) {
    const bool force = how == removal::by_force;
    const auto gone = segment::remove_handout(path, segment::whose_name::of_the_dead, soon());
    if (!gone) return gone.why();
    if (*gone) return {};
    const auto fd =
        segment::fetch(path, {.also_uid = 0, .anybody = true},
                       force ? os::access_kind::read_write : os::access_kind::read_only, soon());
    const auto file = fd ? os::status_of(fd->get()) : result<os::file_status>{fd.why()};
    const auto shape =
        file ? segment::read_geometry(fd->get(), *file) : result<segment::geometry>{file.why()};
    if (!force && !shape) return shape.why();
    const auto memory =
        shape ? segment::observe(fd->get(), *file, *shape,
                                 force ? os::access_kind::read_write : os::access_kind::read_only)
              : result<std::shared_ptr<segment::shared_memory>>{shape.why()};
    if (shape && !memory) return memory.why();
    if (!force) return in_use(name, fd->get(), **memory);
    // First the name: its host, once told, would take it back itself.
    const auto removed = segment::remove_handout(path, segment::whose_name::by_force, soon());
    if (!removed) return removed.why();
    if (memory) mark_removed(fd->get(), **memory);
    if (*removed && !memory)
        return error{errc::timed_out, "rm"}.because(
            "the name is gone, so nobody joins any more; but the host does not answer, so those "
            "who "
            "are in the mailbox could not be told. They go on until they end: continue the host, "
            "or end them.");
    if (*removed) return {};
    return error{errc::not_found, "rm"}.because("somebody else removed it just now.");
}

// True if it is gone. What the dead left inside is repaired.
result<bool> tidy(const mailbox_info& info, const std::string& name) {
    if (!is_socket(info.path)) return segment::participant::tidy(name);
    if (info.state == mailbox_state::dead)
        return segment::remove_handout(info.path, segment::whose_name::of_the_dead, soon());
    return segment::participant::tidy(name, trust_policy::none);
}

collected collect_one(const mailbox_info& info, const std::string& name, bool dry_run) {
    collected one{info.address, info.path, info.memory_bytes, false, {}};
    const bool host_gone = info.state == mailbox_state::dead && !info.problem.empty();
    const auto dead_inside = std::ranges::any_of(
        info.participants, [](const participant_info& who) { return !who.alive; });
    if (info.state == mailbox_state::in_use && !dead_inside) {
        one.reason = "in use";
    } else if (info.state == mailbox_state::dead || info.state == mailbox_state::idle ||
               info.state == mailbox_state::in_use) {
        if (dry_run) {
            one.removed = info.state == mailbox_state::dead;
        } else {
            const auto tidied = tidy(info, name);
            one.removed = tidied && *tidied;
            if (!tidied) one.reason = tidied.why().describe();
        }
        if (one.removed && host_gone)
            one.reason = info.problem;
        else if (one.removed)
            one.reason = "nobody is there and nothing is in it";
        else if (one.reason.empty() && info.state == mailbox_state::in_use)
            one.reason = "in use; what the dead left in it is repaired";
        else if (one.reason.empty())
            one.reason = info.geometry.persist.value_or(false)
                             ? "persist=yes"
                             : std::to_string(info.depth + info.held) + " messages wait in it";
    } else {
        one.reason = info.problem;
    }
    return one;
}

} // namespace

std::string mailbox_directory() {
    return segment::directory();
}

result<std::vector<mailbox_info>> list_mailboxes() {
    auto files = os::names_in(segment::directory());
    if (!files)
        return error{files.why().code(), "ls", files.why().sys()}.because(
            "the mailbox directory " + segment::directory() +
            " can't be read: " + std::strerror(files.why().sys()) + ". $HAWSER_DIR sets another.");
    std::ranges::sort(*files);
    std::vector<mailbox_info> all;
    const std::int64_t give_up_ns = os::monotonic_ns() + list_patience_ns;
    for (const auto& file : *files) {
        const std::string name = mailbox_name(file);
        if (name.empty()) continue;
        const std::string path = segment::directory() + "/" + file;
        // It may be gone by now: then it is no part of the list.
        if (const auto status = os::status_of(path))
            all.push_back(inspect_file(name, path, *status, std::min(soon(), give_up_ns)));
    }
    return all;
}

result<std::vector<collected>> collect_garbage(bool dry_run) {
    auto all = list_mailboxes();
    if (!all) return all.why();
    if (!dry_run) segment::remove_unnamed_handouts(segment::directory());
    std::vector<collected> report;
    for (const auto& info : *all)
        report.push_back(collect_one(info, address::parse(info.address).value().rest, dry_run));
    return report;
}

} // namespace v1
} // namespace hawser

namespace hawser::shm {

result<mailbox_info> inspect(const address& where) {
    const auto path = segment::path_of(where.rest);
    if (!path)
        return error{path.why().code(), "info", path.why().sys()}.because(path.why().detail());
    const auto status = os::status_of(*path);
    if (!status)
        return error{status.why().code(), "info", status.why().sys()}.because(
            status.is(errc::not_found)
                ? "there is no such mailbox. hawser ls shows those there are."
                : std::strerror(status.why().sys()));
    return inspect_file(where.rest, *path, *status, soon());
}

result<void> remove(const address& where, removal how) {
    const std::string& name = where.rest;
    const auto path = segment::path_of(name);
    if (!path) return error{path.why().code(), "rm", path.why().sys()}.because(path.why().detail());
    const auto status = os::status_of(*path);
    if (!status)
        return error{status.why().code(), "rm", status.why().sys()}.because(
            "there is no such mailbox. hawser ls shows those there are.");
    const auto removed = [&]() -> result<void> {
        if (is_socket(*path)) return remove_handed_out(name, *path, how);
        const auto fd = os::fork_guard::of(
            [&] { return os::open_existing(*path, os::access_kind::read_write); });
        const auto shape =
            fd ? segment::read_geometry(fd->get(), *status) : result<segment::geometry>{fd.why()};
        if (shape) return remove_healthy(name, *path, how, fd->get(), *status, *shape);
        if (how == removal::by_force) return os::remove_name(*path);
        if (!fd && fd.is(errc::permission))
            return error{errc::permission, "rm", fd.why().sys()}.because(
                "this user may not open it. hawser info shows whose it is.");
        return error{errc::corrupt, "rm"}.because("it is not a mailbox that this version can use "
                                                  "(hawser info says why). To remove the file "
                                                  "all the same: hawser rm --force shm:" +
                                                  name);
    }();
    if (removed) return {};
    const error& why = removed.why();
    return error{why.code(), "rm", why.sys()}.because(
        why.detail().empty() ? std::string_view(std::strerror(why.sys())) : why.detail());
}

} // namespace hawser::shm
