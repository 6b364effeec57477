#include <hawser/poller.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "os/fd.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser {
namespace {

using namespace std::chrono_literals;
using steady = deadline::clock;

// A descriptor that is ready once it was rung.
struct bell {
    os::unique_fd fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    void ring() const { EXPECT_EQ(::eventfd_write(fd.get(), 1), 0); }
    void quiet() const {
        eventfd_t count = 0;
        ::eventfd_read(fd.get(), &count);
    }
};

std::vector<std::uint64_t> tags_of(std::span<const ready> some) {
    std::vector<std::uint64_t> tags;
    for (const ready& one : some) tags.push_back(one.tag);
    std::sort(tags.begin(), tags.end());
    return tags;
}

class Poller : public testing::Test {
  protected:
    // The tags of those that are ready, without waiting.
    std::vector<std::uint64_t> now() {
        const auto found = all_.wait(into_, deadline::now());
        if (found.is(errc::would_block)) return {};
        return tags_of(found.value());
    }
    ready only() {
        const auto found = all_.wait(into_);
        EXPECT_EQ(found.value().size(), 1U);
        return into_[0];
    }

    poller all_ = poller::make().value();
    ready into_[256];
};

using tags = std::vector<std::uint64_t>;

TEST_F(Poller, TellsOfWhatIsReadyUntilItIsReadyNoMore) {
    const bell one;
    const bell two;
    const auto first = all_.add_fd(one.fd.get(), POLLIN, 1).value();
    const auto second = all_.add_fd(two.fd.get(), POLLIN, 2).value();
    EXPECT_NE(first, second);
    EXPECT_NE(first, member_id::nobody);
    EXPECT_EQ(all_.size(), 2U);
    EXPECT_EQ(now(), tags{});
    one.ring();
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(only().member, first);
        EXPECT_EQ(into_[0].events, POLLIN);
    }
    two.ring();
    EXPECT_EQ(now(), (tags{1, 2}));
    one.quiet();
    EXPECT_EQ(now(), tags{2});
    two.quiet();
    EXPECT_EQ(now(), tags{});
}

TEST_F(Poller, WaitsAtMostUntilItsDeadline) {
    EXPECT_TRUE(all_.wait(into_, deadline::now()).is(errc::would_block));
    const auto begin = steady::now();
    EXPECT_TRUE(all_.wait(into_, deadline::after(5ms)).is(errc::timed_out));
    EXPECT_GE(steady::now() - begin, 5ms);
    EXPECT_TRUE(all_.wait(into_, deadline::at(begin)).is(errc::timed_out)) << "in the past";
    EXPECT_TRUE(all_.wait({}, deadline::now()).is(errc::invalid_argument));
    const bell one;
    one.ring();
    all_.add_fd(one.fd.get(), POLLIN, 1).value();
    EXPECT_EQ(all_.wait(into_, deadline::at(begin)).value().size(), 1U) << "looks first";
}

TEST_F(Poller, GivesEachOneItsTurnHoweverFewFit) {
    constexpr std::uint64_t count = 50;
    std::vector<bell> bells(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        all_.add_fd(bells[i].fd.get(), POLLIN, i).value();
        bells[i].ring();
    }
    all_.add_timer(deadline::now(), 1ns, count).value();
    all_.add_signal(SIGUSR1, count + 1).value();
    ::raise(SIGUSR1);
    for (const std::size_t room : {7U, 3U, 1U}) {
        std::map<std::uint64_t, int> told;
        constexpr std::size_t rounds = 6;
        for (std::size_t i = 0; i < rounds * (count + 2) / room; ++i)
            for (const ready& one : all_.wait(std::span(into_).first(room)).value()) {
                ++told[one.tag];
                if (one.signal != 0) ::raise(SIGUSR1);
            }
        ASSERT_EQ(told.size(), count + 2) << room;
        const auto [least, most] =
            std::minmax_element(told.begin(), told.end(), [](const auto& left, const auto& right) {
                return left.second < right.second;
            });
        EXPECT_GE(least->second, static_cast<int>(rounds) - 2) << room << ": " << least->first;
        EXPECT_LE(most->second, static_cast<int>(rounds) + 2) << room << ": " << most->first;
    }
    while (into_[0].signal == 0) all_.wait(std::span(into_).first(1)).value(); // or it takes effect
}

