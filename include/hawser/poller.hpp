// Waits on many members at once: receivers and senders of any transport, byte streams, listeners,
// timers, signals, and any other descriptor.
//
//     auto all = hawser::poller::make().value();
//     all.add(orders, 1).value();
//     all.add(prices, 2).value();
//     hawser::ready found[16];
//     for (;;) {
//         for (const auto& one : all.wait(found).value()) {
//             auto& in = one.tag == 1 ? orders : prices;
//             if (auto m = in.try_receive()) use(m->bytes());
//         }
//     }
//
// - Level-triggered: a member that is ready is told by each wait until it is ready no more; nothing
//   has to be re-armed, and nothing need be received until would_block.
// - Fair: those that are ready are told in turn, however few fit into one wait, so a busy member
//   keeps no other one from its turn.
// - Cheap: a wait costs what is ready, not how many members there are. 10,000 are no matter; each
//   takes its own descriptors (a timer none, a receiver or sender of shm two with its mailbox), so
//   `ulimit -n` is what bounds them.
// - What wait tells of a receiver or sender is looked at once more before it is told. So a shm
//   receiver is not told when another receiver was quicker. Where connections are behind it, it
//   may still say would_block: somebody connected, or half a message is there. Use the try_ forms.
// - Blocks: wait does, until the deadline; everything else never. Allocates: make and add.
// - Threads: one thread at a time waits. add, change, remove and wake may be called by any thread,
//   also while one waits; a wait under way takes the change into account. Waiting counts as using
//   the end points that are members: another thread uses such a one only while nobody waits. It may
//   close or destroy it at any time.
// - A member that is closed, destroyed or assigned to leaves by itself; one that is moved stays. A
//   plain descriptor (add_fd) has to be removed before it is closed. An end point is a member of
//   one poller at a time, once.
// - Fork: belongs to the process that made it. In a child every call is invalid_argument, wake
//   does nothing, and so does destruction.
// - Signals: a handler that runs while wait sleeps ends it with `interrupted`. wake is the one call
//   that a handler may make. add_signal is said there.
// - A crash leaves nothing: all of it is private to the process. Peers that are killed are told as
//   fd() of their transport tells them: the member is ready, and the next try_ says why.
// - Errors: would_block and timed_out (nothing was ready) · interrupted · invalid_argument (after
//   fork, of a closed end point, room for no answer) · already_exists (a member already) ·
//   not_found (no member, or no more) · unsupported (a facility without a descriptor; a regular
//   file) · no_space (memory, limits of the kernel) · system (EMFILE, with the limit to raise).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <hawser/byte_stream.hpp>
#include <hawser/receiver.hpp>
#include <hawser/result.hpp>
#include <hawser/sender.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {

namespace detail {
class poll_table;
}

// Names a member of a poller; never again another one's.
enum class member_id : std::uint64_t { nobody = 0 };

// A member that is ready.
struct ready {
    member_id member = member_id::nobody;
    std::uint64_t tag = 0; // as it was given to add
    short events = 0;      // what its descriptor has (poll.h); timers and signals: POLLIN
    // Of a timer: how many times it was due since it was told last, at least 1.
    std::uint64_t expirations = 0;
    // Of a signal: which one, and the process that sent it last (0: the kernel).
    int signal = 0;
    std::uint32_t from_pid = 0;
};

class poller {
  public:
    // Errors: system (EMFILE).
    [[nodiscard]] static result<poller> make();
    poller(poller&&) noexcept;
    poller& operator=(poller&&) noexcept;
    ~poller(); // its members stay as they are, and can be added elsewhere

    // Told when try_receive or try_send would not say would_block.
    result<member_id> add(receiver& in, std::uint64_t tag = 0);
    result<member_id> add(sender& out, std::uint64_t tag = 0);
    // Told when it has one of the events: POLLIN, POLLOUT, or both.
    result<member_id> add(byte_stream& stream, short events, std::uint64_t tag = 0);
    // Told when somebody connects.
    result<member_id> add(byte_listener& listener, std::uint64_t tag = 0);
    // Any descriptor that epoll can watch. It stays the caller's.
    result<member_id> add_fd(int fd, short events, std::uint64_t tag = 0);

    // Told once at that time, and is no member any more then.
    result<member_id> add_timer(deadline when, std::uint64_t tag = 0) {
        return add_timer(when, std::chrono::nanoseconds::zero(), tag);
    }
    // Told at that time and then every so often, in step with the first time however late it is
    // told. Times that were missed are one, with their count.
    result<member_id> add_timer(deadline first, std::chrono::nanoseconds every,
                                std::uint64_t tag = 0);

    // Told when this signal comes to this process; no handler runs for it. That needs the signal to
    // be blocked: add_signal blocks it in the calling thread, and threads that are started later
    // inherit that. Add signals before you start threads, or block them there, too. When the member
    // goes, the thread that added it blocks the signal no more, unless it did before; one that came
    // meanwhile takes effect then. Signals that come again before they are told are one, as the
    // kernel has it (real-time signals are counted by it). Errors also: invalid_argument (SIGKILL,
    // SIGSTOP, faults such as SIGSEGV).
    result<member_id> add_signal(int signal, std::uint64_t tag = 0);

    // Watched for these events from now on; 0: for nothing, until changed again. Of a receiver or
    // sender only 0 or its fd_events().
    result<void> change(member_id which, short events);
    // Due at another time, of a timer that is still a member.
    result<void> change_timer(member_id which, deadline first,
                              std::chrono::nanoseconds every = std::chrono::nanoseconds::zero());
    // Not told from now on, except by a wait in another thread that has just found it.
    result<void> remove(member_id which);

    // Waits until a member is ready, and tells of as many as are and fit: the front of `into`,
    // each member at most once. Empty when wake() ended it.
    result<std::span<ready>> wait(std::span<ready> into, deadline until = deadline::never());

    // Ends the wait that is under way, or else the next one.
    void wake() noexcept;

    [[nodiscard]] std::size_t size() const noexcept; // members
    // Readable when wait would probably not wait: for a poller in another event loop.
    [[nodiscard]] result<int> fd() const;

  private:
    explicit poller(std::shared_ptr<detail::poll_table> table) noexcept;
    std::shared_ptr<detail::poll_table> table_;
};

} // namespace v1
} // namespace hawser
