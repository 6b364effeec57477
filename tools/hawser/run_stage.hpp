// One program of a pipeline: found, started, and how it ended.
//
// - start() never blocks on the program. The program gets only its three standard descriptors and
//   what hawser itself was started with: everything that hawser opens is closed on exec.
// - Signals: the program starts with none blocked and SIGPIPE as it is by default, whatever hawser
//   was started with. What else was ignored then (nohup, a shell's `&`) stays ignored.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

namespace tool::pipeline {

using steady = std::chrono::steady_clock;

// A descriptor that is closed when it goes; -1 is none.
class descriptor {
  public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    ~descriptor() { close(); }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
    void close() noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

  private:
    int fd_ = -1;
};

struct stage {
    std::vector<std::string> words; // the program and its arguments
    std::string path;               // the file that is run
    pid_t pid = 0;                  // 0: not started
    bool running = false;
    int status = 0; // as wait(2) gives it, once it has ended
    rusage used{};  // once it has ended
    steady::time_point began;
    steady::time_point ended;
};

// What a program's standard input and output are; -1: hawser's own.
struct wiring {
    int in = -1;
    int out = -1;
    std::string terminal = {}; // instead: this is all three, and its own (it leads a session)
};

// Why a program can't be run, with the exit status that a shell would give: 127 or 126.
struct refusal {
    int exit = 0;
    std::string why;
    std::string next; // a command to try
};

// Finds the file as a shell does: along PATH, unless the name holds a slash. Sets stage.path.
std::optional<refusal> find_program(stage& one);

std::optional<refusal> start(stage& one, const wiring& with);

enum class change : std::uint8_t { none, stopped, ended };

// What became of it since the last look, without waiting. stop_signal is set if it was stopped.
change look_at(stage& one, int& stop_signal);

// SIGKILL, and waits until it is gone.
void kill_and_wait(stage& one);

// Of a stage that has ended: its exit status as a shell says it, 128 + n for signal n.
int shell_status(const stage& one);

// "exit 0", "SIGPIPE", "SIGSEGV, core dumped".
std::string describe_end(const stage& one);

// "SIGPIPE".
std::string signal_name(int signal);

// For people: the name of the program without its directory.
std::string short_name(const stage& one);

} // namespace tool::pipeline