TEST_F(Poller, ATimerIsToldOnceAtItsTime) {
    const auto begin = steady::now();
    const auto timer = all_.add_timer(deadline::after(4ms), 7).value();
    const bell unused;
    all_.add_fd(unused.fd.get(), POLLIN, 1).value();
    const ready told = only();
    EXPECT_GE(steady::now() - begin, 4ms);
    EXPECT_EQ(told.tag, 7U);
    EXPECT_EQ(told.expirations, 1U);
    EXPECT_EQ(now(), tags{});
    EXPECT_EQ(all_.size(), 1U);
    EXPECT_TRUE(all_.remove(timer).is(errc::not_found));
    EXPECT_TRUE(all_.change_timer(timer, deadline::now()).is(errc::not_found));
}

TEST_F(Poller, APeriodicTimerKeepsStepAndCountsWhatWasMissed) {
    const auto begin = steady::now();
    const auto timer = all_.add_timer(deadline::at(begin + 1ms), 2ms, 7).value();
    std::uint64_t expirations = 0;
    while (expirations < 5) expirations += only().expirations;
    const auto needed = begin + 1ms + 2ms * static_cast<std::int64_t>(expirations - 1);
    EXPECT_GE(steady::now(), needed) << "never early";
    test::until([&] { return steady::now() > needed + 20ms; });
    EXPECT_GE(only().expirations, 10U) << "missed ones are one, with their count";
    EXPECT_TRUE(all_.change_timer(timer, deadline::never()));
    EXPECT_EQ(now(), tags{});
    EXPECT_TRUE(all_.change_timer(timer, deadline::now()));
    EXPECT_EQ(now(), tags{7});
    EXPECT_EQ(now(), tags{});
    EXPECT_TRUE(all_.add_timer(deadline::now(), -1ns).is(errc::invalid_argument));
}

TEST_F(Poller, TimersAreDueInTheirOrder) {
    const auto now_ = steady::now();
    all_.add_timer(deadline::at(now_ + 3ms), 3).value();
    all_.add_timer(deadline::at(now_ + 1ms), 1).value();
    const auto gone = all_.add_timer(deadline::at(now_), 0).value();
    all_.add_timer(deadline::at(now_ + 2ms), 2).value();
    all_.add_timer(deadline::never(), 9).value();
    all_.remove(gone).value();
    ready one[1];
    for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(all_.wait(one).value()[0].tag, i);
    EXPECT_EQ(all_.size(), 1U);
}

TEST_F(Poller, ASignalIsToldInsteadOfHandled) {
    const auto usr1 = all_.add_signal(SIGUSR1, 1).value();
    all_.add_signal(SIGRTMIN + 3, 2).value();
    EXPECT_TRUE(all_.add_signal(SIGUSR1).is(errc::already_exists));
    ::raise(SIGUSR1); // would end the program
    ready told = only();
    EXPECT_EQ(told.member, usr1);
    EXPECT_EQ(told.signal, SIGUSR1);
    EXPECT_EQ(told.from_pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(now(), tags{});
    for (int i = 0; i < 3; ++i) ::raise(SIGRTMIN + 3);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(only().signal, SIGRTMIN + 3);
    EXPECT_EQ(now(), tags{});
    all_.remove(usr1).value();
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(::sigismember(&blocked, SIGUSR1), 0) << "as it was";
    EXPECT_EQ(::sigismember(&blocked, SIGRTMIN + 3), 1);
    all_ = poller::make().value();
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    EXPECT_EQ(::sigismember(&blocked, SIGRTMIN + 3), 0);
    for (const int refused : {0, -1, 65, 100, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, 32})
        EXPECT_TRUE(all_.add_signal(refused).is(errc::invalid_argument)) << refused;
    EXPECT_EQ(all_.size(), 0U);
}

TEST_F(Poller, ASignalThatWasBlockedBeforeStaysSo) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, SIGUSR2);
    ::pthread_sigmask(SIG_BLOCK, &one, nullptr);
    all_.remove(all_.add_signal(SIGUSR2).value()).value();
    sigset_t blocked;
    ::pthread_sigmask(SIG_UNBLOCK, &one, &blocked);
    EXPECT_EQ(::sigismember(&blocked, SIGUSR2), 1);
}

TEST_F(Poller, AWakeUpEndsTheWaitOrTheNextOne) {
    all_.wake();
    all_.wake();
    EXPECT_TRUE(all_.wait(into_).value().empty());
    EXPECT_TRUE(all_.wait(into_, deadline::now()).is(errc::would_block)) << "several are one";
    std::thread other([&] { all_.wake(); });
    EXPECT_TRUE(all_.wait(into_).value().empty());
    other.join();
    const bell one;
    one.ring();
    all_.add_fd(one.fd.get(), POLLIN, 1).value();
    all_.wake();
    EXPECT_EQ(now(), tags{1});
}

