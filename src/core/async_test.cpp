#include <hawser/async.hpp>

#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <hawser/pipe.hpp>

#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser {
namespace {

using namespace std::chrono_literals;
using steady = deadline::clock;
using strings = std::vector<std::string>;

class Async : public testing::Test {
  protected:
    Async() { test::private_directory(); }
    void TearDown() override { test::sweep_left_over(); } // messages that were left

    [[nodiscard]] receiver open_receiver() const { return receiver::open(name_, few_).value(); }
    [[nodiscard]] sender open_sender() const { return sender::open(name_, few_).value(); }
    void run() { loop_.run().value(); }

    options few_ = [] {
        options wanted;
        wanted.capacity = 2;
        return wanted;
    }();
    std::string name_ = test::unique_name("async");
    event_loop loop_ = event_loop::make().value();
    strings heard_;
};

// Receives until the end or an error, which is the last word.
task<> listen(receiver& in, strings& heard) {
    for (;;) {
        auto got = co_await in.async_receive();
        if (!got) {
            heard.emplace_back(name_of(got.why().code()));
            co_return;
        }
        heard.emplace_back(got->text());
    }
}

task<> say(sender& out, strings words) {
    for (const std::string& word : words) (co_await out.async_send(word)).value();
    out.close();
}

TEST_F(Async, MessagesGoBetweenCoroutines) {
    auto in = open_receiver();
    auto out = open_sender();
    loop_.spawn(listen(in, heard_));
    loop_.spawn(say(out, {"1", "2", "3", "4", "5", "6"})); // more than there is room for
    run();
    EXPECT_EQ(heard_, (strings{"1", "2", "3", "4", "5", "6", "closed"}));
    run(); // nothing is left to do
}

TEST_F(Async, ABusyOneKeepsNoOtherFromItsTurn) {
    constexpr int count = 200;
    auto busy_in = open_receiver();
    auto busy_out = open_sender();
    options wanted = few_;
    wanted.capacity = count + 1;
    auto in = receiver::open(name_ + "-other", wanted).value();
    auto out = sender::open(name_ + "-other", wanted).value();
    for (int i = 0; i < count; ++i) out.send("x").value();
    busy_out.send("x").value();
    int mine = 0;
    int most_between = 0;
    int between = 0;
    const auto for_ever = [&]() -> task<> {
        for (;;) { // there is always one
            (co_await busy_in.async_receive()).value();
            (co_await busy_out.async_send("x")).value();
            most_between = std::max(most_between, ++between);
        }
    };
    task<> busy = for_ever();
    loop_.start(busy);
    const auto some = [&]() -> task<> {
        for (; mine < count; ++mine) {
            (co_await in.async_receive()).value();
            between = 0;
        }
        loop_.stop();
    };
    loop_.spawn(some());
    run();
    EXPECT_EQ(mine, count);
    EXPECT_LE(most_between, 4);
}

TEST_F(Async, ADeadlineEndsTheWaitAndTakesNothing) {
    auto in = open_receiver();
    auto out = open_sender();
    const auto body = [&]() -> task<> {
        EXPECT_TRUE((co_await in.async_receive(deadline::now())).is(errc::would_block));
        const auto begin = steady::now();
        EXPECT_TRUE((co_await in.async_receive(deadline::after(3ms))).is(errc::timed_out));
        EXPECT_GE(steady::now() - begin, 3ms);
        out.send("x").value();
        EXPECT_EQ((co_await in.async_receive(deadline::at(begin))).value().text(), "x")
            << "a deadline in the past is tried once";
        EXPECT_TRUE((co_await in.async_receive(deadline::at(begin))).is(errc::timed_out));
        for (int i = 0; i < 2; ++i) (co_await out.async_send("full")).value();
        EXPECT_TRUE((co_await out.async_send("no", deadline::after(2ms))).is(errc::timed_out));
        EXPECT_EQ((co_await in.async_receive(deadline::after(1h))).value().text(), "full");
        EXPECT_EQ(in.try_receive().value().text(), "full");
        EXPECT_TRUE(in.try_receive().is(errc::would_block)) << "what timed out was not sent";
    };
    loop_.spawn(body());
    run();
}

TEST_F(Async, AStopTokenEndsTheWaitFromAnyThread) {
    auto in = open_receiver();
    auto out = open_sender();
    std::stop_source stop;
    bool stopped = false;
    const auto body = [&]() -> task<> {
        const auto got = co_await in.async_receive(stop.get_token(), deadline::after(1h));
        EXPECT_TRUE(got.is(errc::interrupted));
        EXPECT_TRUE((co_await in.async_receive(stop.get_token())).is(errc::interrupted)) << "still";
        EXPECT_TRUE(
            (co_await async_sleep(deadline::never(), stop.get_token())).is(errc::interrupted));
        stopped = true;
    };
    loop_.spawn(body());
    std::thread other([&] { stop.request_stop(); });
    run();
    other.join();
    EXPECT_TRUE(stopped);
    out.send("kept").value();
    EXPECT_EQ(in.try_receive().value().text(), "kept");
}

TEST_F(Async, ADestroyedCoroutineLeavesNothingAndLosesNothing) {
    auto in = open_receiver();
    auto out = open_sender();
    struct witness {
        int* count;
        explicit witness(int& alive) : count(&alive) { ++alive; }
        witness(const witness&) = delete;
        ~witness() { --*count; }
    };
    int alive = 0;
    const auto inner = [&]() -> task<int> {
        const witness here(alive);
        heard_.emplace_back((co_await in.async_receive(deadline::after(1h))).value().text());
        co_return 1;
    };
    const auto outer = [&]() -> task<> {
        const witness here(alive);
        co_await inner();
    };
    for (const bool with_a_message : {false, true}) {
        task<> one = outer();
        loop_.start(one);
        EXPECT_TRUE(loop_.run_until(deadline::after(1ms)).is(errc::timed_out));
        EXPECT_EQ(alive, 2);
        EXPECT_FALSE(one.done());
        if (with_a_message) out.send("kept").value();
        one = outer(); // the old one goes
        EXPECT_EQ(alive, 0);
    }
    run();
    EXPECT_EQ(in.try_receive().value().text(), "kept");
    EXPECT_EQ(heard_, strings{});
}

TEST_F(Async, ALoopThatGoesTakesItsCoroutinesAlong) {
    auto in = open_receiver();
    task<> mine = listen(in, heard_);
    {
        event_loop other = event_loop::make().value();
        other.spawn(listen(in, heard_));
        other.start(mine);
        other.spawn([]() -> task<> { co_await async_sleep(deadline::never()); }());
        EXPECT_TRUE(other.run_until(deadline::after(1ms)).is(errc::timed_out));
    }
    EXPECT_FALSE(mine.done()) << "it goes no further";
    auto out = open_sender();
    loop_.spawn(listen(in, heard_)); // the end point is free for another loop
    loop_.spawn(say(out, {"x"}));
    run();
    EXPECT_EQ(heard_, (strings{"x", "closed"}));
}

TEST_F(Async, ClosingWhatIsAwaitedEndsTheWait) {
    auto in = open_receiver();
    auto out = open_sender();
    loop_.spawn(listen(in, heard_));
    loop_.spawn(listen(in, heard_));
    loop_.on_time(deadline::after(1ms), [&] { in.close(); }).value();
    run();
    EXPECT_EQ(heard_, (strings{"invalid_argument", "invalid_argument"}));
    loop_.spawn(listen(in, heard_)); // closed already
    run();
    EXPECT_EQ(heard_.size(), 3U);
}

TEST_F(Async, WhoWaitedLongestGetsTheMessage) {
    auto in = open_receiver();
    auto out = open_sender();
    const auto waiter = [&](std::string name) -> task<> {
        for (int i = 0; i < 2; ++i) {
            const auto got = co_await in.async_receive();
            heard_.push_back(name + std::string(got.value().text()));
        }
    };
    for (const char* name : {"a", "b", "c"}) loop_.spawn(waiter(name));
    loop_.spawn(say(out, {"1", "2", "3", "4", "5", "6"}));
    run();
    EXPECT_EQ(heard_, (strings{"a1", "b2", "c3", "a4", "b5", "c6"}));
}

TEST_F(Async, CoroutinesAwaitEachOtherAndExceptionsGoUp) {
    const auto twice = [](int number) -> task<int> {
        co_await async_sleep(deadline::after(1ms));
        if (number < 0) throw std::runtime_error("negative");
        co_return 2 * number;
    };
    int sum = 0;
    const auto body = [&]() -> task<> {
        for (int i = 0; i < 3; ++i) sum += co_await twice(i);
        try {
            co_await twice(-1);
        } catch (const std::runtime_error&) {
            sum += 100;
        }
        co_await twice(-1);
    };
    loop_.spawn(body());
    EXPECT_THROW(static_cast<void>(loop_.run()), std::runtime_error);
    EXPECT_EQ(sum, 106);
    run();
}

TEST_F(Async, StreamsReadAndWriteAtTheSameTime) {
    auto listener = byte_listener::open("unix:@" + name_).value();
    std::string echoed;
    const auto serve = [&]() -> task<> {
        auto line = (co_await listener.async_accept()).value();
        std::byte part[100];
        for (;;) {
            const auto got = co_await line.async_read_some(part);
            if (!got) co_return;
            (co_await line.async_write_some(std::span(part).first(*got))).value();
        }
    };
    const auto ask = [&]() -> task<> {
        auto line = byte_stream::open("unix:@" + name_).value();
        const auto hear = [&]() -> task<> {
            std::byte part[100];
            while (echoed.size() < 5) {
                const auto got = (co_await line.async_read_some(part)).value();
                echoed.append(reinterpret_cast<const char*>(part), got);
            }
            line.close();
        };
        task<> hears = hear();
        loop_.start(hears); // waits to read while we write
        co_await async_sleep(deadline::after(1ms));
        const std::string text = "ahoy!";
        (co_await line.async_write_some(std::as_bytes(std::span(text)))).value();
        while (!hears.done()) co_await async_sleep(deadline::after(1ms));
    };
    loop_.spawn(serve());
    loop_.spawn(ask());
    run();
    EXPECT_EQ(echoed, "ahoy!");
}

TEST_F(Async, FullFailAnswersAtOnceAndWhatHasNoDescriptorIsUnsupported) {
    options failing = few_;
    failing.full = full_policy::fail;
    auto in = open_receiver();
    auto out = sender::open(name_, failing).value();
    const auto body = [&]() -> task<> {
        for (int i = 0; i < 2; ++i) (co_await out.async_send("x")).value();
        EXPECT_TRUE((co_await out.async_send("x")).is(errc::would_block));
        while (in.try_receive()) {
        }
        auto queue = receiver::open("sysv-mq:private").value_or(open_receiver());
        if (queue.where().scheme == "sysv-mq") {
            EXPECT_TRUE((co_await queue.async_receive()).is(errc::unsupported));
        }
    };
    loop_.spawn(body());
    run();
}

TEST_F(Async, CallbacksHearMessagesTimesSignalsAndDescriptors) {
    auto in = open_receiver();
    auto out = open_sender();
    int times = 0;
    loop_
        .on_message(in,
                    [&](result<message> got) {
                        heard_.emplace_back(got ? got->text() : name_of(got.why().code()));
                    })
        .value();
    loop_.on_time(deadline::now(), [&] { out.send("timed").value(); }).value();
    callback_id every = callback_id::nobody;
    every = loop_
                .on_time(deadline::now(), 1ms,
                         [&](std::uint64_t count) {
                             times += static_cast<int>(count);
                             if (times < 3) return;
                             loop_.cancel(every).value();
                             ::raise(SIGUSR1);
                         })
                .value();
    callback_id signals = callback_id::nobody;
    signals = loop_
                  .on_signal(SIGUSR1,
                             [&] {
                                 heard_.emplace_back("signal");
                                 loop_.cancel(signals).value();
                                 out.close();
                             })
                  .value();
    run();
    EXPECT_GE(times, 3);
    EXPECT_EQ(heard_, (strings{"timed", "signal", "closed"}));
    EXPECT_TRUE(loop_.cancel(signals).is(errc::not_found));
}

TEST_F(Async, ACallbackMayCloseDestroyAddAndCancelWhatItLikes) {
    constexpr int count = 20;
    std::vector<receiver> all;
    std::vector<callback_id> ids;
    int called = 0;
    for (int i = 0; i < count; ++i) {
        all.push_back(receiver::open(name_ + std::to_string(i), few_).value());
        sender::open(name_ + std::to_string(i), few_).value().send("x").value();
    }
    const auto on_any = [&](result<message> got) {
        if (!got) return; // the end
        ++called;
        all.pop_back(); // destroys one that may be ready, or this one's own
        if (all.size() % 2 == 0 && !all.empty()) all.front().close();
        if (called == 1) loop_.cancel(ids[count / 2]).value();
    };
    for (receiver& in : all) ids.push_back(loop_.on_message(in, on_any).value());
    loop_.on_time(deadline::after(5ms), [&] { all.clear(); }).value();
    run();
    EXPECT_GT(called, 0);
    EXPECT_LE(called, count);
}

TEST_F(Async, PostsComeFromAnyThread) {
    constexpr int count = 500;
    int sum = 0;
    auto keep = loop_.on_time(deadline::never(), [] {}).value();
    std::vector<std::thread> all;
    for (int t = 0; t < 3; ++t) {
        all.emplace_back([&] {
            for (int i = 0; i < count; ++i)
                loop_
                    .post([&] {
                        if (++sum == 3 * count) loop_.cancel(keep).value();
                    })
                    .value();
        });
    }
    run();
    for (std::thread& one : all) one.join();
    EXPECT_EQ(sum, 3 * count);
    loop_.post([&] { EXPECT_TRUE(loop_.run().is(errc::invalid_argument)) << "inside"; }).value();
    run();
    loop_.stop();
    loop_.on_time(deadline::never(), [] {}).value();
    run(); // stopped before
    EXPECT_TRUE(loop_.run_until(deadline::now()).is(errc::would_block));
}

TEST_F(Async, InAForkChildTheLoopIsRefused) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    auto in = open_receiver();
    auto out = open_sender();
    task<> mine = listen(in, heard_);
    loop_.start(mine);
    EXPECT_TRUE(loop_.run_until(deadline::after(1ms)).is(errc::timed_out));
    test::child forked("forked", [&] {
        EXPECT_TRUE(loop_.run().is(errc::invalid_argument));
        EXPECT_TRUE(loop_.post([] {}).is(errc::invalid_argument));
        loop_.stop();
        { const task<> gone = std::move(mine); }
        loop_ = event_loop::make().value();
        auto own = receiver::open(name_ + "-child").value();
        sender::open(name_ + "-child").value().send("own").value();
        loop_.spawn(listen(own, heard_));
        run();
        EXPECT_EQ(heard_, (strings{"own", "closed"}));
    });
    EXPECT_TRUE(forked.end_well());
    out.send("x").value();
    out.close();
    run();
    EXPECT_EQ(heard_, (strings{"x", "closed"}));
}

} // namespace
} // namespace hawser
