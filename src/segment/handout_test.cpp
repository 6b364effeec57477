// Hosts and those who come, where one of both is not what it should be.
#include "segment/handout.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/clock.hpp"
#include "os/sealed.hpp"
#include "segment/segment.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/unix_peer.hpp"

namespace hawser::segment {
namespace {

using test::raw::open_descriptors;
using test::raw::peer;

constexpr std::uint32_t nobody = 65'534;
const bool can_be_others = ::geteuid() == 0 && test::can_fork;

std::int64_t patiently() {
    return os::monotonic_ns() + 60'000'000'000;
}

class Handout : public testing::Test {
  protected:
    ~Handout() override { test::sweep_left_over(); }

    // Small sealed memory, and what hands it out.
    [[nodiscard]] std::unique_ptr<handout> host(std::uint32_t mode = 0600) const {
        const os::unique_fd memory = os::make_memory("hawser-test").value();
        EXPECT_TRUE(os::set_size(memory.get(), 4096));
        EXPECT_TRUE(os::set_access(memory.get(), mode, os::no_group));
        EXPECT_TRUE(os::seal_size(memory.get()));
        return handout::make(memory.get(), path_, mode).value();
    }
    [[nodiscard]] result<os::fork_guard> come(const host_rule& rule = {}) const {
        return fetch(path_, rule, os::access_kind::read_write, patiently());
    }
    // A host that is not hawser's: says this to the first who comes.
    [[nodiscard]] result<os::fork_guard>
    come_to(const std::function<void(const peer&)>& say) const {
        const peer listening(SOCK_STREAM);
        EXPECT_EQ(listening.bind(path_), 0);
        EXPECT_EQ(::listen(listening.fd(), 8), 0);
        std::thread impostor([&] {
            const peer one = accept_from(listening);
            say(one);
        });
        auto got = come();
        impostor.join();
        ::unlink(path_.c_str());
        return got;
    }
    static peer accept_from(const peer& listening) {
        peer one(SOCK_STREAM);
        const int fd = ::accept4(listening.fd(), nullptr, nullptr, SOCK_CLOEXEC);
        ::dup3(fd, one.fd(), O_CLOEXEC);
        ::close(fd);
        return one;
    }

