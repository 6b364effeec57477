// What the three schemes have in common: the settings of their sockets, and the receiving end that
// owns a name.
//
// - Blocks: never. Allocates: opening only. Threads, fork, signals: wire/ends.hpp.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "transport/unix/name.hpp"
#include "wire/ends.hpp"

namespace hawser::local {

// The options that mean something here, besides those that every transport has.
inline constexpr std::array<std::string_view, 3> honoured{"mode", "group", "max_memory"};

// Room for `max_memory` at the sending side. Errors: no_space, with the sysctl.
result<void> size_buffer(int fd, const options& wanted);

// Of a sender's connection: what fits on the way to the receiver.
hawser::attributes attributes_of_sender(int fd);
// max_memory; whatever else is unsupported.
result<void> change_sender(int fd, const options& wanted);

// The reader of a receiver, with the socket that it has the name of.
class named_reader final : public wire::reader {
  public:
    named_reader(std::shared_ptr<bound_socket> bound, std::unique_ptr<wire::reader> from,
                 std::optional<std::uint64_t> capacity) noexcept
        : bound_(std::move(bound)), from_(std::move(from)), capacity_(capacity) {}

    result<void> try_read(wire::received& into, const selection& which) override {
        return from_->try_read(into, which);
    }
    [[nodiscard]] wire::waiting_point arrival() const noexcept override { return from_->arrival(); }
    [[nodiscard]] bool has_more() const noexcept override { return from_->has_more(); }
    result<hawser::attributes> attributes() override;
    // mode and group of the file.
    result<void> change(const options& wanted) override;

  private:
    std::shared_ptr<bound_socket> bound_;
    std::unique_ptr<wire::reader> from_;
    std::optional<std::uint64_t> capacity_; // messages
};

} // namespace hawser::local
