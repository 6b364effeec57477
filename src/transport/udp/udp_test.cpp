// UDP as it is: what is lost, refused or too long is told as that.
#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/place.hpp"

namespace hawser {
namespace {

constexpr const char* any_port = "udp://127.0.0.1:0";
constexpr std::size_t largest_by_ipv4 = 65'507;
constexpr std::size_t largest_by_ipv6 = 65'527;

std::string name_of(const receiver& in) {
    return in.where().name();
}

std::string port_of(const address& where) {
    return where.rest.substr(where.rest.rfind(':') + 1);
}

std::vector<std::byte> filled(std::size_t size, unsigned seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 17 + seed);
    return bytes;
}

template <typename T>
std::string code_of(const result<T>& outcome) {
    return outcome ? "success" : outcome.why().describe();
}
#define EXPECT_FAILS(outcome, wanted) EXPECT_TRUE((outcome).is(errc::wanted)) << code_of(outcome)

// On this computer a datagram is in its receiver's buffer, or dropped, when the send returns.

TEST(udp, port_0_is_told_and_can_be_sent_to) {
    for (const char* at : {"udp://127.0.0.1:0", "udp://[::1]:0", "udp://localhost:0"}) {
        auto in = receiver::open(at).value();
        auto out = sender::open(name_of(in)).value();
        out.send("hello").value();
        EXPECT_EQ(in.receive().value().text(), "hello");
    }
}

TEST(udp, a_star_takes_ipv4_and_ipv6) {
    auto in = receiver::open("udp://*:0").value();
    for (const char* host : {"127.0.0.1", "[::1]", "127.9.8.7"}) {
        auto out = sender::open(std::string("udp://") + host + ":" + port_of(in.where())).value();
        out.send(host).value();
        EXPECT_EQ(in.receive().value().text(), host);
    }
}

TEST(udp, a_second_receiver_is_refused_and_a_later_one_is_not) {
    auto in = receiver::open(any_port).value();
    EXPECT_FAILS(receiver::open(name_of(in)), already_exists);
    EXPECT_FAILS(receiver::open("udp://*:" + port_of(in.where())), already_exists);
    const std::string where = name_of(in);
    in.close();
    EXPECT_TRUE(receiver::open(where));
}

TEST(udp, addresses_and_options_that_mean_nothing_here_are_refused) {
    EXPECT_FAILS(sender::open("udp://*:7000"), invalid_argument);
    EXPECT_FAILS(sender::open("udp://localhost:0"), invalid_argument);
    EXPECT_FAILS(sender::open("udp:localhost:7000"), invalid_argument);
    EXPECT_FAILS(receiver::open("udp://192.0.2.77:0"), not_found);
    EXPECT_FAILS(sender::open("udp://localhost:7000?create=open"), unsupported);
    EXPECT_FAILS(sender::open("udp://localhost:7000?create=create"), unsupported);
    EXPECT_FAILS(receiver::open(std::string(any_port) + "?mode=0600"), unsupported);
    EXPECT_FAILS(receiver::open(std::string(any_port) + "?max_message=1MiB"), unsupported);
    EXPECT_FAILS(byte_stream::open("udp://localhost:7000"), unsupported);
    EXPECT_FAILS(sender::open("udp://255.255.255.255:7000"), permission); // broadcasting
}

TEST(udp, every_size_is_a_message) {
    options room;
    room.max_memory = 300'000;
    auto in4 = receiver::open(any_port, room).value();
    auto in6 = receiver::open("udp://[::1]:0", room).value();
    auto out4 = sender::open(name_of(in4), room).value();
    auto out6 = sender::open(name_of(in6), room).value();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1400},
                                   std::size_t{40'000}, largest_by_ipv4, largest_by_ipv6}) {
        const auto bytes = filled(size, 3);
        out6.send(bytes).value();
        const auto got = in6.receive().value();
        EXPECT_TRUE(std::ranges::equal(got.bytes(), bytes)) << size;
        if (size > largest_by_ipv4) {
            EXPECT_FAILS(out4.send(bytes), too_big);
            continue;
        }
        out4.send(bytes).value();
        EXPECT_TRUE(std::ranges::equal(in4.receive().value().bytes(), bytes)) << size;
    }
    const auto refused = out6.send(filled(largest_by_ipv6 + 1, 3));
    EXPECT_FAILS(refused, too_big);
    EXPECT_NE(refused.why().detail().find("65527"), std::string_view::npos);
}

