// Who may have the name of a Unix socket: sockets, files and processes are real ones.
#include "transport/unix/name.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "os/made.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/unix_peer.hpp"

namespace hawser::local {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
namespace raw = test::raw;
using raw::code_of;
using raw::text_or_code;

class unix_name : public raw::schemes {
  protected:
    void send_one(std::string_view text) const {
        auto out = sender::open(address()).value();
        out.send(text).value();
    }
};
INSTANTIATE_TEST_SUITE_P(each, unix_name, testing::ValuesIn(raw::all_schemes), raw::spelled);

std::uint32_t mode_of(const std::string& path) {
    struct stat raw {};
    EXPECT_EQ(::lstat(path.c_str(), &raw), 0) << path;
    return raw.st_mode & 07777U;
}

ino_t inode_of(const std::string& path) {
    struct stat raw {};
    return ::lstat(path.c_str(), &raw) == 0 ? raw.st_ino : 0;
}

TEST_P(unix_name, the_file_has_exactly_the_mode_and_group_that_were_asked_for) {
    for (const mode_t mask : {mode_t{0}, mode_t{027}, mode_t{0777}}) {
        const mode_t before = ::umask(mask);
        auto plain = receiver::open(address());
        ::umask(before);
        ASSERT_TRUE(plain) << plain.why().describe();
        EXPECT_EQ(mode_of(path()), 0600U);
        plain->close();
        options wanted;
        wanted.mode = 0662;
        wanted.group = std::to_string(::getegid());
        ::umask(mask);
        auto open = receiver::open(address(), wanted);
        ::umask(before);
        ASSERT_TRUE(open) << open.why().describe();
        EXPECT_EQ(mode_of(path()), 0662U);
        EXPECT_EQ(open->attributes().value().mode, 0662U);
        EXPECT_EQ(open->attributes().value().gid, ::getegid());
    }
    options wanted;
    wanted.group = "no-such-group-here";
    EXPECT_EQ(code_of(receiver::open(address(), wanted)), "invalid_argument");
    EXPECT_FALSE(fs::exists(path())) << "nothing is left of an open that failed";
}

TEST_P(unix_name, a_second_receiver_is_told_who_has_it_and_the_first_notices_nothing) {
    for (const std::string& where : {address(), at("@hawser-test-" + fs::path(path()).string())}) {
        auto first = receiver::open(where).value();
        const auto second = receiver::open(where);
        ASSERT_EQ(code_of(second), "already_exists");
        EXPECT_NE(second.why().detail().find("process " + std::to_string(::getpid())),
                  std::string_view::npos)
            << second.why().describe();
        EXPECT_EQ(code_of(first.try_receive()), "would_block");
        options wanted;
        wanted.create = create_policy::create;
        EXPECT_EQ(code_of(receiver::open(where, wanted)), "already_exists");
        EXPECT_EQ(code_of(sender::open(where, wanted)), "already_exists");
        sender::open(where).value().send("still here").value();
        EXPECT_EQ(text_or_code(first.receive()), "still here");
    }
}

TEST_P(unix_name, a_dead_sockets_file_is_replaced) {
    leave_stale();
    auto in = receiver::open(address());
    ASSERT_TRUE(in) << in.why().describe();
    send_one("hello");
    EXPECT_EQ(text_or_code(in->receive()), "hello");
}

// However its maker died: with the mode of before, and with the one it was given.
TEST_P(unix_name, what_a_killed_receiver_leaves_is_mended_by_the_next) {
    test::beacon open;
    test::child victim("receiver", [&] {
        auto in = receiver::open(address()).value();
        open.raise();
        static_cast<void>(in.receive());
        static_cast<void>(in.receive());
    });
    open.wait();
    victim.kill();
    EXPECT_TRUE(fs::is_socket(path()));
    for (const unsigned mode : {0600U, 0200U, 0000U}) {
        if (mode != 0600U) leave_stale();
        ASSERT_EQ(::chmod(path().c_str(), mode), 0);
        if (mode == 0 && ::geteuid() != 0) {
            EXPECT_EQ(code_of(receiver::open(address())), "permission");
            ASSERT_EQ(::chmod(path().c_str(), 0200), 0);
        }
        auto in = receiver::open(address());
        ASSERT_TRUE(in) << in.why().describe();
        send_one("again");
        EXPECT_EQ(text_or_code(in->receive()), "again");
    }
}

// Many find the same stale file: one wins, and what it made stays.
TEST_P(unix_name, racers_never_remove_each_others_fresh_socket) {
    constexpr int rounds = 60;
    constexpr int racers = 4;
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) leave_stale();
        std::atomic<int> ready{0};
        std::atomic<int> winners{0};
        std::atomic<int> refused{0};
        std::vector<std::optional<receiver>> opened(racers);
        std::vector<std::string> said(racers);
        std::vector<std::thread> threads;
        for (std::size_t i = 0; i < racers; ++i)
            threads.emplace_back([&, i] {
                ++ready;
                while (ready < racers) std::this_thread::yield();
                auto mine = receiver::open(address());
                if (mine) {
                    ++winners;
                    opened[i] = std::move(*mine);
                    said[i] = "has it";
                    return;
                }
                said[i] = mine.why().describe();
                if (mine.is(errc::already_exists)) ++refused;
            });
        for (auto& thread : threads) thread.join();
        ASSERT_EQ(winners, 1) << "round " << round << ": " << testing::PrintToString(said);
        ASSERT_EQ(refused, racers - 1) << "round " << round << ": " << testing::PrintToString(said);
        send_one("found");
        for (auto& one : opened) {
            if (!one) continue;
            EXPECT_EQ(text_or_code(one->receive()), "found");
        }
    }
}

