#include "support/place.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

namespace hawser::test {

namespace {

class own_directory {
  public:
    own_directory() {
        char path[] = "/dev/shm/hawser-test.XXXXXX";
        if (::mkdtemp(path) == nullptr) throw std::runtime_error("no directory in /dev/shm");
        path_ = path;
        // As /dev/shm itself, so that a test that gives up its rights still reaches it.
        ::chmod(path, 01777);
        ::setenv("HAWSER_DIR", path, 1);
    }
    ~own_directory() {
        std::error_code ignored;
        if (::getpid() == owner_) std::filesystem::remove_all(path_, ignored);
    }
    own_directory(const own_directory&) = delete;
    own_directory& operator=(const own_directory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    pid_t owner_ = ::getpid();
    std::string path_;
};

} // namespace

const std::string& private_directory() {
    static own_directory directory;
    return directory.path();
}

std::string unique_name(std::string_view stem) {
    static std::atomic<unsigned> count{0};
    return std::string(stem) + "-" + std::to_string(++count);
}

std::vector<std::string> left_over() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(private_directory()))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

void sweep_left_over() {
    for (const auto& entry : std::filesystem::directory_iterator(private_directory()))
        std::filesystem::remove_all(entry.path());
}

void until(const std::function<bool()>& is_so) {
    while (!is_so()) std::this_thread::yield();
}

void until_waiting(const std::string& address, participant_role role, std::size_t at_least) {
    until([&] {
        const auto seen = inspect_mailbox(address);
        if (!seen) return false;
        const auto& there = seen->participants;
        const auto waiting = std::count_if(there.begin(), there.end(), [&](const auto& one) {
            return one.alive && one.waiting && one.role == role;
        });
        return static_cast<std::size_t>(waiting) >= at_least;
    });
}

} // namespace hawser::test
