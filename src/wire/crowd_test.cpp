// Many connections read as one, over real sockets.
#include "wire/crowd.hpp"

#include <array>
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/frame.hpp"

namespace hawser::wire {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(received& from) {
    const auto bytes = from.bytes.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A listening socket without a name in the file system, and a crowd on it.
class crowd_on_a_socket : public testing::Test {
  protected:
    void SetUp() override {
        listening_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_un any{};
        any.sun_family = AF_UNIX;
        // With no more than the family the kernel picks an abstract name.
        ASSERT_EQ(::bind(listening_, reinterpret_cast<sockaddr*>(&any), sizeof(sa_family_t)), 0);
        ASSERT_EQ(::listen(listening_, 64), 0);
        length_ = sizeof(where_);
        ASSERT_EQ(::getsockname(listening_, reinterpret_cast<sockaddr*>(&where_), &length_), 0);
        auto made = crowd::make(listening_, [this] { return accept(); });
        in_ = std::move(made).value();
    }
    void TearDown() override {
        in_.reset();
        ::close(listening_);
    }

    result<std::unique_ptr<reader>> accept() {
        if (accept_fails_) return error{errc::no_space, "receive", EMFILE};
        const int fd = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return error{errc::would_block, "receive"};
        return std::unique_ptr<reader>(std::make_unique<frame_reader>(
            os::stream{os::fork_guard{os::unique_fd{fd}}, os::stream_kind::socket}, 1 << 20,
            at_eof::ends));
    }

    [[nodiscard]] int connected() const {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&where_), length_), 0);
        return fd;
    }
    [[nodiscard]] std::unique_ptr<frame_writer> sender() const {
        return std::make_unique<frame_writer>(
            os::stream{os::fork_guard{os::unique_fd{connected()}}, os::stream_kind::socket});
    }
    // "", or the error's code.
    std::string next() {
        received got;
        const auto read = in_->try_read(got, {});
        return read ? text_of(got) : std::string(name_of(read.why().code()));
    }

    std::unique_ptr<reader> in_;
    bool accept_fails_ = false;

  private:
    int listening_ = -1;
    sockaddr_un where_{};
    socklen_t length_ = 0;
};

TEST_F(crowd_on_a_socket, it_waits_for_the_first_and_ends_with_the_last) {
    EXPECT_EQ(next(), "would_block");
    auto one = sender();
    auto two = sender();
    EXPECT_EQ(next(), "would_block");
    ASSERT_TRUE(one->try_write(bytes_of("a"), {}));
    EXPECT_EQ(next(), "a");
    one.reset();
    EXPECT_EQ(next(), "would_block");
    ASSERT_TRUE(two->try_write(bytes_of("b"), {}));
    two.reset();
    EXPECT_EQ(next(), "b");
    EXPECT_EQ(next(), "closed");
    EXPECT_TRUE(in_->has_more());
    EXPECT_EQ(next(), "closed");
    one = sender();
    EXPECT_EQ(next(), "would_block");
    EXPECT_FALSE(in_->has_more());
}

TEST_F(crowd_on_a_socket, a_stranger_begins_nothing_and_ends_nothing) {
    ::close(connected()); // a port scan
    EXPECT_EQ(next(), "would_block");
    EXPECT_FALSE(in_->has_more());
    auto one = sender();
    EXPECT_EQ(next(), "would_block");
    ::close(connected());
    EXPECT_EQ(next(), "would_block");
    one.reset(); // has sent nothing, and was a sender all the same
    EXPECT_EQ(next(), "closed");
}

TEST_F(crowd_on_a_socket, nobody_starves) {
    constexpr std::size_t senders = 5;
    std::vector<std::unique_ptr<frame_writer>> all;
    for (std::size_t i = 0; i < senders; ++i) {
        all.push_back(sender());
        for (int n = 0; n < 100; ++n)
            ASSERT_TRUE(all.back()->try_write(bytes_of(std::to_string(i)), {}));
    }
    std::map<std::string, int> first_seen_at;
    for (int n = 0; n < 500; ++n) first_seen_at.try_emplace(next(), n);
    // All were heard before any one was heard twice as often as its share.
    ASSERT_EQ(first_seen_at.size(), senders);
    for (const auto& [who, when] : first_seen_at) EXPECT_LT(when, 100 * 2) << who;
    EXPECT_EQ(next(), "would_block");
}

