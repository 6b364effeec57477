#include "os/file.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <mutex>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/process.hpp"

namespace hawser::os {

namespace {

// The path under which /proc shows a descriptor of this process.
std::string proc_path(int fd) {
    return "/proc/self/fd/" + std::to_string(fd);
}

int flags_of(access_kind access) noexcept {
    return access == access_kind::read_write ? O_RDWR : O_RDONLY;
}

file_status from(const struct stat& raw) noexcept {
    file_status status;
    status.device = raw.st_dev;
    status.inode = raw.st_ino;
    status.bytes = static_cast<std::uint64_t>(raw.st_size);
    status.memory_bytes = static_cast<std::uint64_t>(raw.st_blocks) * 512;
    status.mode = raw.st_mode & 07777;
    status.uid = raw.st_uid;
    status.gid = raw.st_gid;
    status.links = static_cast<std::uint32_t>(raw.st_nlink);
    status.regular = S_ISREG(raw.st_mode);
    return status;
}

} // namespace

result<unique_fd> make_unnamed(const std::string& directory) noexcept {
    unique_fd fd = above_standard(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0));
    if (!fd) return failure("create", errno);
    return fd;
}

result<unique_fd> open_existing(const std::string& path, access_kind access) noexcept {
    const int flags = flags_of(access) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    unique_fd fd = above_standard(::open(path.c_str(), flags));
    if (!fd) return failure("open", errno);
    return fd;
}

result<unique_fd> open_again(int fd, access_kind access) noexcept {
    unique_fd again = above_standard(::open(proc_path(fd).c_str(), flags_of(access) | O_CLOEXEC));
    if (!again) return failure("open", errno);
    return again;
}

result<void> give_name(int fd, const std::string& path) noexcept {
    if (::linkat(AT_FDCWD, proc_path(fd).c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) == 0)
        return {};
    if (errno == EEXIST) return failure("link", EEXIST);
    // Without /proc: needs CAP_DAC_READ_SEARCH, or Linux 6.10.
    if (::linkat(fd, "", AT_FDCWD, path.c_str(), AT_EMPTY_PATH) == 0) return {};
    return failure("link", errno);
}

result<void> remove_name(const std::string& path) noexcept {
    if (::unlink(path.c_str()) != 0) return failure("unlink", errno);
    return {};
}

bool may_grow_to(std::uint64_t bytes) noexcept {
    rlimit limit{};
    return ::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
           bytes <= limit.rlim_cur;
}

result<void> set_size(int fd, std::uint64_t bytes) noexcept {
    if (!may_grow_to(bytes)) return failure("ftruncate", EFBIG);
    if (::ftruncate(fd, static_cast<off_t>(bytes)) != 0) return failure("ftruncate", errno);
    return {};
}

result<void> set_access(int fd, std::uint32_t mode, std::uint32_t gid) noexcept {
    // The group first: changing it may clear bits of the mode.
    if (gid != no_group && ::fchown(fd, static_cast<uid_t>(-1), gid) != 0)
        return failure("chown", errno);
    if (::fchmod(fd, mode) != 0) return failure("chmod", errno);
    return {};
}

result<std::uint32_t> group_id(const std::string& name_or_number) {
    std::uint32_t number = 0;
    const char* end = name_or_number.data() + name_or_number.size();
    const auto [stop, bad] = std::from_chars(name_or_number.data(), end, number);
    if (bad == std::errc{} && stop == end) return number;
    std::string buffer(16'384, '\0');
    struct group entry {};
    struct group* found = nullptr;
    ::getgrnam_r(name_or_number.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return failure("getgrnam", ENOENT);
    return static_cast<std::uint32_t>(entry.gr_gid);
}

result<void> allocate(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
    int outcome = 0;
    do {
        outcome = ::fallocate(fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes));
    } while (outcome != 0 && errno == EINTR);
    if (outcome != 0) return failure("fallocate", errno);
    return {};
}

void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
    ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(bytes));
}

result<file_status> status_of(int fd) noexcept {
    struct stat raw {};
    if (::fstat(fd, &raw) != 0) return failure("stat", errno);
    return from(raw);
}

result<file_status> status_of(const std::string& path) noexcept {
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0) return failure("stat", errno);
    return from(raw);
}

result<std::vector<std::string>> names_in(const std::string& directory) {
    struct close_directory {
        void operator()(DIR* open) const noexcept { ::closedir(open); }
    };
    const std::lock_guard no_fork(fork_safe_mutex());
    const std::unique_ptr<DIR, close_directory> open{::opendir(directory.c_str())};
    if (!open) return failure("list", errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(open.get())) // NOLINT(concurrency-mt-unsafe)
        names.emplace_back(entry->d_name);
    if (errno != 0) return failure("list", errno);
    return names;
}

result<std::size_t> read_start(int fd, void* into, std::size_t size) noexcept {
    const ssize_t got = ::pread(fd, into, size, 0);
    if (got < 0) return failure("read", errno);
    return static_cast<std::size_t>(got);
}

result<void> write_start(int fd, const void* from, std::size_t size) noexcept {
    const ssize_t put = ::pwrite(fd, from, size, 0);
    if (put == static_cast<ssize_t>(size)) return {};
    return failure("write", put < 0 ? errno : EIO);
}

std::uint64_t page_bytes() noexcept {
    static const auto bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return bytes;
}

std::string environment(const char* name) {
    const char* value = ::secure_getenv(name);
    return value == nullptr ? std::string{} : std::string{value};
}

} // namespace hawser::os