TEST_F(Poller, AHandlerInterruptsTheWait) {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    struct sigaction before {};
    ::sigaction(SIGALRM, &action, &before);
    const itimerval soon{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_TRUE(all_.wait(into_).is(errc::interrupted));
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before, nullptr);
}

TEST_F(Poller, ChangesWhatAMemberIsWatchedFor) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    os::unique_fd reading(ends[0]);
    os::unique_fd writing(ends[1]);
    const auto in = all_.add_fd(reading.get(), POLLIN, 1).value();
    const auto out = all_.add_fd(writing.get(), POLLOUT, 2).value();
    EXPECT_EQ(now(), tags{2});
    EXPECT_TRUE(all_.change(out, 0));
    EXPECT_EQ(now(), tags{});
    writing.reset(); // gone without a word
    EXPECT_EQ(only().events, POLLHUP);
    EXPECT_TRUE(all_.change(in, 0));
    EXPECT_EQ(now(), tags{}) << "not even a hang-up";
    EXPECT_TRUE(all_.change(in, POLLIN));
    EXPECT_EQ(now(), tags{1});
    EXPECT_TRUE(all_.remove(in));
    EXPECT_TRUE(all_.change(in, POLLIN).is(errc::not_found));
    const auto timer = all_.add_timer(deadline::never()).value();
    EXPECT_TRUE(all_.change(timer, POLLIN).is(errc::invalid_argument));
    EXPECT_TRUE(all_.change_timer(out, deadline::never()).is(errc::invalid_argument));
}

TEST_F(Poller, ListenersAndStreamsAreMembersUntilTheyClose) {
    const std::string name = "unix:@" + test::unique_name("poller");
    auto listener = byte_listener::open(name).value();
    all_.add(listener, 1).value();
    EXPECT_EQ(now(), tags{});
    auto near = byte_stream::open(name).value();
    EXPECT_EQ(only().tag, 1U);
    auto far = listener.accept().value();
    const auto reading = all_.add(far, POLLIN, 2).value();
    EXPECT_TRUE(all_.add(far, POLLOUT).is(errc::already_exists)) << "once, for both";
    EXPECT_EQ(now(), tags{});
    near.write_all("x").value();
    EXPECT_EQ(only().tag, 2U);
    all_.change(reading, POLLIN | POLLOUT).value();
    EXPECT_EQ(only().events, POLLIN | POLLOUT);
    std::byte one[1];
    far.read_some(one).value();
    EXPECT_EQ(only().events, POLLOUT);
    all_.change(reading, POLLIN).value();
    near.close();
    EXPECT_NE(only().events & POLLIN, 0) << "the end";
    far.close();
    listener = byte_listener::open(name + "-other").value(); // assigned over: it leaves
    EXPECT_EQ(all_.size(), 0U);
    EXPECT_TRUE(all_.add(far, POLLIN).is(errc::invalid_argument));
}

TEST_F(Poller, RefusesWhatItCanNotWatch) {
    const bell one;
    all_.add_fd(one.fd.get(), POLLIN).value();
    EXPECT_TRUE(all_.add_fd(one.fd.get(), POLLIN).is(errc::already_exists));
    EXPECT_TRUE(all_.add_fd(-1, POLLIN).is(errc::invalid_argument));
    EXPECT_TRUE(all_.add_fd(all_.fd().value(), POLLIN).is(errc::invalid_argument)) << "itself";
    const os::unique_fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(all_.add_fd(file.get(), POLLIN).is(errc::unsupported));
    EXPECT_EQ(all_.size(), 1U);
    EXPECT_TRUE(all_.remove(member_id::nobody).is(errc::not_found));
    EXPECT_TRUE(all_.remove(member_id{12345}).is(errc::not_found));
    EXPECT_TRUE(all_.remove(member_id{~std::uint64_t{0}}).is(errc::not_found));
}

TEST_F(Poller, AMemberIdIsNeverAnotherOnes) {
    const bell one;
    member_id before = member_id::nobody;
    for (int i = 0; i < 1000; ++i) {
        const auto next = all_.add_fd(one.fd.get(), POLLIN).value();
        EXPECT_NE(next, before);
        EXPECT_TRUE(all_.remove(before).is(errc::not_found));
        all_.remove(next).value();
        before = next;
    }
    EXPECT_EQ(all_.size(), 0U);
}

TEST_F(Poller, MembersComeAndGoInOtherThreadsWhileOneWaits) {
    constexpr int rounds = 300;
    std::thread other([&] {
        for (int i = 0; i < rounds; ++i) {
            const bell one;
            one.ring();
            const auto member = all_.add_fd(one.fd.get(), POLLIN, 1).value();
            const auto timer = all_.add_timer(deadline::now(), 1ns, 2).value();
            all_.remove(member).value();
            all_.remove(timer).value();
        }
        all_.add_timer(deadline::now(), 3).value();
    });
    for (bool last = false; !last;)
        for (const ready& one : all_.wait(into_).value()) last = last || one.tag == 3;
    other.join();
    EXPECT_EQ(all_.size(), 0U);
}

