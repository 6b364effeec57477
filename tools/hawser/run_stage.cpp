#include "run_stage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fmt/format.h>

namespace tool::pipeline {
namespace {

constexpr int exit_not_runnable = 126;
constexpr int exit_no_program = 127;
constexpr std::string_view usual_path = "/usr/local/bin:/usr/bin:/bin"; // where PATH is not set

std::string sentence(int sys) {
    return std::generic_category().message(sys);
}

std::string quoted(const std::string& name) {
    return fmt::format("'{}'", name);
}

// 0, or the errno that running it would give.
int check_file(const std::string& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return errno;
    if (S_ISDIR(facts.st_mode)) return EISDIR;
    return ::access(path.c_str(), X_OK) == 0 ? 0 : errno;
}

bool is_absence(int sys) {
    return sys == ENOENT || sys == ENOTDIR;
}

refusal refuse_file(const std::string& path, int sys) {
    if (is_absence(sys))
        return {exit_no_program, fmt::format("{}: {}", quoted(path), sentence(sys)), {}};
    const bool mode = sys == EACCES && ::access(path.c_str(), F_OK) == 0;
    return {exit_not_runnable, fmt::format("{} can't be run: {}", quoted(path), sentence(sys)),
            mode ? fmt::format("ls -l {}", path) : ""};
}

// The first file of that name that may be run, else the first that may not, which says why.
std::optional<refusal> search(stage& one, std::string_view places) {
    const std::string& name = one.words.front();
    std::optional<refusal> found_but;
    for (std::size_t begin = 0; begin <= places.size();) {
        const std::size_t end = std::min(places.find(':', begin), places.size());
        const std::string_view place = places.substr(begin, end - begin);
        begin = end + 1;
        // An empty place is the current directory.
        std::string path = fmt::format("{}/{}", place.empty() ? "." : place, name);
        const int sys = check_file(path);
        if (sys == 0) {
            one.path = std::move(path);
            return std::nullopt;
        }
        if (!is_absence(sys) && sys != EISDIR && !found_but) found_but = refuse_file(path, sys);
    }
    if (found_but) return found_but;
    return refusal{
        exit_no_program, fmt::format("there is no program {} in PATH", quoted(name)), {}};
}

// What posix_spawn is told besides the program.
class spawn_plan {
  public:
    explicit spawn_plan(const wiring& with) {
        ::posix_spawnattr_init(&attributes);
        sigset_t signals;
        sigemptyset(&signals);
        ::posix_spawnattr_setsigmask(&attributes, &signals);
        sigaddset(&signals, SIGPIPE); // hawser ignores it, and so may have its parent
        ::posix_spawnattr_setsigdefault(&attributes, &signals);
        int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
        if (!with.terminal.empty()) flags |= POSIX_SPAWN_SETSID;
        ::posix_spawnattr_setflags(&attributes, static_cast<short>(flags));
        ::posix_spawn_file_actions_init(&actions);
        if (!with.terminal.empty()) {
            // The first terminal that the leader of a session opens is its own.
            ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, with.terminal.c_str(),
                                               O_RDWR, 0);
            ::posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
            ::posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
        }
        if (with.in >= 0) ::posix_spawn_file_actions_adddup2(&actions, with.in, STDIN_FILENO);
        if (with.out >= 0) ::posix_spawn_file_actions_adddup2(&actions, with.out, STDOUT_FILENO);
    }
    ~spawn_plan() {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
    spawn_plan(const spawn_plan&) = delete;
    spawn_plan& operator=(const spawn_plan&) = delete;

    posix_spawnattr_t attributes{};
    posix_spawn_file_actions_t actions{};
};

int spawn(stage& one, const std::string& path, const std::vector<std::string>& words,
          const spawn_plan& plan) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    one.began = steady::now();
    return ::posix_spawn(&one.pid, path.c_str(), &plan.actions, &plan.attributes, arguments.data(),
                         environ);
}

// Without NUL in its beginning: a script that lacks its #! line, not a program for another machine.
bool looks_like_text(const std::string& path) {
    const descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 128> begin{};
    const ssize_t count = ::read(file.get(), begin.data(), begin.size());
    return count >= 0 &&
           std::find(begin.begin(), begin.begin() + count, '\0') == begin.begin() + count;
}

refusal refuse_start(const stage& one, int sys) {
    if (sys == ENOENT) // it was there a moment ago
        return {
            exit_no_program,
            fmt::format("{} can't be run: what its #! line names is not there", quoted(one.path)),
            fmt::format("head -1 {}", one.path)};
    if (sys == EAGAIN || sys == ENOMEM)
        return {1,
                fmt::format("{} can't be started: {}. There may be too many processes, or too "
                            "little memory",
                            quoted(one.path), sentence(sys)),
                "ulimit -u"};
    if (sys == E2BIG)
        return {exit_not_runnable,
                fmt::format("{} can't be run: {}", quoted(one.words.front()), sentence(sys)),
                "getconf ARG_MAX"};
    return refuse_file(one.path, sys);
}

} // namespace

std::optional<refusal> find_program(stage& one) {
    const std::string& name = one.words.front();
    if (name.find('/') == name.npos) {
        const char* const places = std::getenv("PATH");
        if (name.empty()) return refusal{exit_no_program, "the name of the program is empty", {}};
        return search(one, places == nullptr ? usual_path : places);
    }
    if (const int sys = check_file(name); sys != 0) return refuse_file(name, sys);
    one.path = name;
    return std::nullopt;
}

std::optional<refusal> start(stage& one, const wiring& with) {
    const spawn_plan plan(with);
    int sys = spawn(one, one.path, one.words, plan);
    if (sys == ENOEXEC && looks_like_text(one.path)) { // POSIX: the shell runs it
        std::vector<std::string> words = one.words;
        words.front() = one.path;
        words.insert(words.begin(), "sh");
        sys = spawn(one, "/bin/sh", words, plan);
    }
    one.running = sys == 0;
    if (sys == 0) return std::nullopt;
    one.pid = 0;
    return refuse_start(one, sys);
}

change look_at(stage& one, int& stop_signal) {
    int status = 0;
    rusage used{};
    pid_t found = 0;
    do {
        found = ::wait4(one.pid, &status, WNOHANG | WUNTRACED, &used);
    } while (found < 0 && errno == EINTR);
    if (found != one.pid) return change::none;
    if (WIFSTOPPED(status)) {
        stop_signal = WSTOPSIG(status);
        return change::stopped;
    }
    one.running = false;
    one.status = status;
    one.used = used;
    one.ended = steady::now();
    return change::ended;
}

void kill_and_wait(stage& one) {
    if (!one.running) return;
    ::kill(one.pid, SIGKILL);
    while (::wait4(one.pid, &one.status, 0, &one.used) < 0 && errno == EINTR) {
    }
    one.running = false;
    one.ended = steady::now();
}

int shell_status(const stage& one) {
    return WIFSIGNALED(one.status) ? 128 + WTERMSIG(one.status) : WEXITSTATUS(one.status);
}

std::string describe_end(const stage& one) {
    if (!WIFSIGNALED(one.status)) return fmt::format("exit {}", WEXITSTATUS(one.status));
    return signal_name(WTERMSIG(one.status)) + (WCOREDUMP(one.status) ? ", core dumped" : "");
}

std::string signal_name(int signal) {
    const char* const name = ::sigabbrev_np(signal);
    return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::string short_name(const stage& one) {
    const std::string& name = one.words.front();
    return name.substr(name.rfind('/') + 1); // npos + 1 is 0
}

} // namespace tool::pipeline
