// C14: permissions.
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class permissions : public contract {
  protected:
    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().permissions && GetParam().kind != "abstract", "permissions");
    }
    struct facts {
        std::uint32_t mode, uid, gid;
    };
    // Of the object, by the kernel's word where it is a file.
    facts object() const {
        const mailbox_info by_observer = seen();
        facts known{by_observer.mode & 07777U, by_observer.uid, by_observer.gid};
        if (const std::string path = path_of(address()); !path.empty()) {
            struct stat found {};
            EXPECT_EQ(::stat(path.c_str(), &found), 0);
            EXPECT_EQ(found.st_mode & 07777U, known.mode);
            EXPECT_EQ(found.st_uid, known.uid);
            EXPECT_EQ(found.st_gid, known.gid);
            known = {found.st_mode & 07777U, found.st_uid, found.st_gid};
        }
        return known;
    }
    // Opening and the first send together say what is allowed: a connection may come with it.
    result<sent> open_and_send(const options& wanted = {}) const {
        auto out = sender::open(address(), as_variant(wanted));
        if (!out) return out.why();
        return out->send("from a stranger");
    }
    // A process without rights of its own, when this one is allowed to make such a one.
    static void become_nobody() {
        constexpr unsigned nobody = 65534;
        ASSERT_EQ(::setgroups(0, nullptr), 0);
        ASSERT_EQ(::setresgid(nobody, nobody, nobody), 0);
        ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
    }
};
HAWSER_CONTRACT(permissions, in_each_order());
class permissions_of_others : public permissions {
  protected:
    void SetUp() override {
        permissions::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS_HERE(::geteuid() == 0, "another user: only root can become one");
    }
};
HAWSER_CONTRACT(permissions_of_others, in_each_order_as_processes());

TEST_P(permissions, c14_1_the_mode_is_exact_whatever_the_umask) {
    for (const mode_t mask : {077U, 0U, 027U, 0777U}) {
        const mode_t before = ::umask(mask);
        for (const std::uint32_t mode : {0600U, 0660U, 0666U, 0640U}) {
            options wanted;
            wanted.mode = mode;
            const auto in = open_receiver(wanted);
            EXPECT_EQ(object().mode, mode) << "umask " << mask;
            forget();
        }
        ::umask(before);
    }
}

TEST_P(permissions, c14_2_the_default_is_for_the_owner_only) {
    const mode_t before = ::umask(0);
    const auto in = open_receiver();
    ::umask(before);
    EXPECT_EQ(object().mode, 0600U);
    EXPECT_EQ(object().uid, ::geteuid());
}

TEST_P(permissions, c14_3_the_group_is_set) {
    // Root may give it to any group, others to their own.
    gid_t groups[64];
    const int count = ::getgroups(64, groups);
    gid_t given = ::geteuid() == 0 ? 1 : ::getegid();
    for (int i = 0; ::geteuid() != 0 && i < count; ++i)
        if (groups[i] != ::getegid()) given = groups[i];
    options wanted;
    wanted.mode = 0660;
    wanted.group = std::to_string(given);
    {
        const auto in = open_receiver(wanted);
        EXPECT_EQ(object().gid, given);
        EXPECT_EQ(object().mode, 0660U);
    }
    forget();
    const group* named = ::getgrgid(given);
    HAWSER_NEEDS_HERE(named != nullptr, "a group with a name");
    wanted.group = named->gr_name;
    const auto in = open_receiver(wanted);
    EXPECT_EQ(object().gid, given);
}

TEST_P(permissions, c14_4_an_unknown_group_is_refused) {
    options wanted;
    wanted.group = "no-such-group";
    const auto refused = receiver::open(address(), as_variant(wanted));
    ASSERT_TRUE(fails_with(refused, errc::invalid_argument));
    EXPECT_NE(refused.why().detail().find("no-such-group"), std::string_view::npos);
    expect_missing();
    if (!keeps()) return; // elsewhere the receiver makes it
    EXPECT_TRUE(fails_with(sender::open(address(), as_variant(wanted)), errc::invalid_argument));
    expect_missing();
}

TEST_P(permissions_of_others, c14_5_without_permission_nothing_opens) {
    const beacon created;
    child stranger("stranger", [&] {
        become_nobody();
        created.wait();
        options existing;
        existing.create = create_policy::open;
        EXPECT_TRUE(fails_with(open_and_send(existing), errc::permission));
        if (many()) {
            EXPECT_TRUE(fails_with(receiver::open(address()), errc::permission));
        } else { // there is one receiver at most, whoever asks
            EXPECT_FALSE(receiver::open(address()));
        }
        EXPECT_TRUE(fails_with(remove_mailbox(address(), removal::by_force), errc::permission));
        if (can().observers) {
            EXPECT_EQ(inspect_mailbox(address()).value().state, mailbox_state::unreadable);
        }
    });
    auto in = open_receiver();
    created.raise();
    stranger.end_well();
    EXPECT_TRUE(succeeds(open_sender().send("x")));
    EXPECT_EQ(in.receive().value().text(), "x");
}

TEST_P(permissions_of_others, c14_6_whoever_may_read_may_observe) {
    HAWSER_NEEDS(can().observers, "observers");
    const beacon created;
    child stranger("stranger", [&] {
        become_nobody();
        created.wait();
        EXPECT_TRUE(fails_with(receiver::open(address()), errc::permission));
        const auto visible = inspect_mailbox(address()).value();
        EXPECT_EQ(visible.state, mailbox_state::in_use);
        EXPECT_EQ(visible.depth, 1U);
        EXPECT_EQ(visible.participants.size(), 1U);
        for (const auto& one : visible.participants) EXPECT_TRUE(one.alive);
    });
    options wanted;
    wanted.mode = 0644;
    auto in = open_receiver(wanted);
    open_sender().send("x").value();
    created.raise();
    stranger.end_well();
    EXPECT_EQ(in.receive().value().text(), "x");
}

TEST_P(permissions_of_others, c14_7_whoever_may_write_may_take_part) {
    const beacon created;
    child stranger("stranger", [&] {
        become_nobody();
        created.wait();
        open_and_send().value();
    });
    options wanted;
    wanted.mode = 0666;
    auto in = open_receiver(wanted);
    created.raise();
    EXPECT_EQ(in.receive().value().text(), "from a stranger");
    stranger.end_well();
    if (can().end_of_stream) {
        EXPECT_TRUE(fails_with(in.receive(), errc::closed));
    }
}

} // namespace hawser::test
