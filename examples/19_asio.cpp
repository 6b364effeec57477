// The same mailboxes on Asio: awaited beside its own timer. Needs libasio-dev, or Boost.Asio.
#include <cstdio>
#include <string>

#include <hawser/adapt/asio.hpp>
#include <hawser/hawser.hpp>

namespace net = hawser::adapt::net;

namespace {

net::awaitable<void> consume(hawser::adapt::asio_receiver in) {
    while (auto got = co_await in.async_receive(net::use_awaitable))
        std::printf("received %.*s\n", static_cast<int>(got->size()), got->text().data());
}

net::awaitable<void> produce(hawser::adapt::asio_sender out) {
    net::steady_timer timer(co_await net::this_coro::executor);
    for (int i = 0; i < 3; ++i) {
        timer.expires_after(std::chrono::milliseconds(1));
        co_await timer.async_wait(net::use_awaitable);
        (co_await out.async_send(std::to_string(i), net::use_awaitable)).value();
    }
}

} // namespace

int main() {
    net::io_context io;
    hawser::adapt::asio_receiver in(io, hawser::receiver::open("shm:asio").value());
    hawser::adapt::asio_sender out(io, hawser::sender::open("shm:asio").value());
    net::co_spawn(io, consume(std::move(in)), net::detached);
    net::co_spawn(io, produce(std::move(out)), net::detached);
    io.run(); // until the producer has left, and the consumer has heard so
}
