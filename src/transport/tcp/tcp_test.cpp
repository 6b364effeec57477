// TCP as the contract's suite does not know it: real peers that know nothing of hawser, that
// dribble, lie, stop and die.
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "os/inet_socket.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "wire/frame.hpp"

namespace hawser {
namespace {

using std::chrono_literals::operator""ms;

constexpr const char* any_port = "tcp://127.0.0.1:0";

std::string name_of(const receiver& in) {
    return in.where().name();
}

std::uint16_t port_of(const address& where) {
    return static_cast<std::uint16_t>(std::stoi(where.rest.substr(where.rest.rfind(':') + 1)));
}

std::vector<std::byte> pattern(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>((i * 31 + i / 251 + seed));
    return bytes;
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return to;
}

// A plain socket: the peer that is not hawser.
class raw_peer {
  public:
    explicit raw_peer(int fd) : fd_(fd) {}
    static raw_peer connected_to(std::uint16_t port) {
        raw_peer peer{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const sockaddr_in to = loopback(port);
        EXPECT_EQ(::connect(peer.fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
        return peer;
    }
    raw_peer(raw_peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    raw_peer(const raw_peer&) = delete;
    raw_peer& operator=(const raw_peer&) = delete;
    raw_peer& operator=(raw_peer&&) = delete;
    ~raw_peer() { close(); }

    void write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t done = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            ASSERT_GT(done, 0) << std::strerror(errno);
            bytes.remove_prefix(static_cast<std::size_t>(done));
        }
    }
    void close() {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }
    // As the kernel does for a process that dies with unread bytes.
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
        close();
    }
    [[nodiscard]] int fd() const { return fd_; }

  private:
    int fd_;
};

// Takes connections for a hawser sender.
class raw_listener {
  public:
    raw_listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at = loopback(0);
        socklen_t size = sizeof(at);
        EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&at), size), 0);
        EXPECT_EQ(::listen(fd_, 8), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        address_ = "tcp://127.0.0.1:" + std::to_string(ntohs(at.sin_port));
    }
    ~raw_listener() { ::close(fd_); }
    raw_listener(const raw_listener&) = delete;
    raw_listener& operator=(const raw_listener&) = delete;

    [[nodiscard]] raw_peer accept() const {
        return raw_peer{::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)};
    }
    [[nodiscard]] const std::string& address() const { return address_; }

  private:
    int fd_;
    std::string address_;
};

std::string frame(std::string_view payload, wire::frame_mark mark = wire::frame_mark::end) {
    const auto header = wire::encode({0, static_cast<std::uint32_t>(payload.size())});
    std::string bytes(reinterpret_cast<const char*>(header.data()), header.size());
    bytes += payload;
    bytes += static_cast<char>(mark);
    return bytes;
}

template <typename T>
std::string code_of(const result<T>& outcome) {
    return outcome ? "success" : outcome.why().describe();
}
#define EXPECT_FAILS(outcome, wanted) EXPECT_TRUE((outcome).is(errc::wanted)) << code_of(outcome)

// ---- addresses ----------------------------------------------------------------------------------

TEST(tcp, port_0_is_told_and_can_be_sent_to) {
    for (const char* at : {"tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0"}) {
        auto in = receiver::open(at).value();
        EXPECT_NE(port_of(in.where()), 0);
        EXPECT_EQ(name_of(in).substr(0, name_of(in).rfind(':')),
                  std::string(at).substr(0, std::string(at).rfind(':')));
        auto out = sender::open(name_of(in)).value();
        out.send("hello").value();
        EXPECT_EQ(in.receive().value().text(), "hello");
    }
}

TEST(tcp, a_star_takes_ipv4_and_ipv6) {
    for (const char* at : {"tcp://*:0", "tcp://:0"}) {
        auto in = receiver::open(at).value();
        const std::string port = std::to_string(port_of(in.where()));
        EXPECT_EQ(name_of(in), "tcp://*:" + port);
        for (const char* host : {"127.0.0.1", "[::1]", "localhost", "127.9.8.7"}) {
            auto out = sender::open(std::string("tcp://") + host + ":" + port).value();
            out.send(host).value();
            EXPECT_EQ(in.receive().value().text(), host);
        }
    }
}

