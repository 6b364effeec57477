#include "os/bell_hub.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "os/clock.hpp"
#include "os/thread.hpp"

namespace hawser::os {

namespace {

// A queue that is full (16,384 events of 16 bytes) is empty after 64 reads.
constexpr int most_reads = 80;
constexpr std::size_t bytes_at_once = 4096;

std::uint32_t events_of(bell_tone tone) noexcept {
    return (tone == bell_tone::touch ? IN_ATTRIB : IN_MODIFY) | IN_CLOSE_WRITE;
}

} // namespace

// ---- the few that are alone ---------------------------------------------------------------------

namespace {

// Guarded by fork_safe_mutex(); a fork child begins with none, as those of its parent are closed.
constinit unsigned alone = 0;
constinit unsigned alone_generation = 0;

} // namespace

bool bell_place::take(unsigned most) noexcept {
    const std::lock_guard hold(fork_safe_mutex());
    if (alone_generation != fork_generation()) alone = 0;
    alone_generation = fork_generation();
    if (alone == most) return false;
    ++alone;
    taken_ = true;
    generation_ = alone_generation;
    return true;
}

void bell_place::leave() noexcept {
    if (!taken_) return;
    const std::lock_guard hold(fork_safe_mutex());
    taken_ = false;
    if (generation_ == alone_generation) --alone;
}

bell_place::bell_place(bell_place&& other) noexcept
    : taken_(std::exchange(other.taken_, false)), generation_(other.generation_) {}

bell_place& bell_place::operator=(bell_place&& other) noexcept {
    leave();
    taken_ = std::exchange(other.taken_, false);
    generation_ = other.generation_;
    return *this;
}

// ---- the hub ------------------------------------------------------------------------------------

// Everything is done under fork_safe_mutex(): whoever holds it may read the news and pass them on,
// the thread or a seat that wants to be quiet.
class bell_hub {
  public:
    // The hub of this process, made if there is none.
    static result<bell_hub*> of_this_process() noexcept;

    result<void> admit(bell_seat& seat, int fd) noexcept;
    // True for the last one: the hub is to be closed, without the mutex.
    bool dismiss(bell_seat& seat) noexcept;
    void close() noexcept;
    [[nodiscard]] bool is_ours() const noexcept { return generation_ == fork_generation(); }

    // Reads what the kernel has told so far, at most so many portions, and rings.
    void pass_on(int portions) noexcept;
    static void ring(bell_seat& seat) noexcept;
    void remind(bell_seat& seat, std::int64_t at_ns) noexcept;

  private:
    bell_hub(fork_guard inotify, fork_guard timer) noexcept
        : inotify_(std::move(inotify)), timer_(std::move(timer)) {}

    void run() noexcept;
    void tell(const inotify_event& event) noexcept;
    void tell_all() noexcept;
    void ring_reminded() noexcept;
    void set_timer() noexcept;
    void unlist(bell_seat& seat) noexcept;

    static bell_hub* current;

    fork_guard inotify_;
    fork_guard timer_; // timerfd: reminders, and the end of the thread
    std::unordered_map<int, bell_seat*> listeners_;
    bell_seat* soonest_ = nullptr; // reminders, by time
    bell_seat* latest_ = nullptr;
    unsigned generation_ = fork_generation();
    bool stopped_ = false;
    std::thread thread_;
};

constinit bell_hub* bell_hub::current = nullptr;

result<bell_hub*> bell_hub::of_this_process() noexcept {
    // That of a parent is left as it is: its thread is not here, and it can't be joined.
    if (current != nullptr && !current->is_ours()) current = nullptr;
    if (current != nullptr) return current;
    auto inotify =
        guard_opened("inotify_init", [] { return ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC); });
    if (!inotify) return inotify.why();
    auto timer = guard_opened(
        "timerfd", [] { return ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC); });
    if (!timer) return timer.why();
    std::unique_ptr<bell_hub> made{new (std::nothrow)
                                       bell_hub(std::move(*inotify), std::move(*timer))};
    if (made == nullptr) return failure("fd", ENOMEM);
    auto started = start_quiet_thread("fd", [hub = made.get()] { hub->run(); });
    if (!started) return started.why();
    made->thread_ = std::move(*started);
    current = made.release();
    return current;
}

