// Asynchronous sending and receiving: callbacks, and C++20 coroutines, on a small executor of
// hawser's own. (On Asio: adapt/asio.hpp. On anything else: fd() and the try_ forms.)
//
//     hawser::task<> echo(hawser::receiver& in, hawser::sender& out) {
//         for (;;) {
//             auto m = co_await in.async_receive();
//             if (!m) co_return;                          // closed, or another error
//             if (!co_await out.async_send(m->bytes())) co_return;
//         }
//     }
//     auto loop = hawser::event_loop::make().value();
//     loop.spawn(echo(in, out));
//     loop.run().value();                                 // until all of it has ended
//
// event_loop
// - Single-threaded: everything that it calls or resumes runs in run(), in the thread that called
//   it; nothing runs at the same time, and no lock is needed. With several threads: a loop each.
// - Fair: ready coroutines and callbacks take turns, one message each.
// - Blocks: run does, while there is nothing to do. What runs in it should not; whoever blocks
// there
//   holds up all the others.
// - Allocates: a coroutine's frame, a callback, the first use of each end point; an operation with
//   a deadline or a stop_token also. Nothing else of a send or receive.
// - Threads: post and stop may be called by any; everything else by the thread that runs the loop,
//   or by any while it does not run. The same holds for the end points that are used with it.
// - Fork: belongs to the process that made it; in a child run is invalid_argument. What of a
//   parent's loop is destroyed in a child goes quietly.
// - Signals: a handler that runs while run sleeps disturbs nothing. on_signal tells of a signal.
// - An end point that was awaited or watched in a loop is a member of that loop's poller until it
//   is closed or the loop is destroyed: it can't be in another loop or poller meanwhile.
// - A crash: as of the calls. What is awaited when the process is killed was not taken and not
// sent.
//
// Operations (async_receive, async_send, …)
// - A message is taken, or sent, in the same moment in which the coroutine goes on; so an operation
//   that is abandoned before has taken and sent nothing. Abandoned it is by destroying the
//   coroutine, by its deadline, or by its stop_token, which may be stopped from any thread.
// - An end point that is closed or destroyed ends what awaits it with invalid_argument.
// - Several coroutines may await one end point: each message goes to the one that has waited
//   longest.
// - Errors: those of the call · timed_out (the deadline) · would_block (deadline::now(), or
//   full=fail) · interrupted (the stop_token) · unsupported (a facility without fd()) · system
//   (EMFILE) · already_exists (a member of another loop or poller). async_send on a stream: a
//   message of more than the facility takes at once is too_big, as with try_send.
#pragma once

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stop_token>
#include <string_view>
#include <type_traits>
#include <utility>

#include <hawser/byte_stream.hpp>
#include <hawser/poller.hpp>
#include <hawser/receiver.hpp>
#include <hawser/sender.hpp>

