#include "support/watchdog.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <vector>

#include <dirent.h>
#include <execinfo.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace hawser::test {
namespace {

constexpr int exit_status_hung = 124; // as timeout(1)
constexpr int trace_depth = 48;
constexpr auto trace_wait = std::chrono::milliseconds(500);

sem_t traced; // posted by each thread that has printed its backtrace

void print_own_trace(int) {
    const int saved_errno = errno;
    void* frames[trace_depth];
    const int depth = backtrace(frames, trace_depth);
    backtrace_symbols_fd(frames, depth, STDERR_FILENO);
    sem_post(&traced);
    errno = saved_errno;
}

std::vector<int> threads_of_this_process() {
    std::vector<int> ids;
    DIR* folder = opendir("/proc/self/task");
    if (folder == nullptr) return ids;
    while (const dirent* entry = readdir(folder)) {
        const int id = std::atoi(entry->d_name);
        if (id > 0) ids.push_back(id);
    }
    closedir(folder);
    return ids;
}

// "running" or the number of the system call and its arguments: see proc(5).
std::string thread_fact(int thread, const char* name) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/" + name);
    std::string line;
    std::getline(file, line);
    return line;
}

// A thread that takes no signals (or sits in a call the sanitizer does not know) prints no trace.
void wait_for_trace() {
    timespec until{};
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += std::chrono::nanoseconds(trace_wait).count();
    until.tv_sec += until.tv_nsec / 1'000'000'000;
    until.tv_nsec %= 1'000'000'000;
    while (sem_timedwait(&traced, &until) != 0 && errno == EINTR) {
    }
}

void print_threads() {
    sem_init(&traced, 0, 0);
    std::signal(SIGRTMAX, print_own_trace);
    const auto self = static_cast<int>(syscall(SYS_gettid));
    for (const int thread : threads_of_this_process()) {
        if (thread == self) continue;
        std::fprintf(stderr, "-- thread %d (%s), in system call: %s\n", thread,
                     thread_fact(thread, "comm").c_str(), thread_fact(thread, "syscall").c_str());
        if (syscall(SYS_tgkill, getpid(), thread, SIGRTMAX) == 0) wait_for_trace();
    }
}

// Children left behind would keep the pipe to the test's log open, and its reader waiting.
void kill_children() {
    for (const int thread : threads_of_this_process()) {
        std::istringstream children(thread_fact(thread, "children"));
        for (pid_t child = 0; children >> child;) kill(child, SIGKILL);
    }
}

std::string name_of_running_test() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    if (test == nullptr) return "(no test)";
    return std::string(test->test_suite_name()) + "." + test->name();
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr auto built_in_limit = std::chrono::seconds(240);
#else
constexpr auto built_in_limit = std::chrono::seconds(60);
#endif
std::chrono::milliseconds limit_of_each_test = built_in_limit;

} // namespace

watchdog::watchdog(std::chrono::milliseconds limit, std::string what)
    : limit_(limit), what_(what.empty() ? name_of_running_test() : std::move(what)),
      owner_(getpid()), watcher_([this] { watch(); }) {}

watchdog::~watchdog() {
    if (getpid() != owner_) {
        watcher_.detach();
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    left_.notify_one();
    watcher_.join();
}

void watchdog::watch() {
    std::unique_lock lock(mutex_);
    if (left_.wait_for(lock, limit_, [this] { return done_; })) return;
    std::fflush(stdout);
    std::fprintf(stderr, "\nwatchdog: %s is not done after %lld ms; the threads are at:\n",
                 what_.c_str(), static_cast<long long>(limit_.count()));
    print_threads();
    kill_children();
    std::fprintf(stderr, "watchdog: ending the process\n");
    std::_Exit(exit_status_hung);
}

std::chrono::milliseconds default_test_limit() {
    return limit_of_each_test;
}

void set_default_test_limit(std::chrono::milliseconds limit) {
    limit_of_each_test = limit;
}

} // namespace hawser::test
