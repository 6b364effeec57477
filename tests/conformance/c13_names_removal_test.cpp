// C13: names, observers, removal.
#include <algorithm>
#include <fstream>
#include <memory>
#include <regex>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class naming : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().lives == lifetime_kind::file, "lives");
    }

    // A mailbox whose only participant was killed: nobody there, nothing in it.
    void leave_dead(const std::string& where) {
        const beacon opened;
        const beacon never;
        child victim("victim", [&] {
            auto in = receiver::open(where, as_variant()).value();
            opened.raise();
            never.wait();
        });
        opened.wait();
        victim.kill();
    }
    // What a collection says about one path; nullptr when nothing.
    static const collected* about(const std::vector<collected>& all, const std::string& path) {
        const auto found = std::find_if(all.begin(), all.end(),
                                        [&](const collected& one) { return one.path == path; });
        return found == all.end() ? nullptr : &*found;
    }
    static bool exists(const std::string& path) {
        struct stat ignored {};
        return ::lstat(path.c_str(), &ignored) == 0;
    }
};
HAWSER_CONTRACT(naming, in_each_order());
// What is true of every object that outlives its users.
class removing : public contract {};
HAWSER_CONTRACT(removing, in_each_order());
class naming_between : public naming {};
HAWSER_CONTRACT(naming_between, in_each_order_and_bodies());
class naming_by_death : public naming {};
HAWSER_CONTRACT(naming_by_death, in_each_order_as_processes());

TEST_P(naming, c13_1_an_empty_mailbox_goes_with_its_last_participant) {
    {
        auto in = open_receiver();
        auto out = open_sender();
        EXPECT_EQ(seen().state, mailbox_state::in_use);
        out.send("x").value();
        in.receive().value();
        in.close();
        EXPECT_EQ(seen().participants.size(), 1U);
    }
    expect_missing();
}

TEST_P(removing, c13_2_a_mailbox_with_messages_stays) {
    HAWSER_NEEDS(keeps(), "lives");
    {
        auto out = open_sender(bounded(7));
        for (int i = 0; i < 7; ++i) out.send(std::to_string(i)).value();
    }
    EXPECT_EQ(seen().depth, 7U);
    if (can().observers) {
        EXPECT_EQ(seen().state, mailbox_state::idle);
        EXPECT_TRUE(seen().participants.empty());
    }
    {
        auto in = open_receiver();
        for (int i = 0; i < 7; ++i) EXPECT_EQ(in.receive().value().text(), std::to_string(i));
    }
    if (can().observers) expect_missing(); // and is a mailbox: it goes when it is empty
}

TEST_P(naming, c13_3_persist_keeps_an_empty_mailbox) {
    options wanted;
    wanted.persist = true;
    wanted.capacity = 7;
    open_sender(wanted).close();
    EXPECT_EQ(seen().state, mailbox_state::idle);
    EXPECT_EQ(seen().geometry.capacity, 7U);
    EXPECT_EQ(seen().geometry.persist, true);
    open_receiver().close();
    EXPECT_EQ(seen().state, mailbox_state::idle);
    EXPECT_TRUE(succeeds(remove_mailbox(address())));
    expect_missing();
}

TEST_P(naming, c13_4_remove_refuses_while_a_participant_lives) {
    auto in = open_receiver();
    const auto refused = remove_mailbox(address());
    ASSERT_TRUE(fails_with(refused, errc::already_exists));
    EXPECT_NE(refused.why().detail().find(std::to_string(::getpid())), std::string_view::npos)
        << refused.why().describe();
    EXPECT_TRUE(succeeds(open_sender().send("x")));
    EXPECT_EQ(in.receive().value().text(), "x");
    in.close();
    EXPECT_TRUE(fails_with(remove_mailbox(address()), errc::not_found));
}

TEST_P(removing, c13_5_remove_takes_an_unused_mailbox_with_its_messages) {
    HAWSER_NEEDS(keeps(), "lives");
    open_sender().send("x").value();
    EXPECT_TRUE(succeeds(remove_mailbox(address())));
    expect_missing();
    EXPECT_TRUE(fails_with(open_receiver().try_receive(), errc::would_block));
}

