// The checks of doctor that look at the machine.
#include "doctor_checks.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <system_error>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "output/human.hpp"
#include "output/users.hpp"

namespace tool {
namespace {

// Below these shares of what there is, a file system is said to be nearly full, or full.
constexpr double nearly_full = 0.10;
constexpr double full = 0.02;
// A process that polls end points takes up to five inotify instances; Debian allows 128 to each
// user.
constexpr std::uint64_t few_inotify_instances = 128;
constexpr std::uint64_t few_descriptors = 256;

std::string failure(int sys) {
    return std::generic_category().message(sys);
}

finding check_writable(const std::string& directory, const struct stat& status) {
    if (access(directory.c_str(), W_OK | X_OK) != 0)
        return {
            level::problem, directory, "you can't create mailboxes here: " + failure(errno),
            fmt::format("mode {:04o}, owner {}", status.st_mode & 07777, user_name(status.st_uid)),
            "ls -ld " + directory};
    const bool anyone = (status.st_mode & S_IWOTH) != 0;
    if (anyone && (status.st_mode & S_ISVTX) == 0)
        return {level::problem, directory, "anyone may remove or replace your mailboxes",
                "all may write, and the sticky bit is not set", "chmod +t " + directory};
    return {level::ok, directory, "you may create mailboxes here", {}, {}};
}

finding check_kind(const std::string& directory) {
    struct statfs status {};
    if (statfs(directory.c_str(), &status) != 0)
        return {level::note, directory, "can't tell its file system: " + failure(errno), {}, {}};
    const auto kind = static_cast<unsigned long>(status.f_type);
    if (kind == TMPFS_MAGIC || kind == RAMFS_MAGIC)
        return {level::ok, directory, "is memory (tmpfs)", {}, {}};
    return {
        level::note, directory, "is not a tmpfs",
        "messages are written back to a disk from time to time, which costs speed; with a "
        "network file system, locks may not work at all (mailboxes with trust=none are in memory "
        "all the same)",
        "findmnt -T " + directory};
}

finding check_share(const std::string& directory, const char* noun, std::uint64_t free,
                    std::uint64_t all, const std::string& shown) {
    const double share = all == 0 ? 1.0 : static_cast<double>(free) / static_cast<double>(all);
    if (share >= nearly_full) return {level::ok, directory, shown, {}, {}};
    const bool is_full = share < full;
    return {is_full ? level::problem : level::note, directory,
            fmt::format("{} {}: {}", is_full ? "is full, no more" : "is nearly full, few more",
                        noun, shown),
            "a mailbox that can't be made, and a large message that finds no memory, is `no_space`",
            is_full ? "hawser gc; du -sh " + directory + "/*" : "hawser gc"};
}

findings check_room(const std::string& directory) {
    struct statvfs room {};
    if (statvfs(directory.c_str(), &room) != 0)
        return {{level::note, directory, "can't tell how full it is: " + failure(errno), {}, {}}};
    const std::uint64_t unit = room.f_frsize;
    const std::string bytes = fmt::format("{} free of {}", human_size(room.f_bavail * unit),
                                          human_size(room.f_blocks * unit));
    const std::string files =
        fmt::format("{} files free of {}", human_count(room.f_favail), human_count(room.f_files));
    findings found{check_share(directory, "memory", room.f_bavail, room.f_blocks, bytes)};
    finding inodes = check_share(directory, "files", room.f_favail, room.f_files, files);
    if (inodes.how_bad != level::ok) found.push_back(std::move(inodes));
    return found;
}

std::optional<finding> check_environment() {
    const char* const chosen = std::getenv("HAWSER_DIR");
    if (chosen == nullptr) return std::nullopt;
    const std::string_view value(chosen);
    if (!value.starts_with('/'))
        return finding{level::problem, "HAWSER_DIR",
                       fmt::format("'{}' is no absolute path", printable(value)),
                       "processes that start in different directories don't find each other",
                       "unset HAWSER_DIR"};
    return finding{level::note,
                   "HAWSER_DIR",
                   "is set to " + printable(value),
                   "processes without this setting use /dev/shm and don't meet these mailboxes",
                   {}};
}

std::optional<std::uint64_t> read_setting(const char* path) {
    std::ifstream file(path);
    std::uint64_t value = 0;
    return file >> value ? std::optional(value) : std::nullopt;
}

finding check_inotify() {
    const auto instances = read_setting("/proc/sys/fs/inotify/max_user_instances");
    const std::string where = "fs.inotify.max_user_instances";
    if (!instances) return {level::note, where, "can't be read", {}, {}};
    if (*instances < few_inotify_instances)
        return {
            level::note, where, fmt::format("is {}", *instances),
            "a process takes one for each of its first four end points whose fd() is polled, and "
            "one more for all others",
            "sysctl -w fs.inotify.max_user_instances=1024"};
    return {level::ok, where, fmt::format("is {}", *instances), {}, {}};
}

finding check_descriptors() {
    struct rlimit files {};
    const std::string where = "open files";
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return {level::note, where, "no limit known", {}, {}};
    if (files.rlim_cur < few_descriptors)
        return {level::note, where, fmt::format("at most {} in a process", files.rlim_cur),
                "each end point takes two or three", "ulimit -n 1024"};
    return {level::ok, where, fmt::format("{} in a process", human_count(files.rlim_cur)), {}, {}};
}

} // namespace

findings check_directory() {
    findings all;
    if (auto environment = check_environment()) all.push_back(std::move(*environment));
    const std::string directory = hawser::mailbox_directory();
    struct stat status {};
    if (stat(directory.c_str(), &status) != 0) {
        all.push_back({level::problem, directory, "can't be used: " + failure(errno),
                       "mailboxes live in $HAWSER_DIR, or in /dev/shm", "mount | grep shm"});
        return all;
    }
    if (!S_ISDIR(status.st_mode)) {
        all.push_back({level::problem, directory, "is no directory", {}, "unset HAWSER_DIR"});
        return all;
    }
    all.push_back(check_writable(directory, status));
    all.push_back(check_kind(directory));
    for (finding& each : check_room(directory)) all.push_back(std::move(each));
    return all;
}

findings check_limits() {
    return {check_inotify(), check_descriptors()};
}

} // namespace tool
