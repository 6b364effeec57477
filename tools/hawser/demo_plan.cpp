#include "demo_plan.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <set>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tool::demo {

namespace fs = std::filesystem;

namespace {

std::uint64_t rounded_up(std::uint64_t bytes, std::uint64_t block_bytes) {
    return (bytes + block_bytes - 1) / block_bytes * block_bytes;
}

std::string checkout_root() {
    std::error_code failed;
    for (fs::path at = fs::current_path(failed); !failed && !at.empty(); at = at.parent_path()) {
        if (fs::exists(at / ".git", failed)) return at.string();
        if (at == at.root_path()) break;
    }
    return {};
}

// One walk over all paths. Directories wait in a list, so depth costs no stack.
class walker {
  public:
    walker(plan& made, std::string output) : made_(made), output_(std::move(output)) {}

    void add(const std::string& asked) {
        std::error_code failed;
        const fs::path real = fs::canonical(asked, failed);
        if (failed) {
            made_.missing.push_back({asked, failed.value()});
            return;
        }
        visit(real.string());
        while (!waiting_.empty()) {
            const std::string directory = std::move(waiting_.back());
            waiting_.pop_back();
            open_directory(directory);
        }
    }

  private:
    void visit(const std::string& path) {
        if (path == output_) return;
        struct stat found {};
        if (::lstat(path.c_str(), &found) != 0) {
            made_.unreadable.push_back({path, errno});
        } else if (S_ISDIR(found.st_mode)) {
            waiting_.push_back(path);
        } else if (S_ISREG(found.st_mode) && seen_.insert(path).second) {
            add_file(path, static_cast<std::uint64_t>(found.st_size));
        }
    }

    void add_file(const std::string& path, std::uint64_t bytes) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (file < 0) {
            made_.unreadable.push_back({path, errno});
            return;
        }
        ::close(file);
        made_.files.push_back({.path = path, .bytes = bytes});
        made_.bytes += bytes;
    }

    void open_directory(const std::string& directory) {
        std::error_code failed;
        const bool checkout = fs::exists(fs::path(directory) / ".git", failed);
        fs::directory_iterator entry(directory, failed);
        for (const fs::directory_iterator end; !failed && entry != end; entry.increment(failed)) {
            const std::string name = entry->path().filename().string();
            if (checkout && (name == ".git" || name == "build")) continue;
            visit(entry->path().string());
        }
        if (failed) made_.unreadable.push_back({directory, failed.value()});
    }

    plan& made_;
    std::string output_;
    std::vector<std::string> waiting_;
    std::set<std::string> seen_; // files given twice, or by overlapping paths
};

// std::shuffle gives another order with another standard library; a seed should mean one thing.
void shuffle(std::vector<planned_file>& files, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t left = files.size(); left > 1; --left)
        std::swap(files[left - 1], files[random() % left]);
}

} // namespace

std::vector<std::string> default_paths() {
    std::vector<std::string> paths;
    std::error_code failed;
    for (const char* path : {"/usr/share/common-licenses", "/usr/share/doc"})
        if (fs::is_directory(path, failed)) paths.emplace_back(path);
    if (std::string root = checkout_root(); !root.empty()) paths.push_back(std::move(root));
    return paths;
}

plan collect(const std::vector<std::string>& paths, const std::string& output) {
    plan made;
    walker walk(made, output);
    for (const std::string& path : paths) walk.add(path);
    std::ranges::sort(made.files, {}, &planned_file::path);
    return made;
}

std::uint64_t space_for(const plan& made, std::uint64_t block_bytes) {
    std::uint64_t bytes = 0;
    for (const planned_file& file : made.files) bytes += rounded_up(file.bytes, block_bytes);
    return bytes;
}

void limit_to(plan& made, std::uint64_t bytes, std::uint64_t block_bytes) {
    std::uint64_t needed = space_for(made, block_bytes);
    if (needed <= bytes) return;
    std::ranges::stable_sort(made.files, {}, &planned_file::bytes);
    while (!made.files.empty() && needed > bytes) {
        const std::uint64_t largest = made.files.back().bytes;
        needed -= rounded_up(largest, block_bytes);
        made.bytes -= largest;
        made.beyond_limit += 1;
        made.beyond_limit_bytes += largest;
        made.files.pop_back();
    }
}

void deal(plan& made, std::uint32_t producers, std::uint64_t chunk_bytes, std::uint64_t seed) {
    std::ranges::sort(made.files, {}, &planned_file::path);
    shuffle(made.files, seed);
    made.chunks = 0;
    for (planned_file& file : made.files) {
        file.first_chunk = made.chunks;
        file.chunks = std::max<std::uint64_t>(1, rounded_up(file.bytes, chunk_bytes) / chunk_bytes);
        made.chunks += file.chunks;
    }
    made.shares.clear();
    for (std::uint64_t i = 0; i < producers; ++i)
        made.shares.push_back({made.chunks * i / producers, made.chunks * (i + 1) / producers});
}

} // namespace tool::demo