TEST(tcp, a_host_without_an_address_is_not_found) {
    const auto out = sender::open("tcp://no.such.host.invalid:7000");
    EXPECT_FALSE(out);
    // Without any name service the answer is "try again" instead.
    EXPECT_TRUE(out.is(errc::not_found) || out.is(errc::system)) << code_of(out);
    EXPECT_NE(out.why().detail().find("no.such.host.invalid"), std::string_view::npos);
    const auto in = receiver::open("tcp://192.0.2.77:0"); // of a network for documents only
    EXPECT_FAILS(in, not_found);
    EXPECT_EQ(in.why().sys(), EADDRNOTAVAIL);
}

TEST(tcp, addresses_that_are_none_say_what_one_is) {
    EXPECT_FAILS(sender::open("tcp:7000"), invalid_argument);
    EXPECT_FAILS(sender::open("tcp://localhost:http"), invalid_argument);
    EXPECT_FAILS(sender::open("tcp://*:7000"), invalid_argument);
    EXPECT_FAILS(sender::open("tcp://localhost:0"), invalid_argument);
    EXPECT_FAILS(receiver::open("tcp://::1:7000"), invalid_argument);
}

TEST(tcp, a_second_receiver_is_refused_and_a_later_one_is_not) {
    std::string where;
    {
        auto in = receiver::open(any_port).value();
        where = name_of(in);
        const auto second = receiver::open(where);
        EXPECT_FAILS(second, already_exists);
        EXPECT_FAILS(receiver::open("tcp://*:" + std::to_string(port_of(in.where()))),
                     already_exists);
        // Leaves a connection behind that the kernel still closes (TIME_WAIT) on our side.
        auto out = sender::open(where).value();
        out.send("x").value();
        in.receive().value();
    }
    EXPECT_TRUE(receiver::open(where));
}

TEST(tcp, options_that_mean_nothing_here_are_refused) {
    for (const char* option : {"capacity=5", "mode=0600", "group=root", "participants=3"})
        EXPECT_FAILS(receiver::open(std::string(any_port) + "?" + option), unsupported);
}

// ---- coming and going ---------------------------------------------------------------------------

TEST(tcp, nobody_there_is_would_block_and_a_receiver_that_comes_is_found) {
    std::string where;
    {
        auto in = receiver::open(any_port).value();
        where = name_of(in);
    }
    auto out = sender::open(where).value();
    EXPECT_FAILS(out.try_send("a"), would_block);
    EXPECT_FAILS(out.send_for("b", 30ms), timed_out);
    auto in = receiver::open(where).value();
    out.send("c").value();
    EXPECT_EQ(in.receive().value().text(), "c");
    EXPECT_FAILS(in.try_receive(), would_block);
}

// A sender that looks for its receiver on a port that the system may also give to the sender
// itself must not find itself there.
TEST(tcp, a_sender_never_connects_to_itself) {
    raw_peer socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_in self = loopback(0);
    socklen_t size = sizeof(self);
    ASSERT_EQ(::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&self), size), 0);
    ASSERT_EQ(::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&self), &size), 0);
    const os::inet_address to{&self, size};
    const int begun = os::connect_to(socket.fd(), to);
    ASSERT_TRUE(begun == 0 || begun == EINPROGRESS) << std::strerror(begun);
    EXPECT_EQ(os::connect_outcome(socket.fd()), ECONNREFUSED);
}

TEST(tcp, create_open_and_create_create_ask_who_is_there) {
    options must_exist;
    must_exist.create = create_policy::open;
    options must_not;
    must_not.create = create_policy::create;
    auto in = receiver::open(any_port, must_not).value();
    const std::string where = name_of(in);
    EXPECT_TRUE(sender::open(where, must_exist));
    EXPECT_FAILS(sender::open(where, must_not), already_exists);
    EXPECT_FAILS(receiver::open(where, must_not), already_exists);
    in.close();
    EXPECT_FAILS(sender::open(where, must_exist), not_found);
    EXPECT_TRUE(sender::open(where, must_not));
    EXPECT_FAILS(receiver::open(where, must_exist), not_found);
    EXPECT_FAILS(receiver::open(where, must_exist), not_found); // and nothing was made
}

// The kernel would take the next message, and nobody would ever read it.
TEST(tcp, a_sender_notices_that_its_receiver_has_closed_before_it_sends) {
    auto in = receiver::open(any_port).value();
    const std::string where = name_of(in);
    auto out = sender::open(where).value();
    out.send("a").value();
    EXPECT_EQ(in.receive().value().text(), "a");
    in.close();
    EXPECT_FAILS(out.try_send("b"), closed);
    EXPECT_FAILS(out.try_send("b"), would_block); // nobody is there by now
    in = receiver::open(where).value();
    out.send("c").value();
    EXPECT_EQ(in.receive().value().text(), "c");
}