namespace hawser {
inline namespace v1 {

template <typename T = void>
class task;

namespace detail {

class loop_core;
struct loop_channel;
class async_operation;

// A place in one of the loop's lists.
struct async_link {
    async_link* previous = this;
    async_link* next = this;
    async_operation* of = nullptr;

    [[nodiscard]] bool listed() const noexcept { return next != this; }
    void leave() noexcept {
        previous->next = next;
        next->previous = previous;
        previous = next = this;
    }
    void join_before(async_link& other) noexcept {
        leave();
        previous = other.previous;
        next = &other;
        previous->next = this;
        other.previous = this;
    }
};

// What an operation is, and the end point that it is on: one, or none if that is closed.
struct async_target {
    const char* operation = "sleep";
    bool sleeps = false; // waits for nothing but its time
    receiving_end* in = nullptr;
    sending_end* out = nullptr;
    stream_end* stream = nullptr;
    listening_end* listener = nullptr;
    short events = 0; // of a stream
};

// What an operation may be given besides: until when, and who may stop it.
struct async_how {
    deadline until = deadline::never();
    std::stop_token stop = {};

    void take(deadline given) noexcept { until = given; }
    void take(std::stop_token given) noexcept { stop = std::move(given); }
    template <typename... How>
    [[nodiscard]] static async_how of(How&&... how) {
        async_how all;
        (all.take(std::forward<How>(how)), ...);
        return all;
    }
};

// One operation that a coroutine awaits. It lives in the coroutine's frame and leaves the loop when
// that is destroyed.
class async_operation {
  public:
    async_operation(const async_operation&) = delete;
    async_operation& operator=(const async_operation&) = delete;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> waiting) {
        begin(waiting.promise().loop, waiting);
    }

  protected:
    async_operation(const async_target& on, async_how how) noexcept;
    virtual ~async_operation();

    // Tries once; false: it has to wait.
    virtual bool attempt() = 0;
    virtual void fail(const error& why) = 0;
    [[nodiscard]] const async_target& target() const noexcept { return on_; }

  private:
    friend class loop_core;
    struct stopper {
        loop_core* loop;
        std::uint64_t tag;
        void operator()() const noexcept;
    };

    void begin(loop_core* loop, std::coroutine_handle<> waiting);

    async_target on_;
    async_how how_;
    loop_core* loop_ = nullptr;
    std::coroutine_handle<> waiting_;
    loop_channel* channel_ = nullptr;
    async_link in_channel_; // while it waits for its end point
    async_link in_queue_;   // while it waits for its turn
    std::uint64_t tag_ = 0; // 0: neither a deadline nor a stop_token
    member_id timer_ = member_id::nobody;
    bool finished_ = false;
    bool late_ = false;   // its time is over; it is tried a last time
    bool waited_ = false; // in its channel, before
    std::optional<std::stop_callback<stopper>> stop_;
};

// An operation that gives a result<T>.
template <typename T>
class [[nodiscard]] async_call final : public async_operation {
  public:
    struct operands {
        std::span<const std::byte> from = {};
        std::span<std::byte> into = {};
        bool gives_up = false; // would_block is its answer
    };
    using try_once = result<T> (*)(const async_target&, const operands&);

    async_call(const async_target& on, try_once call, const operands& given, async_how how) noexcept
        : async_operation(on, std::move(how)), call_(call), given_(given) {}

    result<T> await_resume() { return std::move(*outcome_); }

  private:
    bool attempt() override {
        outcome_.emplace(call_(target(), given_));
        return given_.gives_up || !outcome_->is(errc::would_block);
    }
    void fail(const error& why) override { outcome_.emplace(why); }

    try_once call_;
    operands given_;
    std::optional<result<T>> outcome_;
};

[[nodiscard]] async_call<message> receive_call(const receiver& in, async_how how);
[[nodiscard]] async_call<sent> send_call(const sender& out, std::span<const std::byte> bytes,
                                         async_how how);
[[nodiscard]] async_call<std::size_t> read_call(const byte_stream& from, std::span<std::byte> into,
                                                async_how how);
[[nodiscard]] async_call<std::size_t> write_call(const byte_stream& to,
                                                 std::span<const std::byte> bytes, async_how how);
[[nodiscard]] async_call<byte_stream> accept_call(const byte_listener& on, async_how how);
[[nodiscard]] async_call<bool> sleep_call(async_how how);

// ---- coroutines ---------------------------------------------------------------------------------

struct task_promise_base {
    loop_core* loop = nullptr;
    std::coroutine_handle<> awaited_by; // the coroutine that awaits this one
    bool started = false;               // by event_loop, as one of its own
    bool owned_by_loop = false;
    std::exception_ptr failure;
    task_promise_base* previous = nullptr; // of the tasks that a loop has started
    task_promise_base* next = nullptr;
    std::coroutine_handle<> self;

    task_promise_base() noexcept = default;
    task_promise_base(const task_promise_base&) = delete;
    task_promise_base& operator=(const task_promise_base&) = delete;
    ~task_promise_base();

    void unhandled_exception() noexcept { failure = std::current_exception(); }
    [[nodiscard]] static std::suspend_always initial_suspend() noexcept { return {}; }
    void ended() noexcept; // of one that a loop has started

    struct go_on {
        [[nodiscard]] bool await_ready() const noexcept { return false; }
        template <typename Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
            task_promise_base& promise = done.promise();
            if (promise.awaited_by) return promise.awaited_by;
            promise.ended();
            return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    [[nodiscard]] static go_on final_suspend() noexcept { return {}; }
};

template <typename T>
struct task_promise final : task_promise_base {
    task<T> get_return_object() noexcept;
    template <typename U>
    void return_value(U&& value) {
        outcome.emplace(std::forward<U>(value));
    }
    T take() { return std::move(*outcome); }
    std::optional<T> outcome;
};

template <>
struct task_promise<void> final : task_promise_base {
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void take() const noexcept {}
};

// What a coroutine that awaits another one does.
template <typename T>
struct task_awaiter {
    std::coroutine_handle<task_promise<T>> frame;

    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> by) noexcept {
        frame.promise().loop = by.promise().loop;
        frame.promise().awaited_by = by;
        return frame;
    }
    T await_resume() {
        if (frame.promise().failure) std::rethrow_exception(frame.promise().failure);
        return frame.promise().take();
    }
};

} // namespace detail

// A coroutine. It begins when it is awaited by another one, or given to a loop, and runs in that
// loop. Destroying it abandons it: its frame goes with all that is in it, its operations leave the
// loop, and nothing of it runs any more.
// - An exception that leaves it is thrown where it is awaited; out of one that a loop has started,
//   by run().
template <typename T>
class [[nodiscard]] task {
  public:
    using promise_type = detail::task_promise<T>;

