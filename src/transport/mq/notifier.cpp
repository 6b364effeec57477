// A registration with a call, step by step. The thread waits for a notice of the kernel's, then
//
//   message   registers again (persistent), and only then calls: whatever comes from here on is
//             either seen by the call, which receives until would_block, or gives a new notice.
//   removed   somebody in this process closed a descriptor of the queue, which takes the
//             registration back. It registers again, and calls if a message is there: one that came
//             in between was told to nobody.
//
// Another process may be quicker to register (EBUSY). Then the thread tries again every 50 ms, and
// after it was successful calls if a message is there, for the same reason.
#include "transport/mq/notifier.hpp"

#include <cerrno>
#include <limits>
#include <map>
#include <mutex>
#include <string>

#include <poll.h>

#include "os/clock.hpp"
#include "os/thread.hpp"

namespace hawser::mq {

namespace {

constexpr std::int64_t try_again_ns = 50'000'000;
constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

error refusal(const os::posix_queue_end& queue, int sys) {
    if (sys != EBUSY) return os::failure("notify", sys);
    const std::uint32_t pid = queue.notified_pid();
    std::string who = "another process";
    if (pid == os::own_pid())
        who = "this process (a queue tells one end point of one process)";
    else if (pid != 0)
        who = "process " + std::to_string(pid);
    return error{errc::already_exists, "notify", sys}.because(
        who + " is registered to be told of this queue's messages; only one can be. fd() in poll "
              "or epoll tells any number.");
}

} // namespace

// Which registration of this process is in force on each queue. Guarded by os::fork_safe_mutex().
struct notifier::table {
    std::map<os::file_key, const void*> in_force;            // a watch, or a notifier with a signal
    std::map<os::file_key, const notifier*> waiting_signals; // those of them with a signal

    unsigned generation = os::fork_generation();

    static table& instance() {
        static table& all = *new table;                // end points may outlive static objects
        if (all.generation != os::fork_generation()) { // what is in it is the parent's
            all.in_force.clear();
            all.waiting_signals.clear();
            all.generation = os::fork_generation();
        }
        return all;
    }

    [[nodiscard]] bool has(const os::posix_queue_end& queue, const void* registered) const {
        const auto found = in_force.find(queue.key());
        return found != in_force.end() && found->second == registered;
    }

    void drop(const os::posix_queue_end& queue) {
        in_force.erase(queue.key());
        waiting_signals.erase(queue.key());
    }

    // Takes back what the kernel has, if that is this one's.
    void forget(os::posix_queue_end& queue, const void* registered) {
        if (!has(queue, registered)) return;
        if (const std::uint32_t pid = queue.notified_pid(); pid == os::own_pid())
            queue.forget_notification();
        drop(queue);
    }
};

// What the thread of a registration needs; it may outlive the notifier, when that is stopped in the
// call.
class notifier::watch {
  public:
    watch(std::shared_ptr<os::posix_queue_end> queue, const notification& how,
          os::notice_socket notices, os::poll_set polled, os::flag stop) noexcept
        : queue_(std::move(queue)), call_(how.call), notices_(std::move(notices)),
          polled_(std::move(polled)), stop_(std::move(stop)), persistent_(how.persistent) {}

    static result<std::shared_ptr<watch>> make(std::shared_ptr<os::posix_queue_end> queue,
                                               const notification& how);
    result<void> enroll();
    void run();
    void stop();

  private:
    enum token : std::uint64_t { token_notice, token_stop };

    int enroll_again();
    bool on_notice();
    bool caught_up();
    bool tell();

