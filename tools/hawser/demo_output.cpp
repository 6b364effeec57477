#include "demo_output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <system_error>

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fmt/format.h>

namespace tool::demo {

namespace fs = std::filesystem;

namespace {

constexpr const char* memory_place = "/dev/shm";
constexpr std::uint64_t spare_bytes = std::uint64_t{32} * 1024 * 1024; // left free for others

// Bytes that can be written to files in memory there; 0 if it is on a disk.
std::uint64_t free_memory_at(const char* directory) {
    struct statfs found {};
    if (::statfs(directory, &found) != 0 || found.f_type != TMPFS_MAGIC) return 0;
    const auto pages = static_cast<std::uint64_t>(std::max(0L, ::sysconf(_SC_AVPHYS_PAGES)));
    const std::uint64_t machine_bytes = pages * static_cast<std::uint64_t>(::getpagesize());
    const std::uint64_t there_bytes = found.f_bavail * static_cast<std::uint64_t>(found.f_bsize);
    return std::min(there_bytes, machine_bytes);
}

std::string temporary_directory(std::uint64_t bytes) {
    const char* base = std::getenv("TMPDIR");
    if (base == nullptr || *base == '\0')
        base = free_memory_at(memory_place) / 4 >= bytes + spare_bytes ? memory_place : "/tmp";
    std::string name = fmt::format("{}/hawser-demo.XXXXXX", base);
    return ::mkdtemp(name.data()) != nullptr ? name : std::string();
}

} // namespace

output_directory::output_directory(const std::string& wanted, std::uint64_t bytes) {
    std::error_code failed;
    if (wanted.empty()) {
        path_ = temporary_directory(bytes);
        own_ = !path_.empty();
        sys_ = own_ ? 0 : errno;
    } else {
        own_ = fs::create_directories(wanted, failed);
        path_ = wanted;
        if (!failed && !fs::is_empty(wanted, failed) && !failed) sys_ = ENOTEMPTY;
        if (failed) sys_ = failed.value();
    }
    if (sys_ != 0) {
        kept_ = true; // not ours to take away
        return;
    }
    path_ = fs::canonical(path_, failed).string();
}

output_directory::~output_directory() {
    if (!kept_) remove();
}

std::string output_directory::place() const {
    const std::string base = path_.substr(0, path_.rfind('/'));
    return free_memory_at(path_.c_str()) > 0 ? base + ", in memory" : base;
}

void output_directory::fit(plan& made) const {
    struct statvfs room {};
    if (::statvfs(path_.c_str(), &room) != 0) return;
    const std::uint64_t free_bytes = room.f_bavail * room.f_frsize;
    const std::uint64_t block_bytes = room.f_bsize > 0 ? room.f_bsize : 4096;
    limit_to(made, free_bytes - std::min(free_bytes, spare_bytes), block_bytes);
}

int output_directory::prepare(const plan& made) const {
    std::set<std::string> directories;
    for (const planned_file& file : made.files)
        directories.insert(path_ + file.path.substr(0, file.path.rfind('/')));
    for (const std::string& directory : directories) {
        std::error_code failed;
        fs::create_directories(directory, failed);
        if (failed) return failed.value();
    }
    return 0;
}

std::string output_directory::remove() {
    std::error_code failed;
    if (own_) {
        fs::remove_all(path_, failed);
    } else {
        for (const fs::directory_entry& entry : fs::directory_iterator(path_, failed))
            if (!failed) fs::remove_all(entry.path(), failed);
    }
    kept_ = true;
    return failed ? fmt::format("{}: {}", path_, failed.message()) : std::string();
}

} // namespace tool::demo