    explicit task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    task(task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            if (frame_) frame_.destroy();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
    }
    ~task() {
        if (frame_) frame_.destroy();
    }
    // True once it has ended, or was given away.
    [[nodiscard]] bool done() const noexcept { return !frame_ || frame_.done(); }

    auto operator co_await() && noexcept { return detail::task_awaiter<T>{frame_}; }

  private:
    friend class event_loop;
    std::coroutine_handle<promise_type> frame_;
};

template <typename T>
task<T> detail::task_promise<T>::get_return_object() noexcept {
    return task<T>{std::coroutine_handle<task_promise>::from_promise(*this)};
}
inline task<void> detail::task_promise<void>::get_return_object() noexcept {
    return task<void>{std::coroutine_handle<task_promise>::from_promise(*this)};
}

// ---- operations ---------------------------------------------------------------------------------

// Each takes a deadline, a std::stop_token, both, or neither.
template <typename... How>
auto receiver::async_receive(How... how) {
    return detail::receive_call(*this, detail::async_how::of(std::move(how)...));
}
// The bytes have to stay as they are until it is over.
template <typename... How>
auto sender::async_send(std::span<const std::byte> bytes, How... how) {
    return detail::send_call(*this, bytes, detail::async_how::of(std::move(how)...));
}
template <typename... How>
auto sender::async_send(std::string_view text, How... how) {
    return detail::send_call(*this, as_bytes(text), detail::async_how::of(std::move(how)...));
}
template <typename... How>
auto byte_stream::async_read_some(std::span<std::byte> into, How... how) {
    return detail::read_call(*this, into, detail::async_how::of(std::move(how)...));
}
template <typename... How>
auto byte_stream::async_write_some(std::span<const std::byte> bytes, How... how) {
    return detail::write_call(*this, bytes, detail::async_how::of(std::move(how)...));
}
template <typename... How>
auto byte_listener::async_accept(How... how) {
    return detail::accept_call(*this, detail::async_how::of(std::move(how)...));
}
// result<bool>: true when the time has come; `interrupted` by a stop_token.
template <typename... How>
[[nodiscard]] auto async_sleep(deadline until, How... how) {
    return detail::sleep_call(detail::async_how::of(until, std::move(how)...));
}

// ---- the loop -----------------------------------------------------------------------------------

// Names a callback of a loop; never again another one's.
enum class callback_id : std::uint64_t { nobody = 0 };

class event_loop {
  public:
    // Errors: system (EMFILE).
    [[nodiscard]] static result<event_loop> make();
    event_loop(event_loop&&) noexcept;
    event_loop& operator=(event_loop&&) noexcept;
    ~event_loop(); // destroys what was spawned; what was started goes no further

    // Runs until every task has ended and no callback is left, or until stop(). Errors:
    // invalid_argument (after fork, or from inside of it).
    result<void> run();
    // The same, at most until then: timed_out.
    result<void> run_until(deadline until);
    // Ends run() soon, or the next one. Everything stays as it is; run() goes on with it.
    void stop() noexcept;
    // Has the function called in the loop's thread. Errors: no_space.
    result<void> post(std::function<void()> call);

    // The loop has the coroutine from now on.
    void spawn(task<> what);
    // It stays the caller's: destroying it abandons it.
    void start(task<>& what);

    // Callbacks; each may add and cancel any, also itself, close or destroy its end point, and stop
    // the loop. An exception that leaves one leaves run().
    //
    // Called with each message. Called once with an error, `closed` included, and then no more: it
    // is cancelled. (To wait for the next sender, add it again some time later: until one is there,
    // the end is told again.)
    result<callback_id> on_message(receiver& in, std::function<void(result<message>)> call);
    // Called with each connection; of errors the same.
    result<callback_id> on_connection(byte_listener& listener,
                                      std::function<void(result<byte_stream>)> call);
    // Called with the events as long as there are any of these.
    result<callback_id> on_ready(byte_stream& stream, short events,
                                 std::function<void(short)> call);
    result<callback_id> on_ready(int fd, short events, std::function<void(short)> call);
    // Called then, and once it was called it is cancelled; with `every`, again and again, with the
    // number of times it was due.
    result<callback_id> on_time(deadline when, std::function<void()> call);
    result<callback_id> on_time(deadline first, std::chrono::nanoseconds every,
                                std::function<void(std::uint64_t)> call);
    // As poller::add_signal says.
    result<callback_id> on_signal(int signal, std::function<void()> call);
    // Never called from now on. Errors: not_found.
    result<void> cancel(callback_id which);

  private:
    explicit event_loop(std::unique_ptr<detail::loop_core> core) noexcept;
    std::unique_ptr<detail::loop_core> core_;
};

} // namespace v1
} // namespace hawser
