// What the event words of sync/event_word.hpp wake sleepers with: the futex.
#pragma once

#include <cstdint>

#include "os/futex.hpp"
#include "segment/format.hpp"

namespace hawser::segment {

struct futex_parker {
    static int wake(const atomic<std::uint32_t>& word, int count) noexcept {
        return os::futex_wake(&word, count);
    }
};

} // namespace hawser::segment