TEST_P(naming_between, c13_6_removal_by_force_ends_those_who_wait) {
    options wanted;
    wanted.capacity = 1;
    const barrier all_open(3);
    run_bodies(bodies(),
               {{"receiver",
                 [&] {
                     auto in = receiver::open(address("-in"), as_variant()).value();
                     all_open.arrive();
                     EXPECT_TRUE(fails_with(in.receive(), errc::closed));
                     EXPECT_TRUE(fails_with(in.try_receive(), errc::closed));
                 }},
                {"sender",
                 [&] {
                     auto out = sender::open(address("-out"), as_variant(wanted)).value();
                     out.send("fills it").value();
                     all_open.arrive();
                     EXPECT_TRUE(fails_with(out.send("waits"), errc::closed));
                     EXPECT_TRUE(fails_with(out.try_send("x"), errc::closed));
                 }},
                {"operator", [&] {
                     all_open.arrive();
                     test::until_waiting(address("-in"), participant_role::receiver);
                     test::until_waiting(address("-out"), participant_role::sender);
                     for (const char* which : {"-in", "-out"})
                         EXPECT_TRUE(succeeds(remove_mailbox(address(which), removal::by_force)));
                 }}});
}

TEST_P(removing, c13_7_a_removed_name_is_free_at_once) {
    HAWSER_NEEDS(keeps(), "lives");
    auto old_out = open_sender();
    old_out.send("old").value();
    EXPECT_TRUE(succeeds(remove_mailbox(address(), removal::by_force)));
    expect_missing();
    auto in = open_receiver();
    auto out = open_sender();
    const auto lost = old_out.send("lost");
    if (!lost || can().observers) { // a POSIX queue lives on without its name
        EXPECT_TRUE(fails_with(lost, errc::closed));
    }
    out.send("new").value();
    EXPECT_EQ(drain(in), std::vector<std::string>{"new"});
    old_out.close();
    if (can().observers) {
        EXPECT_EQ(seen().participants.size(), 2U);
    }
    EXPECT_TRUE(succeeds(out.send("still there")));
    EXPECT_EQ(in.receive().value().text(), "still there");
}

TEST_P(removing, c13_8_what_is_missing_is_not_found) {
    HAWSER_NEEDS(can().permissions && GetParam().kind != "abstract", "permissions");
    EXPECT_TRUE(fails_with(inspect_mailbox(address()), errc::not_found));
    EXPECT_TRUE(fails_with(remove_mailbox(address()), errc::not_found));
    EXPECT_TRUE(fails_with(remove_mailbox(address(), removal::by_force), errc::not_found));
}

TEST_P(naming, c13_9_observers_see_and_take_no_part) {
    options wanted;
    wanted.capacity = 37;
    wanted.participants = 2;
    auto in = open_receiver(wanted);
    auto out = open_sender();
    for (int i = 0; i < 5; ++i) out.send("12").value();
    const auto kept = in.receive().value();
    const auto now = seen(); // both slots are taken, so an observer needs none
    EXPECT_EQ(now.address, address());
    EXPECT_EQ(now.path, path_of(address()));
    EXPECT_EQ(now.state, mailbox_state::in_use);
    EXPECT_EQ(now.mode, 0600U);
    EXPECT_EQ(now.uid, ::geteuid());
    EXPECT_EQ(now.depth, 4U);
    EXPECT_EQ(now.held, 1U);
    EXPECT_EQ(now.geometry.capacity, 37U);
    EXPECT_EQ(now.geometry.participants, 2U);
    EXPECT_EQ(now.geometry.order, GetParam().order);
    EXPECT_EQ(now.geometry.loans, 8U);
    ASSERT_EQ(now.participants.size(), 2U);
    for (const auto& one : now.participants) {
        EXPECT_TRUE(one.alive);
        EXPECT_FALSE(one.waiting);
        EXPECT_EQ(one.pid, static_cast<std::uint32_t>(::getpid()));
        const bool receives = one.role == participant_role::receiver;
        EXPECT_EQ(one.messages_held, receives ? 1U : 0U);
        EXPECT_EQ(one.counters.sent, receives ? 0U : 5U);
    }
    EXPECT_EQ(drain(in).size(), 4U);
}

TEST_P(naming, c13_10_the_list_is_sorted_and_complete) {
    const auto b = receiver::open(address("-b"), as_variant()).value();
    const auto a = receiver::open(address("-a"), as_variant()).value();
    const auto c = receiver::open(address("-c"), as_variant()).value();
    std::vector<std::string> listed;
    const auto all = list_mailboxes().value();
    for (const auto& one : all) listed.push_back(one.address);
    EXPECT_EQ(listed, (std::vector<std::string>{address("-a"), address("-b"), address("-c")}));
}

TEST_P(naming_by_death, c13_11_gc_removes_what_is_dead) {
    leave_dead(address());
    EXPECT_EQ(seen().state, mailbox_state::dead);
    const auto dry = collect_garbage(true).value();
    const auto* said = about(dry, path_of(address()));
    ASSERT_NE(said, nullptr);
    EXPECT_TRUE(said->removed) << "what it would do: " << said->reason;
    EXPECT_FALSE(said->reason.empty());
    EXPECT_EQ(seen().state, mailbox_state::dead);
    const auto done = collect_garbage().value();
    said = about(done, path_of(address()));
    ASSERT_NE(said, nullptr);
    EXPECT_TRUE(said->removed);
    expect_missing();
}