TEST_F(Poller, NestsInAnotherOne) {
    poller outer = poller::make().value();
    outer.add_fd(all_.fd().value(), POLLIN, 5).value();
    const bell one;
    all_.add_fd(one.fd.get(), POLLIN, 1).value();
    EXPECT_TRUE(outer.wait(into_, deadline::now()).is(errc::would_block));
    one.ring();
    EXPECT_EQ(outer.wait(into_).value()[0].tag, 5U);
    one.quiet();
    all_.add_timer(deadline::now()).value();
    EXPECT_EQ(outer.wait(into_).value()[0].tag, 5U) << "timers are behind it, too";
}

TEST_F(Poller, MovesWithItsMembers) {
    const bell one;
    const auto member = all_.add_fd(one.fd.get(), POLLIN, 1).value();
    poller other = std::move(all_);
    one.ring();
    EXPECT_EQ(other.wait(into_).value()[0].member, member);
    EXPECT_TRUE(all_.wait(into_).is(errc::invalid_argument));
    EXPECT_TRUE(all_.add_fd(one.fd.get(), POLLIN).is(errc::invalid_argument));
    EXPECT_TRUE(all_.fd().is(errc::invalid_argument));
    EXPECT_EQ(all_.size(), 0U);
    all_.wake();
}

TEST_F(Poller, InAForkChildEveryCallIsRefused) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const bell one;
    const auto member = all_.add_fd(one.fd.get(), POLLIN, 1).value();
    test::child forked("forked", [&] {
        EXPECT_TRUE(all_.wait(into_).is(errc::invalid_argument));
        EXPECT_TRUE(all_.add_fd(one.fd.get(), POLLIN).is(errc::invalid_argument));
        EXPECT_TRUE(all_.add_timer(deadline::now()).is(errc::invalid_argument));
        EXPECT_TRUE(all_.add_signal(SIGUSR1).is(errc::invalid_argument));
        EXPECT_TRUE(all_.change(member, POLLIN).is(errc::invalid_argument));
        EXPECT_TRUE(all_.remove(member).is(errc::invalid_argument));
        EXPECT_TRUE(all_.fd().is(errc::invalid_argument));
        all_.wake();
        all_ = poller::make().value(); // one of its own
        all_.add_fd(one.fd.get(), POLLIN, 2).value();
        one.ring();
        EXPECT_EQ(only().tag, 2U);
    });
    EXPECT_TRUE(forked.end_well());
    EXPECT_EQ(only().tag, 1U) << "the parent's is as it was";
}

// What is left of them, few as they are from here on: a child's matter.
std::vector<os::unique_fd> all_descriptors() {
    const rlimit few{64, 64};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<os::unique_fd> fillers;
    for (;;) {
        os::unique_fd one(::dup(0));
        if (!one) return fillers;
        fillers.push_back(std::move(one));
    }
}

TEST_F(Poller, WithoutDescriptorsItSaysSo) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    test::child limited("limited", [&] {
        auto fillers = all_descriptors();
        for (int free = 0; free < 3; ++free) {
            const auto refused = poller::make();
            ASSERT_FALSE(refused) << free;
            EXPECT_EQ(refused.why().code(), errc::system);
            EXPECT_EQ(refused.why().sys(), EMFILE);
            EXPECT_NE(refused.why().describe().find("ulimit -n"), std::string::npos);
            fillers.pop_back();
        }
        EXPECT_TRUE(poller::make());
    });
    EXPECT_TRUE(limited.end_well());
}

TEST_F(Poller, AnEndPointWithoutADescriptorForItsBellSaysSoAndIsNoMember) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    test::private_directory();
    const std::string name = test::unique_name("no-bell");
    test::child limited("limited", [&] {
        auto in = receiver::open(name).value();
        auto all = poller::make().value();
        auto fillers = all_descriptors();
        const auto refused = all.add(in);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.why().code(), errc::system);
        EXPECT_EQ(refused.why().address(), "shm:" + name);
        EXPECT_NE(refused.why().detail().find("ulimit -n"), std::string_view::npos);
        EXPECT_EQ(all.size(), 0U);
        fillers.clear();
        EXPECT_TRUE(all.add(in));
    });
    EXPECT_TRUE(limited.end_well());
}

} // namespace
} // namespace hawser