// The same with processes that are killed at any moment of it.
TEST_P(unix_name, racers_that_are_killed_leave_what_the_next_can_mend) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    for (int round = 0; round < 12; ++round) {
        leave_stale();
        const test::beacon start;
        test::child victim("victim", [&] {
            start.raise();
            for (;;) static_cast<void>(receiver::open(address()));
        });
        start.wait();
        // Somewhere in its first, its hundredth, … time around.
        for (int i = 0; i < round * 3; ++i) std::this_thread::yield();
        victim.kill();
        auto in = receiver::open(address());
        ASSERT_TRUE(in) << in.why().describe();
        send_one("mended");
        EXPECT_EQ(text_or_code(in->receive()), "mended");
    }
    collect_system_objects().value();
}

TEST_P(unix_name, what_is_no_socket_is_refused_and_stays) {
    const std::string target = path() + "-target";
    const auto refused = [&](const char* what) {
        const ino_t before = inode_of(path());
        for (const auto& wanted : {options{}, [] {
                                       options all;
                                       all.create = create_policy::create;
                                       return all;
                                   }()}) {
            const auto in = receiver::open(address(), wanted);
            EXPECT_EQ(code_of(in), "already_exists") << what;
            const bool says = !in && in.why().detail().find(what) != std::string_view::npos;
            EXPECT_TRUE(says) << what;
        }
        EXPECT_EQ(code_of(remove_mailbox(address(), removal::by_force)), "invalid_argument");
        EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::not_mailbox);
        EXPECT_EQ(inode_of(path()), before) << what;
        fs::remove(path());
    };
    std::ofstream(path()) << "precious";
    EXPECT_EQ(code_of(sender::open(address())), "invalid_argument");
    refused("a regular file");
    fs::create_directory(path());
    EXPECT_EQ(code_of(sender::open(address())), "invalid_argument");
    refused("a directory");
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    refused("a FIFO");
    fs::create_symlink(target, path());
    refused("a symbolic link");
    EXPECT_FALSE(fs::exists(target));
}

TEST_P(unix_name, a_socket_of_another_type_is_told) {
    const raw::peer other{type() == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM};
    ASSERT_EQ(other.bind(path()), 0);
    EXPECT_EQ(code_of(sender::open(address())), "invalid_argument");
    EXPECT_EQ(code_of(receiver::open(address())), "already_exists");
    fs::remove(path());
}

