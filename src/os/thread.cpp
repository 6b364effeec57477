#include "os/thread.hpp"

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include <pthread.h>

namespace hawser::os {

result<std::thread> start_quiet_thread(const char* operation, std::function<void()> body) noexcept {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread started;
    try {
        started = std::thread(std::move(body));
    } catch (const std::system_error&) { // below: not joinable
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (started.joinable()) return started;
    return error{errc::no_space, operation, EAGAIN}.because(
        "no thread is left; see ulimit -u and the pids limit of the container.");
}

} // namespace hawser::os
