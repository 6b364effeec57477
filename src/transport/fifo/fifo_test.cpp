// What the contract suite does not know of a FIFO: real readers and writers of the kernel's own
// kind, and what has the name but is no FIFO.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "os/made.hpp"
#include "support/asleep.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"
#include "wire/frame.hpp"

namespace hawser {
namespace {

using test::until;
using namespace std::chrono_literals;

constexpr unsigned stranger = 65'534; // nobody: any user but root will do

class Fifo : public testing::Test {
  protected:
    ~Fifo() override {
        EXPECT_EQ(test::left_over(), std::vector<std::string>{});
        test::sweep_left_over();
    }

    [[nodiscard]] std::string address(const std::string& with = "") const {
        return "fifo:" + path_ + with;
    }
    [[nodiscard]] struct stat look() const {
        struct stat raw {};
        EXPECT_EQ(::lstat(path_.c_str(), &raw), 0) << std::strerror(errno);
        return raw;
    }
    [[nodiscard]] bool exists() const { return ::access(path_.c_str(), F_OK) == 0; }
    // As any other program opens it; the test's own, so without waiting.
    [[nodiscard]] int foreign(int flags) const {
        const int fd = ::open(path_.c_str(), flags | O_NONBLOCK | O_CLOEXEC);
        EXPECT_GE(fd, 0) << std::strerror(errno);
        return fd;
    }
    void make_by_hand(mode_t mode = 0600) const { ASSERT_EQ(::mkfifo(path_.c_str(), mode), 0); }
    void unlink_by_hand() const { EXPECT_EQ(::unlink(path_.c_str()), 0); }
    static void put(int fd, std::string_view text) {
        ASSERT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }

    std::string path_ = test::private_directory() + "/" + test::unique_name("fifo");
};

// ---- making, and what has the name --------------------------------------------------------------

TEST_F(Fifo, TheModeIsExactWhateverTheUmask) {
    for (const mode_t mask : {0U, 022U, 077U, 0777U}) {
        const mode_t before = ::umask(mask);
        const auto in = receiver::open(address("?mode=0642"));
        ::umask(before);
        ASSERT_TRUE(in) << in.why().describe();
        EXPECT_EQ(look().st_mode, static_cast<mode_t>(S_IFIFO | 0642));
    }
    const auto in = receiver::open(address()).value();
    EXPECT_EQ(look().st_mode & 07777U, 0600U);
}

TEST_F(Fifo, WhatIsNoFifoIsCorruptAndStays) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, sizeof name.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const std::array<std::pair<const char*, std::function<void()>>, 4> others{{
        {"a regular file", [&] { std::ofstream(path_) << "mine"; }},
        {"a directory", [&] { ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0); }},
        {"a symbolic link", [&] { ASSERT_EQ(::symlink("/dev/null", path_.c_str()), 0); }},
        {"a socket",
         [&] {
             ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
         }},
    }};
    for (const auto& [kind, make] : others) {
        make();
        const auto before = look();
        for (const auto& why : {sender::open(address()).why(), receiver::open(address()).why(),
                                byte_stream::open(address(), stream_role::reader).why(),
                                remove_mailbox(address(), removal::by_force).why()}) {
            EXPECT_EQ(why.code(), errc::corrupt) << why.describe();
            EXPECT_NE(why.detail().find(kind), std::string_view::npos) << why.describe();
        }
        EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::not_mailbox);
        EXPECT_EQ(look().st_ino, before.st_ino);
        EXPECT_EQ(::remove(path_.c_str()), 0);
    }
    ::close(socket);
}

TEST_F(Fifo, PathsThatCanNotBeSayWhy) {
    EXPECT_TRUE(receiver::open("fifo:").is(errc::invalid_argument));
    const auto no_directory = receiver::open(address() + "/none/here");
    EXPECT_TRUE(no_directory.is(errc::not_found));
    const auto too_long = receiver::open(address(std::string(300, 'x')));
    EXPECT_TRUE(too_long.is(errc::invalid_argument));
    EXPECT_NE(too_long.why().detail().find("255"), std::string_view::npos);
    const auto group = receiver::open(address("?group=no-such-group-here"));
    EXPECT_TRUE(group.is(errc::invalid_argument));
    EXPECT_FALSE(exists());
}