TEST_P(unix_name, a_name_may_have_107_bytes) {
    // A relative path is shorter than what it means.
    const std::string longest = "/tmp/" + std::string(102, 'n');
    {
        auto in = receiver::open(at(longest)).value();
        EXPECT_TRUE(fs::is_socket(longest));
        auto abstract_in = receiver::open(at("@" + std::string(107, 'n'))).value();
        sender::open(at("@" + std::string(107, 'n'))).value().send("x").value();
        EXPECT_EQ(text_or_code(abstract_in.receive()), "x");
    }
    EXPECT_FALSE(fs::exists(longest));
    for (const std::string& rest : {longest + "n", "@" + std::string(108, 'n')}) {
        const auto in = receiver::open(at(rest));
        EXPECT_EQ(code_of(in), "invalid_argument");
        EXPECT_NE(in.why().detail().find("107"), std::string_view::npos);
        EXPECT_EQ(code_of(sender::open(at(rest))), "invalid_argument");
        EXPECT_EQ(code_of(inspect_mailbox(at(rest))), "invalid_argument");
    }
    EXPECT_EQ(code_of(receiver::open(at(""))), "invalid_argument");
    EXPECT_EQ(code_of(receiver::open(at("@"))), "invalid_argument");
}

TEST_P(unix_name, an_abstract_name_may_hold_any_byte) {
    std::string rest = "@";
    for (int byte = 1; byte < 256; byte += 5) rest += static_cast<char>(byte);
    hawser::address where{scheme(), rest + std::to_string(::getpid()), {}};
    auto in = receiver::open(where).value();
    sender::open(where).value().send("x").value();
    EXPECT_EQ(text_or_code(in.receive()), "x");
    const raw::peer foreign{type()};
    EXPECT_EQ(foreign.connect(where.rest), 0);
    options wanted;
    wanted.mode = 0600;
    where.rest += "2";
    EXPECT_EQ(code_of(receiver::open(where, wanted)), "unsupported");
}

TEST_P(unix_name, the_file_goes_with_its_receiver_and_only_if_it_is_its_own) {
    {
        const auto in = receiver::open(address()).value();
        const auto all = os::list_made(test::private_directory()).value();
        ASSERT_EQ(all.objects.size(), 1U);
        EXPECT_EQ(all.objects[0].path, path());
    }
    EXPECT_FALSE(fs::exists(path()));
    auto in = receiver::open(address()).value();
    fs::remove(path());
    const raw::peer other{type()};
    ASSERT_EQ(other.bind(path()), 0);
    in.close();
    EXPECT_TRUE(fs::exists(path())) << "that is somebody else's by now";
    fs::remove(path());
    collect_system_objects().value();
}

TEST_P(unix_name, a_child_that_ends_leaves_its_parents_socket_alone) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    auto in = receiver::open(address()).value();
    test::child heir("child", [&] { in.close(); });
    ASSERT_TRUE(heir.end_well());
    EXPECT_TRUE(fs::is_socket(path()));
    send_one("x");
    EXPECT_EQ(text_or_code(in.receive()), "x");
}

TEST_P(unix_name, missing_places_and_loops_are_told) {
    const std::string nowhere = path() + "-missing/s";
    for (const bool receiving : {false, true}) {
        const auto code = [&](const std::string& rest) {
            return receiving ? code_of(receiver::open(at(rest))) : code_of(sender::open(at(rest)));
        };
        EXPECT_EQ(code(nowhere), "not_found");
        fs::create_symlink(path(), path());
        EXPECT_EQ(code(path() + "/s"), "system") << "ELOOP";
        fs::remove(path());
        std::ofstream(path()) << "x";
        EXPECT_EQ(code(path() + "/s"), "system") << "ENOTDIR";
        fs::remove(path());
    }
    options wanted;
    wanted.create = create_policy::open;
    EXPECT_EQ(code_of(receiver::open(address(), wanted)), "not_found");
    EXPECT_EQ(code_of(sender::open(address(), wanted)), "not_found");
    leave_stale();
    EXPECT_EQ(code_of(receiver::open(address(), wanted)), "not_found");
    EXPECT_EQ(code_of(sender::open(address(), wanted)), "not_found");
    EXPECT_TRUE(fs::exists(path())) << "who must not create changes nothing";
    fs::remove(path());
}

