#include "transport/fifo/place.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <utility>

#include <hawser/inspect.hpp>

#include "core/text.hpp"
#include "os/clock.hpp"
#include "os/made.hpp"
#include "os/open_files.hpp"
#include "wire/pipe_ends.hpp"

namespace hawser::fifo {

namespace {

constexpr std::uint32_t default_mode = 0600;
constexpr std::int64_t patience_ns = 5'000'000'000;
constexpr std::int64_t retry_ns = 1'000'000;

error not_a_fifo(std::string_view kind) {
    return error{errc::corrupt, "open"}.because(
        "what has the name is no FIFO but " + std::string(kind) +
        ". It is left alone; use another path, or remove it by hand if it is yours.");
}

std::string no_such(const std::string& path) {
    const std::string directory = std::filesystem::path(path).parent_path().string();
    const auto above = os::status_of(directory + "/.");
    if (!above && (above.why().sys() == ENOENT || above.why().sys() == ENOTDIR))
        return "the directory " + directory + " does not exist. Make it, or choose another path.";
    return "there is no such FIFO. create=open makes none; leave it out, or start the other side "
           "first.";
}

error explain(const error& why, const std::string& path) {
    error better{why.code(), "open", why.sys()};
    switch (why.code()) {
    case errc::corrupt:
        return not_a_fifo(why.detail());
    case errc::not_found:
        return better.because(no_such(path));
    case errc::permission:
        return better.because("the mode or owner of " + path +
                              ", or of its directory, does not let this user in. ls -l shows "
                              "them; whoever makes it can give mode= and group=.");
    case errc::invalid_argument:
        return better.because("the path is too long: a file name has at most 255 bytes, a path "
                              "4,095.");
    case errc::would_block:
        return better.because("nobody reads there yet.");
    default:
        return better.because(std::string("the system said: ").append(os::reason_for(why.sys())));
    }
}

error being_removed() {
    return error{errc::timed_out, "open"}.because(
        "a process has been removing this FIFO for five seconds; it is stopped, or very slow. "
        "Continue or end it.");
}

// Takes the name away if hawser made the FIFO; the exclusive lock on it is held.
void remove_if_made(int fd) noexcept {
    try {
        const auto file = os::status_of(fd);
        const std::string records = mailbox_directory();
        const auto made = os::list_made(records);
        if (!file || !made) return;
        for (const os::made_object& one : made->objects) {
            if (one.stale || one.key != os::file_key{file->device, file->inode}) continue;
            const auto gone = os::remove_made(records, one);
            if (gone && *gone) os::release_openers(fd);
        }
    } catch (...) { // NOLINT(bugprone-empty-catch): out of memory; the FIFO stays, for gc
    }
}

} // namespace

result<place> place::of(const address& where, const options& wanted) {
    if (where.rest.empty())
        return error{errc::invalid_argument, "open"}.because(
            "a path is missing: fifo:/run/user/1000/orders");
    std::uint32_t gid = os::no_group;
    if (wanted.group) {
        const auto found = os::group_id(*wanted.group);
        if (!found)
            return error{errc::invalid_argument, "open"}.because(
                "there is no group " + hawser::detail::in_quotes(*wanted.group) + ".");
        gid = *found;
    }
    // Absolute, as the program may go to another directory before it opens it again.
    const std::string path = std::filesystem::absolute(where.rest).string();
    return place{path, wanted.create.value_or(create_policy::open_or_create),
                 wanted.mode.value_or(default_mode), gid};
}

place::place(std::string path, create_policy create, std::uint32_t mode, std::uint32_t gid)
    : path_(std::move(path)), create_(create), mode_(mode), gid_(gid),
      born_(os::fork_generation()) {}

place::place(place&& other) noexcept
    : path_(std::move(other.path_)), create_(other.create_), mode_(other.mode_), gid_(other.gid_),
      born_(other.born_), opened_(other.opened_), left_(std::exchange(other.left_, true)) {}

// False: somebody else was quicker.
result<bool> place::make() {
    const auto made = os::make_fifo(path_, mode_, gid_, mailbox_directory());
    if (made) {
        opened_ = true;
        return true;
    }
    if (!made.is(errc::already_exists)) return explain(made.why(), path_);
    if (create_ != create_policy::create || opened_) return false;
    const auto seen = os::look_at_fifo(path_);
    return error{errc::already_exists, "open"}.because(
        std::string("create=create, but ") + (seen ? seen->kind : "something") +
        " has the name already. Leave create= out to use it.");
}

// gone: the name went meanwhile, or is going.
result<os::fork_guard> place::open_held(os::fifo_side side, bool& gone) {
    auto end = os::fork_guard::of([&] { return os::open_fifo(path_, side); });
    if (!end) return end;
    const auto held = os::hold_fifo(end->get(), os::fifo_hold::shared);
    // A file system without locks: nobody gets an exclusive one there, so nothing is removed.
    if (held) gone = !*held || !os::still_named(end->get(), path_);
    return end;
}

result<os::fork_guard> place::open(os::fifo_side side, bool patient) {
    const std::int64_t give_up_ns = os::monotonic_ns() + patience_ns;
    if (create_ == create_policy::create && !opened_) {
        if (const auto made = make(); !made) return made.why();
    }
    for (;;) {
        bool gone = false;
        auto end = open_held(side, gone);
        if (!gone && (end || end.is(errc::would_block))) opened_ = true;
        if (end && !gone) return end;
        if (end.is(errc::not_found) && create_ != create_policy::open) {
            if (const auto made = make(); !made) return made.why();
        } else if (end.is(errc::not_found) && opened_) {
            return error{errc::would_block, "open"}; // whoever reads next may make it again
        } else if (!end) {
            return explain(end.why(), path_);
        } else if (!patient) {
            return error{errc::would_block, "open"};
        } else {
            os::pause_ns(retry_ns);
        }
        if (os::monotonic_ns() > give_up_ns) return being_removed();
    }
}

place::~place() {
    leave(-1);
}

void place::leave(int fd) noexcept {
    if (std::exchange(left_, true) || !opened_ || os::fork_generation() != born_) return;
    os::fork_guard own;
    if (fd < 0) {
        // A sender that never met anybody. If somebody reads by now, it will read the end.
        auto end = os::fork_guard::of([&] {
            auto one = os::open_fifo(path_, os::fifo_side::writing);
            return one.is(errc::would_block) ? os::open_fifo(path_, os::fifo_side::reading)
                                             : std::move(one);
        });
        if (!end) return;
        own = std::move(*end);
        fd = own.get();
    }
    const auto alone = os::hold_fifo(fd, os::fifo_hold::exclusive);
    if (alone && *alone && os::still_named(fd, path_)) remove_if_made(fd);
}

// ---- observers ----------------------------------------------------------------------------------

namespace {

std::string path_of(const address& where) {
    return std::filesystem::absolute(where.rest).string();
}

struct usage {
    std::string by; // "process 12, 17", or nothing
    bool known = true;
};

usage usage_of(const os::file_key& key) {
    const auto open = os::look_for_users({{key}, {}, false});
    usage found{"", open.complete};
    const auto users = open.users.find(key);
    if (users == open.users.end()) return found;
    for (const std::uint32_t pid : users->second)
        found.by += (found.by.empty() ? "process " : ", ") + std::to_string(pid);
    return found;
}

bool is_made(const os::file_key& key) {
    const auto made = os::list_made(mailbox_directory());
    return made && std::ranges::any_of(made->objects, [&](const os::made_object& one) {
               return !one.stale && one.key == key;
           });
}

error nothing_there(const char* operation, const error& why) {
    error better{why.code(), operation, why.sys()};
    if (why.code() == errc::not_found) return better.because("there is no such FIFO.");
    return better.because(std::string("the system said: ").append(os::reason_for(why.sys())));
}

} // namespace

result<mailbox_info> inspect(const address& where) {
    const std::string path = path_of(where);
    const auto seen = os::look_at_fifo(path);
    if (!seen) return nothing_there("info", seen.why());
    mailbox_info info;
    info.address = where.name();
    info.path = path;
    info.mode = seen->mode;
    info.uid = seen->uid;
    info.gid = seen->gid;
    info.created = std::chrono::system_clock::time_point{
        std::chrono::duration_cast<std::chrono::system_clock::duration>(
            std::chrono::nanoseconds{seen->changed_ns})};
    if (!seen->is_fifo) {
        info.problem = std::string("it is no FIFO but ") + seen->kind + ".";
        return info;
    }
    info.geometry.max_message = wire::largest_in_packet;
    const usage now = usage_of(seen->key);
    if (!now.by.empty())
        info.state = mailbox_state::in_use;
    else
        info.state = now.known && is_made(seen->key) ? mailbox_state::dead : mailbox_state::idle;
    return info;
}

result<void> remove(const address& where, removal how) {
    const std::string path = path_of(where);
    const auto seen = os::look_at_fifo(path);
    if (!seen) return nothing_there("rm", seen.why());
    if (!seen->is_fifo)
        return error{errc::corrupt, "rm"}.because(
            std::string("it is no FIFO but ") + seen->kind +
            ", and is left alone. Remove it by hand if it is yours.");
    if (how == removal::if_unused) {
        if (const usage now = usage_of(seen->key); !now.by.empty())
            return error{errc::already_exists, "rm"}.because(
                "it is in use by " + now.by +
                ". End those, or remove it with --force; they keep what they have open.");
    }
    const auto removed = os::remove_fifo(path, how == removal::by_force);
    if (removed || removed.is(errc::not_found)) {
        os::forget_made(mailbox_directory(), seen->key);
        return {};
    }
    error better{removed.why().code(), "rm", removed.why().sys()};
    if (removed.is(errc::already_exists))
        return better.because("somebody opened it just now. Try again, or use --force.");
    return better.because(std::string("the system said: ") + std::strerror(removed.why().sys()));
}

} // namespace hawser::fifo
