// What the contract's own tests do not know of System V queues: keys, types, limits, removal while
// somebody waits.
#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::sysv_mq {
namespace {

using test::beacon;
using test::child;
using rule = selection::rule;

template <typename T>
void expect_error(const result<T>& outcome, errc code, const std::string& part) {
    ASSERT_FALSE(outcome) << "where " << name_of(code) << " is due";
    EXPECT_EQ(outcome.why().code(), code) << outcome.why().describe();
    EXPECT_NE(outcome.why().describe().find(part), std::string::npos)
        << "\"" << part << "\" is not in: " << outcome.why().describe();
}

key_t fresh_key() {
    static std::atomic<int> count{0};
    return static_cast<key_t>(0x20000000 | (::getpid() << 8) | (count++ & 0xFF));
}

void write_setting(const std::string& path, const std::string& value) {
    const int fd = ::open(path.c_str(), O_WRONLY);
    ASSERT_GE(fd, 0) << path;
    ASSERT_EQ(::write(fd, value.data(), value.size()), static_cast<ssize_t>(value.size()));
    ::close(fd);
}

void become_nobody() {
    ASSERT_EQ(::setregid(65534, 65534), 0);
    ASSERT_EQ(::setreuid(65534, 65534), 0);
}

class SysvMq : public testing::Test {
  protected:
    ~SysvMq() override {
        const int id = ::msgget(key_, 0);
        if (id >= 0) ::msgctl(id, IPC_RMID, nullptr);
    }

    [[nodiscard]] sender open_sender(const options& wanted = {}) const {
        return sender::open(address_, wanted).value();
    }
    [[nodiscard]] receiver open_receiver(const options& wanted = {}) const {
        return receiver::open(address_, wanted).value();
    }
    // What the kernel has.
    [[nodiscard]] msqid_ds now() const {
        msqid_ds all{};
        EXPECT_EQ(::msgctl(::msgget(key_, 0), IPC_STAT, &all), 0);
        return all;
    }

    key_t key_ = fresh_key();
    std::string address_ = "sysv-mq:" + std::to_string(key_);
};

options with_memory(std::uint64_t bytes) {
    options wanted;
    wanted.max_memory = bytes;
    return wanted;
}

void send_typed(sender& out, const std::string& text, std::int64_t type) {
    envelope with;
    with.type = type;
    out.send_with(text, with).value();
}

// Until a thread of this or another process sleeps in this system call.
void until_asleep_in(pid_t process, pid_t thread, long call) {
    test::until([&] {
        std::ifstream file("/proc/" + std::to_string(process) + "/task/" + std::to_string(thread) +
                           "/syscall");
        std::string word;
        file >> word;
        return word == std::to_string(call);
    });
}

// ---- keys ---------------------------------------------------------------------------------------

TEST_F(SysvMq, AKeyIsANumberInEitherBase) {
    auto out = open_sender();
    char hex[32];
    std::snprintf(hex, sizeof hex, "sysv-mq:0x%x", static_cast<unsigned>(key_));
    auto in = receiver::open(hex).value();
    out.send("hello").value();
    EXPECT_EQ(in.receive().value().text(), "hello");
}

TEST_F(SysvMq, AKeyIsMadeOfAFileAsFtokDoes) {
    const std::string path = test::private_directory() + "/" + test::unique_name("ftok");
    const std::string number = "sysv-mq:" + path + "#7";
    expect_error(sender::open(number), errc::not_found, path);
    std::ofstream(path) << "x";
    for (const auto& [id, value] : {std::pair{"7", 7}, {"0x7f", 0x7F}, {"x", 'x'}, {"255", 255}}) {
        const std::string address = "sysv-mq:" + path + "#" + id;
        auto out = sender::open(address).value();
        const int raw = ::msgget(::ftok(path.c_str(), value), 0);
        EXPECT_GE(raw, 0) << id;
        out.send("x").value();
        EXPECT_TRUE(receiver::open(address).value().try_receive());
        ::msgctl(raw, IPC_RMID, nullptr);
    }
    ::unlink(path.c_str());
    expect_error(inspect_mailbox(number), errc::not_found, path);
    expect_error(remove_mailbox(number), errc::not_found, path);
}

TEST(SysvMqKeys, WrongOnesSayTheRightSpelling) {
    for (const char* wrong : {"orders", "", "0", "0x", "4294967296", "-1", "12x", "id=", "id=x",
                              "id=4294967296", "#7", "/tmp#", "/tmp#0", "/tmp#256", "/tmp#xy"}) {
        const auto refused = sender::open(std::string("sysv-mq:") + wrong);
        expect_error(refused, errc::invalid_argument, "Write sysv-mq:42 or sysv-mq:0x2a");
        EXPECT_TRUE(receiver::open(std::string("sysv-mq:") + wrong).is(errc::invalid_argument));
    }
    expect_error(remove_mailbox("sysv-mq:orders"), errc::invalid_argument, "sysv-mq:42");
    expect_error(remove_mailbox("sysv-mq:private"), errc::invalid_argument, "id=N");
    address with_nul{"sysv-mq", std::string("1\0", 2), {}};
    EXPECT_TRUE(sender::open(with_nul).is(errc::invalid_argument));
}

TEST(SysvMqKeys, APrivateQueueIsFoundByItsId) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = sender::open("sysv-mq:private").value();
    const std::string address = out.where().to_text();
    EXPECT_EQ(address.substr(0, 11), "sysv-mq:id=");
    auto another = receiver::open("sysv-mq:private").value();
    EXPECT_NE(another.where(), out.where()) << "a new one each time";
    child other("child", [&] {
        EXPECT_EQ(receiver::open(address).value().receive().value().text(), "to the child");
    });
    out.send("to the child").value();
    EXPECT_TRUE(other.end_well());
    EXPECT_TRUE(remove_mailbox(address, removal::by_force));
    EXPECT_TRUE(remove_mailbox(another.where().to_text(), removal::by_force));
    expect_error(sender::open(address), errc::not_found, "no such queue");
    expect_error(sender::open(address + "?create=create"), errc::invalid_argument, "private");
    expect_error(sender::open("sysv-mq:private?create=open"), errc::invalid_argument, "id=N");
}

