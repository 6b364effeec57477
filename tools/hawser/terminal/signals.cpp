#include "terminal/signals.hpp"

#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace tool {
namespace {

volatile std::sig_atomic_t caught = 0;

void note(int signal) {
    caught = signal;
    alarm(1);
}

// The signal may have come just before a sleep in the library that nothing else ends.
void remind(int /*signal*/) {
    alarm(1);
}

} // namespace

void catch_signals() noexcept {
    struct sigaction action {};
    action.sa_handler = note;
    // No SA_RESTART: a blocked read or write must notice. Reset: the second Ctrl-C is final.
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM}) {
        struct sigaction before {};
        // Ignored by whoever started us (nohup, a shell's `&`): leave it ignored.
        if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        sigaction(signal, &action, nullptr);
    }
    action.sa_handler = remind;
    action.sa_flags = 0;
    sigaction(SIGALRM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

int stop_signal() noexcept {
    return caught;
}

int stop_status() noexcept {
    return 128 + caught;
}

void die_of_broken_pipe() noexcept {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
    std::_Exit(128 + SIGPIPE); // SIGPIPE is blocked
}

} // namespace tool