    std::string place_ = test::private_directory();
    std::string path_ = place_ + "/hawser." + test::unique_name("handout");
};

TEST_F(Handout, WhoComesGetsADescriptionOfTheirOwn) {
    const auto here = host();
    EXPECT_EQ(hosting_of(path_), hosting::none);
    ASSERT_TRUE(here->publish(patiently()));
    EXPECT_EQ(hosting_of(path_), hosting::alive);
    const auto first = come();
    const auto second = come();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(os::status_of(first->get())->inode, os::status_of(second->get())->inode);
    EXPECT_EQ(os::status_of(first->get())->bytes, 4096U);
    EXPECT_EQ(test::left_over().size(), 1U) << "the name, and nothing beside it";
}

TEST_F(Handout, TheNameGoesWithTheHostAndWhatWasTakenStays) {
    auto here = host();
    ASSERT_TRUE(here->publish(patiently()));
    const auto mine = come();
    ASSERT_TRUE(mine);
    here.reset();
    EXPECT_EQ(hosting_of(path_), hosting::none);
    EXPECT_TRUE(come().is(errc::not_found));
    EXPECT_EQ(::pwrite(mine->get(), "x", 1, 0), 1);
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Handout, OneThatWasNeverPublishedLeavesNothing) {
    host().reset();
    auto first = host();
    ASSERT_TRUE(first->publish(patiently()));
    EXPECT_TRUE(host()->publish(patiently()).is(errc::already_exists));
    EXPECT_TRUE(come());
    first.reset();
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(Handout, ADeadNameIsTakenOverAndALivingOneIsNot) {
    {
        const peer dead(SOCK_STREAM);
        ASSERT_EQ(dead.bind(path_), 0);
    }
    EXPECT_EQ(hosting_of(path_), hosting::dead);
    EXPECT_TRUE(come().is(errc::not_found));
    auto here = host();
    ASSERT_TRUE(here->publish(patiently()));
    EXPECT_FALSE(remove_handout(path_, whose_name::of_the_dead, patiently()).value());
    EXPECT_TRUE(come());
    EXPECT_TRUE(remove_handout(path_, whose_name::by_force, patiently()).value());
    // Another one has the name now; the first must not take it along.
    const auto other = host();
    ASSERT_TRUE(other->publish(patiently()));
    here.reset();
    EXPECT_TRUE(come());
}

// Many find the same dead name: one takes it, and nobody takes it away from that one.
TEST_F(Handout, OfRacingHostsOneWins) {
    constexpr int rounds = 40;
    constexpr int racers = 4;
    for (int round = 0; round < rounds; ++round) {
        if (round % 2 == 0) {
            const peer dead(SOCK_STREAM);
            ASSERT_EQ(dead.bind(path_), 0);
        }
        std::atomic<int> ready{0};
        std::atomic<int> winners{0};
        std::atomic<int> losers{0};
        std::vector<std::unique_ptr<handout>> all(racers);
        std::vector<std::thread> threads;
        for (auto& mine : all)
            threads.emplace_back([&] {
                mine = host();
                ++ready;
                while (ready < racers) std::this_thread::yield();
                const auto published = mine->publish(patiently());
                winners += published ? 1 : 0;
                losers += published.is(errc::already_exists) ? 1 : 0;
            });
        for (auto& thread : threads) thread.join();
        ASSERT_EQ(winners, 1) << round;
        ASSERT_EQ(losers, racers - 1) << round;
        EXPECT_TRUE(come());
    }
}

TEST_F(Handout, WhatIsNoSocketIsLeftAlone) {
    ASSERT_TRUE(os::give_name(os::make_unnamed(place_)->get(), path_));
    EXPECT_TRUE(come().is(errc::already_exists));
    EXPECT_TRUE(host()->publish(patiently()).is(errc::already_exists));
    EXPECT_FALSE(remove_handout(path_, whose_name::by_force, patiently()).value());
    EXPECT_TRUE(os::status_of(path_)->regular);
    ::unlink(path_.c_str());
    const peer other(SOCK_DGRAM);
    ASSERT_EQ(other.bind(path_), 0);
    EXPECT_TRUE(come().is(errc::corrupt));
}

// ---- hosts that are not what they should be ---------------------------------------------------

TEST_F(Handout, AHostThatHandsOutNonsenseIsCorrupt) {
    const os::unique_fd good = os::make_memory("good").value();
    ASSERT_TRUE(os::seal_size(good.get()));
    const os::unique_fd unsealed = os::make_memory("bad").value();
    const os::unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const std::size_t open_before = open_descriptors();
    const auto says = [&](std::string_view bytes, std::vector<int> descriptors) {
        return [=](const peer& one) { EXPECT_EQ(one.send(bytes, descriptors), 0); };
    };
    EXPECT_TRUE(come_to(says("m", {good.get()}))) << "as an honest one";
    EXPECT_TRUE(come_to(says("m", {unsealed.get()})).is(errc::corrupt));
    EXPECT_TRUE(come_to(says("m", {null.get()})).is(errc::corrupt));
    EXPECT_TRUE(come_to(says("m", {good.get(), good.get()})).is(errc::corrupt)) << "two";
    EXPECT_TRUE(come_to(says("m", std::vector<int>(253, good.get()))).is(errc::corrupt)) << "many";
    EXPECT_TRUE(come_to(says("m", {})).is(errc::corrupt)) << "none";
    EXPECT_TRUE(come_to(says("?", {good.get()})).is(errc::corrupt)) << "an unknown mark";
    EXPECT_TRUE(come_to(says("r", {})).is(errc::permission));
    EXPECT_TRUE(come_to(says("r", {good.get()})).is(errc::permission));
    EXPECT_TRUE(come_to(says(std::string(60'000, 'm'), {unsealed.get()})).is(errc::corrupt));
    EXPECT_EQ(open_descriptors(), open_before) << "nothing of all that is kept";
}

TEST_F(Handout, AHostThatSaysNothingCostsNoMoreThanTheDeadline) {
    const peer listening(SOCK_STREAM);
    ASSERT_EQ(listening.bind(path_), 0);
    ASSERT_EQ(::listen(listening.fd(), 1), 0);
    const auto shortly = [] { return os::monotonic_ns() + 20'000'000; };
    const auto come_shortly = [&] {
        return fetch(path_, {}, os::access_kind::read_write, shortly());
    };
    // First it waits for an answer, then, with the queue full, for its turn.
    std::vector<peer> waiting;
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(come_shortly().is(errc::timed_out)) << i;
        waiting.emplace_back(SOCK_STREAM | SOCK_NONBLOCK);
        static_cast<void>(waiting.back().connect(path_));
    }
}

TEST_F(Handout, AHostThatHangsUpIsTriedAgain) {
    const peer listening(SOCK_STREAM);
    ASSERT_EQ(listening.bind(path_), 0);
    ASSERT_EQ(::listen(listening.fd(), 8), 0);
    const os::unique_fd good = os::make_memory("good").value();
    ASSERT_TRUE(os::seal_size(good.get()));
    std::thread moody([&] {
        for (int i = 0; i < 3; ++i) accept_from(listening).close();
        EXPECT_EQ(accept_from(listening).send("b"), 0);
        const std::array<int, 1> handed{good.get()};
        EXPECT_EQ(accept_from(listening).send("m", handed), 0);
    });
    EXPECT_TRUE(come());
    moody.join();
}

TEST_F(Handout, AnotherUsersMemoryIsJoinedOnlyIfThatIsSaid) {
    if (!can_be_others) GTEST_SKIP() << "not applicable: needs root and fork";
    const test::beacon listening;
    const test::beacon over;
    test::child other("host", [&] {
        ASSERT_EQ(::setresgid(nobody, nobody, nobody), 0);
        ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
        const auto here = host(0666);
        ASSERT_TRUE(here->publish(patiently()));
        listening.raise();
        over.wait();
    });
    listening.wait();
    const auto refused = come();
    EXPECT_TRUE(refused.is(errc::permission));
    EXPECT_NE(refused.why().detail().find("host=65534"), std::string_view::npos);
    EXPECT_TRUE(come({.also_uid = nobody + 1, .anybody = false}).is(errc::permission));
    EXPECT_TRUE(come({.also_uid = nobody, .anybody = false}));
    EXPECT_TRUE(
        fetch(path_, {.also_uid = 0, .anybody = true}, os::access_kind::read_only, patiently()));
    over.raise();
    EXPECT_TRUE(other.end_well());
}

// ---- those who come and are not what they should be --------------------------------------------

// What another user gets by coming, as the code of the error; "" is the memory.
std::string outcome_as(const std::string& path, std::uint32_t uid, std::uint32_t gid,
                       char* answer = nullptr) {
    const test::shared<std::array<char, 64>> said;
    const test::shared<char> mark;
    test::child visitor("visitor", [&] {
        ASSERT_EQ(::setgroups(0, nullptr), 0);
        ASSERT_EQ(::setresgid(gid, gid, gid), 0);
        ASSERT_EQ(::setresuid(uid, uid, uid), 0);
        const peer asking(SOCK_STREAM);
        if (asking.connect(path) == 0) *mark = asking.read().at(0);
        const auto got = fetch(path, {}, os::access_kind::read_write, patiently());
        if (!got) name_of(got.why().code()).copy(said->data(), said->size() - 1);
    });
    EXPECT_TRUE(visitor.end_well());
    if (answer != nullptr) *answer = *mark;
    return said->data();
}

TEST_F(Handout, TheModeSaysWhoMayComeAndTheHostAsksTwice) {
    if (!can_be_others) GTEST_SKIP() << "not applicable: needs root and fork";
    const std::uint32_t group = ::getegid();
    for (const auto& [mode, as_member, as_other] : {std::tuple{0600U, "permission", "permission"},
                                                    {0660U, "", "permission"},
                                                    {0606U, "permission", ""},
                                                    {0666U, "", ""},
                                                    {0640U, "permission", "permission"}}) {
        const auto here = host(mode);
        ASSERT_TRUE(here->publish(patiently()));
        EXPECT_EQ(os::status_of(path_)->mode, mode);
        EXPECT_EQ(outcome_as(path_, nobody, group), as_member) << mode;
        EXPECT_EQ(outcome_as(path_, nobody, nobody), as_other) << mode;
        // Somebody opens the socket to all: neither the host nor the memory is impressed.
        ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
        char answer = 0;
        EXPECT_EQ(outcome_as(path_, nobody, nobody, &answer), as_other) << mode;
        EXPECT_EQ(answer, *as_other == '\0' ? 'm' : 'r') << mode;
    }
}

TEST_F(Handout, AThousandWhoNeverReadTakeNothingFromTheOthers) {
    if (!can_be_others) GTEST_SKIP() << "not applicable: needs root and fork";
    const auto here = host(0666);
    ASSERT_TRUE(here->publish(patiently()));
    const std::size_t open_before = open_descriptors();
    const test::beacon flooded;
    const test::beacon over;
    test::child flood("flood", [&] {
        rlimit many{4096, 4096};
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &many), 0);
        ASSERT_EQ(::setresuid(nobody, nobody, nobody), 0);
        std::vector<peer> all;
        for (int i = 0; i < 1000; ++i) {
            all.emplace_back(SOCK_STREAM);
            ASSERT_EQ(all.back().connect(path_), 0);
        }
        flooded.raise();
        over.wait();
    });
    flooded.wait();
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(come());
    // Some of those are still in the queue; but of what was handed out few may be left untaken.
    EXPECT_LE(open_descriptors(), open_before + 64 + 8);
    over.raise();
    EXPECT_TRUE(flood.end_well());
    EXPECT_EQ(outcome_as(path_, nobody, nobody), "");
}

TEST_F(Handout, OnesOwnThatNeverReadAreInTheWayOnlyAsLongAsTheyAreThere) {
    const auto here = host();
    ASSERT_TRUE(here->publish(patiently()));
    {
        std::vector<peer> all;
        for (int i = 0; i < 300; ++i) {
            all.emplace_back(SOCK_STREAM);
            ASSERT_EQ(all.back().connect(path_), 0);
            static_cast<void>(all.back().send("we are many, and talk a lot"));
        }
        // The last has an answer, so all are done with: so many have the memory, others are
        // refused.
        pollfd last{all.back().fd(), POLLIN, 0};
        ASSERT_EQ(::poll(&last, 1, -1), 1);
        EXPECT_EQ(all.back().read(), "b");
    }
    EXPECT_TRUE(come());
}

TEST_F(Handout, WithoutDescriptorsItGoesOnLater) {
    const auto here = host();
    ASSERT_TRUE(here->publish(patiently()));
    const peer visitor(SOCK_STREAM);
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const int lowest_free = ::dup(visitor.fd());
    ::close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    ASSERT_EQ(visitor.connect(path_), 0);
    pollfd answer{visitor.fd(), POLLIN, 0};
    EXPECT_EQ(::poll(&answer, 1, 100), 0) << "nothing can be accepted";
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(::poll(&answer, 1, -1), 1);
    EXPECT_TRUE(come());
}

// ---- death and fork -----------------------------------------------------------------------------

TEST_F(Handout, WhatAHostLeavesThatIsKilledAnywhereIsMended) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    for (int round = 0; round < 30; ++round) {
        const test::beacon start;
        test::child victim("host", [&] {
            start.raise();
            for (;;) {
                const auto mine = host();
                static_cast<void>(mine->publish(patiently()));
            }
        });
        start.wait();
        for (int i = 0; i < round * 7; ++i) std::this_thread::yield();
        victim.kill();
        auto here = host();
        ASSERT_TRUE(here->publish(patiently())) << round;
        EXPECT_TRUE(come()) << round;
        here.reset();
        remove_unnamed_handouts(place_);
        ASSERT_EQ(test::left_over(), std::vector<std::string>{}) << round;
    }
}

TEST_F(Handout, WhatALivingHostIsAboutToNameIsNotCollected) {
    const peer being_made(SOCK_STREAM);
    ASSERT_EQ(being_made.bind(place_ + "/hawser-handout-1-1-1"), 0);
    {
        const peer dead(SOCK_STREAM);
        ASSERT_EQ(dead.bind(place_ + "/hawser-handout-2-2-2"), 0);
    }
    EXPECT_EQ(remove_unnamed_handouts(place_), 1U);
    EXPECT_EQ(test::left_over(), std::vector<std::string>{"hawser-handout-1-1-1"});
}

TEST_F(Handout, AForkChildServesNothingAndTakesNothingAway) {
    if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    auto here = host();
    ASSERT_TRUE(here->publish(patiently()));
    const test::beacon looked;
    const test::beacon gone;
    test::child child("child", [&] {
        here.reset();
        EXPECT_EQ(hosting_of(path_), hosting::alive) << "it is the parent's";
        looked.raise();
        gone.wait();
        EXPECT_EQ(hosting_of(path_), hosting::none);
        EXPECT_TRUE(come().is(errc::not_found)) << "this child kept nothing open";
    });
    EXPECT_TRUE(come());
    looked.wait();
    here.reset();
    gone.raise();
    EXPECT_TRUE(child.end_well());
}

} // namespace
} // namespace hawser::segment