// ---- opening ------------------------------------------------------------------------------------

TEST_F(SysvMq, ModeAndGroupAreExactWhateverTheUmask) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("umask", [&] {
        for (const mode_t mask : {mode_t{0}, mode_t{077}, mode_t{0777}}) {
            ::umask(mask);
            for (const std::uint32_t mode : {0600U, 0666U, 0640U, 0222U, 0U}) {
                for (const bool with_group : {false, true}) {
                    options wanted;
                    wanted.mode = mode;
                    wanted.create = create_policy::create;
                    if (with_group && ::geteuid() == 0) wanted.group = "4711";
                    const auto out = open_sender(wanted);
                    msqid_ds all{};
                    const int id = ::msgget(key_, 0);
                    if (::msgctl(id, IPC_STAT, &all) == 0) { // not for all modes, but for root
                        EXPECT_EQ(all.msg_perm.mode & 0777U, mode) << "umask " << mask;
                        if (wanted.group) {
                            EXPECT_EQ(all.msg_perm.gid, 4711U);
                        }
                    }
                    ::msgctl(id, IPC_RMID, nullptr);
                }
            }
        }
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(SysvMq, MaxMemoryIsTheSizeOfTheQueue) {
    const auto out = open_sender(with_memory(5000));
    EXPECT_EQ(now().msg_qbytes, 5000U);
    EXPECT_EQ(now().msg_perm.mode & 0777U, 0600U);
    EXPECT_TRUE(receiver::open(address_)) << "as it is";
    EXPECT_TRUE(receiver::open(address_, with_memory(5000)));
    expect_error(receiver::open(address_, with_memory(6000)), errc::already_exists,
                 "asked for max_memory=6000, but the queue has max_memory=5000");
}

TEST_F(SysvMq, WithoutPermissionItSaysSo) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    options wanted;
    wanted.mode = 0622; // others may send
    const auto out = open_sender(wanted);
    child other("nobody", [&] {
        become_nobody();
        expect_error(receiver::open(address_), errc::permission, "hawser ls");
        auto theirs = sender::open(address_).value();
        theirs.send("may be sent").value();
        expect_error(theirs.attributes(), errc::permission, "receive");
        options change;
        change.mode = 0666;
        EXPECT_TRUE(theirs.change(change).is(errc::permission));
        EXPECT_EQ(inspect_mailbox(address_).value().state, mailbox_state::unreadable);
        expect_error(remove_mailbox(address_, removal::by_force), errc::permission,
                     "only the owner");
        EXPECT_TRUE(remove_mailbox(address_).is(errc::permission));
        options foreign_group;
        foreign_group.group = "4711";
        auto own = sender::open("sysv-mq:private", foreign_group);
        if (own) remove_mailbox(own->where().to_text(), removal::by_force).value();
    });
    EXPECT_TRUE(other.end_well());
    EXPECT_EQ(open_receiver().receive().value().text(), "may be sent");
}

TEST_F(SysvMq, AttributesTellWhatTheKernelHasAndCanBeChanged) {
    auto in = open_receiver(with_memory(4096));
    auto out = open_sender();
    out.send("12345").value();
    out.send("678").value();
    for (const auto& all : {in.attributes().value(), out.attributes().value()}) {
        EXPECT_EQ(all.capacity_bytes, 4096U);
        EXPECT_EQ(all.depth, 2U);
        EXPECT_EQ(all.depth_bytes, 8U);
        EXPECT_EQ(all.mode, 0600U);
        EXPECT_EQ(all.uid, ::geteuid());
        EXPECT_TRUE(all.max_message);
        EXPECT_FALSE(all.capacity);
    }
    options wanted = with_memory(2048);
    wanted.mode = 0640;
    if (::geteuid() == 0) wanted.group = "4711";
    out.change(wanted).value();
    EXPECT_EQ(now().msg_qbytes, 2048U);
    EXPECT_EQ(now().msg_perm.mode & 0777U, 0640U);
    if (::geteuid() == 0) {
        EXPECT_EQ(now().msg_perm.gid, 4711U);
    }
    wanted = {};
    wanted.capacity = 3;
    expect_error(in.change(wanted), errc::unsupported, "capacity=3");
    wanted = {};
    wanted.group = "no-such-group";
    expect_error(in.change(wanted), errc::invalid_argument, "no-such-group");
}

TEST_F(SysvMq, OptionsThatMeanNothingHereAreRefused) {
    for (const char* option : {"participants=4", "capacity=4", "delivery=at_least_once",
                               "full=drop_oldest", "capacity=unbounded", "capacity=0"})
        EXPECT_TRUE(sender::open(address_ + "?" + option).is(errc::unsupported)) << option;
    EXPECT_TRUE(inspect_mailbox(address_).is(errc::not_found)) << "nothing was made";
}

// ---- types and priorities -----------------------------------------------------------------------

TEST_F(SysvMq, TheHighestPriorityComesFirstAndInOrderWithinOne) {
    auto out = open_sender();
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
        EXPECT_EQ(got.type(), 32'768 - std::int64_t{priority});
    }
}

TEST_F(SysvMq, MessagesAreSelectedByType) {
    auto out = open_sender();
    auto in = open_receiver();
    const auto take = [&](rule by, std::int64_t type) -> std::string {
        auto got = in.receive_selected({by, type}, deadline::now());
        return got ? std::string(got->text()) : std::string(name_of(got.why().code()));
    };
    send_typed(out, "nine", 9);
    send_typed(out, "five", 5);
    send_typed(out, "seven", 7);
    send_typed(out, "five again", 5);
    send_typed(out, "far", 100'000);
    EXPECT_EQ(take(rule::exactly, 6), "would_block");
    EXPECT_EQ(take(rule::exactly, 7), "seven");
    EXPECT_EQ(take(rule::up_to, 4), "would_block");
    EXPECT_EQ(take(rule::up_to, 8), "five");
    EXPECT_EQ(take(rule::in_order, 0), "nine");
    EXPECT_EQ(take(rule::not_this, 5), "far");
    EXPECT_EQ(take(rule::not_this, 5), "would_block");
    EXPECT_EQ(take(rule::by_priority, 0), "five again");
    EXPECT_EQ(take(rule::exactly, 0), "invalid_argument");
    EXPECT_EQ(take(rule::not_this, -1), "invalid_argument");
    EXPECT_EQ(take(rule::up_to, 0), "invalid_argument");

    send_typed(out, "far", 100'000);
    const auto far = in.receive().value();
    EXPECT_EQ(far.type(), 100'000);
    EXPECT_EQ(far.priority(), 0U);
}

TEST_F(SysvMq, AWaitForATypeIsNotEndedByAnother) {
    auto out = open_sender();
    std::thread receiving([&] {
        auto in = open_receiver();
        const auto got = in.receive_selected({rule::exactly, 2});
        EXPECT_EQ(got.value().text(), "second");
        const auto timed =
            in.receive_selected({rule::exactly, 3}, deadline::after(std::chrono::hours(1)));
        EXPECT_EQ(timed.value().text(), "third");
    });
    send_typed(out, "first", 1);
    send_typed(out, "second", 2);
    send_typed(out, "third", 3);
    receiving.join();
    EXPECT_EQ(open_receiver().try_receive().value().text(), "first");
}

TEST_F(SysvMq, AnEnvelopeItCanNotCarryIsRefused) {
    auto out = open_sender();
    envelope with;
    with.priority = 32'768;
    expect_error(out.send_with("x", with), errc::invalid_argument, "0 to 32767");
    with = {};
    with.type = -1;
    expect_error(out.send_with("x", with), errc::invalid_argument, "begin at 1");
    with.type = 1;
    with.priority = 1;
    expect_error(out.send_with("x", with), errc::invalid_argument, "not both");
    const int descriptors[] = {0};
    with = {};
    with.descriptors = descriptors;
    expect_error(out.send_with("x", with), errc::unsupported, "unix:");
    EXPECT_EQ(now().msg_qnum, 0U);
}

TEST_F(SysvMq, ThereIsNoDescriptorAndNoNotification) {
    auto in = open_receiver();
    auto out = open_sender();
    expect_error(in.fd(), errc::unsupported, "timed forms");
    expect_error(out.fd(), errc::unsupported, "timed forms");
    notification how;
    how.call = [] {};
    expect_error(in.notify(how), errc::unsupported, "mq:");
}

// ---- room and waiting ---------------------------------------------------------------------------

TEST_F(SysvMq, TheRoomIsCountedInBytes) {
    auto out = open_sender(with_memory(100));
    auto in = open_receiver();
    out.send(std::string(60, 'x')).value();
    EXPECT_TRUE(out.try_send(std::string(41, 'y')).is(errc::would_block));
    out.send(std::string(40, 'y')).value();
    EXPECT_TRUE(out.try_send("z").is(errc::would_block));
    expect_error(out.send(std::string(101, 'z')), errc::too_big,
                 "all messages of the queue together may have 100");
    const auto timed = out.send_for(std::string(101, 'z'), std::chrono::hours(1));
    EXPECT_TRUE(timed.is(errc::too_big)) << "at once";
    EXPECT_EQ(in.receive().value().size(), 60U);
    out.send("z").value();
}

TEST_F(SysvMq, ABlockedSendSleepsInTheKernelUntilThereIsRoom) {
    auto out = open_sender(with_memory(10));
    auto in = open_receiver();
    out.send("0123456789").value();
    std::atomic<pid_t> thread{0};
    std::thread sending([&] {
        auto own = open_sender();
        thread = static_cast<pid_t>(::syscall(SYS_gettid));
        envelope urgent;
        urgent.priority = 5;
        own.send_with("abcdefghij", urgent).value();
    });
    test::until([&] { return thread != 0; });
    until_asleep_in(::getpid(), thread, SYS_msgsnd);
    EXPECT_EQ(in.receive().value().text(), "0123456789");
    sending.join();
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), "abcdefghij");
    EXPECT_EQ(got.priority(), 5U);
}

// No wake-up is lost on removal: blocked and timed, senders and receivers.
TEST_F(SysvMq, RemovalEndsAllWhoWait) {
    const auto far = deadline::after(std::chrono::hours(1));
    for (int round = 0; round < 50; ++round) {
        auto full = open_sender(with_memory(1));
        full.send("x").value();
        std::atomic<unsigned> closed{0};
        std::array<std::atomic<pid_t>, 4> asleep{};
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < 4; ++i) {
            const deadline until = i < 2 ? deadline::never() : far;
            threads.emplace_back([&, i, until, out = open_sender()]() mutable {
                asleep.at(i) = static_cast<pid_t>(::syscall(SYS_gettid));
                closed += out.send_with("y", {}, until).is(errc::closed);
            });
            threads.emplace_back([&, until, in = open_receiver()]() mutable {
                closed += in.receive_selected({rule::exactly, 1}, until).is(errc::closed);
            });
        }
        // Half of the rounds: the removal comes while they go to sleep.
        for (unsigned i = 0; i < 2 && round % 2 == 0; ++i) {
            test::until([&] { return asleep.at(i) != 0; });
            until_asleep_in(::getpid(), asleep.at(i), SYS_msgsnd);
        }
        remove_mailbox(address_, removal::by_force).value();
        for (auto& one : threads) one.join();
        EXPECT_EQ(closed, threads.size());
        EXPECT_TRUE(full.try_send("x").is(errc::closed));
    }
}

TEST_F(SysvMq, ANewQueueIsNotDisturbedByEndsOfTheOldOne) {
    auto old_out = open_sender();
    auto old_in = open_receiver();
    remove_mailbox(address_, removal::by_force).value();
    auto out = open_sender();
    auto in = open_receiver();
    expect_error(old_out.send("x"), errc::closed, "was removed");
    expect_error(old_in.try_receive(), errc::closed, "was removed");
    EXPECT_TRUE(old_in.attributes().is(errc::closed));
    EXPECT_TRUE(old_in.change(with_memory(100)).is(errc::closed));
    out.send("new").value();
    EXPECT_EQ(in.receive().value().text(), "new");
}

TEST_F(SysvMq, AReceiverKilledWhileItWaitsTakesNothingAlong) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = open_sender();
    child other("receiver", [&] { static_cast<void>(open_receiver().receive()); });
    until_asleep_in(other.pid(), other.pid(), SYS_msgrcv);
    other.kill();
    out.send("for the next").value();
    EXPECT_EQ(open_receiver().receive().value().text(), "for the next");
}

