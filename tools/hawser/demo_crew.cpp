#include "demo_crew.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "demo_worker.hpp"

namespace tool::demo {

namespace {

constexpr int ledger_number = 3; // the descriptor of the ledger in a worker
constexpr int looks_before_kill = 60;
constexpr std::chrono::microseconds between_looks{300};

std::string own_program() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size() - 1);
    const std::string found(path.data(), static_cast<std::size_t>(std::max<ssize_t>(0, length)));
    // Replaced by a newer build while it runs: the link itself still leads to the right one.
    return ::access(found.c_str(), X_OK) == 0 ? found : "/proc/self/exe";
}

// The attributes of a new worker: no signals blocked or handled, nothing to read, and the ledger.
class spawn_plan {
  public:
    explicit spawn_plan(int ledger_descriptor) {
        ::posix_spawnattr_init(&attributes);
        sigset_t none;
        sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        ::posix_spawn_file_actions_adddup2(&actions, ledger_descriptor, ledger_number);
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

// Why a worker that was not killed by the crew is gone.
std::string describe_end(int status, const worker_record& record) {
    const char* why = record.failure.data();
    if (*why != '\0') return why;
    if (WIFSIGNALED(status))
        return fmt::format("ended by signal {} ({}) while it {}", WTERMSIG(status),
                           ::strsignal(WTERMSIG(status)),
                           describe(static_cast<activity>(record.doing.load())));
    return fmt::format("ended with status {} and said nothing", WEXITSTATUS(status));
}

} // namespace

std::string name_of(worker_role role, std::uint32_t index) {
    return fmt::format("{} {}", name_of(role), index + 1);
}

crew::crew(ledger& notes) : notes_(notes), program_(own_program()) {
    const ledger_header& head = notes.header();
    for (std::uint32_t i = 0; i < head.producers; ++i)
        members_.push_back({.role = worker_role::producer, .index = i});
    for (std::uint32_t i = 0; i < head.consumers; ++i)
        members_.push_back({.role = worker_role::consumer, .index = i});
}

crew::~crew() {
    kill_all();
}

bool crew::any_running(worker_role role) const noexcept {
    return std::ranges::any_of(
        members_, [=](const crew_member& each) { return each.role == role && each.running; });
}

int crew::start_all() {
    // Consumers first, so that the first messages do not wait for a process to start.
    for (auto member = members_.rbegin(); member != members_.rend(); ++member)
        if (const int sys = start(*member); sys != 0) return sys;
    return 0;
}

int crew::start(crew_member& member) {
    const worker_identity who{member.role, member.index, member.generation};
    std::array<std::string, 4> words{"hawser", "demo", "--worker", to_text(who, ledger_number)};
    std::array<char*, words.size() + 1> arguments{};
    std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });

    const spawn_plan plan(notes_.descriptor());
    const int sys = ::posix_spawn(&member.pid, program_.c_str(), &plan.actions, &plan.attributes,
                                  arguments.data(), environ);
    member.running = sys == 0;
    return sys;
}

std::vector<std::string> crew::bury() {
    std::vector<std::string> accidents;
    for (crew_member& member : members_) {
        int status = 0;
        if (!member.running || ::waitpid(member.pid, &status, WNOHANG) != member.pid) continue;
        member.running = false;
        if (WIFEXITED(status) && WEXITSTATUS(status) == worker_done) continue;
        const worker_record& record = notes_.worker(member.role, member.index);
        accidents.push_back(fmt::format("{} (pid {}): {}", name_of(member.role, member.index),
                                        member.pid, describe_end(status, record)));
    }
    return accidents;
}

bool crew::stop(pid_t pid) {
    int status = 0;
    ::kill(pid, SIGSTOP);
    // WNOWAIT: an end is left for bury() to find.
    siginfo_t found{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &found, WSTOPPED | WEXITED | WNOWAIT) != 0)
        return false;
    if (found.si_code != CLD_STOPPED) return false;
    return ::waitpid(pid, &status, WUNTRACED) == pid;
}

bool crew::kill_while(std::size_t at, activity wanted, killing& done) {
    crew_member& member = members_[at];
    if (!member.running) return false;
    const worker_record& record = notes_.worker(member.role, member.index);
    for (int look = 1;; ++look) {
        if (!stop(member.pid)) return false;
        done.doing = static_cast<activity>(record.doing.load());
        if (done.doing == wanted || look == looks_before_kill) break;
        ::kill(member.pid, SIGCONT);
        std::this_thread::sleep_for(between_looks);
    }
    done.role = member.role;
    done.index = member.index;
    done.pid = member.pid;
    done.chunk = record.chunk;
    done.killed_ns = now_ns();
    ::kill(member.pid, SIGKILL);
    ::waitpid(member.pid, nullptr, 0);
    member.running = false;
    member.killed = true;
    return true;
}

int crew::replace(killing& of) {
    const auto member = std::ranges::find_if(members_, [&](const crew_member& each) {
        return each.role == of.role && each.index == of.index;
    });
    member->generation += 1;
    const int sys = start(*member);
    of.successor = member->pid;
    return sys;
}

void crew::kill_all() {
    for (const crew_member& member : members_)
        if (member.running) ::kill(member.pid, SIGKILL);
    for (crew_member& member : members_) {
        if (!member.running) continue;
        ::waitpid(member.pid, nullptr, 0);
        member.running = false;
    }
}

} // namespace tool::demo
