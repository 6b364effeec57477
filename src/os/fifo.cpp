#include "os/fifo.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <mutex>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.hpp"
#include "os/made.hpp"
#include "os/process.hpp"

namespace hawser::os {

namespace {

const char* kind_of(const struct stat& raw) noexcept {
    switch (raw.st_mode & S_IFMT) {
    case S_IFIFO:
        return "a FIFO";
    case S_IFREG:
        return "a regular file";
    case S_IFDIR:
        return "a directory";
    case S_IFLNK:
        return "a symbolic link, which is never followed";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

error path_failure(const char* operation, int sys) noexcept {
    if (sys == ENAMETOOLONG) return error{errc::invalid_argument, operation, sys};
    if (sys == ENOTDIR) return error{errc::not_found, operation, sys};
    return failure(operation, sys);
}

// A name beside path that no other process takes. It says its last name, too, as far as that fits:
// a record of the one leads to the other (made.hpp).
std::string name_beside(const std::string& path) {
    constexpr std::size_t longest_name = 255;
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "" : path.substr(0, slash + 1);
    const std::string last = slash == std::string::npos ? path : path.substr(slash + 1);
    std::array<char, 80> name{};
    std::snprintf(name.data(), name.size(), "%s%d-%d-%llx", made_beside_prefix, ::getpid(),
                  ::gettid(), static_cast<unsigned long long>(monotonic_ns()));
    std::string beside = name.data();
    if (beside.size() + 1 + last.size() <= longest_name) beside += made_beside_mark + last;
    return parent + beside;
}

// For a look or a change: neither reads nor writes, and wakes nobody.
result<fork_guard> open_as_path(const std::string& path) {
    return fork_guard::of([&]() -> result<unique_fd> {
        unique_fd opened = above_standard(::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
        if (!opened) return path_failure("open", errno);
        return opened;
    });
}

// Nobody else knows the name yet, but a directory may belong to a stranger: what is changed is the
// FIFO that was opened, not what has its name.
result<void> give_access(const std::string& path, std::uint32_t mode, std::uint32_t gid) {
    const auto made = open_as_path(path);
    if (!made) return made.why();
    struct stat raw {};
    if (::fstat(made->get(), &raw) != 0) return path_failure("open", errno);
    if (!S_ISFIFO(raw.st_mode) || raw.st_uid != ::geteuid()) return failure("create", EEXIST);
    if (gid != no_group &&
        ::fchownat(made->get(), "", static_cast<uid_t>(-1), gid, AT_EMPTY_PATH) != 0)
        return failure("chown", errno);
    const std::string by_number = "/proc/self/fd/" + std::to_string(made->get());
    if (::chmod(by_number.c_str(), mode) == 0) return {};
    if (errno != ENOENT || ::fchmodat(AT_FDCWD, path.c_str(), mode, 0) != 0)
        return failure("chmod", errno);
    return {};
}

// File systems without RENAME_NOREPLACE have link.
result<void> give_final_name(const std::string& from, const std::string& to) noexcept {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
    if (errno != EINVAL && errno != ENOSYS) return path_failure("rename", errno);
    if (::link(from.c_str(), to.c_str()) != 0) return path_failure("link", errno);
    ::unlink(from.c_str());
    return {};
}

} // namespace

result<void> make_fifo(const std::string& path, std::uint32_t mode, std::uint32_t gid,
                       const std::string& records) {
    const std::string beside = name_beside(path);
    if (::mknod(beside.c_str(), S_IFIFO, 0) != 0) return path_failure("create", errno);
    const auto noted = note_made(records, beside);
    auto done = give_access(beside, mode, gid);
    if (done) done = give_final_name(beside, path);
    if (!done) {
        ::unlink(beside.c_str());
        if (noted) forget_made(records, *noted);
        return done;
    }
    // A name too long for the record to lead to its last one. (A record is never needed.)
    if (beside.find(made_beside_mark, beside.rfind('/') + 1) == std::string::npos)
        static_cast<void>(note_made(records, path));
    return {};
}

result<fifo_look> look_at_fifo(const std::string& path) noexcept {
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0) return path_failure("open", errno);
    fifo_look seen;
    seen.kind = kind_of(raw);
    seen.is_fifo = S_ISFIFO(raw.st_mode);
    seen.key = {raw.st_dev, raw.st_ino};
    seen.mode = raw.st_mode & 07777;
    seen.uid = raw.st_uid;
    seen.gid = raw.st_gid;
    seen.changed_ns = raw.st_ctim.tv_sec * 1'000'000'000 + raw.st_ctim.tv_nsec;
    return seen;
}

result<unique_fd> open_fifo(const std::string& path, fifo_side side) {
    // Looked at first: opening a device may do something, and a socket fails like a FIFO that
    // nobody reads.
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0) return path_failure("open", errno);
    if (!S_ISFIFO(raw.st_mode)) return error{errc::corrupt, "open"}.because(kind_of(raw));
    const int access = side == fifo_side::reading ? O_RDONLY : O_WRONLY;
    const int flags = access | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
    unique_fd opened = above_standard(::open(path.c_str(), flags));
    if (!opened && errno == ENXIO) return error{errc::would_block, "open", ENXIO};
    if (!opened) return path_failure("open", errno);
    if (::fstat(opened.get(), &raw) != 0) return failure("open", errno);
    if (!S_ISFIFO(raw.st_mode)) return error{errc::corrupt, "open"}.because(kind_of(raw));
    return opened;
}

result<bool> hold_fifo(int fd, fifo_hold how) noexcept {
    const int wanted = (how == fifo_hold::shared ? LOCK_SH : LOCK_EX) | LOCK_NB;
    int outcome = 0;
    do {
        outcome = ::flock(fd, wanted);
    } while (outcome != 0 && errno == EINTR);
    if (outcome == 0) return true;
    if (errno == EWOULDBLOCK) return false;
    return failure("flock", errno);
}

bool still_named(int fd, const std::string& path) noexcept {
    struct stat opened {};
    struct stat named {};
    return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

void release_openers(int fd) noexcept {
    std::array<char, 32> by_number{};
    std::snprintf(by_number.data(), by_number.size(), "/proc/self/fd/%d", fd);
    // Both sides at once, which never waits. A fork child that kept them would be a writer.
    const std::lock_guard no_fork(fork_safe_mutex());
    const unique_fd both{::open(by_number.data(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
}

result<void> remove_fifo(const std::string& path, bool by_force) {
    const auto named = open_as_path(path);
    if (!named) return named.why();
    fork_guard held;
    if (!by_force) {
        // Nobody has it open, so nobody is disturbed by this. Without the right to read there is no
        // lock, and the owner of the directory has the last word.
        auto end = fork_guard::of([&] { return open_fifo(path, fifo_side::reading); });
        if (!end && !end.is(errc::permission)) return end.why();
        if (end) {
            held = std::move(*end);
            const auto alone = hold_fifo(held.get(), fifo_hold::exclusive);
            if (alone && !*alone) return failure("unlink", EEXIST);
        }
    }
    if (!still_named(named->get(), path)) return failure("unlink", ENOENT);
    if (::unlink(path.c_str()) != 0) return failure("unlink", errno);
    release_openers(named->get());
    return {};
}

} // namespace hawser::os
