// Where the bodies of a test meet, in threads or in processes: a beacon says "this happened", a
// barrier "all are here".
//
// - Made before the bodies start; a pipe each, so they work across fork and need no time-outs.
// - Blocks: wait() and arrive(), until the others have come; the watchdog ends a test whose others
//   never do.
#pragma once

#include <atomic>
#include <cstddef>

#include "support/shared.hpp"

namespace hawser::test {

// Counts what was raised and not yet waited for.
class beacon {
  public:
    beacon();
    ~beacon();
    beacon(const beacon&) = delete;
    beacon& operator=(const beacon&) = delete;

    void raise(std::size_t times = 1) const;
    void wait(std::size_t times = 1) const;

  private:
    int read_end_;
    int write_end_;
};

// Lets nobody on before all parties have arrived. Good for one meeting.
class barrier {
  public:
    explicit barrier(unsigned parties) : parties_(parties) {}

    void arrive() const {
        if (arrived_->fetch_add(1) + 1 == parties_) gate_.raise(parties_);
        gate_.wait();
    }

  private:
    unsigned parties_;
    shared<std::atomic<unsigned>> arrived_;
    beacon gate_;
};

} // namespace hawser::test
