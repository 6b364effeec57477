// C16: byte streams, the raw bytes of a stream transport.
#include <csignal>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

using namespace std::chrono_literals;
using steady = deadline::clock;

class byte_streams : public contract {
  protected:
    // Two streams that are joined. What is written into `near` is read from `far`; with sockets
    // and terminals also the other way round.
    struct line {
        byte_stream near;
        byte_stream far;
        bool both_ways;
    };

    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().byte_stream, "byte_stream");
    }
    // Sockets: bytes go both ways on a connection that somebody listens for.
    [[nodiscard]] bool listens() const {
        return !byte_listener::open(address("-in")).is(errc::unsupported);
    }
    // A terminal goes both ways and is made as a pair: nobody listens, nobody is waited for.
    [[nodiscard]] bool is_terminal() const { return can().both_ways && !listens(); }
    // Buffers that are soon full, where a size can be asked for.
    [[nodiscard]] options small() const {
        options wanted;
        if (can().crosses_machines) wanted.max_memory = 64UL << 10U;
        return wanted;
    }
    [[nodiscard]] line join() const {
        if (!by_name()) return join_pipe();
        if (is_terminal()) return join_terminal();
        if (!listens()) return join_by_roles();
        auto listener = byte_listener::open(address(), small()).value();
        auto near = byte_stream::open(address(), stream_role::both, small()).value();
        return {std::move(near), listener.accept().value(), true};
    }
    static std::size_t write_until_full(byte_stream& to) {
        const auto bytes = pattern(4096, 1);
        std::size_t written = 0;
        result<std::size_t> outcome = 0U;
        while ((outcome = to.write_some(bytes, deadline::now()))) written += *outcome;
        EXPECT_TRUE(fails_with(outcome, errc::would_block));
        return written;
    }

  private:
    // Each waits for the other.
    [[nodiscard]] line join_by_roles() const {
        std::optional<byte_stream> far;
        std::thread reader(
            [&] { far.emplace(byte_stream::open(address(), stream_role::reader).value()); });
        auto near = byte_stream::open(address(), stream_role::writer);
        reader.join();
        return {std::move(near.value()), std::move(far.value()), false};
    }
    static line join_terminal() {
        auto far = byte_stream::open("pty:", stream_role::reader).value();
        auto near = byte_stream::open(far.where().name(), stream_role::writer).value();
        return {std::move(near), std::move(far), false};
    }
    static line join_pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        const std::string reading = "pipe:" + std::to_string(ends[0]) + ",-";
        const std::string writing = "pipe:-," + std::to_string(ends[1]);
        return {byte_stream::open(writing, stream_role::writer).value(),
                byte_stream::open(reading, stream_role::reader).value(), false};
    }
};
HAWSER_CONTRACT(byte_streams, in_each_transport());

