// Frames over a real socket pair: what arrives is what was sent, whole, or not at all.
#include "wire/frame.hpp"

#include <array>
#include <cstdlib>
#include <deque>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/random_input.hpp"

namespace hawser::wire {
namespace {

std::vector<std::byte> text_bytes(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    return {bytes.begin(), bytes.end()};
}

std::string as_text(received& from) {
    const auto bytes = from.bytes.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Two connected sockets: a writer and a reader of frames, or their bare descriptors.
class pair_of_sockets {
  public:
    explicit pair_of_sockets(int send_buffer = 0) {
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds_.data()), 0);
        if (send_buffer > 0) {
            EXPECT_EQ(
                ::setsockopt(fds_[0], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)), 0);
        }
    }
    ~pair_of_sockets() {
        for (const int fd : fds_)
            if (fd >= 0) ::close(fd);
    }
    pair_of_sockets(const pair_of_sockets&) = delete;
    pair_of_sockets& operator=(const pair_of_sockets&) = delete;

    [[nodiscard]] int writing_fd() const { return fds_[0]; }
    os::stream writing() { return take(0); }
    os::stream reading() { return take(1); }
    void write(std::span<const std::byte> bytes) const {
        ASSERT_EQ(::write(fds_[0], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    void close_writing() { ::close(std::exchange(fds_[0], -1)); }

  private:
    os::stream take(std::size_t which) {
        return {os::fork_guard{os::unique_fd{std::exchange(fds_.at(which), -1)}},
                os::stream_kind::socket};
    }

    std::array<int, 2> fds_{-1, -1};
};

constexpr std::uint64_t any_size = 64ULL << 20U;

frame_reader reader_of(pair_of_sockets& pair, std::uint64_t max_message = any_size) {
    return {pair.reading(), max_message, at_eof::ends};
}

TEST(frame, a_header_is_these_bytes) {
    const auto bytes = encode({3, 0x00012345});
    const std::array<std::byte, 8> wanted{std::byte{'h'},  std::byte{'w'},  std::byte{1},
                                          std::byte{3},    std::byte{0x45}, std::byte{0x23},
                                          std::byte{0x01}, std::byte{0}};
    EXPECT_EQ(bytes, wanted);
    const auto back = decode(wanted);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->descriptors, 3);
    EXPECT_EQ(back->length, 0x00012345U);
}

TEST(frame, what_is_no_header_is_refused) {
    auto bytes = encode({0, 5});
    for (const std::size_t altered : {0U, 1U, 2U}) {
        auto wrong = bytes;
        wrong.at(altered) ^= std::byte{0x40};
        EXPECT_FALSE(decode(wrong)) << altered;
    }
    EXPECT_TRUE(decode(encode({0, static_cast<std::uint32_t>(longest_frame)})));
    EXPECT_FALSE(decode(encode({0, static_cast<std::uint32_t>(longest_frame) + 1})));
    EXPECT_FALSE(decode(encode({0, 0xFFFFFFFFU})));
}

TEST(frame, a_message_is_these_bytes_on_the_wire) {
    pair_of_sockets pair;
    auto reading = pair.reading();
    frame_writer out{pair.writing()};
    std::array<std::byte, 64> bytes{};
    // On a socket a sender says hello first.
    EXPECT_EQ(reading.read(bytes).bytes, 9U);
    const auto hello = text_bytes(std::string_view("hw\x01\0\0\0\0\0\x03", 9));
    EXPECT_TRUE(std::equal(hello.begin(), hello.end(), bytes.begin()));
    ASSERT_TRUE(out.try_write(text_bytes("hi"), {}));
    const auto got = reading.read(bytes);
    EXPECT_EQ(got.bytes, 11U);
    const auto wanted = text_bytes(std::string_view("hw\x01\0\x02\0\0\0hi\x01", 11));
    EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), bytes.begin()));
}

TEST(frame, messages_of_every_kind_of_size_arrive) {
    pair_of_sockets pair;
    frame_writer out{pair.writing()};
    frame_reader in = reader_of(pair);
    std::uint64_t number = 0;
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{16 * 1024}, longest_frame - 1, longest_frame,
          longest_frame + 1, 3 * longest_frame, 5 * longest_frame + 77}) {
        std::vector<std::byte> sent(size);
        for (std::size_t i = 0; i < size; ++i) sent[i] = static_cast<std::byte>(i * 31 + size);
        received got;
        bool written = false;
        for (result<void> read = error{errc::would_block, "receive"}; !read;) {
            if (!written) written = out.try_write(sent, {}).has_value();
            read = in.try_read(got, {});
            ASSERT_TRUE(read || read.is(errc::would_block)) << read.why().describe();
        }
        EXPECT_TRUE(written);
        EXPECT_TRUE(std::ranges::equal(got.bytes.bytes(), sent)) << size;
        EXPECT_EQ(got.sequence, number++);
    }
}