TEST_F(Fifo, WhoeverMayNotIsToldSo) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    make_by_hand(0620);
    ::chmod(path_.c_str(), 0622); // others may write, not read
    ::chmod(test::private_directory().c_str(), 0755);
    test::child other("stranger", [&] {
        ASSERT_EQ(::setresuid(stranger, stranger, stranger), 0);
        const auto in = receiver::open(address());
        EXPECT_TRUE(in.is(errc::permission)) << in.why().describe();
        EXPECT_NE(in.why().detail().find("ls -l"), std::string_view::npos);
        EXPECT_TRUE(sender::open(address()));
        // Nor may it make one there.
        EXPECT_TRUE(receiver::open(address("-other")).is(errc::permission));
    });
    EXPECT_TRUE(other.end_well());
    unlink_by_hand();
}

TEST_F(Fifo, OptionsThatAFifoHasNotAreRefused) {
    for (const char* with : {"?capacity=4", "?participants=3", "?persist=yes", "?full=drop_oldest",
                             "?delivery=at_least_once", "?max_message=4088", "?sharing=all"}) {
        const auto in = receiver::open(address(with));
        EXPECT_TRUE(in.is(errc::unsupported)) << with;
    }
    EXPECT_FALSE(exists());
}

// ---- who comes first ----------------------------------------------------------------------------

TEST_F(Fifo, ASenderNeedsNoReaderToOpenAndNeverHangs) {
    auto out = sender::open(address()).value();
    EXPECT_TRUE(exists());
    EXPECT_TRUE(out.try_send("nobody").is(errc::would_block));
    EXPECT_TRUE(out.send_for("nobody", 1ms).is(errc::timed_out));
    auto in = receiver::open(address("?create=open")).value();
    EXPECT_TRUE(in.try_receive().is(errc::would_block)); // it has heard of no sender
    out.try_send("somebody").value();
    EXPECT_EQ(in.receive()->text(), "somebody");
}

TEST_F(Fifo, ASenderThatLostItsReaderFindsTheNextOne) {
    auto out = sender::open(address()).value();
    for (int i = 0; i < 3; ++i) {
        auto in = receiver::open(address()).value();
        out.send("one").value();
        EXPECT_EQ(in.receive()->text(), "one");
        in.close();
        EXPECT_TRUE(exists());
        EXPECT_TRUE(out.try_send("two").is(errc::closed));
        EXPECT_TRUE(out.try_send("three").is(errc::would_block));
    }
}

TEST_F(Fifo, ASenderMakesItAgainWhenItWasRemoved) {
    auto out = sender::open(address()).value();
    unlink_by_hand();
    EXPECT_TRUE(out.try_send("x").is(errc::would_block));
    EXPECT_TRUE(exists());
    unlink_by_hand();
    auto careful = sender::open(address("?create=open"));
    EXPECT_TRUE(careful.is(errc::not_found));
    EXPECT_FALSE(exists());
    os::forget_made(mailbox_directory(), path_); // what was removed by hand
}

// ---- messages -----------------------------------------------------------------------------------

TEST_F(Fifo, TheLargestMessageIsOnePacketAndMoreIsTooBig) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    const std::string largest(4087, 'x');
    out.try_send(largest).value();
    out.try_send("").value();
    EXPECT_EQ(in.receive()->text(), largest);
    EXPECT_EQ(in.receive()->size(), 0U);
    const auto refused = out.try_send(largest + "x");
    EXPECT_TRUE(refused.is(errc::too_big));
    EXPECT_NE(refused.why().detail().find("4087"), std::string_view::npos);
    EXPECT_TRUE(in.try_receive().is(errc::would_block));
}

TEST_F(Fifo, AMessageTakesOneSlotWhateverItsSize) {
    auto in = receiver::open(address("?max_memory=64KiB")).value();
    auto out = sender::open(address()).value();
    EXPECT_EQ(in.attributes()->capacity, 16U);
    unsigned sent = 0;
    while (out.try_send("x")) ++sent;
    EXPECT_EQ(sent, 16U);
    EXPECT_EQ(in.attributes()->depth_bytes, 160U);
    in.try_receive().value();
    EXPECT_TRUE(out.try_send("x"));
    EXPECT_TRUE(out.try_send("x").is(errc::would_block));
}

