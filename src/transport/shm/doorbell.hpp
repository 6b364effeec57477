// fd() of a shared-memory end point: keeps a bell readable exactly while the non-blocking call
// would have something to say.
//
// Nothing happens until fd() is first asked for. From then on, each call on the end point ends with
// sync(): if something is there the bell stays rung; if not, it is made quiet, armed in the event
// words, and the state looked at once more.
#pragma once

#include <initializer_list>
#include <optional>

#include "os/bell.hpp"
#include "segment/participant.hpp"

namespace hawser::shm {

class doorbell {
  public:
    explicit doorbell(os::bell_tone tone) noexcept : tone_(tone) {}

    [[nodiscard]] bool in_use() const noexcept { return bell_.has_value(); }

    result<int> listen(const segment::participant& self) {
        if (!bell_) {
            auto made = os::bell::listen(self.fd(), tone_);
            if (!made)
                return error{errc::system, "fd", made.why().sys()}.because(
                    "no more descriptors, threads, inotify instances or inotify watches for this "
                    "user. Raise the limits: ulimit -n and -u, and sysctl "
                    "fs.inotify.max_user_instances and fs.inotify.max_user_watches.");
            bell_.emplace(std::move(*made));
        }
        return bell_->fd();
    }

    // available() -> bool: would the non-blocking call have something to say?
    template <typename Available>
    void sync(segment::participant& self,
              std::initializer_list<segment::atomic<std::uint32_t>*> events,
              Available&& available) {
        if (!bell_) return;
        if (rung_ && available()) return;
        const auto heard = bell_->quiet();                   // STEP(bell.quiet)
        if (heard.departed || heard.reminded) self.census(); // STEP(bell.census)
        // The kernel tells of a closed file a moment before it gives back the locks: look again.
        constexpr std::int64_t shortly_ns = 2'000'000;
        if (heard.departed) bell_->remind_after_ns(shortly_ns); // STEP(bell.remind)
        rung_ = false;
        bool armed = true;
        // STEP(bell.arm)
        for (auto* event : events) armed = sync::arm(*event, sync::event_bell) && armed;
        if (armed && !available()) return; // STEP(bell.look)
        bell_->ring_self();                // STEP(bell.self)
        rung_ = true;
    }

  private:
    os::bell_tone tone_;
    std::optional<os::bell> bell_;
    bool rung_ = false;
};

} // namespace hawser::shm
