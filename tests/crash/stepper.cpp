#include "stepper.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser::crash {

namespace {

void stop_for_parent() {
    ::raise(SIGSTOP);
}

[[noreturn]] void be_child(const std::function<void()>& body) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    try {
        body();
    } catch (const std::exception& why) {
        std::fprintf(stderr, "crash: the victim failed: %s\n", why.what());
    }
    ::_exit(1); // a body that returns has not called end()
}

// Waits for the next stop of the child. The stop's signal, or 0 if it has ended.
int next_stop(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0) {
    }
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
}

} // namespace

void begin() {
    stop_for_parent();
}
void end() {
    stop_for_parent();
}

stepped run_and_kill(const std::function<void()>& body, std::uint64_t kill_after) {
    const pid_t child = ::fork();
    if (child == 0) be_child(body);
    stepped result;
    int stop = next_stop(child);
    if (stop != SIGSTOP) result.failed = true;
    while (stop != 0 && !result.failed && result.instructions < kill_after) {
        // Only SIGTRAP is the stepping's own; other signals are passed on, SIGSTOP is end().
        const long deliver = stop == SIGTRAP || stop == SIGSTOP ? 0 : stop;
        if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, deliver) != 0) break;
        stop = next_stop(child);
        if (stop == 0) result.failed = true;
        if (stop == SIGSTOP) {
            result.finished = true;
            break;
        }
        ++result.instructions;
    }
    ::kill(child, SIGKILL);
    while (stop != 0) stop = next_stop(child);
    return result;
}

} // namespace hawser::crash
