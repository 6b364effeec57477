// What the contract's own tests do not know of POSIX queues: their limits, attributes, names, and
// being told of messages.
#include <optional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/asleep.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser::mq {
namespace {

using test::child;

// What the kernel itself says of the queue.
struct raw_queue {
    explicit raw_queue(const std::string& name, int flags = O_RDWR | O_NONBLOCK)
        : fd(::mq_open(name.c_str(), flags)) {}
    ~raw_queue() {
        if (fd >= 0) ::mq_close(fd);
    }
    raw_queue(const raw_queue&) = delete;
    raw_queue& operator=(const raw_queue&) = delete;

    [[nodiscard]] mq_attr attributes() const {
        mq_attr now{};
        EXPECT_EQ(::mq_getattr(fd, &now), 0);
        return now;
    }
    [[nodiscard]] struct stat status() const {
        struct stat now {};
        EXPECT_EQ(::fstat(fd, &now), 0);
        return now;
    }

    int fd;
};

class Mq : public testing::Test {
  protected:
    ~Mq() override { ::mq_unlink(name_.c_str()); }

    [[nodiscard]] sender open_sender(const options& wanted = {}) const {
        return sender::open(address_, wanted).value();
    }
    [[nodiscard]] receiver open_receiver(const options& wanted = {}) const {
        return receiver::open(address_, wanted).value();
    }

