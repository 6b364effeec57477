// Whoever gets a copy of a participant's descriptors: fork children, with and without fork
// handlers, programs that are being started, and processes to which somebody hands one.
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "identity/identity.hpp"
#include "os/lock.hpp"
#include "segment/format.hpp"
#include "support/asleep.hpp"
#include "support/place.hpp"
#include "support/unix_peer.hpp"

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace hawser::test {
namespace {

class descendants : public identity {
  protected:
    static std::uint32_t number(pid_t pid) { return static_cast<std::uint32_t>(pid); }

    // A receiver that holds "0", does this, says so, and waits to be killed.
    std::unique_ptr<child> holder_that(const std::function<void()>& act) const {
        auto made = std::make_unique<child>("victim", [this, act] {
            auto in = receiver::open(address()).value();
            const auto got = in.receive().value();
            EXPECT_EQ(got.text(), "0");
            act();
            holding_.raise();
            never_.wait();
        });
        holding_.wait();
        return made;
    }
    // The descriptor of the mailbox in this process.
    static int own_mailbox_descriptor(const std::string& name) {
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
            std::error_code ignored;
            const auto target = std::filesystem::read_symlink(entry.path(), ignored);
            if (target.filename() == "hawser." + name)
                return std::atoi(entry.path().filename().c_str());
        }
        return -1;
    }

    const beacon holding_;
    const beacon born_;
    const beacon never_;
};

TEST_F(descendants, a_fork_child_that_lives_on_hides_no_death) {
    const shared<pid_t> heir;
    send({"0"});
    const auto victim = holder_that([&] {
        const pid_t made = ::fork();
        if (made == 0) {
            born_.raise();
            never_.wait();
            ::_exit(0);
        }
        *heir = made;
        born_.wait();
    });
    victim->kill();
    EXPECT_FALSE(is_alive(number(victim->pid())));
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    EXPECT_EQ(::kill(*heir, 0), 0) << "the child lives on";
}

// Also one that is forked while another thread of its parent opens: see
// src/os/fork_children_test.cpp.
TEST_F(descendants, a_child_of_a_raw_clone_stands_in_for_its_parent) {
    const shared<pid_t> heir;
    send({"0"});
    const auto victim = holder_that([&] {
        const pid_t made = fork_without_handlers();
        if (made == 0) {
            born_.raise();
            never_.wait();
            ::_exit(0);
        }
        *heir = made;
        born_.wait();
    });
    victim->kill();
    // As documented: it has the descriptors, so the kernel can't say that their owner is gone.
    EXPECT_TRUE(is_alive(number(victim->pid())));
    auto in = receiver::open(address()).value();
    expect_nothing_comes(in);
    kill_and_wait(*heir);
    expect_again(in, "0");
}

// A spawned program has its parent's memory until it begins: as long as it is on its way there the
// parent is not dead. Here it is stopped on the way by a FIFO that nobody opens.
TEST_F(descendants, a_spawn_in_flight_counts_until_its_program_begins) {
    const std::string path = private_directory() + "/" + unique_name("door");
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    send({"0"});
    const auto victim = holder_that([&] {
        std::thread([&] {
            posix_spawn_file_actions_t actions;
            ::posix_spawn_file_actions_init(&actions);
            ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path.c_str(), O_RDONLY, 0);
            ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
            char name[] = "cat";
            char* words[] = {name, nullptr};
            pid_t pid = -1;
            ::posix_spawnp(&pid, name, &actions, nullptr, words, environ);
        }).detach();
        // The thread sleeps in vfork, which nothing but a kill ends, once the child is on its way.
        until([] {
            for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
                if (state_of(static_cast<pid_t>(std::stol(task.path().filename()))) == 'D')
                    return true;
            return false;
        });
    });
    victim->kill();
    auto in = receiver::open(address()).value();
    EXPECT_TRUE(is_alive(number(victim->pid())));
    expect_nothing_comes(in);
    // Now it goes on: exec closes what is close-on-exec, and the program lives on.
    const int door = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(door, 0);
    expect_again(in, "0");
    EXPECT_EQ(::write(door, "x", 1), 1) << "the program reads";
    ::close(door);
    ::unlink(path.c_str());
}

