// The machine of the model: processes that take turns before each of their atomic operations, a
// memory that may answer with older values, and as much of a kernel as a mailbox needs (lock bytes,
// futexes, time).
//
// Memory. A location keeps all its stores, in the order in which they were made. A load returns the
// newest one, or an older one if no rule forbids it: not older than what happens before the load
// (the process's view); if seq_cst, not older than what an earlier seq_cst operation on that
// location stored or read. A read-modify-write reads the newest. A release store carries its
// writer's view, and so does a read-modify-write of such a store; an acquire load takes it over.
// Plain data has no values here, only a check that no two accesses are concurrent.
//
// Kernel. Taking a lock byte is ordered after its last release, a holder's death releases it.
// futex_wait compares the newest value and sleeps in one step. When nobody can move, stopped
// processes go on; then time passes: every sleeper's slice ends, and by then every store is
// visible to it.
//
// A killed process executed a prefix of its program. But a compiler may have sunk a plain store
// below what follows, if that has no release order; so a kill may take back such a store.
//
// - Threads: one. Allocates: until the first execution is over.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "fiber.hpp"
#include "memory.hpp"
#include "path.hpp"

namespace hawser::schedules {

enum class operation : std::uint8_t { load, store, rmw };
inline constexpr std::memory_order relaxed = std::memory_order_relaxed;
const char* name_of(std::memory_order order);

// Why a wait is over.
enum class woken : std::uint8_t { by_change, by_slice, by_deadline };

// What a scenario is to the machine. Made anew for each execution.
class scenario {
  public:
    scenario() = default;
    scenario(const scenario&) = delete;
    scenario& operator=(const scenario&) = delete;
    virtual ~scenario() = default;

    // Nobody can move. `excused`: somebody was killed since the last time.
    virtual void idle(bool excused) = 0;
    // All is over. Operations take effect at once and see everything.
    virtual void finish() = 0;
    // A read-modify-write of a slot's word has just happened.
    virtual void swapped(std::uint64_t before, std::uint64_t after) = 0;
    // Sets the running participant's intent to 0, for a fault.
    virtual void clear_intent() = 0;
};

// What processes differ in.
struct traits {
    bool mortal = false;
    bool stoppable = false;
    bool has_deadline = false;
};

class machine {
  public:
    static constexpr std::uint32_t nobody = ~std::uint32_t{0};
    static constexpr std::uint32_t most_locks = 8;

    struct ending {
        bool failed = false;
        std::uint32_t steps = 0;
        std::uint32_t crashes = 0;
    };
    // Runs one execution. make() builds the scenario, which adds its processes.
    template <typename Make>
    ending run(path& choices, const Make& make) {
        begin(choices);
        const std::unique_ptr<scenario> all = make(*this);
        return run_to_end(*all);
    }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    void trace(bool on) { tracing_ = on; }

    // Setting up.
    std::uint16_t add_location();
    void describe(std::uint16_t at, location_class kind, std::uint32_t index, bool owned);
    void add_process(const char* name, std::uint32_t index, const traits& what,
                     void (*body)(void*, std::uint32_t), void* with);

    // Steps on an atomic.
    std::uint64_t load(std::uint16_t at, std::memory_order order);
    void store(std::uint16_t at, std::uint64_t value, std::memory_order order);
    struct cas {
        std::uint64_t expected = 0;
        std::uint64_t desired = 0;
        bool weak = false;
        bool blind = false; // a fault: does not compare
    };
    // What was there; done says whether it was exchanged.
    std::uint64_t compare_exchange(std::uint16_t at, const cas& what, std::memory_order success,
                                   std::memory_order failure, bool& done);
    template <typename Change>
    std::uint64_t modify(std::uint16_t at, std::memory_order order, const Change& change) {
        before_step(!locations_[at].owned);
        const std::uint64_t before = locations_[at].last().value;
        exchange(at, change(before), order);
        return before;
    }
    [[nodiscard]] location_class kind_of(std::uint16_t at) const { return locations_[at].kind; }
    [[nodiscard]] std::uint64_t peek(std::uint16_t at) { return locations_[at].last().value; }
    void put(std::uint16_t at, std::uint64_t value) { locations_[at].last().value = value; }

    // Plain memory.
    void write_data(std::uint32_t which);
    void read_data(std::uint32_t which);