// Four writers and four readers: each message goes whole to one of them, and each reader hears each
// writer in its order.
TEST_F(Fifo, ManyWritersAndManyReadersGetWholeMessages) {
    if (!test::can_fork) GTEST_SKIP() << "processes: no fork under ThreadSanitizer";
    constexpr unsigned writers = 4;
    constexpr unsigned readers = 4;
    constexpr unsigned each = 2000;
    test::shared<std::array<std::atomic<unsigned>, writers * each>> seen;
    const test::beacon reading;
    std::vector<std::unique_ptr<test::child>> all;
    for (unsigned r = 0; r < readers; ++r)
        all.push_back(std::make_unique<test::child>("reader", [&] {
            auto in = receiver::open(address()).value();
            reading.raise();
            std::array<unsigned, writers> next{};
            while (auto got = in.receive()) {
                ASSERT_GE(got->size(), 8U);
                std::array<unsigned, 2> head{};
                std::memcpy(head.data(), got->bytes().data(), 8);
                ASSERT_LT(head[0], writers);
                ASSERT_GE(head[1], next[head[0]]);
                ASSERT_LT(head[1], each);
                next[head[0]] = head[1] + 1;
                const auto fill = static_cast<std::byte>(head[0] * 16 + head[1] % 16);
                ASSERT_EQ(got->size(), 8 + head[1] * 7 % 4080);
                for (const std::byte one : got->bytes().subspan(8)) ASSERT_EQ(one, fill);
                ++(*seen)[head[0] * each + head[1]];
            }
        }));
    reading.wait(readers);
    for (unsigned w = 0; w < writers; ++w)
        all.push_back(std::make_unique<test::child>("writer", [&, w] {
            auto out = sender::open(address()).value();
            for (unsigned i = 0; i < each; ++i) {
                std::vector<std::byte> message(8 + i * 7 % 4080,
                                               static_cast<std::byte>(w * 16 + i % 16));
                const std::array<unsigned, 2> head{w, i};
                std::memcpy(message.data(), head.data(), 8);
                out.send(message).value();
            }
        }));
    for (const auto& one : all) EXPECT_TRUE(one->end_well());
    for (const auto& count : *seen) ASSERT_EQ(count, 1U);
}

// ---- foreign bytes ------------------------------------------------------------------------------

TEST_F(Fifo, GarbageIsCorruptOnceAndTheNextMessageIsGood) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    const int raw = foreign(O_WRONLY);
    put(raw, "this is no frame at all");
    EXPECT_TRUE(in.receive().is(errc::corrupt));
    out.send("good").value();
    EXPECT_EQ(in.receive()->text(), "good");
    // A header that announces 4 GiB.
    put(raw, std::string_view("hw\x01\x00\xff\xff\xff\xff", 8));
    EXPECT_TRUE(in.receive().is(errc::corrupt));
    ::close(raw);
    out.send("better").value();
    EXPECT_EQ(in.receive()->text(), "better");
}

TEST_F(Fifo, HalfAFrameIsPeerDiedOnceAndThenTheEnd) {
    auto in = receiver::open(address()).value();
    const int raw = foreign(O_WRONLY);
    const auto header = wire::encode({0, 100});
    put(raw, {reinterpret_cast<const char*>(header.data()), header.size()});
    EXPECT_TRUE(in.try_receive().is(errc::would_block));
    ::close(raw);
    EXPECT_TRUE(in.receive().is(errc::peer_died));
    EXPECT_TRUE(in.receive().is(errc::closed));
    auto out = sender::open(address()).value();
    out.send("anew").value();
    EXPECT_EQ(in.receive()->text(), "anew");
}

TEST_F(Fifo, AKilledSendersMessagesAreAllThere) {
    if (!test::can_fork) GTEST_SKIP() << "processes: no fork under ThreadSanitizer";
    const test::beacon sent;
    const test::beacon never;
    test::child other("sender", [&] {
        until([&] { return exists(); });
        auto out = sender::open(address()).value();
        for (int i = 0; i < 10; ++i) out.send(std::to_string(i)).value();
        sent.raise();
        never.wait();
    });
    auto in = receiver::open(address()).value();
    sent.wait();
    other.kill();
    for (int i = 0; i < 10; ++i) EXPECT_EQ(in.receive()->text(), std::to_string(i));
    EXPECT_TRUE(in.receive().is(errc::closed));
}

// ---- going away ---------------------------------------------------------------------------------

TEST_F(Fifo, TheLastToCloseRemovesWhatHawserMade) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    in.close();
    EXPECT_TRUE(exists());
    out.close();
    EXPECT_FALSE(exists());
    // Also one that never met anybody.
    sender::open(address()).value().close();
    EXPECT_FALSE(exists());
    in = receiver::open(address()).value();
    auto writes = byte_stream::open(address(), stream_role::writer).value();
    auto reads = byte_stream::open(address(), stream_role::reader).value();
    in.close();
    writes.close();
    EXPECT_TRUE(exists());
    reads.close();
    EXPECT_FALSE(exists());
}

TEST_F(Fifo, WhatHawserDidNotMakeStays) {
    make_by_hand();
    receiver::open(address()).value().close();
    sender::open(address()).value().close();
    EXPECT_TRUE(exists());
    EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::idle);
    remove_mailbox(address()).value();
    EXPECT_FALSE(exists());
    EXPECT_TRUE(remove_mailbox(address()).is(errc::not_found));
}

