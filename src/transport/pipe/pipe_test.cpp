// Pipes between real processes: forked ones, spawned ones, and ends that are none.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>
#include <hawser/pipe.hpp>

#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/shared.hpp"
#include "wire/frame.hpp"

extern char** environ; // NOLINT(readability-redundant-declaration): POSIX leaves it to us

namespace hawser {
namespace {

using namespace std::chrono_literals;

constexpr unsigned stranger = 65'534; // nobody: any user but root will do

class Pipe : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::can_fork) GTEST_SKIP() << "processes: no fork under ThreadSanitizer";
    }
    // Two bare descriptors, as another program would have them.
    static std::array<int, 2> bare() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
        return ends;
    }
    static bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
    static std::string numbers(int reading, int writing) {
        const auto text = [](int fd) { return fd < 0 ? std::string("-") : std::to_string(fd); };
        return "pipe:" + text(reading) + "," + text(writing);
    }
};

std::string text_of_size(std::size_t size) {
    std::string text(size, 'x');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
    return text;
}

// ---- after fork ---------------------------------------------------------------------------------

TEST_F(Pipe, AChildReadsWhatItsParentWritesAndThenTheEnd) {
    auto link = pipe::create().value();
    test::child reader("reader", [&] {
        auto in = link.receiver().value();
        for (const std::size_t size : {0U, 1U, 4096U, 70'000U, 3'000'000U}) {
            const auto got = in.receive().value();
            EXPECT_EQ(got.text(), text_of_size(size));
        }
        EXPECT_TRUE(in.receive().is(errc::closed));
        EXPECT_TRUE(in.receive().is(errc::closed));
    });
    auto out = link.sender().value();
    for (const std::size_t size : {0U, 1U, 4096U, 70'000U, 3'000'000U})
        out.send(text_of_size(size)).value();
    out.close();
    EXPECT_TRUE(reader.end_well());
}

TEST_F(Pipe, AParentReadsWhatItsChildWrites) {
    auto link = pipe::create().value();
    test::child writer("writer", [&] {
        auto out = link.writer().value();
        out.write_all("raw bytes\n").value();
    });
    auto in = link.reader().value();
    std::string got;
    std::array<std::byte, 4> some{};
    for (;;) {
        const auto moved = in.read_some(some);
        if (!moved) {
            EXPECT_TRUE(moved.is(errc::closed));
            break;
        }
        got.append(reinterpret_cast<const char*>(some.data()), *moved);
    }
    EXPECT_EQ(got, "raw bytes\n");
    EXPECT_TRUE(writer.end_well());
}

TEST_F(Pipe, AWriterLearnsThatItsReaderWasKilled) {
    auto link = pipe::create().value();
    const test::beacon reading;
    test::child reader("reader", [&] {
        auto in = link.receiver().value();
        reading.raise();
        while (in.receive()) {
        }
    });
    auto out = link.sender().value();
    reading.wait();
    reader.kill();
    EXPECT_TRUE(out.send("nobody").is(errc::closed));
    EXPECT_TRUE(out.try_send("nobody").is(errc::closed));
}

TEST_F(Pipe, AWriterKilledInTheMiddleOfAMessageIsPeerDiedOnceThenTheEnd) {
    auto link = pipe::create().value();
    const test::beacon writing;
    test::child writer("writer", [&] {
        auto out = link.sender().value();
        out.send("whole").value();
        // Longer than the pipe: it stops in the middle.
        EXPECT_TRUE(out.send_for(text_of_size(1'000), 0ns));
        writing.raise();
        static_cast<void>(out.send(text_of_size(1'000'000)));
    });
    auto in = link.receiver().value();
    writing.wait();
    EXPECT_EQ(in.receive()->text(), "whole");
    EXPECT_EQ(in.receive()->size(), 1'000U);
    // Something of the long one is there, and more than the pipe holds is not.
    ASSERT_TRUE(in.receive_for(1ms).is(errc::timed_out));
    writer.kill();
    auto end = in.receive();
    if (end.is(errc::peer_died)) end = in.receive(); // killed before its first byte: only the end
    EXPECT_TRUE(end.is(errc::closed));
}

TEST_F(Pipe, AMessageThatWasGivenUpNeverArrives) {
    auto made = pipe::create().value().ends().value();
    EXPECT_TRUE(made.out.send_for(text_of_size(1'000'000), 1ms).is(errc::timed_out));
    std::thread reader([&] {
        EXPECT_EQ(made.in.receive()->text(), "next");
        EXPECT_TRUE(made.in.receive().is(errc::closed));
    });
    made.out.send("next").value();
    made.out.close();
    reader.join();
}

TEST_F(Pipe, WhatIsLargerThanThePipeNeedsWaiting) {
    auto made = pipe::create().value().ends().value();
    const std::uint64_t fits = *made.out.attributes()->capacity_bytes - wire::frame_extra_bytes;
    const auto refused = made.out.try_send(text_of_size(fits + 1));
    EXPECT_TRUE(refused.is(errc::too_big));
    made.out.try_send(text_of_size(fits)).value();
    EXPECT_EQ(made.in.receive()->size(), fits);
}

TEST_F(Pipe, InPacketsManyChildrenShareTheWork) {
    constexpr unsigned workers = 4;
    constexpr unsigned jobs = 4'000;
    auto link = pipe::create({}, pipe_mode::packets).value();
    test::shared<std::array<std::atomic<unsigned>, jobs>> done;
    std::vector<std::unique_ptr<test::child>> all;
    for (unsigned w = 0; w < workers; ++w)
        all.push_back(std::make_unique<test::child>("worker", [&] {
            auto in = link.receiver().value();
            while (auto got = in.receive()) {
                const std::string text{got->text()};
                const auto job = static_cast<unsigned>(std::stoul(text));
                ASSERT_EQ(text, std::to_string(job) + std::string(job % 4'000, ' '));
                ++(*done)[job];
            }
        }));
    auto out = link.sender().value();
    EXPECT_TRUE(out.send(text_of_size(4'088)).is(errc::too_big));
    for (unsigned job = 0; job < jobs; ++job)
        out.send(std::to_string(job) + std::string(job % 4'000, ' ')).value();
    out.close();
    for (const auto& one : all) EXPECT_TRUE(one->end_well());
    for (const auto& count : *done) ASSERT_EQ(count, 1U);
}

// ---- spawned programs ---------------------------------------------------------------------------

// Starts /bin/sh with a script that may use $1.
pid_t spawn(const std::string& script, std::string argument,
            const posix_spawn_file_actions_t* actions = nullptr) {
    std::string shell = "sh";
    std::string option = "-c";
    std::string text = script;
    std::array<char*, 6> words{shell.data(), option.data(),   text.data(),
                               shell.data(), argument.data(), nullptr};
    pid_t pid = -1;
    EXPECT_EQ(::posix_spawn(&pid, "/bin/sh", actions, nullptr, words.data(), environ), 0);
    return pid;
}

int exit_of(pid_t pid) {
    int status = -1;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(Pipe, AProgramIsGivenOneEndAndNothingElse) {
    auto link = pipe::create().value();
    auto given = link.give_reader().value();
    const int number = given.descriptor();
    EXPECT_EQ(given.address(), "pipe:" + std::to_string(number) + ",-");
    // Three lines in, then the end, which comes only if no writing end was inherited.
    const pid_t pid = spawn("test \"$(cat <&$1 | wc -l)\" -eq 3", std::to_string(number));
    given.close();
    EXPECT_FALSE(is_open(number));
    auto out = link.writer().value();
    out.write_all("one\ntwo\nthree\n").value();
    out.close();
    EXPECT_EQ(exit_of(pid), 0);
}

TEST_F(Pipe, AProgramCanWriteAndBeGivenItsEndPrivately) {
    auto link = pipe::create().value();
    auto given = link.give_writer().value();
    given.keep_private();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, given.descriptor(), given.descriptor());
    const pid_t pid = spawn("echo hello >&$1", std::to_string(given.descriptor()), &actions);
    ::posix_spawn_file_actions_destroy(&actions);
    given.close();
    auto in = link.reader().value();
    std::array<std::byte, 64> bytes{};
    EXPECT_EQ(in.read_some(bytes).value(), 6U);
    EXPECT_TRUE(in.read_some(bytes).is(errc::closed));
    EXPECT_EQ(exit_of(pid), 0);
}

// ---- addresses ----------------------------------------------------------------------------------

TEST_F(Pipe, AnInheritedEndIsTakenOver) {
    const auto ends = bare();
    auto in = receiver::open(numbers(ends[0], -1)).value();
    auto out = sender::open(numbers(-1, ends[1])).value();
    EXPECT_EQ(out.where().to_text(), numbers(-1, ends[1]));
    EXPECT_FALSE(is_open(ends[0]) && (::fcntl(ends[0], F_GETFD) & FD_CLOEXEC) == 0);
    out.send("x").value();
    EXPECT_EQ(in.receive()->text(), "x");
    out.close();
    EXPECT_TRUE(in.receive().is(errc::closed));
}

TEST_F(Pipe, TheEndThatIsNotNeededIsClosed) {
    const auto ends = bare();
    auto in = receiver::open(numbers(ends[0], ends[1])).value();
    EXPECT_TRUE(in.receive().is(errc::closed)); // no writing end is left
}

TEST_F(Pipe, StandardInputBecomesNothingAndIsNotReused) {
    const auto ends = bare();
    test::child other("other", [&] {
        ASSERT_EQ(::dup2(ends[0], 0), 0);
        auto in = receiver::open("pipe:0,-").value();
        EXPECT_TRUE(is_open(0));
        char byte = 0;
        EXPECT_EQ(::read(0, &byte, 1), 0); // /dev/null
        EXPECT_GT(in.fd().value(), 2);
    });
    EXPECT_TRUE(other.end_well());
    for (const int fd : ends) ::close(fd);
}

TEST_F(Pipe, AddressesThatCanNotBeSayWhy) {
    const auto ends = bare();
    const int file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    struct {
        std::string address;
        const char* says;
    } const wrong[] = {
        {"pipe:", "create()"},
        {"pipe:5", "two descriptor numbers"},
        {"pipe:-,-", "neither"},
        {"pipe:x,-", "no descriptor number"},
        {"pipe:-5,-", "no descriptor number"},
        {"pipe:99999999999,-", "no descriptor number"},
        {numbers(-1, ends[1]), "no end for reading"},
        {numbers(ends[1], -1), "writing end"},
        {numbers(9'999, -1), "not open"},
        {numbers(file, -1), "no pipe"},
        {numbers(ends[0], ends[0]), "reading end"},
    };
    for (const auto& [address, says] : wrong) {
        const auto in = receiver::open(address);
        ASSERT_TRUE(in.is(errc::invalid_argument)) << address;
        EXPECT_NE(in.why().detail().find(says), std::string_view::npos) << in.why().describe();
    }
    for (const int fd : {ends[0], ends[1], file}) {
        EXPECT_TRUE(is_open(fd)); // a refusal takes nothing
        ::close(fd);
    }
}

TEST_F(Pipe, AnEndIsTakenOnce) {
    auto link = pipe::create().value();
    auto in = link.receiver().value();
    EXPECT_TRUE(link.receiver().is(errc::invalid_argument));
    EXPECT_TRUE(link.sender().is(errc::invalid_argument)); // it was closed for the user
    EXPECT_TRUE(link.give_writer().is(errc::invalid_argument));
    EXPECT_TRUE(in.receive().is(errc::closed));
}

TEST_F(Pipe, BytesGoOneWayAndNotInPackets) {
    const auto ends = bare();
    const auto both = byte_stream::open(numbers(ends[0], ends[1]));
    EXPECT_TRUE(both.is(errc::invalid_argument));
    auto out = byte_stream::open(numbers(-1, ends[1]), stream_role::writer).value();
    std::array<std::byte, 4> bytes{};
    EXPECT_TRUE(out.read_some(bytes).is(errc::invalid_argument));
    ::close(ends[0]);
    EXPECT_TRUE(out.write_all("x").is(errc::closed));
    auto packets = pipe::create({}, pipe_mode::packets).value();
    EXPECT_TRUE(packets.writer().is(errc::invalid_argument));
}

// ---- settings -----------------------------------------------------------------------------------

TEST_F(Pipe, CapacityIsReadAndChanged) {
    options wanted;
    wanted.max_memory = 100'000;
    auto made = pipe::create(wanted).value().ends().value();
    EXPECT_EQ(made.in.attributes()->capacity_bytes, 128U * 1024); // a power of two of pages
    made.out.send("123").value();
    EXPECT_EQ(made.in.attributes()->depth_bytes, 3 + wire::frame_extra_bytes);
    options larger;
    larger.max_memory = 1U << 20U;
    made.out.change(larger).value();
    EXPECT_EQ(made.in.attributes()->capacity_bytes, 1U << 20U);
    options other;
    other.mode = 0600;
    EXPECT_TRUE(made.out.change(other).is(errc::unsupported));
    EXPECT_TRUE(pipe::create(other).is(errc::unsupported));
    options packets;
    packets.capacity = 4;
    EXPECT_TRUE(pipe::create(packets).is(errc::unsupported));
}

TEST_F(Pipe, ACapacityAboveTheLimitNamesTheSysctl) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    test::child other("stranger", [&] {
        ASSERT_EQ(::setresuid(stranger, stranger, stranger), 0);
        options wanted;
        wanted.max_memory = 512U << 20U;
        const auto refused = pipe::create(wanted);
        EXPECT_TRUE(refused.is(errc::permission));
        EXPECT_NE(refused.why().detail().find("fs.pipe-max-size"), std::string_view::npos);
    });
    EXPECT_TRUE(other.end_well());
}

} // namespace
} // namespace hawser