TEST(tcp, a_reset_is_peer_died_on_both_sides) {
    raw_listener listener;
    auto out = sender::open(listener.address()).value();
    raw_peer peer = listener.accept();
    out.send("a").value();
    peer.reset();
    // The first send is told, whatever the timing: the reset is in the socket.
    EXPECT_FAILS(out.try_send("b"), peer_died);

    auto in = receiver::open(any_port).value();
    auto other = raw_peer::connected_to(port_of(in.where()));
    other.write(frame("whole"));
    EXPECT_EQ(in.receive().value().text(), "whole");
    other.reset();
    EXPECT_FAILS(in.receive(), peer_died);
    EXPECT_FAILS(in.receive(), closed);
}

TEST(tcp, a_receiver_that_is_killed_with_unread_messages_is_peer_died) {
    if (!test::can_fork) GTEST_SKIP() << "no children under ThreadSanitizer";
    auto place = receiver::open(any_port).value();
    const std::string where = name_of(place);
    place.close();
    const test::beacon there;
    const test::beacon taken;
    test::child consumer("consumer", [&] {
        auto in = receiver::open(where).value();
        there.raise();
        in.receive().value();
        taken.raise();
        ::pause();
    });
    there.wait();
    auto out = sender::open(where).value();
    out.send("taken").value();
    taken.wait();
    out.send("unread").value();
    consumer.kill();
    EXPECT_FAILS(out.try_send("x"), peer_died);
}

// ---- frames from strangers ----------------------------------------------------------------------

TEST(tcp, a_message_that_dribbles_in_byte_by_byte_arrives_whole) {
    auto in = receiver::open(any_port).value();
    auto peer = raw_peer::connected_to(port_of(in.where()));
    const int on = 1;
    ::setsockopt(peer.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const std::string bytes =
        frame("one") + frame("") + frame("tw", wire::frame_mark::more) + frame("o");
    std::vector<std::string> got;
    for (const char byte : bytes) {
        peer.write({&byte, 1});
        while (auto message = in.try_receive()) got.emplace_back(message->text());
    }
    EXPECT_EQ(got, (std::vector<std::string>{"one", "", "two"}));
}

TEST(tcp, a_peer_that_dies_in_a_message_is_peer_died_once) {
    auto in = receiver::open(any_port).value();
    const std::string whole = frame("never whole");
    for (std::size_t size = 1; size < whole.size(); ++size) {
        auto peer = raw_peer::connected_to(port_of(in.where()));
        peer.write(whole.substr(0, size));
        peer.close();
        EXPECT_FAILS(in.receive(), peer_died);
        // Before its first header is whole nobody is known to be a sender.
        if (size < wire::frame_header_bytes) continue;
        EXPECT_FAILS(in.try_receive(), closed);
    }
}

TEST(tcp, garbage_is_corrupt_and_costs_only_its_own_connection) {
    auto in = receiver::open(any_port).value();
    auto good = sender::open(name_of(in)).value();
    std::string no_mark = frame("x");
    no_mark.back() = '\x09';
    std::string four_gib = frame("");
    for (std::size_t i = 4; i < 8; ++i) four_gib[i] = '\xFF';
    std::string with_descriptors = frame("x"); // which no TCP connection carries
    with_descriptors[3] = '\x02';
    for (const std::string& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(4096, '\0'),
                                     four_gib, no_mark, with_descriptors}) {
        auto bad = raw_peer::connected_to(port_of(in.where()));
        bad.write(bytes);
        EXPECT_FAILS(in.receive(), corrupt);
        char byte = 0;
        EXPECT_LE(::recv(bad.fd(), &byte, 1, 0), 0) << "its connection is closed";
        good.send("still here").value();
        EXPECT_EQ(in.receive().value().text(), "still here");
    }
}

TEST(tcp, a_message_above_max_message_is_skipped_and_told) {
    options small;
    small.max_message = 1000;
    auto in = receiver::open(any_port, small).value();
    auto out = sender::open(name_of(in)).value(); // which does not know of the limit
    out.send(pattern(1001, 1)).value();
    out.send(pattern(1000, 2)).value();
    const auto told = in.receive();
    EXPECT_FAILS(told, too_big);
    EXPECT_NE(told.why().detail().find("1000"), std::string_view::npos);
    EXPECT_EQ(in.receive().value().size(), 1000U);
}

