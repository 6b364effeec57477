#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "measure_life.hpp"

namespace tool::bench {
namespace {

namespace files = std::filesystem;

// A file in memory, made once for all measurements of a run: what is measured is not the disk.
class own_file {
  public:
    own_file(const std::string& name, std::uint64_t bytes, const std::string& line)
        : path_(files::path(hawser::mailbox_directory()) /
                fmt::format("hawser-bench-{}-{}", ::getpid(), name)),
          owner_(::getpid()) {
        if (files::space(path_.parent_path()).available < bytes + (256U << 20U))
            throw unsupported(fmt::format("{} has no room for a file of {} MiB",
                                          path_.parent_path().string(), bytes >> 20U));
        std::ofstream file(path_);
        std::string piece;
        while (piece.size() < (1U << 20U)) piece += line;
        for (std::uint64_t left = bytes; left > 0;) {
            const std::uint64_t now = std::min<std::uint64_t>(left, piece.size());
            file.write(piece.data(), static_cast<std::streamsize>(now));
            left -= now;
        }
        if (!file.flush()) throw std::runtime_error("can't write " + path_.string());
    }
    ~own_file() {
        std::error_code gone;
        if (::getpid() == owner_) files::remove(path_, gone);
    }
    own_file(const own_file&) = delete;
    own_file& operator=(const own_file&) = delete;
    [[nodiscard]] std::string path() const { return path_.string(); }

  private:
    files::path path_;
    pid_t owner_;
};

// The tool itself: this program, or the one beside it.
std::string tool_path() {
    const files::path self = files::read_symlink("/proc/self/exe");
    const files::path beside = self.parent_path() / "hawser";
    return files::exists(beside) ? beside.string() : self.string();
}

// From the start of the shell to the end of all that it started.
double seconds_of(const std::string& script) {
    const std::uint64_t begin = now_ns();
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork failed");
    if (child == 0) {
        ::execl("/bin/sh", "sh", "-c", script.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) throw std::runtime_error("failed: " + script);
    return static_cast<double>(now_ns() - begin) / 1e9;
}

// The receiver comes first: it waits for the first sender, and ends with the last one.
std::string joined(const std::string& send, const std::string& receive) {
    const std::string tool = tool_path();
    const std::string address = fmt::format("shm:bench-{}-cli", ::getpid());
    return fmt::format("'{0}' receive {1} {3} > /dev/null & '{0}' send {1} {2} && wait $!", tool,
                       address, send, receive);
}

const own_file& big_file(std::uint64_t bytes) {
    static const own_file file("copy", bytes, "the quick brown fox jumps over the lazy dog\n");
    return file;
}

figures copied(std::uint64_t bytes, double seconds) {
    return {{"seconds", seconds}, {"bytes_per_s", static_cast<double>(bytes) / seconds}};
}

} // namespace

figures cli_copy(std::uint64_t bytes) {
    const std::string path = big_file(bytes).path();
    return copied(bytes, seconds_of(joined("--size 64KiB < " + path, "--format raw")));
}

figures cat_copy(std::uint64_t bytes) {
    const std::string path = big_file(bytes).path();
    return copied(bytes, seconds_of("cat " + path + " | cat > /dev/null"));
}

figures cli_lines(std::uint64_t lines) {
    const std::string line = "a line of 20 bytes.\n";
    static const own_file file("lines", lines * line.size(), line);
    const double seconds = seconds_of(joined("< " + file.path(), ""));
    return {{"seconds", seconds}, {"lines_per_s", static_cast<double>(lines) / seconds}};
}

} // namespace tool::bench
