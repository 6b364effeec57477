#include "os/handover.hpp"

#include <array>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "os/file.hpp"
#include "support/place.hpp"
#include "support/unix_peer.hpp"

namespace hawser::os {
namespace {

struct connection {
    connection() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        giver = unique_fd{ends[0]};
        taker = unique_fd{ends[1]};
    }
    unique_fd giver;
    unique_fd taker;
};

// More at once than hand_over() sends.
void send_many(int fd, char mark, const std::vector<int>& descriptors) {
    std::vector<char> control(CMSG_SPACE(sizeof(int) * descriptors.size()));
    iovec byte{&mark, 1};
    msghdr message{};
    message.msg_iov = &byte;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof(int) * descriptors.size());
    ASSERT_EQ(::sendmsg(fd, &message, 0), 1);
}

TEST(handover, a_mark_comes_with_one_descriptor_or_none) {
    const connection both;
    EXPECT_TRUE(take_handed(both.taker.get()).is(errc::would_block));
    const unique_fd file = make_unnamed(test::private_directory()).value();
    ASSERT_TRUE(hand_over(both.giver.get(), 'f', file.get()));
    ASSERT_TRUE(hand_over(both.giver.get(), 'n', -1));
    EXPECT_GT(untaken_bytes(both.giver.get()), 0U);
    const auto first = take_handed(both.taker.get()).value();
    EXPECT_EQ(first.mark, 'f');
    ASSERT_GE(first.fd.get(), 0);
    EXPECT_EQ(status_of(first.fd.get())->inode, status_of(file.get())->inode);
    EXPECT_EQ(::fcntl(first.fd.get(), F_GETFD), FD_CLOEXEC);
    const auto second = take_handed(both.taker.get()).value();
    EXPECT_EQ(second.mark, 'n');
    EXPECT_LT(second.fd.get(), 0);
    EXPECT_EQ(untaken_bytes(both.giver.get()), 0U);
}

TEST(handover, an_end_is_told) {
    connection both;
    both.giver.reset();
    EXPECT_TRUE(take_handed(both.taker.get()).is(errc::closed));
    connection other;
    other.taker.reset();
    EXPECT_FALSE(hand_over(other.giver.get(), 'x', -1)) << "and no SIGPIPE";
}

TEST(handover, of_many_descriptors_none_is_kept) {
    const connection both;
    const unique_fd file = make_unnamed(test::private_directory()).value();
    const std::size_t open_before = test::raw::open_descriptors();
    for (const std::size_t count : {2U, 3U, 253U}) {
        send_many(both.giver.get(), 'm', std::vector<int>(count, file.get()));
        EXPECT_TRUE(take_handed(both.taker.get()).is(errc::corrupt)) << count;
        EXPECT_EQ(test::raw::open_descriptors(), open_before) << count;
    }
}

TEST(handover, without_a_free_descriptor_it_is_no_space) {
    const connection both;
    const unique_fd file = make_unnamed(test::private_directory()).value();
    ASSERT_TRUE(hand_over(both.giver.get(), 'f', file.get()));
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto got = take_handed(both.taker.get());
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(got.is(errc::no_space));
}

TEST(handover, the_other_side_is_known_with_its_groups) {
    const connection both;
    const auto who = other_side(both.taker.get());
    ASSERT_TRUE(who);
    EXPECT_EQ(who->uid, ::geteuid());
    EXPECT_EQ(who->pid, static_cast<std::uint32_t>(::getpid()));
    EXPECT_TRUE(peer_is_in_group(both.taker.get(), ::getegid()));
    EXPECT_FALSE(peer_is_in_group(both.taker.get(), 987'654'321));
    std::vector<gid_t> groups(65'536);
    groups.resize(static_cast<std::size_t>(
        std::max(0, ::getgroups(static_cast<int>(groups.size()), groups.data()))));
    for (const gid_t one : groups) {
        EXPECT_TRUE(peer_is_in_group(both.taker.get(), one)) << one;
    }
    const unique_fd no_socket = make_unnamed(test::private_directory()).value();
    EXPECT_FALSE(other_side(no_socket.get()));
}

TEST(handover, a_name_that_is_taken_is_not_replaced) {
    const std::string place = test::private_directory() + "/" + test::unique_name("rename");
    ASSERT_TRUE(give_name(make_unnamed(test::private_directory())->get(), place + "-a"));
    ASSERT_TRUE(give_name(make_unnamed(test::private_directory())->get(), place + "-b"));
    const auto inode = status_of(place + "-b")->inode;
    EXPECT_TRUE(rename_if_free(place + "-a", place + "-b").is(errc::already_exists));
    EXPECT_EQ(status_of(place + "-b")->inode, inode);
    EXPECT_TRUE(rename_if_free(place + "-b", place + "-c"));
    EXPECT_EQ(status_of(place + "-c")->inode, inode);
    EXPECT_TRUE(rename_if_free(place + "-b", place + "-d").is(errc::not_found));
    test::sweep_left_over();
}

TEST(handover, users_are_found_by_name_and_number) {
    EXPECT_EQ(user_id("root").value(), 0U);
    EXPECT_EQ(user_id("4711").value(), 4711U);
    EXPECT_FALSE(user_id("no-such-user-here"));
}

} // namespace
} // namespace hawser::os
