#include "injector.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser::faults {

namespace {

// The argument of a getppid() that is a mark; getppid itself takes none.
constexpr std::uint64_t begin_mark = 0x6861'7773'6572'0001;
constexpr std::uint64_t end_mark = 0x6861'7773'6572'0002;

// With PTRACE_O_TRACESYSGOOD a stop at a system call can be told from a real SIGTRAP.
constexpr int syscall_stop = SIGTRAP | 0x80;

[[noreturn]] void be_child(const std::function<void()>& body, std::chrono::seconds alarm_after) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::alarm(static_cast<unsigned>(alarm_after.count()));
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
}

// The child under the parent's eyes.
class traced {
  public:
    explicit traced(pid_t pid) noexcept : pid_(pid) {}

    // Waits for the next stop. The stop's signal, or 0 if it has ended.
    int next_stop() noexcept {
        while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
        }
        return WIFSTOPPED(status_) ? WSTOPSIG(status_) : 0;
    }
    void go_on(int signal) const noexcept {
        ::ptrace(PTRACE_SYSCALL, pid_, nullptr, static_cast<long>(signal));
    }
    // To its end, without any more stops at system calls.
    void let_go() noexcept {
        for (int signal = 0;;) {
            ::ptrace(PTRACE_CONT, pid_, nullptr, static_cast<long>(signal));
            signal = next_stop();
            if (signal == 0) return;
        }
    }
    [[nodiscard]] int status() const noexcept { return status_; }

    void set_options() const noexcept {
        ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    }
    // The call that it is about to make. False at the stop after a call.
    [[nodiscard]] bool entering(seen_call& call) const {
        __ptrace_syscall_info info{};
        ::ptrace(PTRACE_GET_SYSCALL_INFO, pid_, sizeof info, &info);
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return false;
        call.number = static_cast<long>(info.entry.nr);
        for (std::size_t i = 0; i < call.arguments.size(); ++i)
            call.arguments[i] = info.entry.args[i];
        return true;
    }
    // Looks up what the first argument leads to, if it is a descriptor.
    void describe(seen_call& call) const {
        const std::string proc = "/proc/" + std::to_string(pid_);
        const std::string fd = std::to_string(static_cast<int>(call.arguments[0]));
        char target[PATH_MAX];
        const ssize_t length = ::readlink((proc + "/fd/" + fd).c_str(), target, sizeof target);
        if (length <= 0) return;
        call.about.assign(target, static_cast<std::size_t>(length));
        std::ifstream facts(proc + "/fdinfo/" + fd);
        for (std::string word; facts >> word;) {
            if (word != "flags:") continue;
            facts >> word;
            call.nonblocking = (std::strtoul(word.c_str(), nullptr, 8) & O_NONBLOCK) != 0;
        }
    }
    // At the stop after a call.
    [[nodiscard]] long result() const noexcept {
        return ::ptrace(PTRACE_PEEKUSER, pid_, offsetof(user, regs.rax), nullptr);
    }
    void drop_call() const noexcept { poke(offsetof(user, regs.orig_rax), -1); }
    void set_result(long value) const noexcept { poke(offsetof(user, regs.rax), value); }

  private:
    void poke(std::size_t where, long value) const noexcept {
        ::ptrace(PTRACE_POKEUSER, pid_, where, value);
    }

    pid_t pid_;
    int status_ = 0;
};

bool is_mark(const seen_call& call, std::uint64_t mark) noexcept {
    return call.number == SYS_getppid && call.arguments[0] == mark;
}

} // namespace

void begin() {
    ::syscall(SYS_getppid, begin_mark);
}
void end() {
    ::syscall(SYS_getppid, end_mark);
}

run_result run_with_faults(const std::function<void()>& body, const chooser& choose,
                           std::chrono::seconds alarm_after) {
    const pid_t pid = ::fork();
    if (pid == 0) be_child(body, alarm_after);
    run_result result;
    traced child(pid);
    if (pid < 0 || child.next_stop() != SIGSTOP) return result;
    child.set_options();
    bool watching = false;
    bool asked = false; // about the call that is being made, and:
    fault now;
    int signal = 0;
    for (;;) {
        child.go_on(signal);
        const int stop = child.next_stop();
        if (stop == 0) break;
        signal = stop == syscall_stop ? 0 : stop; // other signals are the child's own
        if (stop != syscall_stop) continue;
        seen_call call;
        if (!child.entering(call)) {
            if (asked) result.results.push_back(child.result());
            if (now.error != 0) child.set_result(-now.error);
            asked = false;
            now = {};
            continue;
        }
        if (is_mark(call, end_mark)) {
            result.ended = true;
            child.let_go();
            break;
        }
        if (watching) {
            child.describe(call);
            now = choose(call);
            asked = true;
            if (now.error != 0 && !now.performed) child.drop_call();
        }
        if (is_mark(call, begin_mark)) watching = true;
    }
    result.status = child.status();
    result.in_time = !(WIFSIGNALED(result.status) && WTERMSIG(result.status) == SIGALRM);
    return result;
}

} // namespace hawser::faults