// Random messages through a socket that takes little at a time; some are given up midway. What is
// read is what was accepted, in its order.
TEST(frame, abandoned_messages_leave_no_trace) {
    auto random = test::seeded_generator();
    pair_of_sockets pair{4096};
    frame_writer out{pair.writing()};
    frame_reader in = reader_of(pair);
    std::deque<std::vector<std::byte>> accepted;
    std::uint64_t abandoned = 0;
    std::uint64_t delivered = 0;
    const auto read_one = [&] {
        received got;
        const auto read = in.try_read(got, {});
        if (!read) {
            ASSERT_TRUE(read.is(errc::would_block)) << read.why().describe();
            return;
        }
        ASSERT_FALSE(accepted.empty());
        ASSERT_TRUE(std::ranges::equal(got.bytes.bytes(), accepted.front()));
        accepted.pop_front();
        ++delivered;
    };
    for (int i = 0; i < 3000; ++i) {
        const std::size_t most = random() % 4 == 0 ? 2 * longest_frame : 3000;
        std::vector<std::byte> message(test::random_number<std::size_t>(random, 0, most));
        for (std::byte& one : message) one = static_cast<std::byte>(random());
        for (unsigned tries = 1 + static_cast<unsigned>(random() % 8); tries > 0; --tries) {
            const auto written = out.try_write(message, {});
            if (written) {
                accepted.push_back(std::move(message));
                break;
            }
            ASSERT_TRUE(written.is(errc::would_block)) << written.why().describe();
            if (tries == 1) {
                out.abandon();
                ++abandoned;
            } else {
                read_one();
            }
        }
        if (random() % 2 == 0) read_one();
    }
    // Each of them is wholly in the socket; what is owed of an abandoned frame comes after them.
    while (!accepted.empty()) read_one();
    EXPECT_GT(abandoned, 100U);
    EXPECT_GT(delivered, 500U);
}

TEST(frame, a_message_that_is_too_large_is_skipped_and_told) {
    pair_of_sockets pair;
    frame_writer out{pair.writing()};
    frame_reader in = reader_of(pair, 1000);
    ASSERT_TRUE(out.try_write(std::vector<std::byte>(1001), {}));
    ASSERT_TRUE(out.try_write(text_bytes("next"), {}));
    received got;
    EXPECT_TRUE(in.try_read(got, {}).is(errc::too_big));
    ASSERT_TRUE(in.try_read(got, {}));
    EXPECT_EQ(as_text(got), "next");
}

TEST(frame, garbage_is_corrupt_from_then_on) {
    pair_of_sockets pair;
    pair.write(text_bytes("GET / HTTP/1.1\r\n"));
    frame_reader in = reader_of(pair);
    received got;
    EXPECT_TRUE(in.try_read(got, {}).is(errc::corrupt));
    EXPECT_TRUE(in.try_read(got, {}).is(errc::corrupt));
    EXPECT_TRUE(in.has_more());
}

TEST(frame, an_unknown_mark_is_corrupt) {
    pair_of_sockets pair;
    pair.write(encode({0, 2}));
    pair.write(text_bytes("ab\x07"));
    frame_reader in = reader_of(pair);
    received got;
    EXPECT_TRUE(in.try_read(got, {}).is(errc::corrupt));
}

TEST(frame, an_announcement_of_4_gib_is_corrupt_at_once) {
    pair_of_sockets pair;
    pair.write(encode({0, 0xFFFFFFFFU}));
    frame_reader in = reader_of(pair);
    received got;
    EXPECT_TRUE(in.try_read(got, {}).is(errc::corrupt));
}

TEST(frame, every_cut_of_a_message_is_peer_died_once_and_then_closed) {
    const auto header = encode({0, 5});
    std::vector<std::byte> whole{header.begin(), header.end()};
    for (const std::byte one : text_bytes("hello\x01")) whole.push_back(one);
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        pair_of_sockets pair;
        pair.write(std::span(whole).first(cut));
        frame_reader in = reader_of(pair);
        received got;
        const auto before = in.try_read(got, {});
        EXPECT_EQ(before.has_value(), cut == whole.size());
        pair.close_writing();
        const bool middle = cut > 0 && cut < whole.size();
        if (middle) {
            EXPECT_TRUE(in.try_read(got, {}).is(errc::peer_died)) << cut;
        }
        EXPECT_TRUE(in.try_read(got, {}).is(errc::closed)) << cut;
    }
}

