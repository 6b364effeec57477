#include "transport/unix/name.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "os/clock.hpp"
#include "os/file.hpp"
#include "os/made.hpp"
#include "os/open_files.hpp"

namespace hawser::local {

namespace {

constexpr std::uint32_t default_mode = 0600;
constexpr std::int64_t patience_ns = 5'000'000'000;
constexpr std::int64_t pause_ns = 1'000'000;

error explained(const error& why, const char* operation, std::string_view detail) {
    return error{why.code(), operation, why.sys()}.because(detail);
}

error plain(const error& why, const char* operation) {
    return explained(why, operation, os::reason_for(why.sys()));
}

std::string absolute(const std::string& path) {
    return std::filesystem::absolute(path).lexically_normal();
}

std::string directory_of(const std::string& path) {
    return std::filesystem::path(absolute(path)).parent_path();
}

bool is_missing(const std::string& directory) {
    return os::look_at(directory).is(errc::not_found);
}

// The socket that has the name, by the kernel's list: never by connecting, which its owner would
// take for a sender. Only sockets of this network namespace are in it.
std::optional<os::file_key> listed(const os::unix_name& name) {
    const auto sockets = os::unix_sockets();
    if (!sockets) return std::nullopt;
    const std::string shown = name.is_abstract ? "@" + name.text : name.text;
    const std::string other = name.is_abstract ? shown : absolute(name.text);
    for (const auto& one : *sockets)
        if (!one.connected && (one.name == shown || one.name == other))
            return os::socket_key(one.inode);
    return std::nullopt;
}

// The process that has the name, or 0.
std::uint32_t holder_of(const os::unix_name& name) {
    const auto key = listed(name);
    if (!key) return 0;
    const auto found = os::look_for_users({{*key}, {}, false});
    const auto users = found.users.find(*key);
    return users == found.users.end() || users->second.empty() ? 0 : users->second.front();
}

error in_use(const os::unix_name& name, const char* operation, std::string_view next) {
    const std::uint32_t pid = holder_of(name);
    const std::string who = pid == 0 ? "another process" : "process " + std::to_string(pid);
    return error{errc::already_exists, operation, EADDRINUSE}.because(
        "the name is in use: " + who + " receives there, and only one can. " + std::string(next));
}

error no_socket(const os::file_seen& seen, errc code, const char* operation) {
    return error{code, operation, ENOTSOCK}.because(
        "at this path there is " + std::string(seen.kind) +
        ", no socket. It stays as it is: choose another path, or remove it yourself.");
}

result<void> check_abstract(const os::unix_name& name, const options& wanted) {
    if (!name.is_abstract || (!wanted.mode && !wanted.group)) return {};
    return error{errc::unsupported, "open"}.because(
        "an abstract name has no file, so mode and group have nothing to apply to: every process "
        "of the network namespace may connect. Use a path.");
}

result<os::fork_guard> hold_directory(const std::string& directory) {
    const std::int64_t until_ns = os::monotonic_ns() + patience_ns;
    for (;;) {
        auto held = os::lock_directory(directory);
        if (held || !held.is(errc::would_block)) return held;
        if (os::monotonic_ns() >= until_ns)
            return error{errc::timed_out, "open"}.because(
                "another process has held the lock (flock) of the directory for 5 s; it may be "
                "stopped. lslocks shows who.");
        os::pause_ns(pause_ns);
    }
}

// A file as it is for a moment: the mode that bind gave it, until its maker gives it its own.
bool is_being_made(const os::file_seen& seen) {
    return seen.is_socket && (seen.mode & 0577U) == 0;
}

// What connecting a datagram socket says, 0 or an errno: as os::binding_of asks, but whoever is
// refused can tell a file that has gone from one that is forbidden.
result<int> ask(const os::unix_name& name) {
    const auto asking = os::make_unix_socket(os::socket_type::datagram);
    if (!asking) return asking.why();
    const auto answer = os::connect_socket(asking->get(), name);
    return answer ? 0 : answer.why().sys();
}

struct socket_seen {
    os::file_seen file;
    os::binding bound = os::binding::unknown; // for good: this user may not know
};

// What is at the path, and whether somebody is bound to it. An answer that comes only from another
// process being just about to make, to replace or to remove it is looked at again.
result<socket_seen> settled(const os::unix_name& name, const char* operation) {
    const std::int64_t until_ns = os::monotonic_ns() + patience_ns;
    for (;; os::pause_ns(pause_ns)) {
        const auto seen = os::look_at(name.text);
        if (!seen) return seen.why();
        if (!seen->is_socket) return socket_seen{*seen};
        const auto answer = ask(name);
        if (!answer) return plain(answer.why(), operation);
        switch (*answer) {
        case 0:
        case EPROTOTYPE:
        case EPERM:
            return socket_seen{*seen, os::binding::bound};
        case ECONNREFUSED:
            return socket_seen{*seen, os::binding::unbound};
        case ENOENT:
        case EACCES:
            break;
        default:
            return plain(os::failure(operation, *answer), operation);
        }
        // It was this file that refused only if it was there before and after, and the same.
        const auto again = os::look_at(name.text);
        const bool same = again && *again == *seen && *answer == EACCES;
        if ((same && !is_being_made(*seen)) || os::monotonic_ns() >= until_ns)
            return socket_seen{*seen};
    }
}

// The file at the path, if it is provably a dead socket's; nothing if there is none; or the reason
// why what is there stays.
result<std::optional<os::file_key>> stale_file(const os::unix_name& name) {
    const auto seen = settled(name, "open");
    if (!seen && seen.is(errc::not_found)) return std::optional<os::file_key>{};
    if (!seen) return plain(seen.why(), "open");
    if (!seen->file.is_socket) return no_socket(seen->file, errc::already_exists, "open");
    switch (seen->bound) {
    case os::binding::unbound:
        return std::optional{seen->file.key};
    case os::binding::bound:
        return in_use(name, "open", "End that one, or choose another name.");
    case os::binding::unknown:
        break;
    }
    return error{errc::permission, "open", EACCES}.because(
        "there is a socket file that this user may not connect to, so it can't be told whether its "
        "owner lives. hawser info shows whose it is.");
}

// Removes a dead socket's file, with the directory held: whoever else wants to do the same comes
// before or after, and then finds a live one, or none. What is not there is not removed: it may be
// there by then.
result<void> remove_stale(const os::unix_name& name) {
    const std::string directory = directory_of(name.text);
    auto held = hold_directory(directory);
    if (!held && held.is(errc::timed_out)) return held.why();
    if (!held)
        return explained(held.why(), "open",
                         "the socket file is a leftover of a dead process, but " + directory +
                             " can't be locked for replacing it safely (" +
                             std::strerror(held.why().sys()) + "). Remove the file yourself.");
    // The kernel makes the file a moment before it binds the socket to it, but keeps the directory
    // locked until both are done, and a listing waits for that: for a file that was there before
    // it, unbound is for good.
    const auto before = os::look_at(name.text);
    static_cast<void>(os::names_in(directory));
    const auto stale = stale_file(name);
    if (!stale) return stale.why();
    if (!*stale || !before || before->key != **stale) return {};
    const auto removed = os::remove_name(name.text);
    if (removed) os::forget_made(mailbox_directory(), **stale);
    if (removed || removed.is(errc::not_found)) return {};
    return explained(removed.why(), "open",
                     "the socket file is a leftover of a dead process, and this user may not "
                     "remove it.");
}

error bind_failure(const os::unix_name& name, const error& why) {
    if (why.code() == errc::not_found && !name.is_abstract)
        return explained(why, "open",
                         "the directory " + directory_of(name.text) + " does not exist.");
    return plain(why, "open");
}

result<void> bind_anew(int fd, const os::unix_name& name) {
    // More than once only while others take the name and leave it again at the same moment.
    constexpr int tries = 64;
    for (int i = 0; i < tries; ++i) {
        const auto bound = os::bind_socket(fd, name);
        if (bound) return {};
        if (bound.why().sys() != EADDRINUSE) return bind_failure(name, bound.why());
        if (name.is_abstract) break;
        const auto stale = stale_file(name);
        if (!stale) return stale.why();
        if (!*stale) continue;
        if (auto removed = remove_stale(name); !removed) return removed;
    }
    return in_use(name, "open", "End that one, or choose another name.");
}

// A receiver that must not create can't: there is nothing to receive from but what it makes.
error refuse_to_open(const os::unix_name& name) {
    if (!name.is_abstract) {
        if (auto stale = stale_file(name); !stale) return stale.why();
    } else if (listed(name)) {
        return in_use(name, "open", "End that one, or choose another name.");
    }
    return error{errc::not_found, "open"}.because(
        "nobody has this socket. Its receiver is what makes it: open it without create=open.");
}

bool is_there(const os::unix_name& name) {
    if (name.is_abstract) return listed(name).has_value();
    const auto seen = os::look_at(name.text);
    return seen && (!seen->is_socket || os::binding_of(name.text) != os::binding::unbound);
}

error no_connection(const os::unix_name& name, const error& why) {
    switch (why.sys()) {
    case ENOENT:
    case EAGAIN:
        return error{errc::would_block, "open", why.sys()};
    case ECONNREFUSED: {
        if (name.is_abstract) return error{errc::would_block, "open", why.sys()};
        const auto seen = os::look_at(name.text);
        if (seen && !seen->is_socket && seen->kind != "a symbolic link")
            return no_socket(*seen, errc::invalid_argument, "open");
        return error{errc::would_block, "open", why.sys()};
    }
    case EPROTOTYPE:
        return explained(error{errc::invalid_argument, "open", EPROTOTYPE}, "open",
                         "the socket there is of another type: unix:, unix-seqpacket: and "
                         "unix-dgram: do not go together. Use the receiver's scheme.");
    case EACCES:
        return explained(why, "open",
                         "the mode of the socket file, or of a directory on the way, forbids it. "
                         "The receiver's mode= and group= say who may send.");
    default:
        return plain(why, "open");
    }
}

} // namespace

result<os::unix_name> name_in(const address& where, const char* operation) {
    const bool is_abstract = where.rest.starts_with('@');
    std::string text = is_abstract ? where.rest.substr(1) : where.rest;
    if (text.empty())
        return error{errc::invalid_argument, operation}.because(
            "a path or an @abstract name has to follow: " + where.scheme + ":/run/user/1000/name.");
    if (text.size() > os::longest_unix_name)
        return error{errc::invalid_argument, operation, ENAMETOOLONG}.because(
            "the name has " + std::to_string(text.size()) +
            " bytes, and the name of a Unix socket can have " +
            std::to_string(os::longest_unix_name) +
            ". Use a shorter one; a path may also be relative.");
    return os::unix_name{std::move(text), is_abstract};
}

// ---- a bound socket -----------------------------------------------------------------------------

bound_socket::bound_socket(os::fork_guard socket, os::unix_name name,
                           std::optional<os::file_key> file)
    : socket_(std::move(socket)), name_(std::move(name)), key_(file), born_(os::fork_generation()) {
    if (name_.is_abstract) return;
    name_.text = absolute(name_.text);
    if (const auto noted = os::note_made(mailbox_directory(), name_.text)) recorded_ = *noted;
}

// The file goes while the socket is still bound: until then nobody else replaces it.
bound_socket::~bound_socket() {
    if (os::fork_generation() != born_) return;
    if (file()) static_cast<void>(os::remove_name(name_.text));
    if (recorded_) os::forget_made(mailbox_directory(), *recorded_);
}

result<os::file_seen> bound_socket::file() const {
    auto seen = key_ ? os::look_at(name_.text) : error{errc::not_found, "open", ENOENT};
    if (seen && seen->key != *key_) return error{errc::not_found, "open", ENOENT};
    return seen;
}

result<void> bound_socket::set_access(std::optional<std::uint32_t> mode,
                                      const std::optional<std::string>& group) const {
    options asked;
    asked.mode = mode;
    asked.group = group;
    if (auto possible = check_abstract(name_, asked); !possible) return possible;
    if (name_.is_abstract) return {};
    std::uint32_t gid = os::no_group;
    if (group) {
        const auto found = os::group_id(*group);
        if (!found)
            return error{errc::invalid_argument, "open"}.because("there is no group " + *group +
                                                                 ".");
        gid = *found;
    }
    const auto seen = file();
    if (seen.is(errc::not_found))
        return error{errc::not_found, "open"}.because(
            "somebody has removed the socket's file, or put another one in its place.");
    if (!seen) return plain(seen.why(), "open");
    if (auto set = os::set_file_access(name_.text, mode.value_or(seen->mode), gid); !set)
        return explained(set.why(), "open",
                         "the socket file could not be given its mode and group: " +
                             std::string(std::strerror(set.why().sys())) +
                             ". A group must be one of yours.");
    return {};
}

namespace {

// The file that was bound just now. While its socket lives nobody else takes its place, so it can
// be removed where it can't be looked at.
result<std::optional<os::file_key>> file_of(const os::unix_name& name) {
    if (name.is_abstract) return std::optional<os::file_key>{};
    const auto seen = os::look_at(name.text);
    if (seen) return std::optional{seen->key};
    static_cast<void>(os::remove_name(name.text));
    return plain(seen.why(), "open");
}

} // namespace

result<std::shared_ptr<bound_socket>> take_name(const os::unix_name& name, os::socket_type type,
                                                const options& wanted) {
    if (auto possible = check_abstract(name, wanted); !possible) return possible.why();
    if (wanted.create == create_policy::open) return refuse_to_open(name);
    auto socket = os::make_unix_socket(type);
    if (!socket) return plain(socket.why(), "open");
    // A stream's are those of its connection.
    if (type != os::socket_type::stream) os::ask_for_credentials(socket->get());
    if (auto bound = bind_anew(socket->get(), name); !bound) return bound.why();
    auto file = file_of(name);
    if (!file) return file.why();
    auto taken = std::make_shared<bound_socket>(std::move(*socket), name, *file);
    if (auto set = taken->set_access(
            name.is_abstract ? std::nullopt : std::optional{wanted.mode.value_or(default_mode)},
            wanted.group);
        !set)
        return set.why();
    return taken;
}

// ---- the other side -----------------------------------------------------------------------------

result<os::fork_guard> reach(const os::unix_name& name, os::socket_type type) {
    auto socket = os::make_unix_socket(type);
    if (!socket) return plain(socket.why(), "open");
    auto there = os::connect_socket(socket->get(), name);
    if (!there && there.why().sys() == EACCES && !name.is_abstract) {
        const auto seen = os::look_at(name.text);
        if (seen.is(errc::not_found) || (seen && is_being_made(*seen)))
            return error{errc::would_block, "open", EACCES};
        // It may have been finished, or replaced, between the two.
        there = os::connect_socket(socket->get(), name);
    }
    if (!there) return no_connection(name, there.why());
    return socket;
}

result<std::optional<os::fork_guard>> reach_first(const os::unix_name& name, os::socket_type type,
                                                  const options& wanted) {
    if (wanted.create == create_policy::create && is_there(name))
        return error{errc::already_exists, "open"}.because(
            "create=create asks for a new name, and somebody has this one.");
    auto there = reach(name, type);
    if (there) return std::optional{std::move(*there)};
    if (!there.is(errc::would_block)) return there.why();
    if (there.why().sys() == ENOENT && !name.is_abstract && is_missing(directory_of(name.text)))
        return error{errc::not_found, "open", ENOENT}.because(
            "the directory " + directory_of(name.text) + " does not exist.");
    if (wanted.create == create_policy::open && there.why().sys() != EAGAIN)
        return error{errc::not_found, "open", there.why().sys()}.because(
            "nobody receives there. Without create=open a sender waits for its receiver.");
    return std::optional<os::fork_guard>{};
}

// ---- from outside -------------------------------------------------------------------------------

namespace {

void note_holder(mailbox_info& info, const os::unix_name& name) {
    const std::uint32_t pid = holder_of(name);
    if (pid == 0) return;
    participant_info one;
    one.role = participant_role::receiver;
    one.alive = true;
    one.pid = pid;
    info.participants.push_back(std::move(one));
}

result<mailbox_info> inspect_abstract(mailbox_info info, const os::unix_name& name) {
    if (!listed(name)) return error{errc::not_found, "info"}.because("nobody has this name.");
    note_holder(info, name);
    info.state = mailbox_state::in_use;
    return info;
}

error missing(const error& why, const char* operation) {
    return explained(why, operation,
                     why.code() == errc::not_found ? "there is nothing at this path."
                                                   : std::strerror(why.sys()));
}

} // namespace

result<mailbox_info> inspect(const address& where) {
    const auto name = name_in(where, "info");
    if (!name) return name.why();
    mailbox_info info;
    info.address = where.name();
    if (name->is_abstract) return inspect_abstract(std::move(info), *name);
    const auto seen = settled(*name, "info");
    if (!seen) return missing(seen.why(), "info");
    info.path = absolute(name->text);
    info.mode = seen->file.mode;
    info.uid = seen->file.uid;
    info.gid = seen->file.gid;
    if (!seen->file.is_socket) {
        info.problem = "it is " + std::string(seen->file.kind) + ", no socket.";
        return info;
    }
    switch (seen->bound) {
    case os::binding::bound:
        info.state = mailbox_state::in_use;
        note_holder(info, *name);
        break;
    case os::binding::unbound:
        info.state = mailbox_state::dead;
        break;
    case os::binding::unknown:
        info.state = mailbox_state::unreadable;
        info.problem = "this user may not connect to it, so it can't be told whether it is in use.";
        break;
    }
    return info;
}

result<void> remove(const address& where, removal how) {
    const auto name = name_in(where, "rm");
    if (!name) return name.why();
    if (name->is_abstract)
        return error{errc::unsupported, "rm"}.because(
            "an abstract name has no file; it goes with the process that has it.");
    const auto held = hold_directory(directory_of(name->text));
    if (held.is(errc::timed_out) && how == removal::if_unused) return held.why();
    const auto found = [&]() -> result<socket_seen> {
        if (how == removal::if_unused) return settled(*name, "rm");
        auto file = os::look_at(name->text);
        if (!file) return file.why();
        return socket_seen{*file};
    }();
    if (!found) return missing(found.why(), "rm");
    if (!found->file.is_socket) return no_socket(found->file, errc::invalid_argument, "rm");
    if (how == removal::if_unused && found->bound == os::binding::bound)
        return in_use(*name, "rm",
                      "Its senders could not find it any more; to remove it all "
                      "the same: hawser rm --force.");
    if (how == removal::if_unused && found->bound == os::binding::unknown)
        return error{errc::permission, "rm", EACCES}.because(
            "this user may not connect to it, so it can't be told whether it is in use. To "
            "remove it all the same: hawser rm --force.");
    if (auto removed = os::remove_name(name->text); !removed) return plain(removed.why(), "rm");
    os::forget_made(mailbox_directory(), found->file.key);
    return {};
}

} // namespace hawser::local
