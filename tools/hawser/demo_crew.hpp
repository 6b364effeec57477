// The worker processes of a run: starts, kills and buries them.
//
// - Blocks: kill_while() and the destructor, for as long as the kernel takes to stop or end a
//   process. One thread. Destroying a crew kills what is left of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "demo_ledger.hpp"

namespace tool::demo {

struct crew_member {
    worker_role role = worker_role::producer;
    std::uint32_t index = 0;
    std::uint32_t generation = 0; // successors so far
    pid_t pid = 0;
    bool running = false;
    bool killed = false; // the process before this one was
};

// One SIGKILL and what it hit.
struct killing {
    worker_role role = worker_role::producer;
    std::uint32_t index = 0;
    pid_t pid = 0;
    activity doing = activity::starting; // as the ledger had it when the process was stopped
    std::uint64_t chunk = no_chunk;
    std::uint64_t killed_ns = 0;
    std::uint64_t messages_before = 0; // delivered in all when it was killed
    pid_t successor = 0;
};

// "consumer 2": people count from one.
std::string name_of(worker_role role, std::uint32_t index);

class crew {
  public:
    explicit crew(ledger& notes);
    ~crew();
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    // Producers first, as in the ledger.
    [[nodiscard]] const std::vector<crew_member>& members() const noexcept { return members_; }
    [[nodiscard]] bool any_running(worker_role role) const noexcept;

    // Starts every worker. 0, or the errno.
    int start_all();
    // Notes who has ended. Gives a sentence for each that did so in another way than by being done.
    std::vector<std::string> bury();
    // Kills the worker by SIGKILL, at an instant at which the ledger says that it is at `wanted` if
    // one comes soon, else at any. False if it had ended before.
    bool kill_while(std::size_t member, activity wanted, killing& done);
    // Starts the successor of one that was killed. 0, or the errno.
    int replace(killing& of);
    void kill_all();

  private:
    int start(crew_member& member);
    // The process is stopped, and the ledger can be read in peace. False if it has ended.
    static bool stop(pid_t pid);

    ledger& notes_;
    std::string program_;
    std::vector<crew_member> members_;
};

} // namespace tool::demo
