// The processes of one measurement: children of this one, each on its CPU, that start together.
//
// - The measuring process takes no part: it prepares, waits and reads what they found. So a library
//   with threads or state of its own lives in a child only, and never meets that of another one.
// - A member's exception ends the measurement with what it said: unsupported stays unsupported,
//   all else is std::runtime_error.
// - A member that does not come or does not end is killed after a while, and that is an error.
// - Forks; use it from one thread. Blocks while it waits. Members die with the measuring process.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <sys/types.h>

#include "shared.hpp"

namespace tool::bench {

// What a facility can't do: it is told, and is no failure.
class unsupported : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// The CPUs this process may use.
std::vector<int> usable_cpus();

enum class placement : std::uint8_t { pinned, unpinned };

class crew {
  public:
    struct board {
        std::atomic<std::uint32_t> arrived{0};
        std::atomic<std::uint32_t> go{0}; // a futex
        std::atomic<bool> failed{false};
        std::atomic<bool> why_written{false};
        bool is_unsupported = false;
        char why[400] = {};

        // In a member: says that it is ready and waits for the others.
        void arrive() noexcept;
    };
    using body = std::function<void(board&)>;

    // clean_exit: members end by exit(), which lets the libraries they use say good-bye.
    explicit crew(placement where, bool clean_exit = false)
        : where_(where), clean_exit_(clean_exit) {}
    ~crew() { kill_all(); }
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    // Pinned, members go to the usable CPUs in turn; cpu says which.
    pid_t add(unsigned cpu, const body& work);

    // Waits until all have arrived, and lets them go.
    void start(std::chrono::milliseconds patience = std::chrono::seconds(20));
    // Waits until all have ended by themselves.
    void finish(std::chrono::milliseconds patience = std::chrono::seconds(60));
    // Waits a little for those who end by themselves, and kills the others.
    void dismiss(std::chrono::milliseconds grace);

  private:
    void reap();
    void kill_all();
    void check() const;
    [[noreturn]] void become_member(unsigned cpu, const body& work);

    placement where_;
    bool clean_exit_;
    shared<board> board_;
    std::vector<pid_t> members_; // 0: has ended
    std::size_t added_ = 0;
};

// From now on SIGINT and SIGTERM end a measurement as a failure does, so that nothing is left
// behind.
void end_tidily_on_signals();
class interrupted : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Waits without a busy CPU.
void rest(std::chrono::nanoseconds time);

// Runs `there` in a child on the second CPU and `here` in one on the first, to the end of both.
// What they find they leave in shared memory.
void run_pair(const std::function<void()>& there, const std::function<void()>& here);

// The time that `operate(count)` takes for each of `count`, in ns: the median over batches.
double median_ns(std::uint64_t batches, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& operate);

// The floor of the machine, in ns: a round trip of two cache lines, each written by one side and
// read by the other, between the first two CPUs.
double floor_ns(std::chrono::milliseconds span);

} // namespace tool::bench
