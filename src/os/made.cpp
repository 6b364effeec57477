#include "os/made.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.hpp"
#include "os/process.hpp"
#include "os/unix_socket.hpp"

namespace hawser::os {

namespace {

// More than that is no record of ours.
constexpr std::size_t most_record_bytes = PATH_MAX + 64;

std::string record_name(const file_key& key) {
    std::array<char, 64> name{};
    std::snprintf(name.data(), name.size(), "%s%llx-%llx", made_prefix,
                  static_cast<unsigned long long>(key.device),
                  static_cast<unsigned long long>(key.inode));
    return name.data();
}

template <typename Number>
bool take_number(std::string_view& text, Number& into, int base, char end) {
    const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), into, base);
    const auto used = static_cast<std::size_t>(stop - text.data());
    if (bad != std::errc{} || used == 0) return false;
    text.remove_prefix(used);
    if (end == '\0') return text.empty();
    if (text.empty() || text.front() != end) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<file_key> key_of(std::string_view name) {
    const std::string_view prefix = made_prefix;
    if (!name.starts_with(prefix)) return std::nullopt;
    name.remove_prefix(prefix.size());
    file_key key;
    if (!take_number(name, key.device, 16, '-') || !take_number(name, key.inode, 16, '\0'))
        return std::nullopt;
    return key;
}

bool parse_content(std::string_view content, made_object& into) {
    if (!take_number(content, into.maker_pid, 10, ' ')) return false;
    if (!take_number(content, into.maker_pid_namespace, 10, '\n')) return false;
    // Cut at a NUL, it would be another path than the one that was compared.
    if (!content.starts_with('/') || content.find('\0') != content.npos) return false;
    into.path = content;
    return true;
}

std::optional<made_kind> kind_of(const struct stat& raw) {
    if (S_ISFIFO(raw.st_mode)) return made_kind::fifo;
    if (S_ISSOCK(raw.st_mode)) return made_kind::socket;
    return std::nullopt;
}

bool is(const struct stat& raw, const file_key& key) {
    return raw.st_dev == key.device && raw.st_ino == key.inode && kind_of(raw).has_value();
}

bool is_missing(int sys) {
    return sys == ENOENT || sys == ENOTDIR;
}

std::int64_t changed_ns(const struct stat& raw) {
    return raw.st_ctim.tv_sec * 1'000'000'000 + raw.st_ctim.tv_nsec;
}

// The owner of the record, or the error.
result<std::uint32_t> read_record(const std::string& record, made_object& into) {
    const auto fd = fork_guard::of([&] { return open_existing(record, access_kind::read_only); });
    if (!fd) return fd.why();
    const auto file = status_of(fd->get());
    if (!file) return file.why();
    std::string content(most_record_bytes, '\0');
    const auto got = read_start(fd->get(), content.data(), content.size());
    if (!got) return got.why();
    content.resize(*got);
    if (!file->regular || !parse_content(content, into))
        return error{errc::corrupt, "read"}.at(record);
    return file->uid;
}

// The last name of an object whose record has its first one; empty if it says none.
std::string last_name_of(const std::string& path) {
    const std::size_t name = path.rfind('/') + 1;
    const std::size_t mark = path.find(made_beside_mark, name);
    if (path.compare(name, std::strlen(made_beside_prefix), made_beside_prefix) != 0) return {};
    return mark == std::string::npos ? std::string{} : path.substr(0, name) + path.substr(mark + 1);
}

// Looks at the object itself. False if the record's owner has no say about it.
bool look_at_object(made_object& one, std::uint32_t record_uid) {
    struct stat raw {};
    const std::string last = last_name_of(one.path);
    const bool renamed = ::lstat(one.path.c_str(), &raw) != 0 || !is(raw, one.key);
    if (renamed && !last.empty()) one.path = last;
    one.stale = ::lstat(one.path.c_str(), &raw) != 0 ? is_missing(errno) : !is(raw, one.key);
    if (one.stale) return true;
    if (raw.st_ino != one.key.inode) return false; // it can't be looked at: nothing is known
    one.kind = *kind_of(raw);
    one.mode = raw.st_mode & 07777;
    one.uid = raw.st_uid;
    one.gid = raw.st_gid;
    one.changed_ns = changed_ns(raw);
    one.used_s = std::max(raw.st_atim.tv_sec, raw.st_mtim.tv_sec);
    return record_uid == 0 || record_uid == one.uid;
}

result<fork_guard> write_record(const std::string& directory, const std::string& path) {
    auto fd = fork_guard::of([&] { return make_unnamed(directory); });
    if (!fd) return fd;
    const identity self = own_identity();
    const std::string content =
        std::to_string(self.pid) + ' ' + std::to_string(self.pid_namespace) + '\n' + path;
    if (!may_grow_to(content.size())) return failure("write", EFBIG);
    const ssize_t put = ::write(fd->get(), content.data(), content.size());
    if (put != static_cast<ssize_t>(content.size()))
        return failure("write", put < 0 ? errno : ENOSPC);
    if (const auto set = set_access(fd->get(), 0600, no_group); !set) return set.why();
    return fd;
}

// Is the record that has the name already as good as ours would be?
bool says_the_same(const std::string& record, const std::string& path) {
    made_object other;
    const auto owner = read_record(record, other);
    return owner && (*owner == 0 || *owner == own_identity().uid) && other.path == path;
}

result<file_key> note(const std::string& directory, const std::string& given) {
    const std::string path = std::filesystem::absolute(given).lexically_normal();
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0) return failure("note", errno);
    if (!kind_of(raw))
        return error{errc::invalid_argument, "note"}.at(path).because(
            "it is neither a FIFO nor a socket.");
    const file_key key{raw.st_dev, raw.st_ino};
    const std::string record = directory + "/" + record_name(key);
    const auto fd = write_record(directory, path);
    if (!fd) return fd.why();
    // Others may note the same object, or clear away a stale record, at the same time.
    constexpr int tries = 16;
    for (int i = 0; i < tries; ++i) {
        const auto named = give_name(fd->get(), record);
        if (named) return key;
        if (!named.is(errc::already_exists)) return named.why();
        if (says_the_same(record, path)) return key;
        const auto gone = remove_name(record);
        if (!gone && !gone.is(errc::not_found)) return gone.why();
    }
    return failure("note", EEXIST);
}

