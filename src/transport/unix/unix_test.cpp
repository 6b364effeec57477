// Messages over Unix sockets, with a raw socket or a process that is killed on the other side.
#include <atomic>
#include <csignal>
#include <fstream>
#include <optional>
#include <thread>

#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "os/socket.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/unix_peer.hpp"
#include "transport/unix/packets.hpp"
#include "wire/frame.hpp"

namespace hawser::local {
namespace {

using namespace std::chrono_literals;
namespace raw = test::raw;
using raw::code_of;
using raw::text_or_code;

class unix_sockets : public raw::schemes {
  protected:
    [[nodiscard]] raw::peer connected() const {
        raw::peer other{type()};
        EXPECT_EQ(other.connect(path()), 0);
        return other;
    }
    [[nodiscard]] std::string wired(std::string_view payload, unsigned descriptors = 0) const {
        return raw::wired(scheme(), payload, descriptors);
    }
    [[nodiscard]] bool datagrams() const { return type() == SOCK_DGRAM; }
};
INSTANTIATE_TEST_SUITE_P(each, unix_sockets, testing::ValuesIn(raw::all_schemes), raw::spelled);

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + seed + i / 7);
    return bytes;
}

bool same(std::span<const std::byte> left, std::span<const std::byte> right) {
    return std::ranges::equal(left, right);
}

// Two files open as one: what is written into either can be read at the other end.
struct two_ends {
    int reading = -1;
    int writing = -1;
    two_ends() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
        reading = fds[0];
        writing = fds[1];
    }
    ~two_ends() {
        ::close(reading);
        ::close(writing);
    }
    two_ends(const two_ends&) = delete;
    two_ends& operator=(const two_ends&) = delete;
};

// At most so many descriptors, as long as this lives.
class descriptor_limit {
  public:
    explicit descriptor_limit(rlim_t most) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const rlimit wanted{most, before_.rlim_max};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &wanted), 0);
    }
    ~descriptor_limit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    descriptor_limit(const descriptor_limit&) = delete;
    descriptor_limit& operator=(const descriptor_limit&) = delete;

  private:
    rlimit before_{};
};

rlim_t first_free_descriptor() {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(fd);
    return static_cast<rlim_t>(fd);
}

// ---- who sent it --------------------------------------------------------------------------------

TEST_P(unix_sockets, each_message_says_who_sent_it) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    auto in = receiver::open(address()).value();
    for (const bool foreign : {false, true}) {
        test::child other("sender", [&] {
            if (foreign)
                EXPECT_EQ(connected().send(wired("x")), 0);
            else
                sender::open(address()).value().send("x").value();
        });
        auto first = in.receive();
        while (first.is(errc::closed)) first = in.receive(); // the end of the one before
        const auto got = std::move(first).value();
        ASSERT_TRUE(got.sender());
        EXPECT_EQ(got.sender()->pid, static_cast<std::uint32_t>(other.pid()));
        EXPECT_EQ(got.sender()->uid, ::geteuid());
        EXPECT_EQ(got.sender()->gid, ::getegid());
        EXPECT_TRUE(other.end_well());
        if (!datagrams()) {
            EXPECT_EQ(code_of(in.receive()), "closed");
        }
    }
}

// ---- descriptors --------------------------------------------------------------------------------