result<void> bell_hub::admit(bell_seat& seat, int fd) noexcept {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    // The kernel has one watch for each file: another listener adds to it.
    const int watch =
        ::inotify_add_watch(inotify_.get(), path.data(), events_of(seat.tone_) | IN_MASK_ADD);
    if (watch < 0) return failure("inotify_add_watch", errno);
    try {
        bell_seat*& first = listeners_[watch];
        seat.next_ = first;
        first = &seat;
    } catch (const std::bad_alloc&) {
        ::inotify_rm_watch(inotify_.get(), watch); // no node: there was no listener yet
        return failure("fd", ENOMEM);
    }
    seat.watch_ = watch;
    seat.hub_ = this;
    return {};
}

bool bell_hub::dismiss(bell_seat& seat) noexcept {
    unlist(seat);
    const auto found = listeners_.find(seat.watch_);
    if (found != listeners_.end()) {
        bell_seat** link = &found->second;
        while (*link != &seat) link = &(*link)->next_;
        *link = seat.next_;
        if (found->second == nullptr) {
            ::inotify_rm_watch(inotify_.get(), seat.watch_);
            listeners_.erase(found);
        }
    }
    if (!listeners_.empty()) return false;
    stopped_ = true;
    current = nullptr;
    set_timer();
    return true;
}

void bell_hub::close() noexcept {
    thread_.join();
    delete this;
}

void bell_hub::run() noexcept {
    {
        // Until whoever starts this thread has noted it.
        const std::lock_guard hold(fork_safe_mutex());
    }
    for (;;) {
        std::array<pollfd, 2> waited{{{inotify_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}}};
        ::poll(waited.data(), waited.size(), -1);
        const std::lock_guard hold(fork_safe_mutex());
        if (stopped_) return;
        pass_on(1); // a portion at a time: others want the mutex, too
        ring_reminded();
    }
}

void bell_hub::pass_on(int portions) noexcept {
    alignas(inotify_event) std::array<char, bytes_at_once> events;
    for (; portions > 0; --portions) {
        const auto got = ::read(inotify_.get(), events.data(), events.size());
        if (got <= 0) return;
        for (std::size_t at = 0; at + sizeof(inotify_event) <= static_cast<std::size_t>(got);) {
            inotify_event event;
            std::memcpy(&event, events.data() + at, sizeof event);
            tell(event);
            at += sizeof event + event.len;
        }
    }
}

void bell_hub::tell(const inotify_event& event) noexcept {
    if ((event.mask & IN_Q_OVERFLOW) != 0) return tell_all();
    const auto found = listeners_.find(event.wd);
    if (found == listeners_.end()) return; // of one that has gone
    for (bell_seat* seat = found->second; seat != nullptr; seat = seat->next_) {
        if ((event.mask & events_of(seat->tone_)) == 0) continue;
        if ((event.mask & IN_CLOSE_WRITE) != 0) seat->news_.departed = true;
        ring(*seat);
    }
}

// News were lost: a departure may have been among them.
void bell_hub::tell_all() noexcept {
    for (auto& [watch, first] : listeners_) {
        for (bell_seat* seat = first; seat != nullptr; seat = seat->next_) {
            seat->news_.departed = true;
            ring(*seat);
        }
    }
}