TEST(udp, a_datagram_that_is_too_long_is_told_with_its_size_and_never_cut) {
    options small;
    small.max_message = 100;
    auto in = receiver::open(any_port, small).value();
    auto out = sender::open(name_of(in)).value();
    out.send(filled(101, 1)).value();
    out.send(filled(100, 2)).value();
    const auto told = in.receive();
    EXPECT_FAILS(told, too_big);
    EXPECT_NE(told.why().detail().find("101"), std::string_view::npos);
    EXPECT_TRUE(std::ranges::equal(in.receive().value().bytes(), filled(100, 2)));
    EXPECT_FAILS(in.try_receive(), would_block);
}

TEST(udp, what_the_host_says_of_a_message_is_told_at_the_next) {
    std::string where;
    {
        auto in = receiver::open(any_port).value();
        where = name_of(in);
    }
    auto out = sender::open(where).value();
    EXPECT_TRUE(out.send("into the void")); // nobody can know
    const auto told = out.send("not sent");
    EXPECT_FAILS(told, not_found);
    EXPECT_EQ(told.why().sys(), ECONNREFUSED);
    auto in = receiver::open(where).value();
    out.send("heard").value();
    EXPECT_EQ(in.receive().value().text(), "heard");
    EXPECT_FAILS(in.try_receive(), would_block);
}

TEST(udp, what_had_no_room_is_counted) {
    options tight;
    tight.max_memory = 5'000;
    auto in = receiver::open(any_port, tight).value();
    auto out = sender::open(name_of(in)).value();
    constexpr std::uint64_t sent = 200;
    for (std::uint64_t n = 0; n < sent; ++n) out.send(filled(1'000, 1)).value();
    EXPECT_GT(in.stats().dropped, 0U); // at once, not with the next message only
    std::uint64_t received = 0;
    while (in.try_receive()) ++received;
    EXPECT_GT(received, 0U);
    EXPECT_EQ(received + in.stats().dropped, sent);
    EXPECT_EQ(in.stats().received, received);
}

TEST(udp, there_is_no_end_of_stream) {
    auto in = receiver::open(any_port).value();
    {
        auto out = sender::open(name_of(in)).value();
        out.send("a").value();
    }
    EXPECT_EQ(in.receive().value().text(), "a");
    EXPECT_FAILS(in.try_receive(), would_block);
}

TEST(udp, a_strangers_datagrams_are_messages) {
    auto in = receiver::open(any_port).value();
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port_of(in.where()))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const std::string_view text : {"plain", "", "hw\x01 is no header here"})
        ASSERT_EQ(::sendto(fd, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                           sizeof(to)),
                  static_cast<ssize_t>(text.size()));
    ::close(fd);
    EXPECT_EQ(in.receive().value().text(), "plain");
    const auto empty = in.receive().value();
    EXPECT_TRUE(empty.empty());
    EXPECT_FALSE(empty.sender());
    EXPECT_EQ(in.receive().value().text(), "hw\x01 is no header here");
}

TEST(udp, memory_is_told_and_changed_and_its_limit_is_named) {
    auto in = receiver::open(any_port).value();
    auto out = sender::open(name_of(in)).value();
    options wanted;
    wanted.max_memory = 20'000;
    EXPECT_TRUE(out.change(wanted));
    EXPECT_TRUE(in.change(wanted));
    EXPECT_GE(in.attributes().value().capacity_bytes.value_or(0), 20'000U);
    EXPECT_EQ(in.attributes().value().max_message, largest_by_ipv6);
    EXPECT_EQ(out.attributes().value().max_message, largest_by_ipv4);
    wanted.max_memory = 1ULL << 40U;
    const auto refused = in.change(wanted);
    EXPECT_FAILS(refused, no_space);
    EXPECT_NE(refused.why().detail().find("net.core.rmem_max"), std::string_view::npos);
}

} // namespace
} // namespace hawser