TEST_P(unix_sockets, descriptors_go_along_and_each_message_has_its_own) {
    const std::size_t before = raw::open_descriptors();
    {
        auto in = receiver::open(address()).value();
        auto out = sender::open(address()).value();
        const two_ends one;
        const two_ends two;
        const int of_one[] = {one.writing};
        const int of_both[] = {two.writing, one.writing};
        out.send("plain").value();
        out.send_with("one", {.descriptors = of_one}).value();
        out.send("plain").value();
        out.send_with("both", {.descriptors = of_both}).value();
        out.send_with("again", {.descriptors = of_one}).value();
        EXPECT_EQ(in.receive().value().descriptors(), 0U);
        EXPECT_EQ(in.receive().value().descriptors(), 1U) << "nobody takes it: it is closed";
        EXPECT_EQ(in.receive().value().descriptors(), 0U);
        auto both = in.receive().value();
        auto again = in.receive().value();
        ASSERT_EQ(both.descriptors(), 2U);
        ASSERT_EQ(again.descriptors(), 1U);
        const int taken = both.take_descriptor(0);
        EXPECT_EQ(both.take_descriptor(0), -1) << "it was taken";
        EXPECT_NE(::fcntl(taken, F_GETFD) & FD_CLOEXEC, 0);
        EXPECT_EQ(::write(taken, "two", 3), 3);
        const int other = again.take_descriptor(0);
        EXPECT_EQ(::write(other, "one", 3), 3);
        std::array<char, 4> text{};
        EXPECT_EQ(::read(two.reading, text.data(), 4), 3);
        EXPECT_STREQ(text.data(), "two");
        EXPECT_EQ(::read(one.reading, text.data(), 4), 3);
        EXPECT_STREQ(text.data(), "one");
        ::close(taken);
        ::close(other);
    }
    EXPECT_EQ(raw::open_descriptors(), before);
}

TEST_P(unix_sockets, at_most_253_descriptors_go_with_a_message) {
    const std::size_t before = raw::open_descriptors();
    {
        auto in = receiver::open(address()).value();
        auto out = sender::open(address()).value();
        const two_ends some;
        const std::vector<int> most(253, some.writing);
        const std::vector<int> too_many(254, some.writing);
        EXPECT_EQ(code_of(out.send_with("no", {.descriptors = too_many})), "too_big");
        const int closed[] = {1'000'000};
        EXPECT_EQ(code_of(out.send_with("no", {.descriptors = closed})), "invalid_argument");
        out.send_with("yes", {.descriptors = most}).value();
        const auto got = in.receive().value();
        EXPECT_EQ(got.text(), "yes");
        EXPECT_EQ(got.descriptors(), 253U);
        EXPECT_EQ(code_of(out.send_with("no", {.priority = 1})), "unsupported");
        EXPECT_EQ(code_of(out.send_with("no", {.type = 1})), "unsupported");
    }
    EXPECT_EQ(raw::open_descriptors(), before);
}

TEST_P(unix_sockets, a_message_whose_descriptors_have_no_room_is_an_error_and_the_next_is_whole) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    out.send("first").value();
    EXPECT_EQ(text_or_code(in.receive()), "first");
    const two_ends some;
    const int three[] = {some.writing, some.writing, some.writing};
    out.send_with("with three", {.descriptors = three}).value();
    out.send("next").value();
    const std::size_t before = raw::open_descriptors();
    {
        const descriptor_limit tight{first_free_descriptor() + 1};
        const auto got = in.receive();
        EXPECT_EQ(code_of(got), "no_space");
        if (!got) {
            EXPECT_EQ(got.why().sys(), EMFILE);
        }
        EXPECT_EQ(text_or_code(in.receive()), "next");
        EXPECT_EQ(raw::open_descriptors(), before);
    }
    out.send_with("with three", {.descriptors = three}).value();
    EXPECT_EQ(in.receive().value().descriptors(), 3U);
}

TEST_P(unix_sockets, what_a_foreign_peer_sends_along_leaks_nothing) {
    const std::size_t before = raw::open_descriptors();
    {
        auto in = receiver::open(address()).value();
        const two_ends some;
        const int two[] = {some.writing, some.writing};
        auto other = connected();
        EXPECT_EQ(other.send(wired("unannounced"), two), 0);
        EXPECT_EQ(other.send(wired("and one", 1), std::span(two).first(1)), 0);
        const auto first = in.receive().value();
        EXPECT_EQ(first.text(), "unannounced");
        // Packets announce nothing: what comes with them is theirs.
        EXPECT_EQ(first.descriptors(), type() == SOCK_STREAM ? 0U : 2U);
        const auto second = in.receive().value();
        EXPECT_EQ(second.text(), "and one");
        EXPECT_EQ(second.descriptors(), 1U);
        if (type() == SOCK_STREAM) {
            EXPECT_EQ(other.send(raw::frame("three announced", 3), two), 0);
            EXPECT_EQ(code_of(in.receive()), "corrupt");
            auto last = connected();
            EXPECT_EQ(last.send(raw::frame("whole", 2).substr(0, 9), two), 0);
            EXPECT_EQ(code_of(in.try_receive()), "would_block");
            last.close();
            EXPECT_EQ(code_of(in.receive()), "peer_died");
        }
    }
    EXPECT_EQ(raw::open_descriptors(), before);
}

