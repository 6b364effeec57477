// C22: asynchronous operations: coroutines and callbacks on hawser's own loop.
#include <stop_token>
#include <thread>

#include <hawser/async.hpp>

#include "conformance/contract.hpp"

namespace hawser::test {

using namespace std::chrono_literals;
using steady = deadline::clock;

class asynchronous_suite : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().fd_pollable, "fd_pollable");
    }
    // Receives `count` messages, or until the end.
    task<> listen(receiver& in, std::vector<std::string>& heard, std::size_t count) {
        while (heard.size() < count) {
            auto got = co_await in.async_receive();
            if (got.is(errc::closed)) {
                heard.emplace_back("closed");
                co_return;
            }
            if (got.value().text() != hello) heard.emplace_back(got->text());
        }
    }
    static constexpr std::string_view hello = "hello";
};
class asynchronous : public asynchronous_suite {};
HAWSER_CONTRACT(asynchronous, in_each_order());
class asynchronous_between : public asynchronous_suite {};
HAWSER_CONTRACT(asynchronous_between, in_each_order_and_bodies());
class asynchronous_by_death : public asynchronous_suite {};
HAWSER_CONTRACT(asynchronous_by_death, in_each_order_as_processes());

TEST_P(asynchronous_between, c22_1_coroutines_send_and_receive_as_others_do) {
    constexpr int count = 30;
    const beacon next; // where only one at a time surely arrives
    const options wanted = bounded(2);
    run_bodies(bodies(), {{"consumer",
                           [&] {
                               auto in = open_receiver(wanted);
                               auto loop = event_loop::make().value();
                               int got = 0;
                               const auto listen_to = [&]() -> task<> {
                                   while (got < count) {
                                       auto one = co_await in.async_receive();
                                       EXPECT_EQ(one.value().text(), std::to_string(got++));
                                       if (!can().reliable) next.raise();
                                   }
                               };
                               if (!can().reliable) next.raise(); // it is there
                               loop.spawn(listen_to());
                               loop.run().value();
                               EXPECT_EQ(got, count);
                           }},
                          {"producer", [&] {
                               if (!can().reliable) next.wait();
                               auto out = open_sender(wanted);
                               auto loop = event_loop::make().value();
                               const auto say = [&]() -> task<> {
                                   for (int i = 0; i < count; ++i) {
                                       (co_await out.async_send(std::to_string(i))).value();
                                       if (!can().reliable) next.wait();
                                   }
                               };
                               loop.spawn(say());
                               loop.run().value();
                           }}});
}

TEST_P(asynchronous, c22_2_a_deadline_ends_the_wait_and_takes_nothing) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    auto loop = event_loop::make().value();
    bool done = false;
    const auto body = [&]() -> task<> {
        EXPECT_TRUE(fails_with(co_await in.async_receive(deadline::now()), errc::would_block));
        const auto begin = steady::now();
        EXPECT_TRUE(fails_with(co_await in.async_receive(deadline::after(5ms)), errc::timed_out));
        EXPECT_GE(steady::now() - begin, 5ms);
        out.send("x").value();
        EXPECT_EQ((co_await in.async_receive(deadline::after(1h))).value().text(), "x");
        done = true;
    };
    loop.spawn(body());
    loop.run().value();
    EXPECT_TRUE(done);
}

TEST_P(asynchronous, c22_3_a_send_that_times_out_has_sent_nothing) {
    HAWSER_NEEDS(can().reliable, "reliable");
    auto in = open_receiver(bounded(2));
    auto out = open_sender();
    introduce(out, in);
    const std::size_t size = filling_size(out);
    const std::uint64_t count = fill(out, size);
    auto loop = event_loop::make().value();
    // In a network there may be some more room a moment later.
    std::uint64_t more = 0;
    const auto body = [&]() -> task<> {
        for (;; ++more) {
            const auto bytes = numbered(count + more, size);
            const auto outcome = co_await out.async_send(bytes, deadline::after(5ms));
            if (outcome) continue;
            EXPECT_TRUE(fails_with(outcome, errc::timed_out));
            co_return;
        }
    };
    loop.spawn(body());
    loop.run().value();
    for (std::uint64_t i = 0; i < count + more; ++i) EXPECT_EQ(number_in(in.receive().value()), i);
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
}

TEST_P(asynchronous, c22_4_what_is_abandoned_has_taken_nothing) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    auto loop = event_loop::make().value();
    std::vector<std::string> heard;
    {
        task<> destroyed = listen(in, heard, 1);
        loop.start(destroyed);
        EXPECT_TRUE(fails_with(loop.run_until(deadline::after(1ms)), errc::timed_out));
        out.send("kept").value();
    }
    loop.run().value();
    std::stop_source stop;
    const auto stopped = [&]() -> task<> {
        EXPECT_TRUE(fails_with(co_await in.async_receive(stop.get_token()), errc::interrupted));
    };
    stop.request_stop();
    loop.spawn(stopped());
    loop.run().value();
    EXPECT_EQ(heard.size(), 0U);
    EXPECT_EQ(in.receive().value().text(), "kept");
}