// Others come and go while one is there: its FIFO keeps its name.
TEST_F(Fifo, NobodyIsLeftOnAFifoWithoutAName) {
    std::atomic<bool> stop = false;
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i)
        others.emplace_back([&] {
            while (!stop) {
                const auto in = receiver::open(address());
                const auto out = sender::open(address());
                if (out && in) continue;
                ADD_FAILURE() << (in ? out.why() : in.why()).describe();
                return;
            }
        });
    for (int i = 0; i < 2000; ++i) {
        auto mine = byte_stream::open(address(), stream_role::reader).value();
        struct stat opened {};
        ASSERT_EQ(::fstat(mine.fd().value(), &opened), 0);
        ASSERT_EQ(opened.st_ino, look().st_ino);
    }
    stop = true;
    for (auto& one : others) one.join();
    EXPECT_FALSE(exists());
}

// A foreign program that sleeps in open(2) is let go when the FIFO goes.
TEST_F(Fifo, WhoWaitsInOpenIsLetGo) {
    for (const int side : {O_RDONLY, O_WRONLY}) {
        make_by_hand();
        std::atomic<pid_t> opening = 0;
        std::thread foreigner([&] {
            opening = ::gettid();
            const int fd = ::open(path_.c_str(), side | O_CLOEXEC);
            EXPECT_GE(fd, 0) << std::strerror(errno);
            ::close(fd);
        });
        until([&] { return opening != 0 && test::state_of(opening) == 'S'; });
        remove_mailbox(address(), removal::by_force).value();
        foreigner.join();
    }
}

TEST_F(Fifo, RemovalRefusesWhileItIsInUse) {
    auto in = receiver::open(address()).value();
    EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::in_use);
    const auto refused = remove_mailbox(address());
    EXPECT_TRUE(refused.is(errc::already_exists));
    EXPECT_NE(refused.why().detail().find(std::to_string(::getpid())), std::string_view::npos);
    EXPECT_TRUE(exists());
    remove_mailbox(address(), removal::by_force).value();
    EXPECT_FALSE(exists());
}

// ---- settings -----------------------------------------------------------------------------------

TEST_F(Fifo, SettingsAreReadAndChanged) {
    auto in = receiver::open(address()).value();
    auto out = sender::open(address()).value();
    options larger;
    larger.max_memory = 128 * 1024;
    larger.mode = 0660;
    in.change(larger).value();
    EXPECT_EQ(out.attributes()->capacity_bytes, 128U * 1024);
    EXPECT_EQ(out.attributes()->mode, 0660U);
    EXPECT_EQ(look().st_mode & 07777U, 0660U);
    EXPECT_EQ(out.attributes()->max_message, 4087U);
    while (out.try_send("x")) {
    }
    options smaller;
    smaller.max_memory = 4096;
    EXPECT_TRUE(in.change(smaller).is(errc::would_block));
    options other;
    other.loans = 3;
    EXPECT_TRUE(in.change(other).is(errc::unsupported));
}

TEST_F(Fifo, ACapacityAboveTheLimitNamesTheSysctl) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    make_by_hand();
    ::chmod(path_.c_str(), 0666);
    ::chmod(test::private_directory().c_str(), 0755);
    test::child other("stranger", [&] {
        ASSERT_EQ(::setresuid(stranger, stranger, stranger), 0);
        const auto in = receiver::open(address("?max_memory=512MiB"));
        EXPECT_TRUE(in.is(errc::permission));
        EXPECT_NE(in.why().detail().find("fs.pipe-max-size"), std::string_view::npos);
    });
    EXPECT_TRUE(other.end_well());
    unlink_by_hand();
}

// ---- raw bytes ----------------------------------------------------------------------------------

TEST_F(Fifo, RawBytesGoBothToAndFromForeigners) {
    make_by_hand();
    const int host = foreign(O_RDONLY);
    const int writer = foreign(O_WRONLY);
    ::close(host);
    auto in = byte_stream::open(address(), stream_role::reader).value();
    EXPECT_TRUE(in.write_all("x").is(errc::invalid_argument));
    std::array<std::byte, 64> bytes{};
    EXPECT_TRUE(in.read_some(bytes, deadline::now()).is(errc::would_block));
    put(writer, "hello");
    EXPECT_EQ(in.read_some(bytes).value(), 5U);
    ::close(writer);
    EXPECT_TRUE(in.read_some(bytes).is(errc::closed));

    const int reader = foreign(O_RDONLY);
    in.close();
    auto out = byte_stream::open(address(), stream_role::writer).value();
    out.write_all("good-bye").value();
    out.finish_writing().value();
    EXPECT_EQ(::read(reader, bytes.data(), bytes.size()), 8);
    EXPECT_EQ(::read(reader, bytes.data(), bytes.size()), 0);
    ::close(reader);
    unlink_by_hand();
}