namespace {

std::string read_all(byte_stream& from) {
    std::string text;
    std::byte part[1000];
    for (;;) {
        const auto got = from.read_some(part);
        if (got.is(errc::closed)) return text;
        text.append(reinterpret_cast<const char*>(part), got.value());
    }
}

std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace

TEST_P(byte_streams, c16_1_bytes_arrive_as_they_were_written) {
    auto ends = join();
    const auto large = pattern(300000, 7);
    std::string all;
    std::thread writer([&] {
        for (const std::size_t size : {1U, 10U, 100U, 100000U}) {
            ends.near.write_all(std::span(large).first(size)).value();
            all += as_text(std::span(large).first(size));
        }
        ends.near.write_all("").value(); // nothing is nothing, and no end
        ends.near.write_all(large).value();
        all += as_text(large);
        ends.near.close();
    });
    const std::string got = read_all(ends.far);
    writer.join();
    EXPECT_EQ(got.size(), all.size());
    EXPECT_TRUE(got == all);
}

TEST_P(byte_streams, c16_2_a_read_gives_what_is_there_and_then_the_end) {
    auto ends = join();
    ends.near.write_all("abcdef").value();
    std::byte two[2];
    EXPECT_EQ(ends.far.read_some(two).value(), 2U);
    EXPECT_EQ(as_text(two), "ab");
    std::byte many[100];
    EXPECT_EQ(ends.far.read_some(many).value(), 4U);
    EXPECT_EQ(as_text(std::span(many).first(4)), "cdef");
    EXPECT_TRUE(fails_with(ends.far.read_some({}), errc::invalid_argument));
    ends.near.write_all("last").value();
    ends.near.close();
    EXPECT_EQ(ends.far.read_some(many).value(), 4U);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(fails_with(ends.far.read_some(many, deadline::after(1h)), errc::closed));
}

TEST_P(byte_streams, c16_3_writing_to_who_has_gone_is_closed) {
    auto ends = join();
    ends.far.close();
    const std::string text(1000, 'x');
    result<void> outcome;
    while (outcome) outcome = ends.near.write_all(text); // SIGPIPE would end this program
    EXPECT_TRUE(outcome.is(errc::closed) || outcome.is(errc::peer_died))
        << outcome.why().describe();
}

TEST_P(byte_streams, c16_4_finishing_to_write_is_an_end_for_the_other_side) {
    auto ends = join();
    ends.near.write_all("question").value();
    EXPECT_TRUE(succeeds(ends.near.finish_writing()));
    EXPECT_EQ(read_all(ends.far), "question");
    EXPECT_TRUE(fails_with(ends.near.write_all("more"), errc::closed));
    if (!ends.both_ways) return;
    ends.far.write_all("answer").value();
    ends.far.close();
    EXPECT_EQ(read_all(ends.near), "answer");
}

TEST_P(byte_streams, c16_5_the_other_direction_is_refused) {
    if (by_name() && !listens()) {
        EXPECT_TRUE(fails_with(byte_stream::open(address()), errc::invalid_argument));
    }
    auto ends = join();
    std::byte one[1];
    if (ends.both_ways) {
        auto listener = byte_listener::open(address("-other")).value();
        ends.near = byte_stream::open(address("-other"), stream_role::writer).value();
        ends.far = byte_stream::open(address("-other"), stream_role::reader).value();
    }
    EXPECT_TRUE(fails_with(ends.near.read_some(one), errc::invalid_argument));
    EXPECT_TRUE(fails_with(ends.far.write_some(one), errc::invalid_argument));
    EXPECT_TRUE(fails_with(ends.far.finish_writing(), errc::invalid_argument));
}

TEST_P(byte_streams, c16_6_reads_and_writes_keep_their_deadlines) {
    auto ends = join();
    std::byte many[4096];
    EXPECT_TRUE(fails_with(ends.far.read_some(many, deadline::now()), errc::would_block));
    auto begin = steady::now();
    EXPECT_TRUE(fails_with(ends.far.read_some(many, deadline::after(5ms)), errc::timed_out));
    EXPECT_GE(steady::now() - begin, 5ms);
    const std::size_t written = write_until_full(ends.near);
    EXPECT_GT(written, 0U);
    begin = steady::now();
    std::size_t more = 0; // a network may find some more room
    result<std::size_t> outcome = 0U;
    while ((outcome = ends.near.write_some(many, deadline::after(50ms)))) more += *outcome;
    EXPECT_TRUE(fails_with(outcome, errc::timed_out));
    EXPECT_GE(steady::now() - begin, 50ms);
    std::size_t got = 0;
    while (got < written + more) got += ends.far.read_some(many, deadline::after(1h)).value();
    EXPECT_TRUE(fails_with(ends.far.read_some(many, deadline::now()), errc::would_block));
}

TEST_P(byte_streams, c16_7_opening_waits_for_the_other_side) {
    HAWSER_NEEDS(by_name(), "needs_relation");
    HAWSER_NEEDS(!is_terminal(), "lives"); // made as a pair, there is nobody to wait for
    const auto roles = listens() ? std::vector{stream_role::both}
                                 : std::vector{stream_role::writer, stream_role::reader};
    options existing;
    existing.create = create_policy::open;
    for (const stream_role role : roles)
        EXPECT_TRUE(fails_with(byte_stream::open(address(), role, existing), errc::not_found));
    expect_missing();
    for (const stream_role role : roles) {
        EXPECT_TRUE(
            fails_with(byte_stream::open(address(), role, {}, deadline::now()), errc::would_block));
        const auto begin = steady::now();
        EXPECT_TRUE(fails_with(byte_stream::open(address(), role, {}, deadline::after(5ms)),
                               errc::timed_out));
        EXPECT_GE(steady::now() - begin, 5ms);
    }
    auto ends = join();
    ends.near.write_all("here").value();
    std::byte many[100];
    EXPECT_EQ(ends.far.read_some(many).value(), 4U);
}

TEST_P(byte_streams, c16_8_a_listener_tells_the_port_that_it_got) {
    HAWSER_NEEDS(can().crosses_machines, "crosses_machines");
    const std::string any = address().substr(0, address().rfind(':')) + ":0";
    auto listener = byte_listener::open(any).value();
    const std::string where = listener.where().name();
    EXPECT_NE(where, any);
    auto near = byte_stream::open(where).value();
    auto far = listener.accept().value();
    near.write_all("found").value();
    near.close();
    EXPECT_EQ(read_all(far), "found");
}

TEST_P(byte_streams, c16_9_one_listens_and_many_connect_where_there_are_connections) {
    if (!listens()) {
        EXPECT_TRUE(fails_with(byte_listener::open(address()), errc::unsupported));
        return;
    }
    auto listener = byte_listener::open(address()).value();
    EXPECT_TRUE(fails_with(byte_listener::open(address()), errc::already_exists));
    EXPECT_TRUE(fails_with(listener.accept(deadline::now()), errc::would_block));
    EXPECT_TRUE(fails_with(listener.accept(deadline::after(2ms)), errc::timed_out));
    std::vector<byte_stream> near;
    std::vector<byte_stream> far;
    for (int i = 0; i < 5; ++i) {
        near.push_back(byte_stream::open(address()).value());
        EXPECT_TRUE(descriptor_ready(listener.fd().value(), POLLIN, -1));
        far.push_back(listener.accept().value());
    }
    for (std::size_t i = 0; i < near.size(); ++i) near[i].write_all(std::to_string(i)).value();
    for (auto& one : near) one.close();
    for (std::size_t i = 0; i < far.size(); ++i) EXPECT_EQ(read_all(far[i]), std::to_string(i));
    listener.close();
    EXPECT_TRUE(fails_with(listener.accept(), errc::invalid_argument));
    EXPECT_TRUE(succeeds(byte_listener::open(address())));
}

TEST_P(byte_streams, c16_10_the_other_process_is_known) {
    HAWSER_NEEDS(can().peer_credentials, "peer_credentials");
    const auto ends = join();
    const credentials self{static_cast<std::uint32_t>(::getpid()), ::geteuid(), ::getegid()};
    EXPECT_EQ(ends.far.peer(), self);
    EXPECT_EQ(ends.near.peer(), self);
}

TEST_P(byte_streams, c16_11_a_child_may_not_use_its_parents_stream) {
    HAWSER_NEEDS_HERE(can_fork, "fork: not under ThreadSanitizer");
    auto ends = join();
    ends.near.write_all("x").value();
    child forked("forked", [&] {
        std::byte one[1];
        EXPECT_TRUE(fails_with(ends.far.read_some(one), errc::invalid_argument));
        EXPECT_TRUE(fails_with(ends.near.write_some(one), errc::invalid_argument));
        EXPECT_TRUE(fails_with(ends.near.finish_writing(), errc::invalid_argument));
        EXPECT_TRUE(fails_with(ends.near.fd(), errc::invalid_argument));
        ends.near.close();
        ends.far.close();
    });
    forked.end_well();
    ends.near.write_all("y").value();
    ends.near.close();
    EXPECT_EQ(read_all(ends.far), "xy");
}

TEST_P(byte_streams, c16_12_its_descriptor_is_that_of_poll) {
    auto ends = join();
    EXPECT_FALSE(descriptor_ready(ends.far.fd().value(), POLLIN, 0));
    EXPECT_TRUE(descriptor_ready(ends.near.fd().value(), POLLOUT, 0));
    ends.near.write_all("x").value();
    EXPECT_TRUE(descriptor_ready(ends.far.fd().value(), POLLIN, -1));
    std::byte one[1];
    EXPECT_EQ(ends.far.read_some(one).value(), 1U);
    EXPECT_FALSE(descriptor_ready(ends.far.fd().value(), POLLIN, 0));
    ends.near.close();
    EXPECT_TRUE(fails_with(ends.near.fd(), errc::invalid_argument));
    EXPECT_TRUE(fails_with(ends.near.write_some(one), errc::invalid_argument));
}

class without_byte_streams : public contract {};
HAWSER_CONTRACT(without_byte_streams, in_each_transport());

TEST_P(without_byte_streams, c16_13_messages_alone_have_no_bytes) {
    HAWSER_NEEDS(!can().byte_stream, "byte_stream");
    for (const auto role : {stream_role::both, stream_role::reader, stream_role::writer})
        EXPECT_TRUE(fails_with(byte_stream::open(address(), role), errc::unsupported));
    EXPECT_TRUE(fails_with(byte_listener::open(address()), errc::unsupported));
    expect_missing();
}

} // namespace hawser::test