TEST_F(descendants, exec_ends_a_participant_and_not_its_process) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    send({"0"});
    child victim("victim", [&] {
        auto in = receiver::open(address()).value();
        auto out = sender::open(address()).value();
        const auto got = in.receive().value();
        holding_.raise();
        ::dup2(ends[0], STDIN_FILENO);
        ::execlp("cat", "cat", nullptr);
        ADD_FAILURE() << "exec: errno " << errno;
    });
    holding_.wait();
    ::close(ends[0]);
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    EXPECT_TRUE(in.try_receive().is(errc::closed)) << "its sender has gone, too";
    EXPECT_TRUE(participants(number(victim.pid())).empty());
    EXPECT_FALSE(has_ended(victim.pidfd())) << "the other program runs under the same pid";
    ::close(ends[1]);
    victim.end_well();
}

// fd() may be handed to another process; it is a doorbell, and nobody's life.
TEST_F(descendants, a_doorbell_that_was_passed_on_hides_no_death) {
    const std::string path = private_directory() + "/" + unique_name("handover");
    auto taker = receiver::open("unix:" + path).value();
    send({"0"});
    child victim("victim", [&] {
        auto in = receiver::open(address()).value();
        const auto got = in.receive().value();
        const int bell = in.fd().value();
        auto out = sender::open("unix:" + path).value();
        envelope with;
        with.descriptors = std::span(&bell, 1);
        out.send_with("take this", with).value();
        holding_.raise();
        never_.wait();
    });
    holding_.wait();
    auto handed = taker.receive().value();
    ASSERT_EQ(handed.descriptors(), 1U);
    const int bell = handed.take_descriptor(0);
    victim.kill();
    EXPECT_FALSE(is_alive(number(victim.pid())));
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    ::close(bell);
}

// Whoever may ptrace a process may take its descriptors, and with one of them its life.
TEST_F(descendants, whoever_has_the_descriptor_itself_stands_in_for_its_owner) {
    const shared<int> number_there;
    send({"0"});
    const auto victim = holder_that(
        [&] { *number_there = own_mailbox_descriptor(address().substr(sizeof "shm:" - 1)); });
    ASSERT_GE(*number_there, 0);
    const int taken =
        static_cast<int>(::syscall(SYS_pidfd_getfd, victim->pidfd(), *number_there, 0));
    if (taken < 0) GTEST_SKIP() << "pidfd_getfd is not permitted here: errno " << errno;
    victim->kill();
    EXPECT_TRUE(is_alive(number(victim->pid())));
    auto in = receiver::open(address()).value();
    expect_nothing_comes(in);
    ::close(taken);
    EXPECT_FALSE(is_alive(number(victim->pid())));
    expect_again(in, "0");
}

// The same is in the power of whoever may only read the file: a shared lock is a lock.
TEST_F(descendants, who_may_read_the_file_can_keep_the_place_of_the_dead) {
    send({"0"});
    const auto victim = holder_that([] {});
    const auto those = participants(number(victim->pid()));
    ASSERT_EQ(those.size(), 1U);
    const int reading = ::open(seen().path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(reading, 0);
    const std::uint64_t byte = segment::lock_base + those[0].slot;
    EXPECT_FALSE(os::try_lock(reading, byte, os::lock_kind::shared).value()) << "its owner lives";
    victim->kill();
    ASSERT_TRUE(os::try_lock(reading, byte, os::lock_kind::shared).value());
    EXPECT_TRUE(is_alive(number(victim->pid())));
    auto in = receiver::open(address()).value();
    expect_nothing_comes(in);
    ::close(reading);
    expect_again(in, "0");
}

} // namespace
} // namespace hawser::test