TEST_F(SysvMq, ASenderKilledWhileItWaitsHasSentNothing) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = open_sender(with_memory(4));
    auto in = open_receiver();
    out.send("full").value();
    child other("sender", [&] { static_cast<void>(open_sender().send("late")); });
    until_asleep_in(other.pid(), other.pid(), SYS_msgsnd);
    other.kill();
    EXPECT_EQ(in.receive().value().text(), "full");
    EXPECT_TRUE(in.try_receive().is(errc::would_block));
}

TEST_F(SysvMq, AMessageTakenByAKilledReceiverIsLostAndTheOthersStay) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    auto out = open_sender();
    const beacon taken;
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

// Signals that hit both sides in their sleep: each call is done, or was interrupted and did
// nothing.
TEST_F(SysvMq, AStormOfSignalsLosesNothing) {
    struct sigaction quiet {};
    struct sigaction before {};
    quiet.sa_handler = [](int) {};
    quiet.sa_flags = SA_RESTART;
    ::sigaction(SIGUSR2, &quiet, &before);
    constexpr std::uint64_t messages = 20'000;
    auto in = open_receiver(with_memory(256));
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> interrupted{0};
    std::thread producer([&] {
        auto out = open_sender();
        for (std::uint64_t i = 0; i < messages;) {
            const auto outcome = out.send_value(i);
            if (outcome)
                ++i;
            else if (outcome.is(errc::interrupted))
                ++interrupted;
            else
                throw_error(outcome.why());
        }
    });
    std::thread storm([&, receiving = ::pthread_self(), sending = producer.native_handle()] {
        while (!over) {
            ::pthread_kill(receiving, SIGUSR2);
            ::pthread_kill(sending, SIGUSR2);
            ::sched_yield();
        }
    });
    for (std::uint64_t received = 0; received < messages;) {
        const auto got = in.receive_value<std::uint64_t>();
        if (got) {
            EXPECT_EQ(*got, received);
            ++received;
        } else {
            ASSERT_TRUE(got.is(errc::interrupted)) << got.why().describe();
            ++interrupted;
        }
    }
    over = true;
    storm.join();
    producer.join();
    ::sigaction(SIGUSR2, &before, nullptr);
    RecordProperty("interrupted", std::to_string(interrupted));
}

