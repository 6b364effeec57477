// A pid is used again: the records of a dead participant name a process that lives and has nothing
// to do with it, or two participants have the same number.
#include <csignal>
#include <filesystem>

#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.hpp"
#include "os/open_files.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

class reused_pid : public identity {
  protected:
    void SetUp() override {
        identity::SetUp();
        if (!may_choose_pids())
            GTEST_SKIP() << "needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (clone3 with set_tid)";
    }

    // A process that has this pid and knows nothing of hawser, until the returned child is killed.
    static std::unique_ptr<child> make_stranger(pid_t pid, const beacon& there,
                                                const beacon& never) {
        auto nursery = std::make_unique<child>("nursery", [&, pid] {
            run_as(pid, [&] {
                there.raise();
                never.wait();
            });
        });
        there.wait();
        return nursery;
    }
    static std::uint32_t number(pid_t pid) { return static_cast<std::uint32_t>(pid); }

    const beacon there_;
    const beacon never_;
};

TEST_F(reused_pid, a_dead_receivers_pid_belongs_to_a_stranger) {
    const holder_notes notes;
    send({"0"});
    const auto victim = make_holder("0", notes);
    const pid_t pid = victim->pid();
    ASSERT_TRUE(is_alive(number(pid)));
    victim->kill();
    const auto stranger = make_stranger(pid, there_, never_);
    // Who asks for the pid is told that it lives.
    ASSERT_EQ(::kill(pid, 0), 0);
    ASSERT_EQ(os::life_of(number(pid)), os::process_life::alive);
    ASSERT_EQ(participants(number(pid)).size(), 1U) << "the record still names it";
    EXPECT_FALSE(is_alive(number(pid)));
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    EXPECT_EQ(::kill(pid, 0), 0) << "the stranger lives on";
}

TEST_F(reused_pid, a_dead_sender_with_a_loan_belongs_to_a_stranger) {
    const holder_notes notes;
    send({"0"});
    child victim("victim", [&] {
        auto out = sender::open(address()).value();
        auto lent = out.loan_for(100'000).value();
        notes.holding.raise();
        notes.go.wait();
    });
    notes.holding.wait();
    const pid_t pid = victim.pid();
    victim.kill();
    const auto stranger = make_stranger(pid, there_, never_);
    ASSERT_EQ(::kill(pid, 0), 0);
    EXPECT_FALSE(is_alive(number(pid)));
    auto in = receiver::open(address()).value();
    EXPECT_EQ(in.receive().value().text(), "0");
    // The end of the stream comes when the last sender has gone, and not a stranger.
    EXPECT_TRUE(in.receive().is(errc::closed));
    EXPECT_TRUE(participants(number(pid)).empty()) << "its slot is repaired";
}

TEST_F(reused_pid, a_living_sender_has_the_pid_of_a_dead_receiver) {
    const holder_notes notes;
    const beacon speak;
    send({"0"});
    const auto victim = make_holder("0", notes);
    const pid_t pid = victim->pid();
    victim->kill();
    child nursery("nursery", [&] {
        run_as(pid, [&] {
            auto out = sender::open(address()).value();
            there_.raise();
            speak.wait();
            out.send("from the living one").value();
        });
    });
    there_.wait();
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    const auto those = participants(number(pid));
    ASSERT_EQ(those.size(), 1U) << "the dead one is gone, the living one is there";
    EXPECT_TRUE(those[0].alive);
    EXPECT_EQ(those[0].role, participant_role::sender);
    speak.raise();
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), "from the living one");
    EXPECT_FALSE(got.redelivered());
    nursery.end_well();
}

// What is kept by name beside the mailboxes.

TEST_F(reused_pid, a_dead_receivers_socket_file_is_free_although_its_pid_lives) {
    const std::string path = private_directory() + "/" + unique_name("socket");
    const beacon opened;
    child victim("victim", [&] {
        auto in = receiver::open("unix:" + path).value();
        opened.raise();
        never_.wait();
    });
    opened.wait();
    const pid_t pid = victim.pid();
    victim.kill();
    ASSERT_TRUE(std::filesystem::exists(path));
    const auto stranger = make_stranger(pid, there_, never_);
    const auto collected = what_gc_says_of(path, true);
    ASSERT_TRUE(collected.has_value());
    EXPECT_TRUE(collected->removed) << collected->reason; // would be: a dry run
    auto in = receiver::open("unix:" + path);
    ASSERT_TRUE(in.has_value()) << in.why().describe();
    auto out = sender::open("unix:" + path).value();
    out.send("to the new one").value();
    EXPECT_EQ(in->receive().value().text(), "to the new one");
}

// Nobody certifies the death of a FIFO's maker, so the pid only ever keeps the file, and never
// removes it.
TEST_F(reused_pid, a_fifo_whose_makers_pid_lives_stays_until_that_is_over) {
    const std::string path = private_directory() + "/" + unique_name("fifo");
    const beacon opened;
    child victim("victim", [&] {
        auto in = receiver::open("fifo:" + path).value();
        opened.raise();
        never_.wait();
    });
    opened.wait();
    const pid_t pid = victim.pid();
    victim.kill();
    {
        const auto stranger = make_stranger(pid, there_, never_);
        const auto kept = what_gc_says_of(path);
        ASSERT_TRUE(kept.has_value());
        EXPECT_FALSE(kept->removed);
        EXPECT_NE(kept->reason.find("lives"), std::string::npos) << kept->reason;
    }
    EXPECT_EQ(::waitpid(pid, nullptr, 0), pid) << "the test is the heir of its children's";
    const auto collected = what_gc_says_of(path);
    ASSERT_TRUE(collected.has_value());
    // Where somebody sleeps in opening a file, or not all processes may be looked at, it stays as
    // well; but the pid is no reason any more.
    const bool removed = collected->removed;
    EXPECT_TRUE(removed || collected->reason.find("lives") == std::string::npos)
        << collected->reason;
    if (!removed) std::filesystem::remove(path);
    EXPECT_TRUE(collect_system_objects().has_value());
}

} // namespace
} // namespace hawser::test