TEST_P(asynchronous, c22_5_a_stop_token_ends_the_wait_from_another_thread) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    auto loop = event_loop::make().value();
    std::stop_source stop;
    const auto body = [&]() -> task<> {
        EXPECT_TRUE(fails_with(co_await in.async_receive(stop.get_token()), errc::interrupted));
    };
    loop.spawn(body());
    std::thread other([&] { stop.request_stop(); });
    loop.run().value();
    other.join();
}

TEST_P(asynchronous, c22_6_closing_what_is_awaited_ends_the_wait) {
    auto in = open_receiver();
    auto loop = event_loop::make().value();
    const auto body = [&]() -> task<> {
        EXPECT_TRUE(fails_with(co_await in.async_receive(), errc::invalid_argument));
    };
    loop.spawn(body());
    loop.on_time(deadline::after(1ms), [&] { in.close(); }).value();
    loop.run().value();
}

TEST_P(asynchronous, c22_7_a_callback_hears_each_message_and_the_end) {
    auto in = open_receiver();
    auto out = open_sender();
    introduce(out, in);
    auto loop = event_loop::make().value();
    std::vector<std::string> heard;
    callback_id listens = callback_id::nobody;
    listens = loop.on_message(in,
                              [&](result<message> got) {
                                  heard.emplace_back(got ? std::string(got->text())
                                                         : std::string(name_of(got.why().code())));
                                  if (heard.size() < 3)
                                      out.send("x").value();
                                  else if (heard.size() == 3 && can().end_of_stream)
                                      out.close();
                                  else if (heard.size() == 3)
                                      loop.cancel(listens).value();
                              })
                  .value();
    out.send("x").value();
    loop.run().value();
    std::vector<std::string> expected{"x", "x", "x"};
    if (can().end_of_stream) expected.emplace_back("closed");
    EXPECT_EQ(heard, expected);
    EXPECT_TRUE(fails_with(loop.cancel(listens), errc::not_found));
}

TEST_P(asynchronous_by_death, c22_8_a_killed_sender_ends_the_wait) {
    HAWSER_NEEDS(can().end_of_stream, "end_of_stream");
    const beacon opened;
    const beacon sent_all;
    const beacon go;
    const beacon never;
    child producer("producer", [&] {
        auto out = open_sender();
        opened.raise();
        if (!keeps()) out.send(hello).value();
        go.wait();
        for (int i = 0; i < 3; ++i) out.send("x").value();
        sent_all.raise();
        never.wait();
    });
    opened.wait();
    auto in = open_receiver();
    auto loop = event_loop::make().value();
    std::vector<std::string> heard;
    loop.spawn(listen(in, heard, 100));
    std::thread killer([&] {
        go.raise();
        sent_all.wait();
        producer.kill();
    });
    loop.run().value();
    killer.join();
    EXPECT_EQ(heard, (std::vector<std::string>{"x", "x", "x", "closed"}));
}

TEST_P(asynchronous_by_death, c22_9_a_loop_that_is_killed_takes_nothing_along) {
    HAWSER_NEEDS(can().many_receivers, "many_receivers");
    HAWSER_NEEDS(can().reliable, "reliable");
    const beacon waits;
    child victim("victim", [&] {
        auto in = open_receiver();
        auto loop = event_loop::make().value();
        std::vector<std::string> heard;
        loop.spawn(listen(in, heard, 100));
        loop.on_time(deadline::after(1ms), [&] { waits.raise(); }).value();
        loop.run().value();
    });
    waits.wait();
    victim.kill();
    child other("other", [&] {
        auto in = open_receiver();
        auto loop = event_loop::make().value();
        std::vector<std::string> heard;
        loop.spawn(listen(in, heard, 10));
        loop.run().value();
        for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(heard[i], std::to_string(i));
    });
    auto out = open_sender();
    for (int i = 0; i < 10; ++i) out.send(std::to_string(i)).value();
    EXPECT_TRUE(other.end_well());
}

class asynchronous_without : public contract {};
HAWSER_CONTRACT(asynchronous_without, in_each_order());

TEST_P(asynchronous_without, c22_10_what_has_no_descriptor_can_not_be_awaited) {
    HAWSER_NEEDS(!can().fd_pollable, "fd_pollable");
    auto in = open_receiver();
    auto out = open_sender();
    auto loop = event_loop::make().value();
    const auto body = [&]() -> task<> {
        EXPECT_TRUE(fails_with(co_await in.async_receive(), errc::unsupported));
        EXPECT_TRUE(fails_with(co_await out.async_send("x"), errc::unsupported));
    };
    loop.spawn(body());
    loop.run().value();
    EXPECT_TRUE(fails_with(loop.on_message(in, [](result<message>) {}), errc::unsupported));
    EXPECT_TRUE(fails_with(in.try_receive(), errc::would_block));
}

} // namespace hawser::test