    std::string name_ = "/hawser-" + test::unique_name("mq") + "-" + std::to_string(::getpid());
    std::string address_ = "mq:" + name_;
};

template <typename T>
std::string why(const result<T>& outcome) {
    return outcome ? "success" : outcome.why().describe();
}

template <typename T>
void expect_error(const result<T>& outcome, errc code, const std::string& part) {
    ASSERT_FALSE(outcome) << "where " << name_of(code) << " is due";
    EXPECT_EQ(outcome.why().code(), code) << outcome.why().describe();
    EXPECT_NE(outcome.why().describe().find(part), std::string::npos)
        << "\"" << part << "\" is not in: " << outcome.why().describe();
}

options shaped(std::uint64_t capacity, std::uint64_t max_message) {
    options wanted;
    wanted.capacity = capacity;
    wanted.max_message = max_message;
    return wanted;
}

// ---- opening ------------------------------------------------------------------------------------

TEST_F(Mq, IsMadeWithTheGeometryAskedFor) {
    const auto out = open_sender(shaped(3, 100));
    const mq_attr now = raw_queue(name_).attributes();
    EXPECT_EQ(now.mq_maxmsg, 3);
    EXPECT_EQ(now.mq_msgsize, 100);
}

TEST_F(Mq, TakesTheSystemsDefaults) {
    const std::string other = name_ + ".other";
    const mqd_t raw = ::mq_open(other.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr);
    ASSERT_GE(raw, 0);
    mq_attr given{};
    ::mq_getattr(raw, &given);
    ::mq_close(raw);
    ::mq_unlink(other.c_str());

    const auto out = open_sender();
    const mq_attr now = raw_queue(name_).attributes();
    EXPECT_EQ(now.mq_maxmsg, given.mq_maxmsg);
    EXPECT_EQ(now.mq_msgsize, given.mq_msgsize);
}

TEST_F(Mq, AnExistingQueueIsTakenAsItIsOrRefused) {
    const auto out = open_sender(shaped(3, 100));
    EXPECT_TRUE(receiver::open(address_)) << "as it is";
    EXPECT_TRUE(receiver::open(address_, shaped(3, 100))) << "the same geometry";
    expect_error(receiver::open(address_, shaped(4, 100)), errc::already_exists,
                 "asked for capacity=4&max_message=100, but the queue has "
                 "capacity=3&max_message=100");
    options larger;
    larger.max_message = 101;
    expect_error(sender::open(address_, larger), errc::already_exists, "max_message=101");
}

TEST_F(Mq, ModeAndGroupAreExactWhateverTheUmask) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("umask", [&] {
        for (const mode_t mask : {mode_t{0}, mode_t{077}, mode_t{0777}}) {
            ::umask(mask);
            for (const std::uint32_t mode : {0600U, 0666U, 0640U, 0222U, 0U}) {
                options wanted;
                wanted.mode = mode;
                wanted.create = create_policy::create;
                if (::geteuid() == 0) wanted.group = "4711";
                const auto set = open_sender(wanted).attributes().value();
                EXPECT_EQ(set.mode, mode) << "umask " << mask;
                EXPECT_EQ(set.uid, ::geteuid());
                if (::geteuid() == 0) {
                    EXPECT_EQ(set.gid, 4711U);
                }
                ::mq_unlink(name_.c_str());
            }
        }
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(Mq, AGroupThatOneMayNotGiveMakesNothing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    child other("nobody", [&] {
        ASSERT_EQ(::setregid(65534, 65534), 0);
        ASSERT_EQ(::setreuid(65534, 65534), 0);
        options wanted;
        wanted.group = "4711";
        expect_error(sender::open(address_, wanted), errc::permission, "group=4711");
    });
    EXPECT_TRUE(other.end_well());
    EXPECT_TRUE(inspect_mailbox(address_).is(errc::not_found));
}

TEST_F(Mq, AttributesTellWhatTheKernelHas) {
    auto in = open_receiver(shaped(5, 64));
    auto out = open_sender();
    out.send("one").value();
    out.send("two").value();
    for (const auto& all : {in.attributes().value(), out.attributes().value()}) {
        EXPECT_EQ(all.capacity, 5U);
        EXPECT_EQ(all.max_message, 64U);
        EXPECT_EQ(all.depth, 2U);
        EXPECT_EQ(all.mode, 0600U);
        EXPECT_EQ(all.uid, ::geteuid());
        EXPECT_FALSE(all.capacity_bytes);
    }
}

TEST_F(Mq, ModeAndGroupCanBeChangedAndNothingElse) {
    auto in = open_receiver();
    options wanted;
    wanted.mode = 0640;
    in.change(wanted).value();
    EXPECT_EQ(raw_queue(name_).status().st_mode & 0777, 0640U);
    if (::geteuid() == 0) {
        wanted = {};
        wanted.group = "4711";
        in.change(wanted).value();
        EXPECT_EQ(raw_queue(name_).status().st_gid, 4711U);
        EXPECT_EQ(raw_queue(name_).status().st_mode & 0777, 0640U) << "the mode stays";
    }
    expect_error(in.change(shaped(20, 100)), errc::unsupported, "capacity=20&max_message=100");
    wanted = {};
    wanted.group = "no-such-group";
    expect_error(in.change(wanted), errc::invalid_argument, "no-such-group");
}

TEST_F(Mq, WhoDoesNotOwnItChangesNothing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    options open_to_all;
    open_to_all.mode = 0666;
    const auto out = open_sender(open_to_all);
    child other("nobody", [&] {
        ASSERT_EQ(::setregid(65534, 65534), 0);
        ASSERT_EQ(::setreuid(65534, 65534), 0);
        auto in = open_receiver();
        options wanted;
        wanted.mode = 0600;
        expect_error(in.change(wanted), errc::permission, "only the owner");
        expect_error(remove_mailbox(address_, removal::by_force), errc::permission,
                     "only the owner");
    });
    EXPECT_TRUE(other.end_well());
}

TEST(MqNames, WrongOnesSayTheRightSpelling) {
    expect_error(sender::open("mq:orders"), errc::invalid_argument, "write mq:/orders");
    expect_error(sender::open("mq:"), errc::invalid_argument, "mq:/orders");
    expect_error(sender::open("mq:/"), errc::invalid_argument, "mq:/orders");
    expect_error(sender::open("mq:/a/b"), errc::invalid_argument, "one slash");
    expect_error(sender::open("mq:/.."), errc::invalid_argument, "mq:/orders");
    expect_error(sender::open("mq:/" + std::string(256, 'x')), errc::invalid_argument,
                 "at most 255 bytes");
    address with_nul{"mq", std::string("/a\0b", 4), {}};
    EXPECT_TRUE(sender::open(with_nul).is(errc::invalid_argument));
    expect_error(remove_mailbox("mq:orders"), errc::invalid_argument, "write mq:/orders");
    expect_error(inspect_mailbox("mq:orders"), errc::invalid_argument, "write mq:/orders");
}

TEST(MqNames, TheLongestIsGood) {
    const std::string longest = "mq:/" + std::string(255, 'x');
    auto out = sender::open(longest);
    EXPECT_TRUE(out) << why(out);
    EXPECT_TRUE(remove_mailbox(longest, removal::by_force));
}

TEST_F(Mq, OptionsThatMeanNothingHereAreRefused) {
    for (const char* option : {"participants=4", "max_memory=1MiB", "delivery=at_least_once",
                               "full=drop_oldest", "capacity=unbounded", "capacity=0"})
        EXPECT_TRUE(sender::open(address_ + "?" + option).is(errc::unsupported)) << option;
    EXPECT_TRUE(inspect_mailbox(address_).is(errc::not_found)) << "nothing was made";
}

// ---- messages -----------------------------------------------------------------------------------

TEST_F(Mq, TheHighestPriorityComesFirstAndInOrderWithinOne) {
    auto out = open_sender(shaped(10, 32));
    auto in = open_receiver();
    const std::vector<std::pair<std::string, std::uint32_t>> sent{
        {"a", 0}, {"b", 7}, {"c", 32'767}, {"d", 7}, {"e", 0}};
    for (const auto& [text, priority] : sent) {
        envelope with;
        with.priority = priority;
        out.send_with(text, with).value();
    }
    const std::vector<std::pair<std::string, std::uint32_t>> due{
        {"c", 32'767}, {"b", 7}, {"d", 7}, {"a", 0}, {"e", 0}};
    for (const auto& [text, priority] : due) {
        const auto got = in.receive().value();
        EXPECT_EQ(got.text(), text);
        EXPECT_EQ(got.priority(), priority);
        EXPECT_EQ(got.type(), 0);
    }
}

TEST_F(Mq, AnEnvelopeItCanNotCarryIsRefused) {
    auto out = open_sender();
    envelope with;
    with.priority = 32'768;
    expect_error(out.send_with("x", with), errc::invalid_argument, "0 to 32767");
    with = {};
    with.type = 1;
    expect_error(out.send_with("x", with), errc::unsupported, "sysv-mq:");
    const int descriptors[] = {0};
    with = {};
    with.descriptors = descriptors;
    expect_error(out.send_with("x", with), errc::unsupported, "unix:");
    auto in = open_receiver();
    expect_error(in.receive_selected({selection::rule::exactly, 1}, deadline::now()),
                 errc::unsupported, "sysv-mq:");
    EXPECT_EQ(raw_queue(name_).attributes().mq_curmsgs, 0);
}

TEST_F(Mq, NothingIsLargerThanTheQueueTakes) {
    auto out = open_sender(shaped(2, 16));
    auto in = open_receiver();
    expect_error(out.send(std::string(17, 'x')), errc::too_big, "at most 16");
    out.send(std::string(16, 'x')).value();
    out.send("").value();
    EXPECT_EQ(in.receive().value().size(), 16U);
    EXPECT_EQ(in.receive().value().size(), 0U);
}

TEST_F(Mq, ItsDescriptorWorksInEpoll) {
    auto in = open_receiver(shaped(1, 16));
    auto out = open_sender();
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event readable{EPOLLIN, {}};
    readable.data.u64 = 1;
    epoll_event writable{EPOLLOUT, {}};
    writable.data.u64 = 2;
    EXPECT_EQ(in.fd_events(), EPOLLIN);
    EXPECT_EQ(out.fd_events(), EPOLLOUT);
    ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, in.fd().value(), &readable), 0);
    ASSERT_EQ(::epoll_ctl(epoll, EPOLL_CTL_ADD, out.fd().value(), &writable), 0);
    const auto ready = [&] {
        epoll_event found[2];
        std::uint64_t all = 0;
        for (int i = ::epoll_wait(epoll, found, 2, 0); i > 0; --i) all |= found[i - 1].data.u64;
        return all;
    };
    EXPECT_EQ(ready(), 2U) << "empty: room only";
    out.send("x").value();
    EXPECT_EQ(ready(), 1U) << "full: a message only";
    in.receive().value();
    EXPECT_EQ(ready(), 2U);
    ::close(epoll);
}

TEST_F(Mq, EndPointsAreNonBlockingEachForItself) {
    // O_NONBLOCK is of the open file description: a foreign end stays as it was opened.
    auto out = open_sender();
    const raw_queue blocking(name_, O_RDWR);
    auto in = open_receiver();
    EXPECT_EQ(::fcntl(blocking.fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(out.fd().value(), F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_TRUE(in.try_receive().is(errc::would_block));
}

TEST_F(Mq, AMessageTakenByAKilledReceiverIsLostAndTheOthersStay) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = open_sender(shaped(4, 16));
    const test::beacon taken;
    child other("receiver", [&] {
        auto in = open_receiver();
        const auto got = in.receive().value();
        EXPECT_EQ(got.text(), "first");
        taken.raise();
        ::pause();
    });
    out.send("first").value();
    taken.wait();
    out.send("second").value();
    other.kill();
    auto in = open_receiver();
    EXPECT_EQ(in.receive().value().text(), "second");
    EXPECT_TRUE(in.try_receive().is(errc::would_block));
}

TEST_F(Mq, AReceiverKilledWhileItWaitsTakesNothingAlong) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    const test::beacon there;
    child other("receiver", [&] {
        auto in = open_receiver(shaped(4, 16));
        there.raise();
        static_cast<void>(in.receive());
    });
    there.wait();
    test::until([&] { return test::state_of(other.pid()) == 'S'; });
    other.kill();
    auto out = open_sender();
    out.send("for the next").value();
    EXPECT_EQ(open_receiver().receive().value().text(), "for the next");
}

// ---- looking and removing -----------------------------------------------------------------------

TEST_F(Mq, InspectionTellsGeometryDepthAndUse) {
    std::optional<sender> out = open_sender(shaped(7, 128));
    out->send("x").value();
    const auto used = inspect_mailbox(address_).value();
    EXPECT_EQ(used.state, mailbox_state::in_use);
    EXPECT_EQ(used.geometry.capacity, 7U);
    EXPECT_EQ(used.geometry.max_message, 128U);
    EXPECT_EQ(used.geometry.mode, 0600U);
    EXPECT_EQ(used.depth, 1U);
    EXPECT_EQ(used.uid, ::geteuid());
    out.reset();
    EXPECT_EQ(inspect_mailbox(address_).value().state, mailbox_state::idle);
    EXPECT_TRUE(inspect_mailbox("mq:/hawser-no-such").is(errc::not_found));
}

TEST_F(Mq, RemovalRefusesWhileSomebodyHasItOpen) {
    std::optional<sender> out = open_sender();
    out->send("x").value();
    expect_error(remove_mailbox(address_), errc::already_exists,
                 "process " + std::to_string(::getpid()));
    out.reset();
    EXPECT_TRUE(remove_mailbox(address_)) << "messages go along";
    EXPECT_TRUE(remove_mailbox(address_).is(errc::not_found));
}

TEST_F(Mq, RemovedByForceItGoesOnForThoseWhoHaveIt) {
    auto out = open_sender();
    auto in = open_receiver();
    remove_mailbox(address_, removal::by_force).value();
    out.send("still here").value();
    EXPECT_EQ(in.receive().value().text(), "still here");
    auto fresh = open_receiver();
    EXPECT_TRUE(fresh.try_receive().is(errc::would_block)) << "the name is another queue's";
}

// ---- limits -------------------------------------------------------------------------------------

TEST_F(Mq, MemoryOfAllQueuesIsLimitedAndNamed) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("limited", [&] {
        const rlimit little{50'000, 50'000};
        ASSERT_EQ(::setrlimit(RLIMIT_MSGQUEUE, &little), 0);
        const auto refused = sender::open(address_, shaped(10, 8192));
        expect_error(refused, errc::no_space, "RLIMIT_MSGQUEUE, which is 50000");
        expect_error(refused, errc::no_space, "ulimit -q");
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(Mq, DescriptorsAreLimitedAndNamed) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("limited", [&] {
        const rlimit few{3, 3};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        expect_error(sender::open(address_), errc::no_space, "ulimit -n");
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(Mq, AQueueThatIsTooLargeForTheSystemNamesItsLimits) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("unprivileged", [&] {
        if (::geteuid() == 0) {
            ASSERT_EQ(::setregid(65534, 65534), 0);
            ASSERT_EQ(::setreuid(65534, 65534), 0);
        }
        const auto refused = sender::open(address_, shaped(60'000, 16));
        expect_error(refused, errc::no_space, "fs.mqueue.msg_max is ");
        expect_error(refused, errc::no_space, "capacity=60000");
        expect_error(sender::open(address_, shaped(1, 8U << 20U)), errc::no_space,
                     "fs.mqueue.msgsize_max is ");
    });
    EXPECT_TRUE(other.end_well());
}

void write_setting(const std::string& path, const std::string& value) {
    const int fd = ::open(path.c_str(), O_WRONLY);
    ASSERT_GE(fd, 0) << path;
    ASSERT_EQ(::write(fd, value.data(), value.size()), static_cast<ssize_t>(value.size()));
    ::close(fd);
}

TEST_F(Mq, TheNumberOfQueuesIsLimitedAndNamed) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make an IPC namespace of its own";
    child other("namespace", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWIPC), 0);
        write_setting("/proc/sys/fs/mqueue/queues_max", "2");
        write_setting("/proc/sys/fs/mqueue/msg_default", "4");
        write_setting("/proc/sys/fs/mqueue/msgsize_default", "256");
        ASSERT_EQ(::setregid(65534, 65534), 0); // root may have more
        ASSERT_EQ(::setreuid(65534, 65534), 0);
        auto first = sender::open(address_ + ".1").value();
        EXPECT_EQ(first.attributes().value().capacity, 4U) << "of this namespace";
        EXPECT_EQ(first.attributes().value().max_message, 256U);
        auto second = sender::open(address_ + ".2").value();
        expect_error(sender::open(address_ + ".3"), errc::no_space, "fs.mqueue.queues_max is 2");
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(Mq, WithoutPermissionItSaysSo) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    const auto out = open_sender();
    child other("nobody", [&] {
        ASSERT_EQ(::setregid(65534, 65534), 0);
        ASSERT_EQ(::setreuid(65534, 65534), 0);
        expect_error(receiver::open(address_), errc::permission, "hawser ls");
        EXPECT_EQ(inspect_mailbox(address_).value().state, mailbox_state::unreadable);
        EXPECT_TRUE(remove_mailbox(address_).is(errc::permission));
    });
    EXPECT_TRUE(other.end_well());
}

} // namespace
} // namespace hawser::mq