// ---- looking and removing -----------------------------------------------------------------------

TEST_F(SysvMq, InspectionTellsSizeDepthAndUse) {
    auto out = open_sender(with_memory(4096));
    EXPECT_EQ(inspect_mailbox(address_).value().state, mailbox_state::idle) << "unused so far";
    out.send("12345").value();
    const auto seen = inspect_mailbox(address_).value();
    EXPECT_EQ(seen.state, mailbox_state::in_use);
    EXPECT_EQ(seen.geometry.max_memory, 4096U);
    EXPECT_EQ(seen.geometry.mode, 0600U);
    EXPECT_EQ(seen.depth, 1U);
    EXPECT_EQ(seen.memory_bytes, 5U);
    expect_error(inspect_mailbox("sysv-mq:" + std::to_string(fresh_key())), errc::not_found,
                 "hawser ls");
}

TEST_F(SysvMq, RemovalRefusesWhileTheLastUserLives) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    const beacon sent;
    const beacon may_end;
    child other("sender", [&] {
        open_sender().send("x").value();
        sent.raise();
        may_end.wait();
    });
    sent.wait();
    expect_error(remove_mailbox(address_), errc::already_exists,
                 "process " + std::to_string(other.pid()));
    may_end.raise();
    EXPECT_TRUE(other.end_well());
    EXPECT_TRUE(remove_mailbox(address_)) << "messages go along";
    EXPECT_TRUE(remove_mailbox(address_).is(errc::not_found));
}