TEST(frame, one_byte_at_a_time_is_enough) {
    pair_of_sockets pair;
    const auto header = encode({0, 3});
    std::vector<std::byte> whole{header.begin(), header.end()};
    for (const std::byte one : text_bytes("abc\x01")) whole.push_back(one);
    frame_reader in = reader_of(pair);
    received got;
    for (const std::byte one : whole) {
        EXPECT_TRUE(in.try_read(got, {}).is(errc::would_block));
        EXPECT_FALSE(in.has_more());
        pair.write({&one, 1});
    }
    ASSERT_TRUE(in.try_read(got, {}));
    EXPECT_EQ(as_text(got), "abc");
}

TEST(frame, has_more_tells_exactly_what_is_buffered) {
    pair_of_sockets pair;
    frame_writer out{pair.writing()};
    frame_reader in = reader_of(pair);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(out.try_write(text_bytes("x"), {}));
    received got;
    for (int left = 2; left >= 0; --left) {
        ASSERT_TRUE(in.try_read(got, {}));
        EXPECT_EQ(in.has_more(), left > 0);
    }
}

int open_descriptors() {
    int count = 0;
    for (int fd = 0; fd < 512; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) ++count;
    return count;
}

TEST(frame, descriptors_go_with_their_own_message) {
    const int before = open_descriptors();
    {
        pair_of_sockets pair;
        frame_writer out{pair.writing()};
        frame_reader in = reader_of(pair);
        std::array<int, 2> pipe_ends{};
        ASSERT_EQ(::pipe2(pipe_ends.data(), O_CLOEXEC), 0);
        ASSERT_TRUE(out.try_write(text_bytes("none"), {}));
        ASSERT_TRUE(out.try_write(text_bytes("one"), {0, 0, std::span(pipe_ends).first(1)}));
        ASSERT_TRUE(out.try_write(text_bytes("two"), {0, 0, pipe_ends}));
        ASSERT_TRUE(out.try_write(text_bytes("none"), {}));
        for (const std::size_t wanted : {0U, 1U, 2U, 0U}) {
            received got;
            ASSERT_TRUE(in.try_read(got, {}));
            EXPECT_EQ(got.descriptors(), wanted) << as_text(got);
            if (wanted == 2) {
                const int theirs = got.take_descriptor(1);
                ASSERT_GE(theirs, 0);
                EXPECT_EQ(got.take_descriptor(1), -1);
                EXPECT_EQ(::write(theirs, "!", 1), 1);
                char through = 0;
                EXPECT_EQ(::read(pipe_ends[0], &through, 1), 1);
                EXPECT_EQ(through, '!');
                ::close(theirs);
            }
        }
        for (const int fd : pipe_ends) ::close(fd);
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST(frame, descriptors_that_were_promised_and_did_not_come_are_corrupt) {
    pair_of_sockets pair;
    pair.write(encode({1, 0}));
    pair.write(text_bytes("\x01"));
    frame_reader in = reader_of(pair);
    received got;
    EXPECT_TRUE(in.try_read(got, {}).is(errc::corrupt));
}

TEST(frame, a_reader_that_went_is_closed_for_the_writer_without_a_signal) {
    pair_of_sockets pair;
    frame_writer out{pair.writing()};
    pair.reading().close();
    EXPECT_TRUE(out.try_write(text_bytes("x"), {}).is(errc::closed));
}

TEST(frame, priorities_and_types_are_refused) {
    pair_of_sockets pair;
    frame_writer out{pair.writing()};
    EXPECT_TRUE(out.try_write({}, {1, 0, {}}).is(errc::unsupported));
    EXPECT_TRUE(out.try_write({}, {0, 1, {}}).is(errc::unsupported));
}

// A peer that sends nothing but void frames, as fast as it can: each look ends all the same.
TEST(frame, void_frames_without_end_keep_nobody) {
    pair_of_sockets pair;
    std::vector<std::byte> voids;
    while (voids.size() < 100'000)
        for (const std::byte one : text_bytes(std::string_view("hw\x01\0\0\0\0\0\x03", 9)))
            voids.push_back(one);
    std::thread writer([&voids, fd = pair.writing_fd()] {
        while (::send(fd, voids.data(), voids.size(), MSG_NOSIGNAL) > 0) {
        }
    });
    {
        auto in = reader_of(pair);
        received got;
        for (int looks = 0; looks < 20; ++looks)
            EXPECT_TRUE(in.try_read(got, {}).is(errc::would_block));
    }
    writer.join();
}

} // namespace
} // namespace hawser::wire
