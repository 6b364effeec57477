// A child process that runs one body of a test. What fails in it, fails in the parent, with its
// text.
//
// - Fork before any end point is open in the parent, unless fork itself is what the test is about.
// - The child ends with _exit: 0, or 1 when an expectation failed or an exception left the body.
// - Blocks: the constructor never; end_well and kill until the child has ended. The watchdog
//   watches the parent; the child dies with it.
// - A child that nobody waited for is killed by the destructor.
// - Under ThreadSanitizer there are no children (fork with its threads is not supported): ask
//   can_fork first.
#pragma once

#include <functional>
#include <string>

#include <sys/types.h>

namespace hawser::test {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool can_fork = false;
#else
inline constexpr bool can_fork = true;
#endif

class child {
  public:
    child(std::string name, const std::function<void()>& body);
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] int pidfd() const noexcept { return pidfd_; } // readable once it has ended

    // Waits for its end, reports its failures, and fails unless it ended with 0. True when all is
    // well.
    bool end_well();
    // SIGKILL, then waits: when this returns, the kernel has taken back all it held.
    void kill();
    // SIGSTOP, then waits until it stands still; and SIGCONT.
    void stop();
    void go_on();

  private:
    [[noreturn]] void run(const std::function<void()>& body, int report_end);
    int wait_for_end(); // the wait status
    void pass_on_failures();

    std::string name_;
    pid_t pid_ = -1;
    int pidfd_ = -1;
    int report_ = -1; // the reading end of the child's report
    bool ended_ = false;
};

} // namespace hawser::test