// ---- flow ---------------------------------------------------------------------------------------

TEST(tcp, large_messages_pass_small_buffers_in_parts) {
    if (!test::can_fork) GTEST_SKIP() << "no children under ThreadSanitizer";
    constexpr std::size_t size = 16UL << 20U;
    options tight;
    tight.max_memory = 16UL << 10U;
    auto in = receiver::open(any_port, tight).value();
    const std::string where = name_of(in);
    test::child producer("producer", [&] {
        options wanted;
        wanted.max_memory = 16UL << 10U;
        auto out = sender::open(where, wanted).value();
        for (unsigned n = 0; n < 3; ++n) out.send(pattern(size - n, n)).value();
    });
    for (unsigned n = 0; n < 3; ++n) {
        const auto got = in.receive().value();
        const auto wanted = pattern(size - n, n);
        EXPECT_TRUE(std::ranges::equal(got.bytes(), wanted)) << n;
    }
    EXPECT_FAILS(in.receive(), closed);
    EXPECT_TRUE(producer.end_well());
}

TEST(tcp, a_send_that_gives_up_takes_its_message_back) {
    options tight;
    tight.max_memory = 16UL << 10U;
    auto in = receiver::open(any_port, tight).value();
    auto out = sender::open(name_of(in), tight).value();
    const auto large = pattern(8UL << 20U, 1);
    EXPECT_FAILS(out.send_for(large, 20ms), timed_out);
    EXPECT_FAILS(out.try_send("x"), would_block); // the rest of it blocks the way
    EXPECT_FAILS(out.try_send(large), too_big);   // would never go in at once
    // What the receiver now takes is the void one; the next arrives whole, and nothing else.
    bool sent = false;
    std::optional<message> got;
    while (!got) {
        if (!sent) sent = out.try_send("next").has_value();
        if (auto one = in.try_receive(); one)
            got.emplace(std::move(*one));
        else
            ASSERT_TRUE(one.is(errc::would_block)) << code_of(one);
    }
    EXPECT_TRUE(sent);
    EXPECT_EQ(got->text(), "next");
    EXPECT_EQ(out.stats().sent, 1U);
}

TEST(tcp, five_hundred_senders) {
    auto in = receiver::open(any_port).value();
    std::vector<sender> all;
    for (int n = 0; n < 500; ++n) {
        all.push_back(sender::open(name_of(in)).value());
        all.back().send(std::to_string(n)).value();
    }
    std::vector<bool> seen(all.size());
    for (std::size_t n = 0; n < all.size(); ++n) {
        const auto got = in.receive().value();
        const auto who = static_cast<std::size_t>(std::stoi(std::string(got.text())));
        EXPECT_FALSE(seen[who]);
        seen[who] = true;
    }
    EXPECT_FAILS(in.try_receive(), would_block);
    all.clear();
    EXPECT_FAILS(in.receive(), closed);
}

// Takes all descriptors that are left, and gives them back.
class no_descriptors {
  public:
    no_descriptors() {
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
        EXPECT_EQ(errno, EMFILE);
    }
    ~no_descriptors() {
        for (const int fd : taken_) ::close(fd);
    }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

  private:
    std::vector<int> taken_;
};

TEST(tcp, without_descriptors_a_sender_that_connects_waits) {
    auto in = receiver::open(any_port).value();
    auto known = sender::open(name_of(in)).value();
    known.send("a").value();
    EXPECT_EQ(in.receive().value().text(), "a");
    auto late = sender::open(name_of(in)).value();
    late.send("late").value();
    {
        const no_descriptors none;
        const auto refused = in.receive();
        EXPECT_FAILS(refused, system);
        EXPECT_EQ(refused.why().sys(), EMFILE);
        known.send("b").value();
        EXPECT_EQ(in.receive().value().text(), "b");
    }
    EXPECT_EQ(in.receive().value().text(), "late");
}

TEST(tcp, without_descriptors_opening_says_so) {
    auto in = receiver::open(any_port).value();
    const no_descriptors none;
    for (const result<void>& refused : {[] {
                                            auto r = receiver::open(any_port);
                                            return r ? result<void>{} : r.why();
                                        }(),
                                        [&] {
                                            auto s = sender::open(name_of(in));
                                            return s ? result<void>{} : s.why();
                                        }()}) {
        EXPECT_FAILS(refused, system);
        EXPECT_EQ(refused.why().sys(), EMFILE);
    }
}