// ---- sizes --------------------------------------------------------------------------------------

TEST_P(unix_sockets, sizes_up_to_the_limit_arrive_and_one_more_is_too_big) {
    constexpr std::size_t limit = 300'000;
    options wanted;
    wanted.max_message = limit;
    auto in = receiver::open(address(), wanted).value();
    auto out = sender::open(address(), wanted).value();
    unsigned seed = 0;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65'535},
                                   std::size_t{65'536}, std::size_t{65'537}, limit - 1, limit}) {
        const auto bytes = pattern(size, ++seed);
        std::thread sending([&] { out.send(bytes).value(); });
        const auto got = in.receive();
        sending.join();
        ASSERT_TRUE(got) << got.why().describe();
        EXPECT_TRUE(same(got->bytes(), bytes)) << size;
    }
    const auto refused = out.try_send(pattern(limit + 1, 0));
    EXPECT_EQ(code_of(refused), "too_big");
    EXPECT_NE(refused.why().detail().find("at most 300000"), std::string_view::npos);
    const bool names_sysctl = refused.why().detail().find("wmem_max") != std::string_view::npos;
    EXPECT_EQ(names_sysctl, type() != SOCK_STREAM);
    EXPECT_EQ(code_of(out.loan_for(limit + 1)), "too_big");
    EXPECT_EQ(out.attributes().value().max_message, limit);
}