TEST_F(Fifo, AReadersOpenWaitsForAWriterAsLongAsItsDeadlineSays) {
    const auto opened = [&](deadline until, const std::string& with = "") {
        return byte_stream::open(address(with), stream_role::reader, {}, until);
    };
    EXPECT_TRUE(opened(deadline::now()).is(errc::would_block));
    EXPECT_TRUE(opened(deadline::after(1ms)).is(errc::timed_out));
    EXPECT_FALSE(exists()) << "nothing is left of an open that failed";
    EXPECT_TRUE(opened(deadline::never(), "?create=open").is(errc::not_found));
    make_by_hand();
    EXPECT_TRUE(opened(deadline::now(), "?create=open").is(errc::would_block));
    EXPECT_TRUE(opened(deadline::after(1ms), "?create=open").is(errc::timed_out));
    // A second reader is no writer.
    const int other = foreign(O_RDONLY);
    EXPECT_TRUE(opened(deadline::after(20ms)).is(errc::timed_out));
    const int silent = foreign(O_WRONLY);
    auto in = opened(deadline::now(), "?create=open").value();
    std::array<std::byte, 8> bytes{};
    EXPECT_TRUE(in.read_some(bytes, deadline::now()).is(errc::would_block));
    put(silent, "x");
    EXPECT_TRUE(opened(deadline::now())) << "looking takes nothing away";
    EXPECT_EQ(in.read_some(bytes).value(), 1U);
    ::close(silent);
    ::close(other);
    EXPECT_TRUE(in.read_some(bytes).is(errc::closed));
    unlink_by_hand();
}

// As `echo x > FIFO` does: it sleeps in open(2) until somebody reads, and is gone at once.
TEST_F(Fifo, AWriterThatCameAndWentWhileAReaderOpenedWasThere) {
    make_by_hand();
    for (const std::string text : {"brief", ""}) {
        for (int round = 0; round < 20; ++round) {
            std::thread foreigner([&] {
                const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
                ASSERT_GE(fd, 0) << std::strerror(errno);
                put(fd, text);
                ::close(fd);
            });
            auto in = byte_stream::open(address(), stream_role::reader).value();
            std::array<std::byte, 8> bytes{};
            if (!text.empty()) {
                EXPECT_EQ(in.read_some(bytes).value(), text.size());
            }
            EXPECT_TRUE(in.read_some(bytes).is(errc::closed));
            foreigner.join();
        }
    }
    unlink_by_hand();
}

// Whoever takes its FIFO away under a reader that waits does not leave it there for good.
TEST_F(Fifo, AReaderThatWaitsFollowsTheName) {
    make_by_hand();
    std::thread reader([&] {
        auto in = byte_stream::open(address("?create=open"), stream_role::reader).value();
        std::array<std::byte, 8> bytes{};
        EXPECT_EQ(in.read_some(bytes).value(), 5U);
    });
    const auto reached = [&] {
        const int fd = ::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) put(fd, "hello");
        if (fd >= 0) ::close(fd);
        return fd >= 0;
    };
    const std::string another = path_ + "-another";
    ASSERT_EQ(::mkfifo(another.c_str(), 0600), 0);
    ASSERT_EQ(::rename(another.c_str(), path_.c_str()), 0);
    until(reached);
    reader.join();
    unlink_by_hand();
}

TEST_F(Fifo, AMissingDirectoryIsToldFromAMissingFifo) {
    const auto said = [](const std::string& where) {
        return receiver::open(where).why().describe() + sender::open(where).why().describe();
    };
    EXPECT_NE(said(address("-none/x")).find("the directory " + path_ + "-none does not exist"),
              std::string::npos);
    EXPECT_NE(said(address("?create=open")).find("there is no such FIFO"), std::string::npos);
    EXPECT_EQ(said(address("?create=open")).find("the directory"), std::string::npos);
}

TEST_F(Fifo, RawBytesNeedADirectionAndAReader) {
    EXPECT_TRUE(byte_stream::open(address()).is(errc::invalid_argument));
    const auto nobody = byte_stream::open(address(), stream_role::writer, {}, deadline::after(1ms));
    EXPECT_TRUE(nobody.is(errc::timed_out));
    EXPECT_TRUE(byte_stream::open(address(), stream_role::writer, {}, deadline::now())
                    .is(errc::would_block));
}

} // namespace
} // namespace hawser
