#include "os/bell.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>

#include "os/file.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

bool is_readable(int fd, int timeout_ms = 0) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, timeout_ms) == 1 && (one.revents & POLLIN) != 0;
}
constexpr int for_ever = -1; // the watchdog ends a test whose bell is never rung

// The name matters to nobody: the bell is of the file.
class Bell : public testing::Test {
  protected:
    Bell() { set_size(fd_.get(), page_bytes()).value(); }
    unique_fd fd_ = make_unnamed(test::private_directory()).value();
    unique_fd writer() const { return open_again(fd_.get(), access_kind::read_write).value(); }
};

TEST_F(Bell, EachToneIsForThoseWhoListenToIt) {
    bell reading = bell::listen(fd_.get(), bell_tone::touch).value();
    bell writing = bell::listen(fd_.get(), bell_tone::write).value();
    EXPECT_FALSE(is_readable(reading.fd()));
    EXPECT_FALSE(is_readable(writing.fd()));
    const unique_fd other = writer();
    bell::ring_others(other.get(), bell_tone::touch, 8);
    EXPECT_TRUE(is_readable(reading.fd(), for_ever));
    EXPECT_FALSE(is_readable(writing.fd()));
    EXPECT_FALSE(reading.quiet().departed) << "nobody departed";
    bell::ring_others(other.get(), bell_tone::write, 8);
    EXPECT_TRUE(is_readable(writing.fd(), for_ever));
    EXPECT_FALSE(is_readable(reading.fd()));
    EXPECT_FALSE(writing.quiet().departed);
}

TEST_F(Bell, StaysReadableUntilQuiet) {
    bell one = bell::listen(fd_.get(), bell_tone::touch).value();
    const unique_fd other = writer();
    for (int i = 0; i < 300; ++i) bell::ring_others(other.get(), bell_tone::touch, 0);
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(is_readable(one.fd()));
    one.quiet();
    EXPECT_FALSE(is_readable(one.fd()));
    bell::ring_others(other.get(), bell_tone::touch, 0);
    EXPECT_TRUE(is_readable(one.fd(), for_ever)) << "and rings again";
}

TEST_F(Bell, RingingWithAWriteChangesOnlyItsByteToZero) {
    const unique_fd other = writer();
    auto mapped = mapping::of(fd_.get(), page_bytes(), access_kind::read_write).value();
    for (int i = 0; i < 16; ++i) mapped.data()[i] = std::byte{9};
    bell::ring_others(other.get(), bell_tone::write, 8);
    for (int i = 0; i < 16; ++i)
        EXPECT_EQ(mapped.data()[i], i == 8 ? std::byte{0} : std::byte{9}) << i;
    EXPECT_EQ(status_of(fd_.get())->bytes, page_bytes());
}

TEST_F(Bell, RingSelfIsForOneselfOnly) {
    bell one = bell::listen(fd_.get(), bell_tone::touch).value();
    bell two = bell::listen(fd_.get(), bell_tone::touch).value();
    one.ring_self();
    one.ring_self();
    EXPECT_TRUE(is_readable(one.fd()));
    EXPECT_FALSE(is_readable(two.fd()));
    EXPECT_FALSE(one.quiet().departed);
    EXPECT_FALSE(is_readable(one.fd()));
}

TEST_F(Bell, TheCloseOfAWriterIsADeparture) {
    bell one = bell::listen(fd_.get(), bell_tone::write).value();
    unique_fd other = writer();
    EXPECT_FALSE(is_readable(one.fd()));
    other.reset();
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(one.quiet().departed);
    EXPECT_FALSE(one.quiet().departed) << "told once";
    unique_fd reader = open_again(fd_.get(), access_kind::read_only).value();
    reader.reset();
    EXPECT_FALSE(one.quiet().departed) << "one who could only look was never there";
}

TEST_F(Bell, TheDeathOfAWriterIsADeparture) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    bell one = bell::listen(fd_.get(), bell_tone::touch).value();
    const test::beacon open;
    const test::beacon never_raised;
    test::child other("writer", [&] {
        const unique_fd own = writer();
        open.raise();
        never_raised.wait();
    });
    open.wait();
    one.quiet();
    other.kill();
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(one.quiet().departed);
}

TEST_F(Bell, AReminderRingsOnce) {
    bell one = bell::listen(fd_.get(), bell_tone::touch).value();
    one.remind_after_ns(1);
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(one.quiet().reminded);
    EXPECT_FALSE(is_readable(one.fd()));
    EXPECT_FALSE(one.quiet().reminded);
    one.remind_after_ns(3'600'000'000'000);
    EXPECT_FALSE(is_readable(one.fd())) << "in an hour";
}

TEST_F(Bell, NestsInEpoll) {
    bell one = bell::listen(fd_.get(), bell_tone::touch).value();
    const unique_fd outer(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(::epoll_ctl(outer.get(), EPOLL_CTL_ADD, one.fd(), &event), 0);
    EXPECT_EQ(::epoll_wait(outer.get(), &event, 1, 0), 0);
    bell::ring_others(writer().get(), bell_tone::touch, 0);
    EXPECT_EQ(::epoll_wait(outer.get(), &event, 1, for_ever), 1);
    EXPECT_TRUE(is_readable(outer.get()));
    one.quiet();
    EXPECT_EQ(::epoll_wait(outer.get(), &event, 1, 0), 0);
}

} // namespace
} // namespace hawser::os