TEST_P(naming_by_death, c13_12_gc_keeps_what_is_used_or_holds_something) {
    options lasting;
    lasting.persist = true;
    const beacon holding;
    const beacon never;
    child victim("victim", [&] {
        const auto held = address("-held");
        auto in = receiver::open(held, as_variant()).value();
        sender::open(held, as_variant()).value().send("x").value();
        const auto got = in.receive().value();
        sender::open(address("-queued"), as_variant()).value().send("x").value();
        sender::open(address("-lasting"), as_variant(lasting)).value().close();
        holding.raise();
        never.wait();
    });
    holding.wait();
    victim.kill();
    const auto live = receiver::open(address("-live"), as_variant()).value();
    const auto done = collect_garbage().value();
    for (const char* which : {"-held", "-queued", "-lasting", "-live"}) {
        const auto* said = about(done, path_of(address(which)));
        EXPECT_TRUE(said == nullptr || !said->removed) << which << ": " << said->reason;
        EXPECT_TRUE(succeeds(inspect_mailbox(address(which)))) << which;
    }
    for (const char* which : {"-held", "-queued", "-lasting"})
        EXPECT_TRUE(succeeds(remove_mailbox(address(which), removal::by_force)));
}

TEST_P(naming, c13_13_gc_never_touches_what_is_not_ours) {
    const std::string foreign[] = {private_directory() + "/other", path_of(address("-foreign"))};
    for (const std::string& path : foreign) std::ofstream(path) << "not a mailbox";
    const std::string empty = path_of(address("-empty"));
    std::ofstream(empty).close();
    const auto done = collect_garbage().value();
    EXPECT_TRUE(std::none_of(done.begin(), done.end(), [](auto& one) { return one.removed; }));
    for (const std::string& path : foreign) {
        std::string content;
        std::getline(std::ifstream(path), content);
        EXPECT_EQ(content, "not a mailbox");
        ::unlink(path.c_str());
    }
    EXPECT_TRUE(exists(empty));
    ::unlink(empty.c_str());
}

TEST_P(naming, c13_14_names_that_can_not_be_are_refused) {
    for (const char* bad : {"shm:", "shm:a/b", "shm:/a", "shm:..%2Fa", "shm:.%2F"}) {
        EXPECT_TRUE(fails_with(sender::open(bad), errc::invalid_argument)) << bad;
        EXPECT_TRUE(fails_with(inspect_mailbox(bad), errc::invalid_argument)) << bad;
        EXPECT_TRUE(fails_with(remove_mailbox(bad), errc::invalid_argument)) << bad;
    }
    EXPECT_TRUE(fails_with(sender::open("shm:a%00b"), errc::invalid_argument));
}

TEST_P(naming, c13_15_the_longest_name_is_told_and_kept) {
    const auto refused = sender::open("shm:" + std::string(1000, 'n'));
    ASSERT_TRUE(fails_with(refused, errc::invalid_argument));
    const std::string detail{refused.why().detail()};
    // The limit is the number in the error that is not the length of the name.
    std::size_t limit = 0;
    const std::regex number("[0-9]+");
    for (std::sregex_iterator at(detail.begin(), detail.end(), number), end; at != end; ++at)
        if (at->str() != "1000") limit = std::stoul(at->str());
    ASSERT_GT(limit, 0U) << detail;
    EXPECT_TRUE(
        fails_with(sender::open("shm:" + std::string(limit + 1, 'n')), errc::invalid_argument));
    EXPECT_TRUE(succeeds(sender::open("shm:" + std::string(limit, 'n'))));
}

TEST_P(naming, c13_16_any_other_name_will_do) {
    for (const char* name : {"Grüße", "订单", "with space", "a.b-c_d", "..", ".", "*", "-x",
                             "e\xcc\x81", "\xff\xfe", "new\nline", "100%25", "q%3Fa%26b"}) {
        const std::string where = "shm:" + std::string(name);
        auto in = receiver::open(where, as_variant());
        ASSERT_TRUE(succeeds(in)) << name;
        auto out = sender::open(in->where(), as_variant());
        ASSERT_TRUE(succeeds(out)) << name;
        out->send(name).value();
        EXPECT_EQ(in->receive().value().text(), name);
        const auto all = list_mailboxes().value();
        ASSERT_EQ(all.size(), 1U) << name;
        EXPECT_TRUE(succeeds(inspect_mailbox(all.front().address))) << all.front().address;
        EXPECT_EQ(hawser::address::parse(all.front().address).value().rest, in->where().rest);
    }
}

} // namespace hawser::test
