// include/hawser/adapt/asio.hpp, with each of the completion tokens that people use. Built once for
// each of the two Asios that is there.
#include <hawser/adapt/asio.hpp>

#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <hawser/pipe.hpp>

#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

#if HAWSER_ASIO_HAS_SLOTS && defined(HAWSER_USE_BOOST_ASIO)
#include <boost/asio/experimental/awaitable_operators.hpp>
#elif HAWSER_ASIO_HAS_SLOTS
#include <asio/experimental/awaitable_operators.hpp>
#endif
#if defined(HAWSER_USE_BOOST_ASIO)
#define ASIO_TEST(name) TEST_F(BoostAsio, name)
#else
#define ASIO_TEST(name) TEST_F(Asio, name)
#endif

namespace hawser::test {
namespace {

using namespace std::chrono_literals;
using adapt::asio_receiver;
using adapt::asio_sender;
namespace net = adapt::net;
using strings = std::vector<std::string>;

class either_asio : public testing::Test {
  protected:
    either_asio() { private_directory(); }
    void TearDown() override { sweep_left_over(); }

    asio_receiver receiver_here() {
        options wanted;
        wanted.capacity = 2;
        return {io_, receiver::open(name_, wanted).value()};
    }
    asio_sender sender_here() {
        options wanted;
        wanted.capacity = 2;
        return {io_, sender::open(name_, wanted).value()};
    }

    std::string name_ = unique_name("asio");
    net::io_context io_;
    strings heard_;
};
class Asio : public either_asio {};
class BoostAsio : public either_asio {};

net::awaitable<void> listen(asio_receiver& in, strings& heard) {
    for (;;) {
        auto got = co_await in.async_receive(net::use_awaitable);
        if (!got) {
            heard.emplace_back(name_of(got.why().code()));
            co_return;
        }
        heard.emplace_back(got->text());
    }
}

ASIO_TEST(CoroutinesSendAndReceive) {
    auto in = receiver_here();
    auto out = sender_here();
    net::co_spawn(io_, listen(in, heard_), net::detached);
    const auto say = [&]() -> net::awaitable<void> {
        for (int i = 0; i < 50; ++i) // more than there is room for
            (co_await out.async_send(std::to_string(i), net::use_awaitable)).value();
        out.close();
    };
    net::co_spawn(io_, say(), net::detached);
    io_.run();
    ASSERT_EQ(heard_.size(), 51U);
    for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(heard_[i], std::to_string(i));
    EXPECT_EQ(heard_.back(), "closed");
}

ASIO_TEST(CallbacksAreCalledByTheContextOnly) {
    auto in = receiver_here();
    auto out = sender_here();
    out.get().send("x").value();
    bool called = false;
    in.async_receive([&](result<message> got) {
        EXPECT_EQ(got.value().text(), "x");
        called = true;
    });
    EXPECT_FALSE(called);
    io_.run();
    EXPECT_TRUE(called);
}

ASIO_TEST(FuturesAreGivenTheirValue) {
    auto in = receiver_here();
    auto out = sender_here();
    std::future<result<message>> got = in.async_receive(net::use_future);
    std::thread other([&] { io_.run(); });
    sender::open(name_).value().send("from elsewhere").value();
    EXPECT_EQ(got.get().value().text(), "from elsewhere");
    other.join();
}

ASIO_TEST(CancellingTakesNothing) {
    auto in = receiver_here();
    auto out = sender_here();
    const auto hear = [&](result<message> got) {
        heard_.emplace_back(got ? got->text() : name_of(got.why().code()));
    };
#if HAWSER_ASIO_HAS_SLOTS
    net::cancellation_signal stop;
    in.async_receive(net::bind_cancellation_slot(stop.slot(), hear));
    net::post(io_, [&] { stop.emit(net::cancellation_type::total); });
#else
    in.async_receive(hear);
    net::post(io_, [&] { in.cancel(); });
#endif
    io_.run();
    EXPECT_EQ(heard_, strings{"interrupted"});
    in.async_receive(hear);
    in.cancel();
    io_.restart();
    io_.run();
    in.async_receive(hear);
    in.close();
    io_.restart();
    io_.run();
    in.async_receive(hear);
    io_.restart();
    io_.run();
    EXPECT_EQ(heard_, (strings{"interrupted", "interrupted", "interrupted", "invalid_argument"}));
}

#if HAWSER_ASIO_HAS_SLOTS
ASIO_TEST(ATimerIsADeadline) {
    auto in = receiver_here();
    auto out = sender_here();
    const auto wait = [&]() -> net::awaitable<void> {
        using namespace net::experimental::awaitable_operators;
        net::steady_timer timer(io_, 2ms);
        const auto first =
            co_await (in.async_receive(net::use_awaitable) || timer.async_wait(net::use_awaitable));
        EXPECT_EQ(first.index(), 1U);
        out.get().send("kept").value();
        EXPECT_EQ((co_await in.async_receive(net::use_awaitable)).value().text(), "kept");
    };
    net::co_spawn(io_, wait(), net::detached);
    io_.run();
}

#endif

ASIO_TEST(OtherTransportsDoAsWell) {
    auto link = pipe::create().value().ends().value();
    asio_receiver in(io_, std::move(link.in));
    asio_sender out(io_.get_executor(), std::move(link.out));
    net::co_spawn(io_, listen(in, heard_), net::detached);
    out.async_send("over a pipe", [&](result<sent> done) {
        EXPECT_TRUE(done);
        out.close();
    });
    io_.run();
    EXPECT_EQ(heard_, (strings{"over a pipe", "closed"}));
}

ASIO_TEST(AKilledPeerIsAnEnd) {
    if (!can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const beacon sent_one;
    const beacon never;
    child peer("peer", [&] {
        auto out = sender::open(name_).value();
        out.send("last words").value();
        sent_one.raise();
        never.wait();
    });
    sent_one.wait();
    asio_receiver in(io_, receiver::open(name_).value());
    net::co_spawn(io_, listen(in, heard_), net::detached);
    net::post(io_, [&] { peer.kill(); });
    io_.run();
    EXPECT_EQ(heard_, (strings{"last words", "closed"}));
}

} // namespace
} // namespace hawser::test
