#include "os/bell.hpp"

#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

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
enum class kind : std::uint8_t { alone, shared };

class Bell : public testing::TestWithParam<kind> {
  protected:
    Bell() { set_size(fd_.get(), page_bytes()).value(); }
    unique_fd fd_ = make_unnamed(test::private_directory()).value();
    [[nodiscard]] bell listen(bell_tone tone) const {
        return GetParam() == kind::alone ? bell::listen_alone(fd_.get(), tone).value()
                                         : bell::listen_shared(fd_.get(), tone).value();
    }
    [[nodiscard]] unique_fd writer() const {
        return open_again(fd_.get(), access_kind::read_write).value();
    }
};

TEST_P(Bell, EachToneIsForThoseWhoListenToIt) {
    bell reading = listen(bell_tone::touch);
    bell writing = listen(bell_tone::write);
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

TEST_P(Bell, StaysReadableUntilQuiet) {
    bell one = listen(bell_tone::touch);
    const unique_fd other = writer();
    for (int i = 0; i < 300; ++i) bell::ring_others(other.get(), bell_tone::touch, 0);
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(is_readable(one.fd()));
    one.quiet();
    EXPECT_FALSE(is_readable(one.fd()));
    bell::ring_others(other.get(), bell_tone::touch, 0);
    EXPECT_TRUE(is_readable(one.fd(), for_ever)) << "and rings again";
}

TEST_P(Bell, RingingWithAWriteChangesOnlyItsByteToZero) {
    const unique_fd other = writer();
    auto mapped = mapping::of(fd_.get(), page_bytes(), access_kind::read_write).value();
    for (int i = 0; i < 16; ++i) mapped.data()[i] = std::byte{9};
    bell::ring_others(other.get(), bell_tone::write, 8);
    for (int i = 0; i < 16; ++i)
        EXPECT_EQ(mapped.data()[i], i == 8 ? std::byte{0} : std::byte{9}) << i;
    EXPECT_EQ(status_of(fd_.get())->bytes, page_bytes());
}

TEST_P(Bell, RingSelfIsForOneselfOnly) {
    bell one = listen(bell_tone::touch);
    bell two = listen(bell_tone::touch);
    one.ring_self();
    one.ring_self();
    EXPECT_TRUE(is_readable(one.fd()));
    EXPECT_FALSE(is_readable(two.fd()));
    EXPECT_FALSE(one.quiet().departed);
    EXPECT_FALSE(is_readable(one.fd()));
}

TEST_P(Bell, TheCloseOfAWriterIsADeparture) {
    bell one = listen(bell_tone::write);
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

TEST_P(Bell, TheDeathOfAWriterIsADeparture) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    bell one = listen(bell_tone::touch);
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

TEST_P(Bell, AReminderRingsOnce) {
    bell one = listen(bell_tone::touch);
    one.remind_after_ns(1);
    EXPECT_TRUE(is_readable(one.fd(), for_ever));
    EXPECT_TRUE(one.quiet().reminded);
    EXPECT_FALSE(is_readable(one.fd()));
    EXPECT_FALSE(one.quiet().reminded);
    one.remind_after_ns(3'600'000'000'000);
    EXPECT_FALSE(is_readable(one.fd())) << "in an hour";
}

TEST_P(Bell, NestsInEpoll) {
    bell one = listen(bell_tone::touch);
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

TEST_P(Bell, IsSilentInAForkChildAndItsOwnBellsRing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    bell one = listen(bell_tone::touch);
    test::child forked("forked", [&] {
        EXPECT_EQ(one.fd(), -1);
        one.ring_self();
        EXPECT_FALSE(one.quiet().departed);
        bell own = listen(bell_tone::touch);
        bell::ring_others(writer().get(), bell_tone::touch, 0);
        EXPECT_TRUE(is_readable(own.fd(), for_ever));
        own.quiet();
        one = std::move(own); // what was inherited goes, and disturbs nothing
        bell::ring_others(writer().get(), bell_tone::touch, 0);
        EXPECT_TRUE(is_readable(one.fd(), for_ever));
    });
    EXPECT_TRUE(forked.end_well());
    one.quiet();
    bell::ring_others(writer().get(), bell_tone::touch, 0);
    EXPECT_TRUE(is_readable(one.fd(), for_ever)) << "the parent's goes on";
}

INSTANTIATE_TEST_SUITE_P(Kinds, Bell, testing::Values(kind::alone, kind::shared),
                         [](const auto& one) {
                             return one.param == kind::alone ? "alone" : "shared";
                         });

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
        ++count;
    return count;
}

std::string target_of(int fd) {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
}

std::size_t inotify_instances() {
    std::size_t count = 0;
    for (const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code ignored;
        if (std::filesystem::read_symlink(one.path(), ignored) == "anon_inode:inotify") ++count;
    }
    return count;
}

TEST(ManyBells, TakeAFewInstancesAndOneDescriptorEach) {
    const std::size_t before = open_descriptors();
    const std::size_t instances = inotify_instances();
    constexpr std::size_t count = 500; // more than the kernel has instances for a user
    std::vector<unique_fd> files;
    std::vector<bell> bells;
    for (std::size_t i = 0; i < count; ++i) {
        files.push_back(make_unnamed(test::private_directory()).value());
        bells.push_back(bell::listen(files.back().get(), bell_tone::touch).value());
    }
    EXPECT_EQ(inotify_instances(), instances + bell::most_alone + 1);
    EXPECT_LE(open_descriptors(), before + 2 * count + 4 * bell::most_alone + 2);
    for (std::size_t i = 0; i < count; i += 7) {
        bell::ring_others(files[i].get(), bell_tone::touch, 0);
        EXPECT_TRUE(is_readable(bells[i].fd(), for_ever)) << i;
        EXPECT_FALSE(bells[i].quiet().departed);
        EXPECT_FALSE(is_readable(bells[i].fd())) << i;
    }
    for (const bell& one : bells) EXPECT_FALSE(is_readable(one.fd())) << target_of(one.fd());
    bells.clear();
    files.clear();
    EXPECT_EQ(open_descriptors(), before) << "also the thread's";
}

TEST(ManyBells, AnOverflowOfTheKernelsQueueRingsEveryoneAsADeparture) {
    const unique_fd one = make_unnamed(test::private_directory()).value();
    const unique_fd two = make_unnamed(test::private_directory()).value();
    const unique_fd three = make_unnamed(test::private_directory()).value();
    bell first = bell::listen_shared(one.get(), bell_tone::touch).value();
    bell second = bell::listen_shared(two.get(), bell_tone::touch).value();
    bell third = bell::listen_shared(three.get(), bell_tone::touch).value();
    // Nobody reads while we hold this; two in turn, as the kernel merges what is the same.
    {
        const std::lock_guard hold(fork_safe_mutex());
        for (int i = 0; i < 20000; ++i)
            bell::ring_others((i % 2 == 0 ? one : two).get(), bell_tone::touch, 0);
    }
    EXPECT_TRUE(is_readable(third.fd(), for_ever));
    EXPECT_TRUE(third.quiet().departed);
    EXPECT_TRUE(first.quiet().departed);
    EXPECT_TRUE(second.quiet().departed);
    EXPECT_FALSE(third.quiet().departed);
}

TEST(ManyBells, OfOneFileAreRungTogetherEachForItsTone) {
    const unique_fd file = make_unnamed(test::private_directory()).value();
    set_size(file.get(), page_bytes()).value();
    std::vector<bell> touched;
    std::vector<bell> written;
    for (int i = 0; i < 20; ++i) {
        touched.push_back(bell::listen_shared(file.get(), bell_tone::touch).value());
        written.push_back(bell::listen_shared(file.get(), bell_tone::write).value());
    }
    bell::ring_others(file.get(), bell_tone::touch, 0);
    for (bell& one : written) one.quiet();
    for (bell& one : touched) EXPECT_TRUE(is_readable(one.fd()));
    for (bell& one : written) EXPECT_FALSE(is_readable(one.fd()));
    touched.erase(touched.begin(), touched.begin() + 19);
    for (bell& one : touched) one.quiet();
    bell::ring_others(file.get(), bell_tone::write, 0);
    for (bell& one : written) EXPECT_TRUE(is_readable(one.fd(), for_ever));
    for (bell& one : touched) EXPECT_FALSE(is_readable(one.fd()));
}

TEST(ManyBells, AreRemindedInTheirOrder) {
    const unique_fd file = make_unnamed(test::private_directory()).value();
    bell hour = bell::listen_shared(file.get(), bell_tone::touch).value();
    bell soon = bell::listen_shared(file.get(), bell_tone::touch).value();
    bell gone = bell::listen_shared(file.get(), bell_tone::touch).value();
    bell second = bell::listen_shared(file.get(), bell_tone::touch).value();
    hour.remind_after_ns(3'600'000'000'000);
    gone.remind_after_ns(2'000'000);
    soon.remind_after_ns(1'000'000);
    second.remind_after_ns(3'000'000);
    { const bell ends = std::move(gone); }
    EXPECT_TRUE(is_readable(second.fd(), for_ever));
    EXPECT_TRUE(is_readable(soon.fd())) << "it was due before";
    EXPECT_TRUE(soon.quiet().reminded);
    EXPECT_TRUE(second.quiet().reminded);
    EXPECT_FALSE(is_readable(hour.fd()));
    hour.remind_after_ns(1); // anew
    EXPECT_TRUE(is_readable(hour.fd(), for_ever));
    EXPECT_TRUE(hour.quiet().reminded);
}

TEST(ManyBells, RingFromAndInManyThreads) {
    constexpr int users = 4;
    constexpr int rounds = 200;
    const unique_fd file = make_unnamed(test::private_directory()).value();
    std::vector<std::thread> all;
    for (int i = 0; i < users; ++i) {
        all.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                bell own = bell::listen_shared(file.get(), bell_tone::touch).value();
                bell::ring_others(file.get(), bell_tone::touch, 0);
                EXPECT_TRUE(is_readable(own.fd(), for_ever));
                own.quiet();
                own.remind_after_ns(round % 3);
            }
        });
    }
    for (std::thread& one : all) one.join();
}

TEST(ManyBells, WithoutADescriptorSayWhatIsMissing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const unique_fd file = make_unnamed(test::private_directory()).value();
    test::child limited("limited", [&] {
        const rlimit none{static_cast<rlim_t>(open_descriptors()), 1000};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
        std::vector<unique_fd> fillers;
        for (;;) {
            unique_fd one(::dup(file.get()));
            if (!one) break;
            fillers.push_back(std::move(one));
        }
        for (auto* listen : {&bell::listen, &bell::listen_alone, &bell::listen_shared}) {
            const auto refused = listen(file.get(), bell_tone::touch);
            ASSERT_FALSE(refused);
            EXPECT_EQ(refused.why().sys(), EMFILE) << refused.why().describe();
        }
        fillers.resize(fillers.size() - std::min<std::size_t>(fillers.size(), 1));
        EXPECT_FALSE(bell::listen_shared(file.get(), bell_tone::touch)) << "half of it";
        fillers.clear();
    });
    EXPECT_TRUE(limited.end_well());
}

} // namespace
} // namespace hawser::os
