// Two PID namespaces with one mailbox directory, as two containers have it: each has a process 1
// and a process 2 that take part.
#include <set>

#include "identity/identity.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

class namespaces : public identity {
  protected:
    void SetUp() override {
        identity::SetUp();
        if (!may_make_namespaces()) GTEST_SKIP() << "needs CAP_SYS_ADMIN (unshare of PIDs)";
    }

    // One container: its processes 1 and 2 hold a message each.
    struct container_notes {
        holder_notes first;
        holder_notes second;
        shared<std::array<pid_t, 2>> pids; // as the test sees them
    };
    void contain(const std::string& text1, const std::string& text2,
                 const container_notes& notes) const {
        run_in_new_namespace([&] {
            EXPECT_EQ(::getpid(), 1);
            const pid_t second = ::fork();
            if (second == 0) {
                EXPECT_EQ(::getpid(), 2);
                (*notes.pids)[1] = outer_pid();
                hold(text2, notes.second);
                std::fflush(nullptr);
                ::_exit(testing::Test::HasFailure() ? 1 : 0);
            }
            (*notes.pids)[0] = outer_pid();
            notes.second.holding.wait(); // first its message, then ours
            hold(text1, notes.first);
        });
    }
};

TEST_F(namespaces, a_death_in_one_is_noticed_in_the_other) {
    const container_notes here;
    const container_notes there;
    send({"0", "1", "2", "3"});
    child one("container one", [&] { contain("1", "0", here); });
    here.first.holding.wait();
    child two("container two", [&] { contain("3", "2", there); });
    there.first.holding.wait();

    std::multiset<std::uint32_t> pids;
    std::set<std::uint64_t> names;
    for (const auto& each : seen().participants) {
        pids.insert(each.pid);
        names.insert(each.pid_namespace);
        EXPECT_TRUE(each.alive);
    }
    EXPECT_EQ(pids, (std::multiset<std::uint32_t>{1, 1, 2, 2})) << "as each sees itself";
    EXPECT_EQ(names.size(), 2U);

    auto in = receiver::open(address()).value(); // of a third namespace
    expect_nothing_comes(in);
    kill_and_wait((*here.pids)[1]);
    expect_again(in, "0"); // what process 2 of the first one had
    expect_nothing_comes(in);
    kill_and_wait((*here.pids)[0]);
    expect_again(in, "1");
    expect_nothing_comes(in);
    EXPECT_EQ(seen().held, 2U) << "the second container has its messages still";
    one.end_well();
    // With its process 1 ends all of a namespace, and the messages of both come.
    kill_and_wait((*there.pids)[0]);
    std::set<std::string> rest;
    for (int i = 0; i < 2; ++i) {
        const auto got = in.receive().value();
        EXPECT_TRUE(got.redelivered());
        rest.insert(std::string(got.text()));
    }
    EXPECT_EQ(rest, (std::set<std::string>{"2", "3"}));
    two.end_well();
}

TEST_F(namespaces, a_receiver_of_one_takes_over_from_the_other) {
    const holder_notes notes;
    const shared<pid_t> victim;
    const beacon ready;
    send({"0"});
    child one("container one", [&] {
        run_in_new_namespace([&] {
            *victim = outer_pid();
            hold("0", notes);
        });
    });
    notes.holding.wait();
    child two("container two", [&] {
        run_in_new_namespace([&] {
            EXPECT_EQ(::getpid(), 1) << "the same number as the one that dies";
            auto in = receiver::open(address()).value();
            ready.raise();
            expect_again(in, "0");
        });
    });
    ready.wait();
    until_waiting(address(), participant_role::receiver);
    kill_and_wait(*victim);
    two.end_well();
    one.end_well();
}

// The number in a record means nothing outside its namespace: whoever has it here is somebody else,
// and whoever has it not may live there.
TEST_F(namespaces, the_fifo_of_another_namespace_stays) {
    const std::string path = private_directory() + "/" + unique_name("fifo");
    const beacon made;
    const beacon never;
    const shared<pid_t> maker;
    child one("container", [&] {
        run_in_new_namespace([&] {
            *maker = outer_pid();
            auto in = receiver::open("fifo:" + path).value();
            made.raise();
            never.wait();
        });
    });
    made.wait();
    kill_and_wait(*maker);
    const auto kept = what_gc_says_of(path);
    ASSERT_TRUE(kept.has_value());
    EXPECT_FALSE(kept->removed);
    EXPECT_NE(kept->reason.find("namespace"), std::string::npos) << kept->reason;
    EXPECT_TRUE(remove_mailbox("fifo:" + path, removal::by_force).has_value());
    one.end_well();
}

} // namespace
} // namespace hawser::test