TEST_P(unix_sockets, a_larger_message_than_the_receiver_takes_is_told_and_the_next_is_whole) {
    for (const std::size_t limit : {std::size_t{100}, std::size_t{70'000}}) {
        options small;
        small.max_message = limit;
        auto in = receiver::open(address(), small).value();
        const auto other = connected();
        const std::string fits(limit, 'f');
        EXPECT_EQ(other.send(wired(fits + "x")), 0);
        EXPECT_EQ(other.send(wired(fits)), 0);
        EXPECT_EQ(code_of(in.receive()), "too_big");
        EXPECT_EQ(text_or_code(in.receive()), fits);
    }
}

TEST_P(unix_sockets, the_capability_is_what_this_machine_gives) {
    if (type() == SOCK_STREAM) return; // a stream has no such limit
    options wanted;
    wanted.max_message = largest_settable_packet();
    auto in = receiver::open(address(), wanted).value();
    auto out = sender::open(address(), wanted).value();
    const auto bytes = pattern(largest_settable_packet(), 5);
    out.send(bytes).value();
    EXPECT_TRUE(same(in.receive().value().bytes(), bytes));
    wanted.max_message = *wanted.max_message + 1;
    EXPECT_EQ(code_of(sender::open(address(), wanted)), "unsupported");
    options memory;
    memory.max_memory = os::largest_buffer_bytes(os::socket_buffer::sending) + 2;
    const auto refused = sender::open(address(), memory);
    EXPECT_EQ(code_of(refused), "no_space");
    EXPECT_NE(refused.why().detail().find("net.core.wmem_max"), std::string_view::npos);
}

TEST_P(unix_sockets, a_packet_of_no_bytes_is_a_message_and_not_the_end) {
    auto in = receiver::open(address()).value();
    {
        const auto other = connected();
        EXPECT_EQ(other.send(wired("")), 0);
        EXPECT_EQ(other.send(wired("x")), 0);
        EXPECT_EQ(other.send(wired("")), 0);
    }
    EXPECT_EQ(in.receive().value().size(), 0U);
    EXPECT_EQ(text_or_code(in.receive()), "x");
    EXPECT_EQ(in.receive().value().size(), 0U);
    EXPECT_EQ(code_of(in.try_receive()), datagrams() ? "would_block" : "closed");
}

// ---- peers that go, stop, or talk nonsense
// --------------------------------------------------------

TEST_P(unix_sockets, a_sender_is_told_that_its_receiver_has_gone_and_finds_the_next) {
    auto in = std::optional(receiver::open(address()).value());
    auto out = sender::open(address()).value();
    out.send("one").value();
    EXPECT_EQ(text_or_code(in->receive()), "one");
    in.reset();
    const std::string told = code_of(out.try_send("lost"));
    EXPECT_TRUE(told == "closed" || told == "peer_died") << told;
    EXPECT_EQ(code_of(out.try_send("nobody")), "would_block");
    EXPECT_EQ(code_of(out.send_for("nobody", 30ms)), "timed_out");
    in = receiver::open(address()).value();
    out.send("two").value();
    EXPECT_EQ(text_or_code(in->receive()), "two");
}

TEST_P(unix_sockets, a_sender_that_waits_is_told_when_its_receiver_is_killed) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    const test::beacon open;
    test::child victim("receiver", [&] {
        auto in = receiver::open(address()).value();
        open.raise();
        for (;;) ::pause();
    });
    open.wait();
    auto out = sender::open(address()).value();
    while (out.try_send("filler")) {
    }
    std::string told;
    std::thread waiting([&] { told = code_of(out.send("one too many")); });
    test::until([&] { return out.stats().sleeps > 0; });
    victim.kill();
    waiting.join();
    EXPECT_TRUE(told == "closed" || told == "peer_died") << told;
    auto in = receiver::open(address()).value();
    out.send("anew").value();
    EXPECT_EQ(text_or_code(in.receive()), "anew");
}

// The receiver exists and does not read: the message is taken back, also out of the middle of a
// frame.
TEST_P(unix_sockets, a_peer_that_stops_reading_costs_the_message_and_nothing_else) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    const auto large = pattern(150'000, 1);
    std::size_t stored = 0;
    while (out.send_for(large, 20ms)) ++stored;
    ASSERT_GT(stored, 0U);
    EXPECT_EQ(code_of(out.send_for(large, 20ms)), "timed_out");
    std::thread sending([&] { out.send("whole").value(); });
    for (std::size_t i = 0; i < stored; ++i)
        EXPECT_TRUE(same(in.receive().value().bytes(), large)) << i;
    EXPECT_EQ(text_or_code(in.receive()), "whole");
    sending.join();
    EXPECT_EQ(code_of(in.try_receive()), "would_block");
}

// On connections the kernel calls a socket writable when three quarters of it are free, so that
// writers are not woken for crumbs.
TEST_P(unix_sockets, its_descriptor_tells_of_room) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    const auto ready = [&] {
        pollfd one{out.fd().value(), out.fd_events(), 0};
        return ::poll(&one, 1, 0) == 1;
    };
    EXPECT_TRUE(ready());
    std::size_t stored = 0;
    while (out.try_send("filler")) ++stored;
    EXPECT_EQ(code_of(out.try_send("filler")), "would_block");
    EXPECT_FALSE(ready());
    for (std::size_t i = 0; i < stored; ++i) ASSERT_EQ(text_or_code(in.try_receive()), "filler");
    EXPECT_TRUE(ready());
    if (datagrams()) {
        EXPECT_EQ(in.attributes().value().capacity, stored);
    }
}

TEST_P(unix_sockets, signals_in_the_middle_of_large_messages_harm_none) {
    constexpr unsigned messages = 60;
    constexpr std::size_t size = 190'000;
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &quiet, &before);
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    const itimerval storm{{0, 200}, {0, 200}};
    ::setitimer(ITIMER_REAL, &storm, nullptr);
    std::uint64_t interrupted = 0;
    std::thread sending([&] {
        for (unsigned i = 0; i < messages; ++i) {
            const auto bytes = pattern(size, i);
            for (;;) {
                const auto done = out.send(bytes);
                if (done) break;
                ASSERT_EQ(code_of(done), "interrupted");
            }
        }
    });
    for (unsigned i = 0; i < messages;) {
        const auto got = in.receive();
        if (got.is(errc::interrupted)) {
            ++interrupted;
            continue;
        }
        ASSERT_TRUE(got) << got.why().describe();
        ASSERT_TRUE(same(got->bytes(), pattern(size, i))) << "message " << i;
        ++i;
    }
    sending.join();
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
    RecordProperty("interrupted", static_cast<int>(interrupted));
}

