// The sending end of an address.
//
//     auto out = hawser::sender::open("shm:orders").value();
//     out.send("hello").value();
//
// - Blocks: send and loan wait while there is no room (full=block); try_ never waits; _for and
//   _until wait at most so long. A stopped or dead peer is never waited for; only room is.
// - Allocates: open does; nothing else on shm.
// - Threads: one thread at a time uses a sender; open one for each thread (a participant slot
//   each).
// - Fork: belongs to the process that opened it. In a child every call is invalid_argument, and
//   destruction does nothing.
// - Signals: a handler that runs while a call sleeps ends it with `interrupted` and nothing sent.
//   No call is async-signal-safe.
// - A crash at any instruction: the message is either wholly there or never was; nobody is held up.
// - Errors: would_block (no room; try_ and full=fail) · timed_out · too_big · no_space (all loans
//   are out, or max_memory is used up and full=fail) · closed (the mailbox was removed by force; on
//   pipes and sockets: nobody receives there any more) · peer_died (the connection was reset) ·
//   not_found (udp: nobody received an earlier datagram) · corrupt · interrupted ·
//   invalid_argument (after fork, after close). After `closed` and `peer_died` the next send looks
//   for a receiver anew, where there can be another.
// - try_ forms on a stream: a message of more than the facility takes at once is too_big, with the
//   size; send and send_for carry it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include <hawser/address.hpp>
#include <hawser/attributes.hpp>
#include <hawser/message.hpp>
#include <hawser/options.hpp>
#include <hawser/stats.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {

namespace detail {
class sending_end;
struct end_access;
} // namespace detail

// What became of a message that was sent.
struct sent {
    std::uint64_t sequence = 0; // its place in the order (see message::sequence)
    std::uint64_t dropped = 0;  // older messages dropped to make room (full=drop_oldest)
    bool stored = true;         // false: this one was dropped (full=drop_newest)
};

class sender {
  public:
    // Opens or creates what the address names. Does not wait for a receiver.
    // Errors: those of address::parse · not_found · already_exists · permission · no_space ·
    // corrupt · unsupported · invalid_argument · timed_out (shm: who opens or removes it is
    // stopped; trust=none: its host does not answer, after about 6 s) · too_big (trust=none: it is
    // larger than the defaults, which has to be asked for).
    [[nodiscard]] static result<sender> open(std::string_view address, const options& wanted = {});
    [[nodiscard]] static result<sender> open(const address& where, const options& wanted = {});

    explicit sender(std::unique_ptr<detail::sending_end> end) noexcept; // for transports
    sender(sender&&) noexcept;
    sender& operator=(sender&&) noexcept;
    ~sender(); // close()

    // Copies the bytes into the mailbox. 0 bytes are a message.
    result<sent> send(std::span<const std::byte> bytes) {
        return send_by(bytes, deadline::never());
    }
    result<sent> send(std::string_view text) { return send(as_bytes(text)); }
    result<sent> try_send(std::span<const std::byte> bytes) {
        return send_by(bytes, deadline::now());
    }
    result<sent> try_send(std::string_view text) { return try_send(as_bytes(text)); }
    result<sent> send_for(std::span<const std::byte> bytes, std::chrono::nanoseconds patience) {
        return send_by(bytes, deadline::after(patience));
    }
    result<sent> send_for(std::string_view text, std::chrono::nanoseconds patience) {
        return send_for(as_bytes(text), patience);
    }
    result<sent> send_until(std::span<const std::byte> bytes, deadline::clock::time_point when) {
        return send_by(bytes, deadline::at(when));
    }

    // Sends the bytes of a value. The receiver reads it with message::value_as<T>().
    template <typename T>
    result<sent> send_value(const T& value, deadline until = deadline::never()) {
        static_assert(std::is_trivially_copyable_v<T>);
        return send_by(std::as_bytes(std::span<const T, 1>(&value, 1)), until);
    }

    // Memory for one message of size bytes. Waits only for max_memory, never for room in the queue.
    [[nodiscard]] result<loan> loan_for(std::size_t size, deadline until = deadline::never());
    // Sends what was filled in, without a copy. On an error the loan is still the caller's.
    result<sent> send(loan&& filled) { return send_by(filled, deadline::never()); }
    result<sent> try_send(loan&& filled) { return send_by(filled, deadline::now()); }
    result<sent> send_for(loan&& filled, std::chrono::nanoseconds patience) {
        return send_by(filled, deadline::after(patience));
    }

    result<sent> send_by(std::span<const std::byte> bytes, deadline until);
    result<sent> send_by(loan& filled, deadline until);

    // Sends what goes along, too: a priority, a type, descriptors. Errors also: unsupported, where
    // the transport can't carry it.
    result<sent> send_with(std::span<const std::byte> bytes, const envelope& with,
                           deadline until = deadline::never());
    result<sent> send_with(std::string_view text, const envelope& with,
                           deadline until = deadline::never()) {
        return send_with(as_bytes(text), with, until);
    }

    // For a coroutine: `co_await out.async_send(bytes)` gives result<sent>. Takes a deadline, a
    // std::stop_token, or both. Include <hawser/async.hpp>, which says how it goes on.
    template <typename... How>
    [[nodiscard]] auto async_send(std::span<const std::byte> bytes, How... how);
    template <typename... How>
    [[nodiscard]] auto async_send(std::string_view text, How... how);

    // A descriptor for poll, epoll, Asio, libuv. Level-triggered and ready, for fd_events(), when
    // try_send would not say would_block. Never read from it and never re-arm it. It lives as long
    // as the sender. Errors: system (the inotify limit, with the sysctl to raise).
    [[nodiscard]] result<int> fd();
    // The poll(2) events to wait for on fd(): POLLIN on shm, and POLLOUT where fd() is the
    // facility's own descriptor.
    [[nodiscard]] short fd_events() const noexcept;

    // The settings of the facility, and what may be changed of them while it is in use: max_memory
    // (its capacity in bytes), mode, group, as far as the facility has them. Errors: unsupported ·
    // permission · no_space (with the limit).
    [[nodiscard]] result<hawser::attributes> attributes();
    result<void> change(const options& wanted);

    [[nodiscard]] hawser::stats stats() const noexcept;
    [[nodiscard]] const hawser::address& where() const noexcept;

    // Leaves. What was sent stays (trust=none: as long as somebody is in the mailbox). Later calls
    // are invalid_argument. Does not wait for receivers.
    void close() noexcept;

  private:
    static std::span<const std::byte> as_bytes(std::string_view text) noexcept {
        return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
    }

    friend struct detail::end_access; // of poller

    std::unique_ptr<detail::sending_end> end_;
};

} // namespace v1
} // namespace hawser
