// byte_stream and byte_listener over an open stream and a listening socket.
//
// - Blocks: as the deadlines say. Allocates: never after opening. Threads, fork, signals:
//   hawser/byte_stream.hpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "core/transport.hpp"
#include "os/stream.hpp"
#include "wire/frame.hpp"

namespace hawser::wire {

class byte_end final : public hawser::detail::stream_end {
  public:
    byte_end(os::stream open, stream_role role, std::optional<credentials> peer = std::nullopt,
             at_eof eof = at_eof::ends) noexcept;

    result<std::size_t> read(std::span<std::byte> into, deadline until) override;
    result<std::size_t> write(std::span<const std::byte> bytes, deadline until) override;
    result<void> finish_writing() override;
    [[nodiscard]] result<int> fd() const override;
    [[nodiscard]] std::optional<credentials> peer() const override { return peer_; }
    [[nodiscard]] os::stream& stream() noexcept { return stream_; }

  private:
    result<void> admit(const char* operation) const;
    [[nodiscard]] bool at_end() const noexcept;

    os::stream stream_;
    std::optional<credentials> peer_;
    std::uint64_t reads_slept_ = 0; // one each: one thread may read while another one writes
    std::uint64_t writes_slept_ = 0;
    stream_role role_;
    at_eof eof_;
    unsigned born_;
};

// Takes one connection that waits. Error would_block: none does.
using stream_acceptor = std::function<result<std::unique_ptr<hawser::detail::stream_end>>()>;

class listening_end final : public hawser::detail::listening_end {
  public:
    // accept owns the descriptor.
    listening_end(int listening_fd, stream_acceptor accept) noexcept;

    result<std::unique_ptr<hawser::detail::stream_end>> accept(deadline until) override;
    [[nodiscard]] result<int> fd() const override;

  private:
    result<void> admit(const char* operation) const;

    stream_acceptor accept_;
    int listening_fd_;
    unsigned born_;
};

// Calls open() -> result<std::unique_ptr<stream_end>> until it says something else than would_block
// (nobody is there yet), looking again every few milliseconds. Errors also: timed_out, interrupted.
result<std::unique_ptr<hawser::detail::stream_end>> open_until(deadline until,
                                                               const stream_acceptor& open);

} // namespace hawser::wire
