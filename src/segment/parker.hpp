// What the event words of sync/event_word.hpp wake and ring with: the futex, and the mailbox's
// bell.
#pragma once

#include <cstdint>

#include "os/bell.hpp"
#include "os/futex.hpp"
#include "segment/format.hpp"

namespace hawser::segment {

class parker {
  public:
    parker(int fd, os::bell_tone tone) noexcept : fd_(fd), tone_(tone) {}

    static int wake(const atomic<std::uint32_t>& word, int count) noexcept {
        return os::futex_wake(&word, count);
    }
    void ring() const noexcept { os::bell::ring_others(fd_, tone_, offsetof(header, bell)); }

  private:
    int fd_;
    os::bell_tone tone_;
};

} // namespace hawser::segment
