// Runs a body in a child process, instruction by instruction, and does something to it at a chosen
// one: kills it, stops it, lets it fork.
//
// The child opens what it needs, calls `begin()`, does the operation, and calls `end()`; both are
// stops that the parent sees. Between them the parent steps with ptrace. SIGKILL is real: the child
// executes k instructions of the operation and no more. A system call counts as one instruction,
// and so does a string instruction (rep movs …).
//
// A step costs some 20 microseconds, so a route that was stepped through once is remembered: the
// child of a later run goes at full speed to a breakpoint shortly before instruction k, and is
// stepped from there. Whether it got to the right place is checked; if it took another way, it is
// stepped all the way (strayed).
//
// - x86-64. Blocks: until the child has done what is asked. Threads: one at a time. The child dies
//   with the parent.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <sys/types.h>

namespace hawser::crash {

// To be called by the child.
void begin();
void end();

// The addresses of the instructions of an operation, one after the other.
class route {
  public:
    void add(std::uint64_t address);
    [[nodiscard]] std::uint64_t length() const noexcept { return passed_.size(); }
    [[nodiscard]] std::uint64_t address(std::uint64_t k) const { return passed_[k].address; }

    // Where a run to k goes at full speed: the `visit`th time (from 0) at instruction `at`.
    struct way {
        std::uint64_t at = 0;
        std::uint32_t visit = 0;
    };
    [[nodiscard]] way to(std::uint64_t k) const { return passed_[k].nearest; }

  private:
    struct passed {
        std::uint64_t address = 0;
        way nearest;
    };
    std::vector<passed> passed_;
    std::vector<std::pair<std::uint64_t, std::uint32_t>> visits_; // sorted by address
};

class victim {
  public:
    // Forks; when this returns the child stands at begin().
    explicit victim(const std::function<void()>& body);
    ~victim();
    victim(const victim&) = delete;
    victim& operator=(const victim&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] std::uint64_t instructions() const noexcept { return instructions_; }
    [[nodiscard]] bool at_end() const noexcept { return at_end_; }
    // It ended by itself, which it must not.
    [[nodiscard]] bool failed() const noexcept { return gone_ && !killed_; }

    // One instruction. False if it came to end(), or is gone.
    bool step();
    // The same without a breakpoint in its code: a string instruction is as many as it repeats.
    bool step_plainly();
    // Where it stands, and whether its next instruction is a system call.
    [[nodiscard]] std::uint64_t address() const;
    [[nodiscard]] bool before_system_call() const;

    // k instructions from begin(), or to end() if that comes first.
    void step_to(std::uint64_t k);
    // The same with a route of an earlier run. False if it took another way; then it stands
    // anywhere.
    bool run_to(std::uint64_t k, const route& known);
    // Goes on at full speed to end(). False if it ended by itself.
    bool finish();

    // SIGKILL; when this returns the child is gone.
    void kill();
    // No longer traced: stopped by a real SIGSTOP, and going on with a real SIGCONT.
    void stop_for_real();
    bool go_on_to_end();

  private:
    void wait_for_stop();
    void go(int request);
    [[nodiscard]] std::uint64_t code_at(std::uint64_t address) const;
    bool run_to_visit(std::uint64_t address, std::uint32_t visit);

    pid_t pid_ = -1;
    int signal_ = 0; // of the last stop
    std::uint64_t instructions_ = 0;
    bool at_end_ = false;
    bool gone_ = false;
    bool killed_ = false;
};

} // namespace hawser::crash
