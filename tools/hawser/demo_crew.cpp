#include "demo_crew.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "demo_worker.hpp"

namespace tool::demo {

namespace {

constexpr int ledger_number = 3;  // the descriptor of the ledger in a worker
constexpr int most_attempts = 50; // at an instant that is worth a kill
constexpr std::uint64_t most_looks = 300;
constexpr int most_idle_looks = 20; // in a row, without any message
constexpr std::uint64_t look_ns = 1'000'000;

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

// A producer that is held back will not come to any other point before it is killed.
bool hits(const worker_record& record, activity wanted) {
    const auto doing = static_cast<activity>(record.doing.load());
    return doing == wanted || doing == activity::held_back;
}

std::uint64_t messages_moved(const ledger& notes) {
    std::uint64_t total = 0;
    for (const worker_record& record : notes.workers()) total += record.messages;
    return total;
}

// True once it hits; false if that does not happen, or no message moves any more. The worker runs
// on meanwhile: stopping it only to look would put a consumer that sleeps in the kernel behind all
// others, and it would never be given a message again.
bool wait_for(ledger& notes, const worker_record& record, activity wanted) {
    const ledger_header& head = notes.header();
    const auto passes = static_cast<std::uint32_t>(
        std::max<std::uint64_t>(head.producers, head.chunks / (4 * most_looks)));
    std::uint64_t moved = 0;
    int idle_looks = 0;
    for (std::uint64_t look = 0; look < most_looks && idle_looks < most_idle_looks; ++look) {
        notes.header().passes = passes;
        const std::uint64_t until_ns = now_ns() + look_ns;
        while (now_ns() < until_ns) {
            if (hits(record, wanted)) return true;
            std::this_thread::yield();
        }
        const std::uint64_t before = std::exchange(moved, messages_moved(notes));
        idle_looks = moved == before ? idle_looks + 1 : 0;
    }
    return false;
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
    for (int attempt = 1;; ++attempt) {
        const bool seen = wait_for(notes_, record, wanted);
        if (!stop(member.pid)) return false;
        done.doing = static_cast<activity>(record.doing.load());
        // What was seen may have been over before the worker was stopped; then once more.
        if (hits(record, wanted) || !seen || attempt == most_attempts) break;
        ::kill(member.pid, SIGCONT);
    }
    notes_.header().passes = 0;
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
