// The raw bytes of a stream transport, without messages: what a foreign peer (`cat`, `wc`, `socat`,
// any program with a socket) reads and writes is exactly these bytes.
//
//     auto line = hawser::byte_stream::open("tcp://localhost:7000").value();
//     line.write_all("hello\n").value();
//
// - Blocks: open waits until the other side is there, read_some for a byte, write for room; each at
//   most until its deadline. deadline::now() makes it non-blocking.
// - Allocates: open does; nothing else.
// - Threads: one may read while another one writes; otherwise one at a time.
// - Fork: belongs to the process that opened it. In a child every call is invalid_argument.
// - Signals: a handler that runs while a call sleeps ends it with `interrupted`; SIGPIPE never
//   comes.
// - A crash: the other side reads what was written, then the end, as the kernel has it.
// - Errors: would_block · timed_out · closed (reading: the end; writing: the other side reads no
//   more) · peer_died (a connection was reset) · interrupted · invalid_argument (after fork, after
//   close, wrong direction) · unsupported (the transport has no bytes without messages) · those of
//   opening.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/message.hpp>
#include <hawser/options.hpp>
#include <hawser/result.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {

namespace detail {
class stream_end;
class listening_end;
struct end_access;
} // namespace detail

// Which directions are wanted. Sockets and terminals go both ways; a pipe and a FIFO one way, which
// has to be said.
enum class stream_role : std::uint8_t { both, reader, writer };

class byte_stream {
  public:
    // Opens or creates what the address names; sockets connect to whoever listens. With
    // create=open it must be there; otherwise waits for the other side until the deadline.
    [[nodiscard]] static result<byte_stream> open(std::string_view address,
                                                  stream_role role = stream_role::both,
                                                  const options& wanted = {},
                                                  deadline until = deadline::never());

    explicit byte_stream(std::unique_ptr<detail::stream_end> end) noexcept; // for transports
    byte_stream(byte_stream&&) noexcept;
    byte_stream& operator=(byte_stream&&) noexcept;
    ~byte_stream(); // close()

    // At least one byte, at most what is there; `closed` at the end.
    result<std::size_t> read_some(std::span<std::byte> into, deadline until = deadline::never());
    // At least one byte of them; how many.
    result<std::size_t> write_some(std::span<const std::byte> bytes,
                                   deadline until = deadline::never());
    // All of them. After an error an unknown part was written: a stream has no boundary to return
    // to.
    result<void> write_all(std::span<const std::byte> bytes, deadline until = deadline::never());
    result<void> write_all(std::string_view text, deadline until = deadline::never());

    // The other side reads an end; reading goes on (half-close). A pipe, FIFO or terminal is
    // closed.
    result<void> finish_writing();

    // For a coroutine, as read_some and write_some: result<std::size_t>. Each takes a deadline, a
    // std::stop_token, or both. Include <hawser/async.hpp>, which says how it goes on.
    template <typename... How>
    [[nodiscard]] auto async_read_some(std::span<std::byte> into, How... how);
    template <typename... How>
    [[nodiscard]] auto async_write_some(std::span<const std::byte> bytes, How... how);

    // For poll and epoll: POLLIN and POLLOUT as poll(2) has them. Never -1 while it is open.
    [[nodiscard]] result<int> fd() const;
    // The other side's process, by the kernel's word (Unix sockets).
    [[nodiscard]] std::optional<credentials> peer() const;
    [[nodiscard]] const address& where() const noexcept;
    void close() noexcept;

  private:
    friend struct detail::end_access; // of poller

    std::unique_ptr<detail::stream_end> end_;
};

// Takes connections on a socket address (unix:, tcp:). Same rules as byte_stream.
class byte_listener {
  public:
    // where() has the port that the system picked for port 0. Errors: already_exists (somebody
    // listens there, or something else has the name) · permission · …
    [[nodiscard]] static result<byte_listener> open(std::string_view address,
                                                    const options& wanted = {});

    explicit byte_listener(std::unique_ptr<detail::listening_end> end) noexcept; // for transports
    byte_listener(byte_listener&&) noexcept;
    byte_listener& operator=(byte_listener&&) noexcept;
    ~byte_listener(); // close()

    result<byte_stream> accept(deadline until = deadline::never());
    // For a coroutine: result<byte_stream>.
    template <typename... How>
    [[nodiscard]] auto async_accept(How... how);
    [[nodiscard]] result<int> fd() const; // POLLIN when somebody connects
    [[nodiscard]] const address& where() const noexcept;
    void close() noexcept;

  private:
    friend struct detail::end_access; // of poller

    std::unique_ptr<detail::listening_end> end_;
};

} // namespace v1
} // namespace hawser
