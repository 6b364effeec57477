// The inside of event_loop: whose turn it is, and who waits for what.
//
// - An operation is in at most one list: its turn is to come (queue_), or it waits for its end
//   point (a channel). It is tried when its turn comes, and the coroutine goes on at once if that
//   was it; so there is no moment in which a message was taken and nobody has it.
// - A channel is an end point as a member of the poller. It stays one when nobody waits for it any
//   more; the first news that nobody waits for makes it unwatched. So a coroutine that receives
//   again and again costs no change of the poller.
// - Everything but the inbox belongs to the thread that runs the loop.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>
#include <vector>

#include <hawser/async.hpp>

#include "core/poll_table.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

struct loop_channel {
    std::uint64_t tag = 0;
    member_id member = member_id::nobody;
    void* end = nullptr;
    short events[2] = {0, 0}; // what each of the two lists waits for
    short watched = 0;
    async_link waiting[2]; // heads; the second one is for the writers of a stream
    std::size_t operations = 0;
    bool gone = false; // the end point was closed
};

class loop_core {
  public:
    explicit loop_core(std::shared_ptr<poll_table> table) noexcept;
    ~loop_core();

    result<void> run_until(deadline until);
    void stop() noexcept;
    result<void> post(std::function<void()> call);
    void start(task_promise_base& promise, std::coroutine_handle<> self, bool owned);
    void abandon(task_promise_base& promise) noexcept;
    void ended(task_promise_base& promise) noexcept;

    void begin(async_operation& one);
    void leave(async_operation& one) noexcept;
    void stop_operation(std::uint64_t tag) noexcept; // from any thread

    // call(ready) -> bool: false cancels it. add(tag) -> result<member_id>.
    using callback = std::function<bool(const ready&)>;
    template <typename Add>
    result<callback_id> watch(callback call, Add&& add);
    result<void> cancel(std::uint64_t tag);
    [[nodiscard]] poll_table& table() noexcept { return *table_; }

  private:
    struct watched_callback {
        callback call;
        member_id member = member_id::nobody;
    };
    using tag_owner =
        std::variant<loop_channel*, async_operation*, std::shared_ptr<watched_callback>>;

    struct inbox {
        std::mutex mutex;
        std::deque<std::function<void()>> posts;
        std::vector<std::uint64_t> stopped; // operations
        bool stop = false;
    };

    [[nodiscard]] result<void> admit(const char* operation) const noexcept;
    result<void> turn(deadline until);
    [[nodiscard]] bool has_work();
    void open_inbox();
    void start_tasks();
    void run_queue();
    void run(async_operation& one);
    void finish(async_operation& one, const error& why);
    void resume(async_operation& one);
    void queue(async_operation& one) noexcept { one.in_queue_.join_before(queue_); }
    void reap() noexcept;

    result<loop_channel*> channel_of(const async_target& on);
    result<void> give_tag(async_operation& one);
    void park(async_operation& one);
    void tell(const ready& one);
    void tell_channel(loop_channel& channel, short events);
    void tell_timer(async_operation& one);
    void tell_callback(std::uint64_t tag, const std::shared_ptr<watched_callback>& one,
                       const ready& news);
    void drop(std::uint64_t tag) noexcept;
    void drop_channel(loop_channel& channel) noexcept;

    std::shared_ptr<poll_table> table_;
    std::unordered_map<void*, std::unique_ptr<loop_channel>> channels_;
    std::vector<std::unique_ptr<loop_channel>> gone_; // until no operation knows them
    std::unordered_map<std::uint64_t, tag_owner> by_tag_;
    std::uint64_t last_tag_ = 0;
    async_link queue_; // whose turn comes next
    async_link turn_;  // whose turn is now
    std::deque<task_promise_base*> to_start_;
    task_promise_base* tasks_ = nullptr;
    task_promise_base* ended_ = nullptr; // of the loop's own: to be destroyed
    std::size_t callbacks_ = 0;
    std::exception_ptr failure_;
    bool running_ = false;
    inbox inbox_;
};

} // namespace detail
} // namespace v1
} // namespace hawser
