// Messages as packets of a socket, which keeps their boundaries by itself: one packet a message, no
// frame.
//
// - Blocks: never. Allocates: for large messages. Threads: one at a time.
// - A packet that is larger than max_message is skipped and reported; never a part of it is given.
#pragma once

#include <cstdint>
#include <memory>

#include "os/stream.hpp"
#include "os/unix_socket.hpp"
#include "transport/unix/name.hpp"
#include "wire/ends.hpp"

namespace hawser::local {

// The kernel needs one piece of memory for most of a packet, and has none larger.
inline constexpr std::uint64_t largest_packet = 4ULL << 20U;
// The most that max_message can ask for on this machine (net.core.wmem_max).
std::uint64_t largest_settable_packet() noexcept;

// Makes room at the sending socket for messages of wanted.max_message, and of max_memory in all.
// Gives the size of the largest message. Errors: no_space, with the sysctl.
result<std::uint64_t> size_for_packets(int fd, const options& wanted);

// Memory for the tail of large packets, one for all connections of a receiver.
using packet_memory = std::shared_ptr<std::byte[]>;

class packet_writer final : public wire::writer {
  public:
    packet_writer(os::fork_guard connected, std::uint64_t max_message) noexcept
        : to_(std::move(connected), os::stream_kind::socket), max_message_(max_message) {}

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override;
    [[nodiscard]] wire::waiting_point room() const noexcept override;
    [[nodiscard]] std::string_view to_raise_the_limit() const noexcept override;
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override;

  private:
    [[nodiscard]] error refusal(int sys, std::size_t size, bool with_descriptors) const;

    os::stream to_;
    std::uint64_t max_message_;
};

class packet_reader final : public wire::reader {
  public:
    // What is read belongs to its owner as long as the reader lives: a connection, or a shared
    // socket.
    packet_reader(os::fork_guard connection, os::socket_type type, std::uint64_t max_message,
                  packet_memory large) noexcept;
    packet_reader(std::shared_ptr<bound_socket> bound, os::socket_type type,
                  std::uint64_t max_message, packet_memory large) noexcept;
    static packet_memory memory_for(std::uint64_t max_message);

    result<void> try_read(wire::received& into, const selection& which) override;
    [[nodiscard]] wire::waiting_point arrival() const noexcept override;

  private:
    result<void> accept(wire::received& into, const os::packet& got);

    os::fork_guard connection_;
    std::shared_ptr<bound_socket> bound_;
    packet_memory large_;
    std::uint64_t max_message_;
    std::uint64_t sequence_ = 0;
    int fd_;
    bool connected_; // packets of no bytes are told from the end
};

} // namespace hawser::local