TEST(tcp, descriptors_and_priorities_do_not_go_along) {
    auto in = receiver::open(any_port).value();
    auto out = sender::open(name_of(in)).value();
    const std::array fds{0};
    envelope with;
    with.descriptors = fds;
    EXPECT_FAILS(out.send_with("x", with), unsupported);
    with = {};
    with.priority = 1;
    EXPECT_FAILS(out.send_with("x", with), unsupported);
}

TEST(tcp, memory_is_told_and_changed_and_its_limit_is_named) {
    auto in = receiver::open(any_port).value();
    auto out = sender::open(name_of(in)).value();
    options wanted;
    wanted.max_memory = 20'000;
    EXPECT_TRUE(out.change(wanted));
    EXPECT_GE(out.attributes().value().capacity_bytes.value_or(0), 20'000U);
    EXPECT_TRUE(in.change(wanted));
    EXPECT_GE(in.attributes().value().capacity_bytes.value_or(0), 20'000U);
    EXPECT_EQ(in.attributes().value().max_message, 16UL << 20U);
    wanted.max_memory = 1ULL << 40U;
    const auto refused = out.change(wanted);
    EXPECT_FAILS(refused, no_space);
    EXPECT_NE(refused.why().detail().find("net.core.wmem_max"), std::string_view::npos);
    EXPECT_FAILS(receiver::open(any_port, wanted), no_space);
    options other;
    other.capacity = 5;
    EXPECT_FAILS(out.change(other), unsupported);
}

// ---- bytes --------------------------------------------------------------------------------------

TEST(tcp, byte_streams_carry_exactly_the_bytes_both_ways_with_half_close) {
    auto listener = byte_listener::open(any_port).value();
    EXPECT_NE(port_of(listener.where()), 0);
    auto here = byte_stream::open(listener.where().name()).value();
    auto there = listener.accept().value();
    EXPECT_EQ(there.where().rest.substr(0, 12), "//127.0.0.1:");
    here.write_all("question").value();
    here.finish_writing().value();
    EXPECT_FAILS(here.write_all("more"), closed);
    std::array<std::byte, 64> room{};
    std::string heard;
    for (;;) {
        const auto got = there.read_some(room);
        if (!got) {
            EXPECT_FAILS(got, closed);
            break;
        }
        heard.append(reinterpret_cast<const char*>(room.data()), *got);
    }
    EXPECT_EQ(heard, "question");
    there.write_all("answer").value();
    there.close();
    EXPECT_EQ(here.read_some(room).value(), 6U);
    EXPECT_FAILS(here.read_some(room), closed);
}

TEST(tcp, a_byte_stream_waits_for_its_listener_or_not) {
    std::string where;
    {
        auto listener = byte_listener::open(any_port).value();
        where = listener.where().name();
    }
    options must_exist;
    must_exist.create = create_policy::open;
    EXPECT_FAILS(byte_stream::open(where, stream_role::both, must_exist), not_found);
    EXPECT_FAILS(byte_stream::open(where, stream_role::both, {}, deadline::now()), would_block);
    EXPECT_FAILS(byte_stream::open(where, stream_role::both, {}, deadline::after(20ms)), timed_out);
    auto listener = byte_listener::open(where).value();
    EXPECT_FAILS(byte_listener::open(where), already_exists);
    EXPECT_FAILS(listener.accept(deadline::now()), would_block);
    EXPECT_TRUE(byte_stream::open(where, stream_role::both, must_exist));
}

TEST(tcp, a_reset_byte_stream_is_peer_died) {
    raw_listener listener;
    auto stream = byte_stream::open(listener.address()).value();
    listener.accept().reset();
    std::array<std::byte, 8> room{};
    EXPECT_FAILS(stream.read_some(room), peer_died);
}

TEST(tcp, a_fork_child_has_none_of_it) {
    if (!test::can_fork) GTEST_SKIP() << "no children under ThreadSanitizer";
    auto in = receiver::open(any_port).value();
    auto out = sender::open(name_of(in)).value();
    out.send("a").value();
    EXPECT_EQ(in.receive().value().text(), "a");
    test::child child("child", [&] {
        EXPECT_FAILS(out.try_send("b"), invalid_argument);
        EXPECT_FAILS(in.try_receive(), invalid_argument);
    });
    EXPECT_TRUE(child.end_well());
    out.close();
    // If the child had kept a copy, the connection would still be there while it lives.
    EXPECT_FAILS(in.receive(), closed);
}

} // namespace
} // namespace hawser