TEST_F(crowd_on_a_socket, one_that_talks_nonsense_is_dropped_and_the_others_go_on) {
    auto good = sender();
    const int bad = connected();
    ASSERT_EQ(::write(bad, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    EXPECT_EQ(next(), "corrupt");
    EXPECT_EQ(next(), "would_block");
    char end = 0;
    EXPECT_LE(::read(bad, &end, 1), 0) << "the connection is closed";
    ::close(bad);
    ASSERT_TRUE(good->try_write(bytes_of("still here"), {}));
    EXPECT_EQ(next(), "still here");
}

TEST_F(crowd_on_a_socket, one_that_dies_in_a_message_is_told_once) {
    auto good = sender();
    const int bad = connected();
    ASSERT_EQ(::write(bad, "hw\x01", 3), 3);
    EXPECT_EQ(next(), "would_block");
    ::close(bad);
    EXPECT_EQ(next(), "peer_died");
    EXPECT_EQ(next(), "would_block");
    good.reset();
    EXPECT_EQ(next(), "closed");
}

TEST_F(crowd_on_a_socket, without_descriptors_the_others_go_on_and_the_next_comes_in_later) {
    auto first = sender();
    EXPECT_EQ(next(), "would_block");
    accept_fails_ = true;
    auto second = sender();
    ASSERT_TRUE(second->try_write(bytes_of("second"), {}));
    EXPECT_EQ(next(), "no_space");
    EXPECT_EQ(next(), "would_block");
    ASSERT_TRUE(first->try_write(bytes_of("first"), {}));
    EXPECT_EQ(next(), "first");
    accept_fails_ = false;
    first.reset();
    EXPECT_EQ(next(), "second");
}

// Descriptors come back also otherwise than by the end of a connection.
TEST_F(crowd_on_a_socket, who_had_to_wait_for_a_descriptor_comes_in_while_the_others_stay) {
    auto first = sender();
    EXPECT_EQ(next(), "would_block");
    EXPECT_EQ(in_->arrival().look_again_ns, 0);
    accept_fails_ = true;
    auto second = sender();
    ASSERT_TRUE(second->try_write(bytes_of("second"), {}));
    EXPECT_EQ(next(), "no_space");
    EXPECT_EQ(next(), "would_block");
    EXPECT_GT(in_->arrival().look_again_ns, 0);
    accept_fails_ = false;
    EXPECT_EQ(next(), "second");
    EXPECT_EQ(in_->arrival().look_again_ns, 0);
    ASSERT_TRUE(first->try_write(bytes_of("first"), {}));
    EXPECT_EQ(next(), "first");
}

TEST_F(crowd_on_a_socket, without_any_connection_each_call_says_that_none_can_be_taken) {
    accept_fails_ = true;
    auto one = sender();
    ASSERT_TRUE(one->try_write(bytes_of("one"), {}));
    EXPECT_EQ(next(), "no_space");
    EXPECT_EQ(next(), "no_space");
    accept_fails_ = false;
    EXPECT_EQ(next(), "one");
}

// Whoever connects and is gone before it is accepted, again and again, keeps the door ready and has
// nobody come in: each look ends all the same.
TEST(crowd_at_a_door, who_only_knocks_keeps_nobody) {
    const int always_ready = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    std::unique_ptr<reader> in = crowd::make(always_ready, [] {
                                     return error{errc::would_block, "receive"};
                                 }).value();
    received got;
    EXPECT_TRUE(in->try_read(got, {}).is(errc::would_block));
    in.reset();
    ::close(always_ready);
}

} // namespace
} // namespace hawser::wire