// ---- limits -------------------------------------------------------------------------------------

TEST_F(SysvMq, ALargerMessageThanTheSystemHasIsRefused) {
    auto out = open_sender();
    msginfo limits{};
    ASSERT_GE(::msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&limits)), 0);
    const auto most = static_cast<std::size_t>(limits.msgmax);
    EXPECT_TRUE(out.send(std::string(most - 1, 'x'))) << "one less fits";
    expect_error(out.send(std::string(most + 1, 'x')), errc::too_big,
                 "at most " + std::to_string(most));
    options wanted;
    wanted.max_message = most + 1;
    expect_error(sender::open(address_, wanted), errc::no_space,
                 "kernel.msgmax is " + std::to_string(most));
    wanted.max_message = 100;
    auto small = sender::open(address_, wanted).value();
    expect_error(small.send(std::string(101, 'x')), errc::too_big, "at most 100");
}

TEST_F(SysvMq, MoreMemoryThanTheSystemGivesIsRefusedAndNamed) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    child other("unprivileged", [&] {
        if (::geteuid() == 0) become_nobody();
        msginfo limits{};
        ASSERT_GE(::msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&limits)), 0);
        const auto most = static_cast<std::uint64_t>(limits.msgmnb);
        const std::string named = "kernel.msgmnb is " + std::to_string(most);
        expect_error(sender::open(address_, with_memory(most + 1)), errc::permission, named);
        EXPECT_TRUE(inspect_mailbox(address_).is(errc::not_found)) << "nothing was made";
        auto out = open_sender(with_memory(most));
        expect_error(out.change(with_memory(most + 1)), errc::permission, named);
        remove_mailbox(address_, removal::by_force).value();
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(SysvMq, TheNumberOfQueuesIsLimitedAndNamed) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make an IPC namespace of its own";
    child other("namespace", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWIPC), 0);
        write_setting("/proc/sys/kernel/msgmni", "2");
        auto first = sender::open("sysv-mq:1").value();
        auto second = sender::open("sysv-mq:2").value();
        expect_error(sender::open("sysv-mq:3"), errc::no_space, "kernel.msgmni is 2");
        expect_error(sender::open("sysv-mq:private"), errc::no_space, "kernel.msgmni is 2");
        remove_mailbox("sysv-mq:1", removal::by_force).value();
        EXPECT_TRUE(sender::open("sysv-mq:3"));
    });
    EXPECT_TRUE(other.end_well());
}

TEST_F(SysvMq, MessagesStayWholeWhenTheLimitMoves) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under ThreadSanitizer";
    if (::geteuid() != 0) GTEST_SKIP() << "only root can make an IPC namespace of its own";
    child other("namespace", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWIPC), 0);
        auto in = receiver::open("sysv-mq:1").value();
        auto early = sender::open("sysv-mq:1").value();
        write_setting("/proc/sys/kernel/msgmax", "12000");
        auto out = sender::open("sysv-mq:1").value();
        const std::string large(12'000, 'x');
        out.send(large).value();
        EXPECT_EQ(in.receive().value().text(), large) << "larger than when it was opened";
        write_setting("/proc/sys/kernel/msgmax", "1000");
        expect_error(early.send(std::string(1001, 'x')), errc::too_big, "kernel.msgmax is 1000");
        early.send(std::string(1000, 'x')).value();
    });
    EXPECT_TRUE(other.end_well());
}

} // namespace
} // namespace hawser::sysv_mq