// Needs a second user: root can become one.
TEST_P(unix_name, what_the_mode_forbids_is_permission) {
    if (!test::can_fork || ::geteuid() != 0)
        GTEST_SKIP() << "not applicable: only root can become another user";
    options wanted;
    wanted.mode = 0600;
    const auto in = receiver::open(address(), wanted).value();
    test::child stranger("stranger", [&] {
        constexpr uid_t nobody = 65534;
        ASSERT_EQ(::setgroups(0, nullptr), 0);
        ASSERT_EQ(::setgid(nobody), 0);
        ASSERT_EQ(::setuid(nobody), 0);
        EXPECT_EQ(code_of(sender::open(address())), "permission");
        EXPECT_EQ(code_of(receiver::open(address())), "permission") << "live or not: who knows";
        EXPECT_EQ(code_of(remove_mailbox(address())), "permission");
        EXPECT_EQ(code_of(remove_mailbox(address(), removal::by_force)), "permission");
        EXPECT_EQ(code_of(receiver::open(at("/root-of-nobody"))), "permission");
        EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::unreadable);
        // A group that is not one's own can't be given; nothing stays of the attempt.
        options group;
        group.group = "0";
        const std::string own = path() + "-own";
        EXPECT_EQ(code_of(receiver::open(at(own), group)), "permission");
        EXPECT_FALSE(fs::exists(own));
    });
    EXPECT_TRUE(stranger.end_well());
    EXPECT_TRUE(fs::is_socket(path()));
}

// Between bind and the mode that it is given, a socket's file lets in nobody but its owner.
TEST_P(unix_name, a_file_that_is_being_made_is_looked_at_again) {
    if (!test::can_fork || ::geteuid() != 0)
        GTEST_SKIP() << "not applicable: only root can become another user";
    const raw::peer maker{type()};
    ASSERT_EQ(maker.bind(path()), 0);
    for (int round = 0; round < 10; ++round) {
        ASSERT_EQ(::chmod(path().c_str(), 0200), 0);
        test::beacon begins;
        test::child stranger("stranger", [&] {
            constexpr uid_t nobody = 65534;
            ASSERT_EQ(::setgroups(0, nullptr), 0);
            ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
            begins.raise();
            EXPECT_EQ(code_of(receiver::open(address())), "already_exists");
        });
        begins.wait();
        ASSERT_EQ(::chmod(path().c_str(), 0666), 0);
        EXPECT_TRUE(stranger.end_well());
    }
    fs::remove(path());
}

TEST_P(unix_name, a_directory_that_stays_locked_is_an_error_after_a_while) {
    if (type() != SOCK_STREAM) return; // the same code, and each takes 5 s
    leave_stale();
    const int held = ::open(test::private_directory().c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::flock(held, LOCK_EX), 0);
    const auto in = receiver::open(address());
    EXPECT_EQ(code_of(in), "timed_out");
    ::close(held);
    EXPECT_TRUE(receiver::open(address()));
}

TEST_P(unix_name, observers_see_it_and_remove_what_is_dead) {
    EXPECT_EQ(code_of(inspect_mailbox(address())), "not_found");
    EXPECT_EQ(code_of(remove_mailbox(address())), "not_found");
    auto in = receiver::open(address()).value();
    const auto seen = inspect_mailbox(address()).value();
    EXPECT_EQ(seen.state, mailbox_state::in_use);
    EXPECT_EQ(seen.path, path());
    EXPECT_EQ(seen.mode, 0600U);
    ASSERT_EQ(seen.participants.size(), 1U);
    EXPECT_EQ(seen.participants[0].pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(code_of(in.try_receive()), "would_block") << "an observer is no sender";
    EXPECT_EQ(code_of(remove_mailbox(address())), "already_exists");
    EXPECT_TRUE(fs::exists(path()));
    EXPECT_EQ(code_of(remove_mailbox(address(), removal::by_force)), "");
    EXPECT_FALSE(fs::exists(path()));
    in.close();
    leave_stale();
    EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::dead);
    EXPECT_EQ(code_of(remove_mailbox(address())), "");
    EXPECT_FALSE(fs::exists(path()));
    const std::string abstract = at("@" + path());
    EXPECT_EQ(code_of(inspect_mailbox(abstract)), "not_found");
    EXPECT_EQ(code_of(remove_mailbox(abstract)), "unsupported");
    in = receiver::open(abstract).value();
    EXPECT_EQ(inspect_mailbox(abstract).value().state, mailbox_state::in_use);
}

} // namespace
} // namespace hawser::local