// The directory that holds the object, so that nobody can put another one in its place between
// the look and the removal; name is what the object is called there.
result<fork_guard> parent_of(const std::string& path, std::string& name) {
    const std::size_t slash = path.rfind('/');
    name = path.substr(slash + 1);
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    return fork_guard::of([&]() -> result<unique_fd> {
        unique_fd fd = above_standard(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!fd) return failure("unlink", errno);
        return fd;
    });
}

result<bool> remove_object(const made_object& which) {
    std::string name;
    const auto parent = parent_of(which.path, name);
    if (!parent && is_missing(parent.why().sys())) return true;
    if (!parent) return parent.why();
    // A receiver that replaces a dead socket's file holds the directory: its new one must not be
    // taken for the old one, nor ours for its.
    std::optional<fork_guard> held;
    if (which.kind == made_kind::socket) {
        auto lock = lock_directory("/proc/self/fd/" + std::to_string(parent->get()));
        if (lock.is(errc::would_block)) return false;
        if (!lock) return lock.why();
        held = std::move(*lock);
    }
    struct stat raw {};
    if (::fstatat(parent->get(), name.c_str(), &raw, AT_SYMLINK_NOFOLLOW) != 0) {
        if (is_missing(errno)) return true;
        return failure("unlink", errno);
    }
    if (!is(raw, which.key) || changed_ns(raw) != which.changed_ns) return false;
    if (::unlinkat(parent->get(), name.c_str(), 0) == 0 || errno == ENOENT) return true;
    return failure("unlink", errno);
}

// Callers are noexcept, and a listing is not worth a crash: only memory can be short here.
template <typename Act>
auto without_throwing(Act act) noexcept -> decltype(act()) {
    try {
        return act();
    } catch (...) {
        return failure("note", ENOMEM);
    }
}

} // namespace

result<file_key> note_made(const std::string& directory, const std::string& path) noexcept {
    return without_throwing([&] { return note(directory, path); });
}

void forget_made(const std::string& directory, const file_key& which) noexcept {
    static_cast<void>(without_throwing(
        [&]() -> result<void> { return remove_name(directory + "/" + record_name(which)); }));
}

void forget_made(const std::string& directory, const std::string& path) noexcept {
    static_cast<void>(without_throwing([&]() -> result<void> {
        const std::string absolute = std::filesystem::absolute(path).lexically_normal();
        const auto all = list_made(directory);
        if (!all) return all.why();
        for (const auto& one : all->objects)
            if (one.stale && one.path == absolute) forget_made(directory, one.key);
        return {};
    }));
}

result<made_listing> list_made(const std::string& directory) {
    const auto names = names_in(directory);
    if (!names) return names.why();
    made_listing all;
    const std::string place = directory + "/";
    for (const auto& name : *names) {
        const auto key = key_of(name);
        if (!key) continue;
        made_object one;
        one.key = *key;
        const auto owner = read_record(place + name, one);
        if (owner && look_at_object(one, *owner)) all.objects.push_back(std::move(one));
        if (owner.is(errc::permission)) ++all.unreadable;
    }
    std::ranges::sort(all.objects, {},
                      [](const made_object& one) -> const std::string& { return one.path; });
    return all;
}

result<bool> remove_made(const std::string& directory, const made_object& which) noexcept {
    return without_throwing([&]() -> result<bool> {
        auto gone = remove_object(which);
        if (gone && *gone) forget_made(directory, which.key);
        return gone;
    });
}

} // namespace hawser::os
