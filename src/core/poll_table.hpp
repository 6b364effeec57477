// The members of a poller, and the one wait over all of them.
//
// - A token names a record and how often it was used, so one that is out of date finds nobody.
// - One mutex guards the records. It is held while what is ready is looked at, never while a thread
//   sleeps: whoever closes an end point waits at most for such a look, and after that the table
//   does not know the end point any more.
// - Threads, fork, signals: as include/hawser/poller.hpp says.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <hawser/poller.hpp>

#include "core/transport.hpp"
#include "os/process.hpp"
#include "os/watch_set.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

// The way from the façades to the ends behind them.
struct end_access {
    template <typename Facade>
    static auto* end_of(const Facade& facade) noexcept {
        return facade.end_.get();
    }
};

class poll_table : public std::enable_shared_from_this<poll_table> {
  public:
    static result<std::shared_ptr<poll_table>> make();

    // End: sending_end, receiving_end, stream_end or listening_end. nullptr: a closed one.
    template <typename End>
    result<member_id> add_end(End* end, short events, std::uint64_t tag);
    result<member_id> add_fd(int fd, short events, std::uint64_t tag);
    result<member_id> add_timer(deadline first, std::int64_t every_ns, std::uint64_t tag);
    result<member_id> add_signal(int signal, std::uint64_t tag);

    result<void> change(member_id which, short events);
    result<void> change_timer(member_id which, deadline first, std::int64_t every_ns);
    result<void> remove(member_id which);
    result<std::span<ready>> wait(std::span<ready> into, deadline until);
    void wake() noexcept;
    [[nodiscard]] std::size_t size() noexcept;
    [[nodiscard]] result<int> fd() const;
    // call(tag) is told of each end point that is closed while it is a member.
    void on_drop(std::function<void(std::uint64_t)> call) { on_drop_ = std::move(call); }
    // Before the poller goes: its members are free for others.
    void let_all_go() noexcept;

    poll_table(os::watch_set set, os::waker waker, os::alarm_clock alarm) noexcept;

  private:
    enum class kind : std::uint8_t {
        nobody,
        fd,
        sending,
        receiving,
        stream,
        listening,
        timer,
        signal
    };
    struct record {
        std::uint32_t uses = 0;
        kind what = kind::nobody;
        short events = 0; // 0: not watched
        int number = -1;  // the descriptor, or the signal
        std::uint64_t tag = 0;
        void* end = nullptr;
        std::int64_t due_ns = 0;
        std::int64_t every_ns = 0;
    };
    static constexpr std::int64_t no_alarm = std::numeric_limits<std::int64_t>::max();
    using due_time = std::pair<std::int64_t, std::uint32_t>; // and the place of its record

    [[nodiscard]] result<void> admit(const char* operation) const noexcept;
    template <typename Fill>
    result<member_id> enroll(Fill&& fill);
    std::uint32_t free_place();
    void forget(std::uint32_t place) noexcept;
    void drop(std::uint64_t token) noexcept;
    void release(record& one) noexcept;
    [[nodiscard]] std::uint64_t token_of(std::uint32_t place) const noexcept;
    record* find(std::uint64_t token) noexcept;
    result<void> make_inbox();
    void set_alarm() noexcept;
    void schedule(std::uint32_t place, deadline first, std::int64_t every_ns);

    // What one look found.
    struct look {
        std::span<ready> into;
        std::size_t count = 0;
        bool woken = false;
        void tell(const ready& one) noexcept { into[count++] = one; }
        [[nodiscard]] std::size_t room() const noexcept { return into.size() - count; }
    };
    look look_around(std::span<ready> into) noexcept;
    void tell_timers(look& so_far, std::size_t most) noexcept;
    void tell_signal(look& so_far) noexcept;
    void tell_member(look& so_far, const os::watch_set::found& one) noexcept;
    [[nodiscard]] static short events_of(const record& one, short found) noexcept;

    // Recursive: what takes an end point out again may run while it is being added.
    std::recursive_mutex mutex_;
    os::watch_set set_;
    os::waker waker_;
    os::alarm_clock alarm_;
    std::unique_ptr<os::signal_inbox> inbox_;
    std::vector<record> records_; // the first one is nobody's
    std::vector<std::uint32_t> free_;
    std::set<due_time> timers_;
    std::int64_t alarm_ns_ = no_alarm;
    std::array<std::uint32_t, 65> by_signal_{}; // the place of its member, or 0
    std::size_t members_ = 0;
    std::function<void(std::uint64_t)> on_drop_;
    unsigned born_ = os::fork_generation();
};

} // namespace detail
} // namespace v1
} // namespace hawser
