// The receiving end of an address.
//
//     auto in = hawser::receiver::open("shm:orders").value();
//     while (auto m = in.receive()) use(m->bytes());
//
// - Blocks: receive waits for a message; try_receive never; _for and _until at most so long.
// - Allocates: open does; nothing else on shm, but with trust=none each receive, for its copy.
//   Zero-copy where the transport can: the message is the mailbox's memory.
// - Threads: one thread at a time uses a receiver; messages may be released in any thread. Open one
//   for each thread.
// - Fork: belongs to the process that opened it. In a child every call is invalid_argument, and
//   destruction does nothing.
// - Signals: a handler that runs while a call sleeps ends it with `interrupted` and nothing taken.
// - A crash at any instruction: a message that was taken and not released comes again to another
//   receiver, flagged.
// - End of stream: when the last sender has closed or died, what is left is delivered and then
//   every call says `closed`, until another sender comes. A receiver that opens when the senders
//   have gone gets what they left, and then `closed`; if they left nothing, it waits for the next
//   sender.
// - Errors: would_block (nothing there) · timed_out · closed · no_space (all `loans` messages are
//   still in use; trust=none: no memory for the copy, and the next call has the message) · corrupt
//   · interrupted · invalid_argument (after fork, after close).
#pragma once

#include <chrono>
#include <iterator>
#include <memory>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/attributes.hpp>
#include <hawser/message.hpp>
#include <hawser/notification.hpp>
#include <hawser/options.hpp>
#include <hawser/stats.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {

namespace detail {
class receiving_end;
struct end_access;
} // namespace detail

class receiver {
  public:
    // Opens or creates what the address names. Does not wait for a sender. Errors as sender::open.
    [[nodiscard]] static result<receiver> open(std::string_view address,
                                               const options& wanted = {});
    [[nodiscard]] static result<receiver> open(const address& where, const options& wanted = {});

    explicit receiver(std::unique_ptr<detail::receiving_end> end) noexcept; // for transports
    receiver(receiver&&) noexcept;
    receiver& operator=(receiver&&) noexcept;
    ~receiver(); // close()

    result<message> receive() { return receive_by(deadline::never()); }
    result<message> try_receive() { return receive_by(deadline::now()); }
    result<message> receive_for(std::chrono::nanoseconds patience) {
        return receive_by(deadline::after(patience));
    }
    result<message> receive_until(deadline::clock::time_point when) {
        return receive_by(deadline::at(when));
    }
    result<message> receive_by(deadline until);

    // The first message that the selection asks for; the others stay. Errors also: unsupported.
    result<message> receive_selected(const selection& which, deadline until = deadline::never());

    // Receives a value sent with sender::send_value.
    template <typename T>
    result<T> receive_value(deadline until = deadline::never()) {
        auto received = receive_by(until);
        if (!received) return received.why();
        return received->template value_as<T>();
    }

    // For a coroutine: `co_await in.async_receive()` gives result<message>. Takes a deadline, a
    // std::stop_token, or both. Include <hawser/async.hpp>, which says how it goes on.
    template <typename... How>
    [[nodiscard]] auto async_receive(How... how);

    // A descriptor for poll, epoll, Asio, libuv: readable when try_receive would give a message or
    // an end. Level-triggered; never read from it and never re-arm it. With several receivers
    // another one may be quicker; then try_receive says would_block and the descriptor is quiet
    // again. It lives as long as the receiver. Errors: system (the inotify limit, with the sysctl
    // to raise).
    [[nodiscard]] result<int> fd();
    // The poll(2) events to wait for on fd(): POLLIN.
    [[nodiscard]] short fd_events() const noexcept;

    // Registers this process to be told of the next message (notification.hpp). Errors:
    // already_exists (another process is registered) · unsupported · invalid_argument.
    result<void> notify(const notification& how);
    // Takes the registration back; none is harmless.
    result<void> stop_notifying();

    // As of a sender.
    [[nodiscard]] result<hawser::attributes> attributes();
    result<void> change(const options& wanted);

    [[nodiscard]] hawser::stats stats() const noexcept;
    [[nodiscard]] const hawser::address& where() const noexcept;

    // Leaves. Messages still in use stay valid, and the participant slot is given back with the
    // last of them.
    void close() noexcept;

    // for (const auto &m : in) …  ends at `closed`; any other error throws hawser::exception.
    class iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = message;
        using difference_type = std::ptrdiff_t;
        using pointer = message*;
        using reference = message&;

        iterator() noexcept = default;
        explicit iterator(receiver& from) : from_(&from) { ++*this; }
        reference operator*() noexcept { return current_; }
        pointer operator->() noexcept { return &current_; }
        iterator& operator++();
        void operator++(int) { ++*this; }
        friend bool operator==(const iterator& left, std::default_sentinel_t) noexcept {
            return left.from_ == nullptr;
        }

      private:
        receiver* from_ = nullptr;
        message current_;
    };
    iterator begin() { return iterator{*this}; }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  private:
    friend struct detail::end_access; // of poller

    std::unique_ptr<detail::receiving_end> end_;
};

} // namespace v1
} // namespace hawser