void bell_hub::ring(bell_seat& seat) noexcept {
    if (seat.rung_) return;
    seat.rung_ = true;
    const std::uint64_t one = 1;
    while (::write(seat.rung_fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void bell_hub::remind(bell_seat& seat, std::int64_t at_ns) noexcept {
    unlist(seat);
    seat.remind_at_ns_ = at_ns;
    // From the end: reminders are all of about the same delay.
    bell_seat* before = latest_;
    while (before != nullptr && before->remind_at_ns_ > at_ns) before = before->sooner_;
    seat.sooner_ = before;
    seat.later_ = before == nullptr ? soonest_ : before->later_;
    (seat.later_ == nullptr ? latest_ : seat.later_->sooner_) = &seat;
    (before == nullptr ? soonest_ : before->later_) = &seat;
    if (soonest_ == &seat) set_timer();
}

void bell_hub::unlist(bell_seat& seat) noexcept {
    if (seat.remind_at_ns_ == 0) return;
    (seat.sooner_ == nullptr ? soonest_ : seat.sooner_->later_) = seat.later_;
    (seat.later_ == nullptr ? latest_ : seat.later_->sooner_) = seat.sooner_;
    seat.remind_at_ns_ = 0;
}

void bell_hub::ring_reminded() noexcept {
    std::uint64_t count = 0;
    if (::read(timer_.get(), &count, sizeof count) != sizeof count) return;
    const std::int64_t now_ns = monotonic_ns();
    while (soonest_ != nullptr && soonest_->remind_at_ns_ <= now_ns) {
        bell_seat& seat = *soonest_;
        unlist(seat);
        seat.news_.reminded = true;
        ring(seat);
    }
    set_timer();
}

void bell_hub::set_timer() noexcept {
    constexpr std::int64_t second_ns = 1'000'000'000;
    const std::int64_t at_ns = stopped_ ? 1 : soonest_ == nullptr ? 0 : soonest_->remind_at_ns_;
    itimerspec once{};
    once.it_value = {at_ns / second_ns, at_ns % second_ns};
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &once, nullptr);
}

// ---- a seat -------------------------------------------------------------------------------------

bell_seat::bell_seat(bell_tone tone, fork_guard rung_fd) noexcept
    : rung_fd_(std::move(rung_fd)), tone_(tone) {}

result<std::unique_ptr<bell_seat>> bell_seat::take(int fd, bell_tone tone) noexcept {
    auto rung_fd = guard_opened("eventfd", [] { return ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); });
    if (!rung_fd) return rung_fd.why();
    std::unique_ptr<bell_seat> made{new (std::nothrow) bell_seat(tone, std::move(*rung_fd))};
    if (made == nullptr) return failure("fd", ENOMEM);
    bell_hub* unused = nullptr;
    const auto admitted = [&]() -> result<void> {
        const std::lock_guard hold(fork_safe_mutex());
        const auto hub = bell_hub::of_this_process();
        if (!hub) return hub.why();
        auto in = (*hub)->admit(*made, fd);
        if (!in && (*hub)->dismiss(*made)) unused = *hub;
        return in;
    }();
    if (unused != nullptr) unused->close();
    if (!admitted) return admitted.why();
    return made;
}

bell_seat::~bell_seat() {
    bool last = false;
    {
        const std::lock_guard hold(fork_safe_mutex());
        if (hub_ != nullptr && hub_->is_ours()) last = hub_->dismiss(*this);
    }
    if (last) hub_->close();
}

void bell_seat::ring_self() noexcept {
    const std::lock_guard hold(fork_safe_mutex());
    bell_hub::ring(*this);
}

void bell_seat::remind_after_ns(std::int64_t delay_ns) noexcept {
    const std::lock_guard hold(fork_safe_mutex());
    if (hub_->is_ours()) hub_->remind(*this, monotonic_ns() + delay_ns);
}

bell_news bell_seat::quiet() noexcept {
    const std::lock_guard hold(fork_safe_mutex());
    if (hub_->is_ours()) hub_->pass_on(most_reads);
    if (rung_) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = ::read(rung_fd_.get(), &count, sizeof count);
        rung_ = false;
    }
    return std::exchange(news_, {});
}

} // namespace hawser::os