    std::shared_ptr<os::posix_queue_end> queue_;
    std::function<void()> call_;
    os::notice_socket notices_;
    os::poll_set polled_;
    os::flag stop_;
    std::uint64_t registration_ = 0; // of the last one that was made
    const bool persistent_;
    bool stopped_ = false; // guarded by os::fork_safe_mutex(), as is the use of registration_
    bool outside_ = false; // another process was quicker to register
};

result<std::shared_ptr<notifier::watch>>
notifier::watch::make(std::shared_ptr<os::posix_queue_end> queue, const notification& how) {
    auto notices = os::notice_socket::make();
    if (!notices) return notices.why();
    auto polled = os::poll_set::make();
    if (!polled) return polled.why();
    auto stop = os::flag::make();
    if (!stop) return stop.why();
    if (auto added = polled->add(notices->fd(), POLLIN, token_notice); !added) return added.why();
    if (auto added = polled->add(stop->fd(), POLLIN, token_stop); !added) return added.why();
    return std::make_shared<watch>(std::move(queue), how, std::move(*notices), std::move(*polled),
                                   std::move(*stop));
}

// 0, or why not. Nothing happens once it was stopped.
int notifier::watch::enroll_again() {
    const std::lock_guard hold(os::fork_safe_mutex());
    if (stopped_) return 0;
    if (const int sys = queue_->notify_through(notices_, registration_ + 1); sys != 0) return sys;
    ++registration_;
    auto& all = table::instance();
    all.drop(*queue_);
    all.in_force[queue_->key()] = this;
    return 0;
}

result<void> notifier::watch::enroll() {
    if (const int sys = enroll_again(); sys != 0) return refusal(*queue_, sys);
    return {};
}

void notifier::watch::stop() {
    const std::lock_guard hold(os::fork_safe_mutex());
    stopped_ = true;
    table::instance().forget(*queue_, this);
    stop_.set(true);
}

void notifier::watch::run() {
    { const std::lock_guard until_begun(os::fork_safe_mutex()); }
    for (;;) {
        const std::int64_t until_ns = outside_ ? os::monotonic_ns() + try_again_ns : for_ever;
        os::wait_for(polled_.fd(), POLLIN, until_ns);
        {
            const std::lock_guard hold(os::fork_safe_mutex());
            if (stopped_) return;
        }
        if (!on_notice()) return;
        if (outside_ && !caught_up()) return;
    }
}

// Whether to go on, as for the next two.
bool notifier::watch::on_notice() {
    const auto notice = notices_.read();
    std::uint64_t current = 0;
    {
        const std::lock_guard hold(os::fork_safe_mutex());
        current = registration_;
    }
    if (notice.registration != current) return true; // nothing, or of an earlier registration
    switch (notice.what) {
    case os::notice_socket::kind::none:
        return true;
    case os::notice_socket::kind::removed:
        return caught_up();
    case os::notice_socket::kind::message:
        break;
    }
    if (persistent_) outside_ = enroll_again() != 0;
    return tell();
}

// Registers again after a time in which messages were told to nobody.
bool notifier::watch::caught_up() {
    outside_ = enroll_again() != 0;
    if (outside_ || queue_->depth() == 0) return true;
    if (!persistent_) {
        const std::lock_guard hold(os::fork_safe_mutex());
        table::instance().forget(*queue_, this);
    }
    return tell();
}

bool notifier::watch::tell() {
    {
        const std::lock_guard hold(os::fork_safe_mutex());
        if (stopped_) return false;
    }
    call_();
    return persistent_;
}

// ---- the notifier -------------------------------------------------------------------------------

notifier::notifier(std::shared_ptr<os::posix_queue_end> queue, int signal) noexcept
    : queue_(std::move(queue)), signal_(signal), born_(os::fork_generation()) {}

result<std::unique_ptr<notifier>> notifier::start(std::shared_ptr<os::posix_queue_end> queue,
                                                  const notification& how) {
    std::unique_ptr<notifier> made{new notifier(std::move(queue), how.signal)};
    const auto started = how.call ? made->start_call(how) : made->start_signal();
    if (!started) return started.why();
    return made;
}

result<void> notifier::start_signal() {
    if (!os::is_signal(signal_))
        return error{errc::invalid_argument, "notify"}.because(
            std::to_string(signal_) + " is no signal; SIGUSR1, SIGUSR2, and SIGRTMIN to SIGRTMAX "
                                      "are for uses such as this.");
    const std::lock_guard hold(os::fork_safe_mutex());
    if (const int sys = queue_->notify_by_signal(signal_); sys != 0) return refusal(*queue_, sys);
    auto& all = table::instance();
    all.drop(*queue_);
    all.in_force[queue_->key()] = this;
    all.waiting_signals[queue_->key()] = this;
    return {};
}

result<void> notifier::start_call(const notification& how) {
    auto made = watch::make(queue_, how);
    if (!made) return made.why();
    if (auto enrolled = (*made)->enroll(); !enrolled) return enrolled;
    watch_ = std::move(*made);
    return {};
}

result<void> notifier::begin() {
    if (!watch_) return {};
    const std::lock_guard hold(os::fork_safe_mutex()); // the first thing that the thread waits for
    auto started = os::start_quiet_thread("notify", [running = watch_] { running->run(); });
    if (!started) return started.why(); // the destructor takes the registration back
    thread_ = std::make_unique<std::thread>(std::move(*started));
    return {};
}

notifier::~notifier() {
    if (os::fork_generation() != born_) { // the thread is the parent's, and so is the rest
        static_cast<void>(thread_.release());
        new std::shared_ptr<watch>(std::move(watch_)); // its locks may be held by that thread
        return;
    }
    if (!watch_) {
        const std::lock_guard hold(os::fork_safe_mutex());
        table::instance().forget(*queue_, this);
        return;
    }
    watch_->stop();
    if (!thread_) return;
    if (thread_->get_id() == std::this_thread::get_id())
        thread_->detach();
    else
        thread_->join();
}

void close_queue(os::posix_queue_end& queue) noexcept {
    const std::lock_guard hold(os::fork_safe_mutex());
    auto& waiting = notifier::table::instance().waiting_signals;
    const auto found = waiting.find(queue.key());
    if (found == waiting.end() || found->second->queue_.get() == &queue) return queue.close();
    // A signal is registered by another end, and may have come already.
    os::posix_queue_end& other = *found->second->queue_;
    const bool pending = other.notified_pid() == os::own_pid();
    const bool was_empty = other.depth() == 0;
    queue.close();
    if (!pending || other.notify_by_signal(found->second->signal_) != 0) return;
    if (!was_empty || other.depth() == 0) return;
    // A message came in between; nobody was told.
    other.forget_notification();
    os::signal_self(found->second->signal_);
}

} // namespace hawser::mq
