#include "transport/unix/packets.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include <poll.h>

#include "os/socket.hpp"
#include "transport/unix/settings.hpp"
#include "wire/frame.hpp"

namespace hawser::local {

namespace {

// The kernel takes a packet that is so much smaller than the sending buffer (net/unix).
constexpr std::uint64_t kept_bytes = 32;
// Packets up to this size are read to where they belong; of larger ones the rest is copied.
constexpr std::size_t direct_bytes = 64UL * 1024;

std::uint64_t packet_limit(int fd) noexcept {
    const std::uint64_t bytes = os::buffer_bytes(fd, os::socket_buffer::sending);
    // Where the kernel does not tell, it will say so of each message.
    return bytes > kept_bytes ? std::min(bytes - kept_bytes, largest_packet) : largest_packet;
}

} // namespace

std::uint64_t largest_settable_packet() noexcept {
    return std::min(os::largest_buffer_bytes(os::socket_buffer::sending) - kept_bytes,
                    largest_packet);
}

result<std::uint64_t> size_for_packets(int fd, const options& wanted) {
    const std::uint64_t needed = wanted.max_message ? *wanted.max_message + kept_bytes : 0;
    options sized = wanted;
    if (wanted.max_memory || needed > os::buffer_bytes(fd, os::socket_buffer::sending))
        sized.max_memory = std::max(wanted.max_memory.value_or(0), needed);
    if (auto done = size_buffer(fd, sized); !done) return done.why();
    return std::min(packet_limit(fd), wanted.max_message.value_or(largest_packet));
}

// ---- writing ------------------------------------------------------------------------------------

result<void> packet_writer::try_write(std::span<const std::byte> bytes, const envelope& with) {
    if (with.priority != 0 || with.type != 0)
        return error{errc::unsupported, "send"}.because(
            "a socket has no priorities and no types; mq: and sysv-mq: have.");
    if (with.descriptors.size() > os::passed_descriptors::limit)
        return error{errc::too_big, "send"}.because("at most 253 descriptors go with a message.");
    const auto done = to_.write({&bytes, 1}, with.descriptors);
    if (done.sys == 0) return {};
    if (done.would_block()) return error{errc::would_block, "send"};
    return refusal(done.sys, bytes.size(), !with.descriptors.empty());
}

error packet_writer::refusal(int sys, std::size_t size, bool with_descriptors) const {
    switch (sys) {
    case EMSGSIZE:
        return error{errc::too_big, "send", sys}.because(
            "the message has " + std::to_string(size) + " bytes, and this socket takes at most " +
            std::to_string(packet_limit(to_.fd())) +
            " in one piece. max_message= raises that, up to what sysctl net.core.wmem_max allows.");
    case ENOBUFS:
    case ENOMEM:
        return error{errc::no_space, "send", sys}.because(
            "the kernel has no memory in one piece for a message of " + std::to_string(size) +
            " bytes. Send smaller ones, or use unix:.");
    case ECONNREFUSED: // datagrams: the receiver has closed
    case ENOTCONN:
        return error{errc::closed, "send", sys}.because(
            "the receiver has gone, and this message was not sent. The next send waits for "
            "another receiver.");
    case EBADF:
        if (with_descriptors)
            return error{errc::invalid_argument, "send", sys}.because(
                "one of the descriptors that were to go along is not open.");
        break;
    case ETOOMANYREFS:
        return error{errc::no_space, "send", sys}.because(
            "too many passed descriptors wait to be received; as many may as ulimit -n says.");
    default:
        break;
    }
    return wire::stream_failure("send", sys);
}

wire::waiting_point packet_writer::room() const noexcept {
    return {to_.fd(), POLLOUT, 0};
}

std::string_view packet_writer::to_raise_the_limit() const noexcept {
    return " A packet fits in the socket's buffer: max_message= makes that larger, up to twice "
           "what "
           "sysctl net.core.wmem_max says. unix: has no such limit.";
}

result<hawser::attributes> packet_writer::attributes() {
    hawser::attributes all = attributes_of_sender(to_.fd());
    all.max_message = std::min(packet_limit(to_.fd()), max_message_);
    return all;
}

result<void> packet_writer::change(const options& wanted) {
    return change_sender(to_.fd(), wanted);
}

// ---- reading ------------------------------------------------------------------------------------

packet_reader::packet_reader(os::fork_guard connection, os::socket_type type,
                             std::uint64_t max_message, packet_memory large) noexcept
    : connection_(std::move(connection)), large_(std::move(large)), max_message_(max_message),
      fd_(connection_.get()), connected_(type == os::socket_type::seqpacket) {}

packet_reader::packet_reader(std::shared_ptr<bound_socket> bound, os::socket_type type,
                             std::uint64_t max_message, packet_memory large) noexcept
    : bound_(std::move(bound)), large_(std::move(large)), max_message_(max_message),
      fd_(bound_->fd()), connected_(type == os::socket_type::seqpacket) {}

packet_memory packet_reader::memory_for(std::uint64_t max_message) {
    if (max_message <= direct_bytes) return nullptr;
    return std::make_shared_for_overwrite<std::byte[]>(max_message - direct_bytes);
}

result<void> packet_reader::try_read(wire::received& into, const selection& which) {
    if (which.by != selection::rule::by_priority && which.by != selection::rule::in_order)
        return error{errc::unsupported, "receive"}.because(
            "messages of a socket come in their order; sysv-mq: can select.");
    const auto direct =
        static_cast<std::size_t>(std::min<std::uint64_t>(max_message_, direct_bytes));
    into.clear();
    into.bytes.resize(direct);
    const std::span<std::byte> rest{large_.get(), large_ ? max_message_ - direct : 0};
    const auto got = os::read_packet(fd_, into.bytes.bytes(), rest, into.passed);
    if (got.read.sys != 0) {
        if (got.read.would_block()) return error{errc::would_block, "receive"};
        return wire::stream_failure("receive", got.read.sys);
    }
    if (connected_ && got.read.bytes == 0 && !got.sender) return error{errc::closed, "receive"};
    return accept(into, got);
}

result<void> packet_reader::accept(wire::received& into, const os::packet& got) {
    const std::uint64_t sequence = sequence_++;
    if (got.read.bytes > max_message_) {
        into.clear();
        return error{errc::too_big, "receive"}.because(
            "a message of " + std::to_string(got.read.bytes) + " bytes came, and at most " +
            std::to_string(max_message_) +
            " are taken; it was skipped. Open the receiver with a larger max_message=.");
    }
    if (got.read.descriptors_cut) {
        into.clear();
        return wire::descriptors_cut("receive");
    }
    const std::size_t direct = into.bytes.size();
    const std::size_t tail = got.read.bytes > direct ? got.read.bytes - direct : 0;
    into.bytes.resize(got.read.bytes - tail);
    into.bytes.append({large_.get(), tail});
    into.sequence = sequence;
    into.has_sender = got.sender.has_value();
    if (got.sender) into.sender = *got.sender;
    return {};
}

wire::waiting_point packet_reader::arrival() const noexcept {
    return {fd_, POLLIN, 0};
}

} // namespace hawser::local