    // The kernel.
    bool try_lock(std::uint32_t lock);
    void unlock(std::uint32_t lock);
    [[nodiscard]] bool is_locked(std::uint32_t lock) const { return holder_[lock] != nobody; }
    // Does the running process hold it?
    [[nodiscard]] bool holds_lock(std::uint32_t lock) const { return holder_[lock] == running_; }
    // Before the beginning.
    void hold_lock(std::uint32_t lock, std::uint32_t who) { holder_[lock] = who; }
    woken futex_wait(std::uint16_t at, std::uint64_t expected);
    int futex_wake(std::uint16_t at, int count);
    // A system call that others can come before or after.
    void kernel_step(const char* what);
    // Until something has changed since the mark.
    [[nodiscard]] std::uint64_t mark();
    woken wait_for_change(std::uint64_t mark);
    // Until more than so many were killed; for ever, if that does not happen.
    void wait_for_death(std::uint32_t more_than);

    // The running process.
    [[nodiscard]] bool is_over() const { return running_ == nobody; }
    // At the end: it still waits for something.
    [[nodiscard]] bool is_stuck(std::uint32_t who) const {
        return processes_[who].now == state::asleep || processes_[who].now == state::awaiting;
    }

    [[nodiscard]] bool is_alive(std::uint32_t who) const {
        return processes_[who].now != state::dead;
    }
    [[nodiscard]] bool sleeps_on(std::uint32_t who, std::uint16_t at) const {
        return processes_[who].now == state::asleep && processes_[who].sleeps_on == at;
    }
    [[nodiscard]] std::uint32_t running() const { return running_; }
    [[nodiscard]] bool is_tracing() const { return tracing_; }
    [[nodiscard]] std::uint32_t crashes() const { return crashes_; }
    // Ends the execution; does not return on a process.
    void fail(const std::string& why);
    void note(const std::string& what); // for the trace

    scenario* current_scenario = nullptr;

  private:
    enum class state : std::uint8_t { ready, asleep, awaiting, mourning, done, dead };
    struct process {
        fiber stack;
        const char* name = "";
        std::uint32_t index = 0;
        traits what;
        void (*body)(void*, std::uint32_t) = nullptr;
        void* with = nullptr;
        state now = state::ready;
        bool stopped = false;
        bool begun = false;
        bool moved = false; // since it was switched to
        bool read_stale = false;
        woken reason = woken::by_change;
        std::uint16_t sleeps_on = 0;
        std::uint64_t mark = 0;
        view knows;
        struct unfenced {
            std::uint16_t at;
            std::uint32_t store;
        };
        std::array<unfenced, 8> sinkable{}; // plain stores since its last release
        std::uint32_t sinkables = 0;
    };
    struct candidate {
        std::uint32_t who = 0;
        deviation how = deviation::none;
    };
    struct candidates {
        alternatives costs;
        std::array<candidate, 16> list{};
        void add(std::uint32_t who, deviation how) {
            if (!costs.has_place()) return;
            list[costs.count()] = {who, how};
            costs.add(how);
        }
    };

    void begin(path& choices);
    ending run_to_end(scenario& all);
    static void start_process(void* self);

    // Turns.
    void before_step(bool shared);
    void leave();
    std::uint32_t pick();
    bool time_passes();
    void switch_to(std::uint32_t next);
    [[nodiscard]] bool can_move(const process& one) const;
    [[nodiscard]] bool is_twin(std::uint32_t who) const;
    void add_deadlines(candidates& among) const;
    void end_by_deadline(std::uint32_t who);
    void die();
    void take_back_a_store(process& dead);
    void set_stopped();

    // Memory.
    [[nodiscard]] process& self() { return processes_[running_]; }
    std::uint32_t choose_store(std::uint16_t at, std::memory_order order);
    void has_read(std::uint16_t at, std::uint32_t which, std::memory_order order);
    void exchange(std::uint16_t at, std::uint64_t value, std::memory_order order);
    void append(std::uint16_t at, std::uint64_t value, std::memory_order order, bool rmw);
    void tick(process& one) { ++one.knows.clock[running_]; }
    void show(const char* what, std::uint16_t at, std::uint64_t value, std::memory_order order,
              const char* more = "");

    static constexpr std::uint32_t most_steps = 4000;
    static constexpr std::uint32_t most_idles = 8;

    path* choices_ = nullptr;
    fiber home_;
    std::array<process, most_processes> processes_;
    std::uint32_t count_ = 0;
    std::uint32_t running_ = nobody;
    std::uint16_t locations_used_ = 0;
    std::array<location, most_locations> locations_;
    std::array<plain_data, most_data> data_{};
    std::array<std::uint32_t, most_locks> holder_{};
    std::array<view, most_locks> released_{};
    std::uint64_t changes_ = 0;
    std::uint64_t changes_when_idle_ = 0;
    std::uint32_t idles_ = 0;
    std::uint32_t steps_ = 0;
    std::uint32_t crashes_ = 0;
    std::uint32_t crashes_when_idle_ = 0;
    bool failed_ = false;
    bool tracing_ = false;
    std::string failure_;
};

// The machine on which all words are.
machine& the_machine();

} // namespace hawser::schedules
