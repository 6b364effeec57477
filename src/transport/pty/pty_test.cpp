// Pseudo-terminals: bytes both ways, the end, the size, and what is no terminal.
#include <hawser/terminal.hpp>

#include <array>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

namespace hawser {
namespace {

using namespace std::chrono_literals;

std::string read_exactly(byte_stream& from, std::size_t size) {
    std::string text(size, '\0');
    std::size_t got = 0;
    while (got < size) {
        const auto into = std::as_writable_bytes(std::span(text)).subspan(got);
        got += from.read_some(into).value();
    }
    return text;
}

// Every byte, also those that a terminal would take for a key.
std::string every_byte(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 7 + i / 256);
    return text;
}

TEST(Pty, AllBytesPassBothWaysUnchanged) {
    auto master = byte_stream::open("pty:").value();
    ASSERT_EQ(master.where().to_text().substr(0, 13), "pty:/dev/pts/");
    auto slave = byte_stream::open(master.where().to_text()).value();
    const std::string text = every_byte(300'000);
    for (auto [from, to] : {std::pair{&master, &slave}, std::pair{&slave, &master}}) {
        std::thread writer([&, out = from] { out->write_all(text).value(); });
        EXPECT_EQ(read_exactly(*to, text.size()), text);
        writer.join();
    }
}

TEST(Pty, HangingUpIsTheEndForBoth) {
    auto master = byte_stream::open("pty:").value();
    std::array<std::byte, 16> bytes{};
    EXPECT_TRUE(master.read_some(bytes, deadline::now()).is(errc::would_block)); // nobody yet
    {
        auto slave = byte_stream::open(master.where().to_text()).value();
        slave.write_all("last words").value();
    }
    EXPECT_EQ(read_exactly(master, 10), "last words");
    EXPECT_TRUE(master.read_some(bytes).is(errc::closed));
    // Another program may come.
    auto slave = byte_stream::open(master.where().to_text()).value();
    slave.write_all("again").value();
    EXPECT_EQ(read_exactly(master, 5), "again");
    const std::string path = master.where().to_text();
    master.close();
    EXPECT_TRUE(slave.read_some(bytes).is(errc::closed));
    EXPECT_TRUE(slave.write_all("x").is(errc::closed));
    EXPECT_FALSE(byte_stream::open(path));
}

TEST(Pty, TheWindowHasASize) {
    auto master = byte_stream::open("pty:").value();
    auto slave = byte_stream::open(master.where().to_text()).value();
    set_window_size(master.fd().value(), {24, 80}).value();
    EXPECT_EQ(window_size_of(slave.fd().value()).value(), (window_size{24, 80}));
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    EXPECT_TRUE(window_size_of(ends[0]).is(errc::invalid_argument));
    EXPECT_TRUE(set_window_size(ends[0], {1, 1}).is(errc::invalid_argument));
    EXPECT_TRUE(raw_terminal::enter(ends[0]).is(errc::invalid_argument));
    for (const int fd : ends) ::close(fd);
}

TEST(Pty, RawModeIsLeftAsItWasFound) {
    auto master = byte_stream::open("pty:").value();
    const int fd = master.fd().value();
    termios cooked{};
    ASSERT_EQ(::tcgetattr(fd, &cooked), 0);
    cooked.c_lflag |= static_cast<tcflag_t>(ICANON | ECHO);
    ASSERT_EQ(::tcsetattr(fd, TCSANOW, &cooked), 0);
    termios now{};
    {
        const auto raw = raw_terminal::enter(fd).value();
        ASSERT_EQ(::tcgetattr(fd, &now), 0);
        EXPECT_EQ(now.c_lflag & static_cast<tcflag_t>(ICANON | ECHO), 0U);
    }
    ASSERT_EQ(::tcgetattr(fd, &now), 0);
    EXPECT_EQ(now.c_lflag, cooked.c_lflag);
}

TEST(Pty, AReaderThatStopsIsNotWaitedForWithoutEnd) {
    auto master = byte_stream::open("pty:").value();
    const auto slave = byte_stream::open(master.where().to_text()).value();
    const std::string text(1'000'000, 'x');
    EXPECT_TRUE(master.write_all(text, deadline::after(5ms)).is(errc::timed_out));
}

TEST(Pty, WhatIsNoTerminalSaysSo) {
    EXPECT_TRUE(byte_stream::open("pty:/dev/pts/99999").is(errc::not_found));
    EXPECT_TRUE(byte_stream::open("pty:/dev/null").is(errc::corrupt));
    EXPECT_TRUE(byte_stream::open("pty:/etc/passwd").is(errc::corrupt));
    EXPECT_TRUE(byte_stream::open("pty:7").is(errc::invalid_argument));
    EXPECT_TRUE(byte_stream::open("pty:?mode=0600").is(errc::unsupported));
    for (const auto& why : {sender::open("pty:").why(), receiver::open("pty:").why()}) {
        EXPECT_EQ(why.code(), errc::unsupported);
        EXPECT_NE(why.detail().find("byte_stream"), std::string_view::npos);
    }
    EXPECT_TRUE(byte_listener::open("pty:").is(errc::unsupported));
}

} // namespace
} // namespace hawser