// ---- settings -----------------------------------------------------------------------------------

TEST_P(unix_sockets, what_fits_can_be_read_and_changed_at_the_sender) {
    auto in = receiver::open(address()).value();
    options wanted;
    wanted.max_memory = 100'000;
    auto out = sender::open(address(), wanted).value();
    EXPECT_EQ(out.attributes().value().capacity_bytes, 100'000U);
    wanted.max_memory = 50'000;
    EXPECT_EQ(code_of(out.change(wanted)), "");
    EXPECT_EQ(out.attributes().value().capacity_bytes, 50'000U);
    EXPECT_EQ(code_of(in.change(wanted)), "unsupported");
    options access;
    access.mode = 0640;
    EXPECT_EQ(code_of(in.change(access)), "");
    EXPECT_EQ(in.attributes().value().mode, 0640U);
    EXPECT_EQ(code_of(out.change(access)), "unsupported");
    options capacity;
    capacity.participants = 3;
    EXPECT_EQ(code_of(in.change(capacity)), "unsupported");
    EXPECT_EQ(code_of(sender::open(address(), capacity)), "unsupported");
    EXPECT_EQ(code_of(receiver::open(address() + "2", capacity)), "unsupported");
}

// ---- connections --------------------------------------------------------------------------------

class unix_connections : public unix_sockets {};
INSTANTIATE_TEST_SUITE_P(each, unix_connections, testing::Values("unix", "unix-seqpacket"),
                         raw::spelled);

TEST_P(unix_connections, many_clients_are_heard_on_one_name_and_the_end_is_the_last_ones) {
    constexpr int clients = 40;
    constexpr int each = 50;
    auto in = receiver::open(address()).value();
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client)
        threads.emplace_back([&, client] {
            auto out = sender::open(address()).value();
            for (int i = 0; i < each; ++i) out.send_value(client * each + i).value();
        });
    std::vector<int> next(clients, 0);
    int heard = 0;
    for (;;) {
        const auto got = in.receive_value<int>();
        // All that were there may have gone while others are about to come.
        if (got.is(errc::closed) && heard == clients * each) break;
        if (got.is(errc::closed)) continue;
        ASSERT_TRUE(got) << got.why().describe();
        ++heard;
        auto& expected = next[static_cast<std::size_t>(*got / each)];
        EXPECT_EQ(*got % each, expected++);
    }
    for (auto& thread : threads) thread.join();
}

TEST_P(unix_connections, without_descriptors_those_who_connect_wait) {
    auto in = receiver::open(address()).value();
    auto first = std::optional(sender::open(address()).value());
    first->send("first").value();
    EXPECT_EQ(text_or_code(in.receive()), "first");
    auto second = sender::open(address()).value();
    second.send("second").value();
    {
        const descriptor_limit tight{first_free_descriptor()};
        const auto told = in.receive();
        EXPECT_EQ(code_of(told), "no_space");
        if (!told) {
            EXPECT_EQ(told.why().sys(), EMFILE);
        }
        EXPECT_EQ(code_of(in.try_receive()), "would_block") << "told once, and not deaf";
        first->send("first still heard").value();
        EXPECT_EQ(text_or_code(in.receive()), "first still heard");
    }
    first.reset();
    EXPECT_EQ(text_or_code(in.receive()), "second");
}

// ---- streams ------------------------------------------------------------------------------------

class unix_streams : public unix_sockets {};
INSTANTIATE_TEST_SUITE_P(each, unix_streams, testing::Values("unix"), raw::spelled);

TEST_P(unix_streams, nonsense_and_half_messages_are_told_and_the_others_go_on) {
    auto in = receiver::open(address()).value();
    const auto good = connected();
    const std::string header{"hw\x01\x00", 4};
    const std::pair<std::string, const char*> cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", "corrupt"},
        {header + "\xff\xff\xff\xff", "corrupt"}, // 4 GiB, and nothing is allocated for it
        {std::string{"hw\x02\x00\x01\x00\x00\x00x\x01", 10}, "corrupt"}, // another version
        {raw::frame("mark", 0, 9), "corrupt"},
        {raw::frame("half a frame").substr(0, 15), "peer_died"},
        {header, "peer_died"},
        {raw::frame("more to come", 0, 2), "peer_died"},
    };
    for (const auto& [bytes, told] : cases) {
        auto bad = connected();
        EXPECT_EQ(bad.send(bytes), 0);
        if (std::string_view(told) == "peer_died") bad.close();
        EXPECT_EQ(code_of(in.receive()), told) << bytes;
        EXPECT_EQ(good.send(raw::frame("good")), 0);
        EXPECT_EQ(text_or_code(in.receive()), "good");
    }
    // One that is killed in the middle of a large message.
    if (!test::can_fork) return;
    const test::beacon halfway;
    test::child victim("sender", [&] {
        const auto other = connected();
        EXPECT_EQ(other.send(raw::frame(std::string(100'000, 'x')).substr(0, 60'000)), 0);
        halfway.raise();
        for (;;) ::pause();
    });
    halfway.wait();
    EXPECT_EQ(code_of(in.try_receive()), "would_block");
    victim.kill();
    EXPECT_EQ(code_of(in.receive()), "peer_died");
}

TEST_P(unix_streams, frames_may_come_in_any_pieces) {
    auto in = receiver::open(address()).value();
    const auto other = connected();
    const std::string all = raw::frame("one") + raw::frame("void", 0, 3) + raw::frame("t", 0, 2) +
                            raw::frame("wo") + raw::frame("");
    for (const char byte : all) {
        static_cast<void>(in.try_receive().is(errc::would_block));
        EXPECT_EQ(other.send({&byte, 1}), 0);
        if (const auto got = in.try_receive()) {
            const std::string_view text = got->text();
            EXPECT_TRUE(text == "one" || text == "two" || text.empty()) << text;
        }
    }
    EXPECT_EQ(in.stats().received, 3U);
}

TEST_P(unix_streams, raw_bytes_go_both_ways_and_say_who_is_there) {
    auto listening = byte_listener::open(address()).value();
    EXPECT_EQ(code_of(byte_listener::open(address())), "already_exists");
    EXPECT_EQ(code_of(listening.accept(deadline::now())), "would_block");
    auto near = byte_stream::open(address()).value();
    auto far = listening.accept().value();
    ASSERT_TRUE(near.peer() && far.peer());
    EXPECT_EQ(near.peer()->pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(*near.peer(), *far.peer());
    near.write_all("there").value();
    near.finish_writing().value();
    std::array<std::byte, 64> into{};
    EXPECT_EQ(far.read_some(into).value(), 5U);
    EXPECT_EQ(code_of(far.read_some(into)), "closed");
    far.write_all("and back").value();
    EXPECT_EQ(near.read_some(into).value(), 8U);
    const auto foreign = connected();
    auto third = listening.accept().value();
    EXPECT_EQ(foreign.send("raw"), 0);
    EXPECT_EQ(third.read_some(into).value(), 3U);
    third.write_all("bytes").value();
    EXPECT_EQ(foreign.read(), "bytes");
    listening.close();
    EXPECT_EQ(code_of(near.write_some(std::as_bytes(std::span("x")))), "closed");
}

TEST_P(unix_streams, an_open_waits_for_the_listener_as_long_as_it_may) {
    EXPECT_EQ(code_of(byte_stream::open(address(), stream_role::both, {}, deadline::now())),
              "would_block");
    EXPECT_EQ(code_of(byte_stream::open(address(), stream_role::both, {}, deadline::after(20ms))),
              "timed_out");
    options wanted;
    wanted.create = create_policy::open;
    EXPECT_EQ(code_of(byte_stream::open(address(), stream_role::both, wanted)), "not_found");
    std::thread later([&] {
        std::this_thread::yield();
        auto listening = byte_listener::open(address()).value();
        auto one = listening.accept().value();
        one.write_all("welcome").value();
    });
    auto near = byte_stream::open(address()).value();
    std::array<std::byte, 64> into{};
    EXPECT_EQ(near.read_some(into).value(), 7U);
    later.join();
}

} // namespace
} // namespace hawser::local
