#include "stall.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace hawser::storm {

namespace {

constexpr std::int64_t worth_asking_ns = 100'000; // shorter gaps are not looked into
constexpr std::int64_t aftermath_ns = 100'000'000;
constexpr std::int64_t control_ns = 1'000'000;

} // namespace

stall_watch::stall_watch(book& ledger)
    : ledger_(ledger), schedstat_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)),
      event_seen_(ledger.events.load()), last_ns_(now_ns()), control_([this] { watch_clock(); }) {
    cpu_wait_ns_ = waited_for_cpu_ns();
}

stall_watch::~stall_watch() {
    over_.store(true);
    control_.join();
    ::close(schedstat_);
}

void stall_watch::progress() noexcept {
    const std::int64_t now = now_ns();
    const std::int64_t gap = now - last_ns_;
    std::int64_t own = gap;
    if (gap > worth_asking_ns) {
        const std::int64_t waited = waited_for_cpu_ns();
        own = gap - std::clamp<std::int64_t>(waited - cpu_wait_ns_, 0, gap);
        cpu_wait_ns_ = waited;
    }
    const std::uint32_t events = ledger_.events.load();
    if (events != event_seen_) {
        if (longest_ns_ != 0) {
            ledger_.stalls.add(longest_ns_);
            ledger_.own_stalls.add(longest_own_ns_);
        }
        event_seen_ = events;
        longest_ns_ = gap;
        longest_own_ns_ = own;
    } else if (last_ns_ - ledger_.event_ns.load() < aftermath_ns) {
        longest_ns_ = std::max(longest_ns_, gap);
        longest_own_ns_ = std::max(longest_own_ns_, own);
    }
    last_ns_ = gap > worth_asking_ns ? now_ns() : now; // asking is none of hawser's time
}

// The second number of schedstat: nanoseconds in which it could have run and had no CPU.
std::int64_t stall_watch::waited_for_cpu_ns() const noexcept {
    std::array<char, 96> text{};
    if (::pread(schedstat_, text.data(), text.size() - 1, 0) <= 0) return 0;
    const char* second = std::strchr(text.data(), ' ');
    return second == nullptr ? 0 : std::strtoll(second, nullptr, 10);
}

void stall_watch::watch_clock() noexcept {
    while (!over_.load()) {
        const std::int64_t begin = now_ns();
        const timespec wait{0, control_ns};
        ::ppoll(nullptr, 0, &wait, nullptr);
        ledger_.lateness.add(now_ns() - begin - control_ns);
    }
}

} // namespace hawser::storm
