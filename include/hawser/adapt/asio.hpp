// Asynchronous sending and receiving on Asio: standalone, or that of Boost. Header only; nothing of
// the library depends on it.
//
//     asio::io_context io;
//     hawser::adapt::asio_receiver in(io, hawser::receiver::open("shm:orders").value());
//     asio::co_spawn(io, [&]() -> asio::awaitable<void> {
//         for (;;) {
//             hawser::result<hawser::message> m = co_await in.async_receive(asio::use_awaitable);
//             if (!m) co_return;
//             use(m->bytes());
//         }
//     }, asio::detached);
//     io.run();
//
// - Takes any completion token: a callback, use_awaitable, use_future, deferred, … The signature is
//   void(hawser::result<hawser::message>), void(hawser::result<hawser::sent>): errors come in the
//   result, with hawser's codes.
// - Standalone Asio is used if <asio.hpp> is there; with HAWSER_USE_BOOST_ASIO defined, or if only
//   that is there, <boost/asio.hpp>. `hawser::adapt::net` is the namespace of the one that is used.
// - Cancellation: by the slot of the token (from Asio 1.19; terminal, partial and total are one
//   here), by cancel(),
//   or by destroying the end; the result is then `interrupted`, and nothing was taken or sent. A
//   deadline is asio's business: a timer and an operator such as awaitable_operators' ||.
// - A message is taken just before its handler is called or posted. If the io_context is destroyed
//   between, the message counts as received.
// - Blocks: never. Allocates: Asio does, for each operation that waits.
// - Threads: as receiver and sender: one thread (or one strand, which the executor may be) at a
//   time uses an end and runs its handlers. One operation at a time is under way on an end.
// - Fork: an end belongs to the process that opened it; as asio has it, call
//   io.notify_fork(fork_child) in a child, and open ends there anew.
// - Signals: asio::signal_set, as always. A crash leaves what the calls leave.
// - Errors: those of the calls · interrupted (cancelled) · unsupported (a facility without fd()) ·
//   system (EMFILE; Asio could not watch it). async_send waits for room also with full=fail, where
//   it says would_block at once. On a stream a message of more than the facility takes at once is
//   too_big, as with try_send.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#if !defined(HAWSER_USE_BOOST_ASIO) && !__has_include(<asio.hpp>)
#define HAWSER_USE_BOOST_ASIO
#endif
#if defined(HAWSER_USE_BOOST_ASIO)
#include <boost/asio.hpp>
#else
#include <asio.hpp>
#endif

#include <hawser/receiver.hpp>
#include <hawser/sender.hpp>

// Cancellation slots came with Asio 1.19 (Boost 1.77).
#if defined(HAWSER_USE_BOOST_ASIO)
#define HAWSER_ASIO_HAS_SLOTS (BOOST_ASIO_VERSION >= 101900)
#else
#define HAWSER_ASIO_HAS_SLOTS (ASIO_VERSION >= 101900)
#endif

namespace hawser::adapt {

#if defined(HAWSER_USE_BOOST_ASIO)
namespace net = boost::asio;
using net_error = boost::system::error_code;
#else
namespace net = asio;
using net_error = asio::error_code;
#endif

namespace detail {

// An end, and its descriptor as Asio watches it. That stays hawser's: it is given back, never
// closed.
template <typename End>
struct watched {
    watched(const net::any_io_executor& on, End&& opened) : end(std::move(opened)), fd(on) {}
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    ~watched() { let_go(); }

    // Errors: those of fd() · system.
    result<void> hold() {
        const auto number = end.fd();
        if (!number) return number.why();
        if (fd.is_open()) return {};
        net_error why;
        fd.assign(*number, why);
        if (!why) return {};
        return error{errc::system, "assign", why.value()}.because(
            "Asio could not watch the descriptor of the end point.");
    }
    // What waits for it is cancelled.
    void let_go() noexcept {
        if (fd.is_open()) fd.release();
    }
    [[nodiscard]] net::posix::descriptor_base::wait_type wanted() const noexcept {
        constexpr short poll_in = 1; // POLLIN
        return end.fd_events() == poll_in ? net::posix::descriptor_base::wait_read
                                          : net::posix::descriptor_base::wait_write;
    }

