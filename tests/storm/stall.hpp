// How long a survivor stands still when another process is killed or stopped.
//
// - progress() after each message. Of the time from one kill or stop to the next (at most 100 ms,
//   which is two slices of waiting), the longest gap between two messages counts, that in which
//   the event fell included.
// - On a busy machine most gaps are the scheduler's. So each gap is also counted without the time
//   that this thread stood in the queue for a CPU, by the kernel's own account (schedstat, which
//   does not know what the host of a virtual machine takes), and a control thread says how late it
//   is woken from a wait of 1 ms in which hawser has no part.
// - Allocates, blocks: never. Threads: one. Costs two clock readings for each message.
#pragma once

#include <cstdint>
#include <thread>

#include "ledger.hpp"

namespace hawser::storm {

class stall_watch {
  public:
    explicit stall_watch(book& ledger);
    ~stall_watch();
    stall_watch(const stall_watch&) = delete;
    stall_watch& operator=(const stall_watch&) = delete;

    void progress() noexcept;

  private:
    [[nodiscard]] std::int64_t waited_for_cpu_ns() const noexcept;
    void watch_clock() noexcept;

    book& ledger_;
    int schedstat_;
    std::uint32_t event_seen_;
    std::int64_t last_ns_;
    std::int64_t cpu_wait_ns_ = 0;
    std::int64_t longest_ns_ = 0;
    std::int64_t longest_own_ns_ = 0;
    std::atomic<bool> over_{false};
    std::thread control_;
};

} // namespace hawser::storm
