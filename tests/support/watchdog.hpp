// watchdog: a limit on how long a scope may take, for tests that wait on other processes or
// threads.
//
// - A scope that is not left in time ends the process: it prints which test hung and where each of
//   its threads is, kills the process's children, and exits with status 124. Nothing is asserted
//   about how fast the scope is otherwise; tests state no upper time bounds.
// - main() puts one around every test (see main.cpp), so a test needs its own only to be told apart
//   or to have a shorter limit.
// - Threads: costs one while it lives. Fork: the child has none; the parent's covers it, as it
//   kills its children. Signals: uses SIGRTMAX, and only when the limit is over.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace hawser::test {

class watchdog {
  public:
    // `what` is printed if the time runs out; empty means the name of the running gtest test.
    explicit watchdog(std::chrono::milliseconds limit, std::string what = {});
    ~watchdog();
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

  private:
    void watch();

    const std::chrono::milliseconds limit_;
    const std::string what_;
    const int owner_; // the process that made it: a forked child must not join a thread it lacks
    std::mutex mutex_;
    std::condition_variable left_;
    bool done_ = false;
    std::thread watcher_;
};

// The limit that main() gives each test: --test-timeout=SECONDS, or 60 s, or 240 s under a
// sanitizer.
std::chrono::milliseconds default_test_limit();
void set_default_test_limit(std::chrono::milliseconds limit);

} // namespace hawser::test