    End end;
    net::posix::stream_descriptor fd;
};

// Tries, and waits as long as that says would_block. The first try is made when the reactor says
// that the end is ready, so that a handler never runs within the call that began it.
template <typename T, typename End, typename Try>
class attempts {
  public:
    attempts(watched<End>& on, Try once) : on_(&on), try_(std::move(once)) {}

    template <typename Self>
    void operator()(Self& self) {
        if (refused_) return self.complete(*refused_);
#if HAWSER_ASIO_HAS_SLOTS
        self.reset_cancellation_state(net::enable_total_cancellation());
#endif
        if (const auto held = on_->hold(); !held) {
            refused_.emplace(held.why());
            return net::post(on_->fd.get_executor(), std::move(self));
        }
        on_->fd.async_wait(on_->wanted(), std::move(self));
    }
    template <typename Self>
    void operator()(Self& self, net_error why) {
        if (why) return self.complete(not_waited(why));
        result<T> outcome = try_(on_->end);
        if (!outcome.is(errc::would_block)) return self.complete(std::move(outcome));
        on_->fd.async_wait(on_->wanted(), std::move(self));
    }

  private:
    static result<T> not_waited(net_error why) {
        if (why == net::error::operation_aborted)
            return error{errc::interrupted, "wait"}.because("it was cancelled.");
        return error{errc::system, "wait", why.value()}.because("Asio could not wait.");
    }

    watched<End>* on_;
    Try try_;
    std::optional<error> refused_;
};

template <typename End>
class asio_end {
  public:
    using executor_type = net::any_io_executor;

    asio_end(const net::any_io_executor& on, End opened)
        : state_(std::make_unique<watched<End>>(on, std::move(opened))) {}

    [[nodiscard]] executor_type get_executor() noexcept { return state_->fd.get_executor(); }
    // The end itself, for all that is not asynchronous. Not while an operation is under way.
    [[nodiscard]] End& get() noexcept { return state_->end; }
    // Ends what is under way with `interrupted`.
    void cancel() noexcept {
        net_error ignored;
        if (state_->fd.is_open()) state_->fd.cancel(ignored);
    }
    // Cancels, and leaves.
    void close() noexcept {
        state_->let_go();
        state_->end.close();
    }

  protected:
    template <typename T, typename Try, typename Token>
    auto begin(Try once, Token&& token) {
        return net::async_compose<Token, void(result<T>)>(
            attempts<T, End, Try>(*state_, std::move(once)), token, state_->fd);
    }

  private:
    std::unique_ptr<watched<End>> state_;
};

} // namespace detail

class asio_receiver : public detail::asio_end<receiver> {
  public:
    // on: an executor, or a context such as io_context.
    asio_receiver(const net::any_io_executor& on, receiver opened)
        : asio_end(on, std::move(opened)) {}
    template <typename Context>
        requires std::is_convertible_v<Context&, net::execution_context&>
        asio_receiver(Context& on, receiver opened)
            : asio_receiver(net::any_io_executor(on.get_executor()), std::move(opened)) {}

        // void(result<message>)
        template <typename Token>
        auto async_receive(Token&& token) {
            const auto once = [](receiver& from) { return from.try_receive(); };
            return begin<message>(once, std::forward<Token>(token));
        }
};

class asio_sender : public detail::asio_end<sender> {
  public:
    asio_sender(const net::any_io_executor& on, sender opened) : asio_end(on, std::move(opened)) {}
    template <typename Context>
        requires std::is_convertible_v<Context&, net::execution_context&> asio_sender(Context& on,
                                                                                      sender opened)
            : asio_sender(net::any_io_executor(on.get_executor()), std::move(opened)) {}

        // void(result<sent>). The bytes have to stay as they are until it is over.
        template <typename Token>
        auto async_send(std::span<const std::byte> bytes, Token&& token) {
            const auto once = [bytes](sender& to) { return to.try_send(bytes); };
            return begin<sent>(once, std::forward<Token>(token));
        }
        template <typename Token>
        auto async_send(std::string_view text, Token&& token) {
            return async_send(std::as_bytes(std::span(text.data(), text.size())),
                              std::forward<Token>(token));
        }
};

} // namespace hawser::adapt
