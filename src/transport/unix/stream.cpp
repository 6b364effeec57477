// `unix:` – stream sockets, messages in frames, raw bytes for a byte_stream.
#include "os/socket.hpp"
#include "transport/unix/settings.hpp"
#include "transport/unix/unix.hpp"
#include "wire/byte_ends.hpp"
#include "wire/crowd.hpp"
#include "wire/frame.hpp"

namespace hawser::local {

namespace {

constexpr std::uint64_t largest_message = std::uint64_t{1} << 40U;
constexpr auto type = os::socket_type::stream;

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::per_sender,
    .lives = lifetime_kind::process,
    .needs_relation = relation_kind::none,
    .survives_kill_of = survival_kind::sender,
    .max_message = largest_message,
    .many_senders = true,
    .reliable = true,
    .end_of_stream = true,
    .byte_stream = true,
    .permissions = true,
    .fd_pollable = true,
    .passes_fds = true,
    .peer_credentials = true,
    .sharing_any = true,
};

// A connection's frames, and the settings of its socket.
class connection_writer final : public wire::writer {
  public:
    explicit connection_writer(os::fork_guard connected)
        : frames_(os::stream{std::move(connected), os::stream_kind::socket}) {}

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override {
        return frames_.try_write(bytes, with);
    }
    [[nodiscard]] bool is_lost() const noexcept override { return frames_.is_lost(); }
    void abandon() noexcept override { frames_.abandon(); }
    [[nodiscard]] wire::waiting_point room() const noexcept override { return frames_.room(); }
    // The kernel counts its own bookkeeping as well, 3 % of full pieces at the most.
    [[nodiscard]] std::uint64_t at_once_bytes() const noexcept override {
        const std::uint64_t bytes = os::buffer_bytes(room().fd, os::socket_buffer::sending);
        return bytes - bytes / 16;
    }
    result<hawser::attributes> attributes() override { return attributes_of_sender(room().fd); }
    result<void> change(const options& wanted) override { return change_sender(room().fd, wanted); }

  private:
    wire::frame_writer frames_;
};

result<std::unique_ptr<wire::writer>> writer_on(os::fork_guard connected, const options& wanted) {
    if (auto sized = size_buffer(connected.get(), wanted); !sized) return sized.why();
    return std::unique_ptr<wire::writer>(std::make_unique<connection_writer>(std::move(connected)));
}

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    if (auto taken = wire::refuse_others(wanted, honoured, where.scheme); !taken)
        return taken.why();
    const auto name = name_in(where, "open");
    if (!name) return name.why();
    auto first = reach_first(*name, type, wanted);
    if (!first) return first.why();
    std::unique_ptr<wire::writer> to;
    if (*first) {
        auto made = writer_on(std::move(**first), wanted);
        if (!made) return made.why();
        to = std::move(*made);
    }
    auto again = [name = *name, wanted]() -> result<std::unique_ptr<wire::writer>> {
        auto connected = reach(name, type);
        if (!connected) return connected.why();
        return writer_on(std::move(*connected), wanted);
    };
    return wire::sender_end::make(std::move(to), wanted, largest_message, std::move(again));
}

result<std::shared_ptr<bound_socket>> listen_at(const address& where, const options& wanted) {
    if (auto taken = wire::refuse_others(wanted, honoured, where.scheme); !taken)
        return taken.why();
    const auto name = name_in(where, "open");
    if (!name) return name.why();
    auto bound = take_name(*name, type, wanted);
    if (!bound) return bound;
    if (auto listening = os::listen_on((*bound)->fd()); !listening) return listening.why();
    return bound;
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    auto bound = listen_at(where, wanted);
    if (!bound) return bound.why();
    const std::uint64_t max_message = wanted.max_message.value_or(wire::default_max_message);
    auto accept = [fd = (*bound)->fd(), max_message]() -> result<std::unique_ptr<wire::reader>> {
        auto taken = os::accept_connection(fd);
        if (!taken) return taken.why();
        const auto peer = os::peer_of(taken->get());
        return std::unique_ptr<wire::reader>(std::make_unique<wire::frame_reader>(
            os::stream{std::move(*taken), os::stream_kind::socket}, max_message, wire::at_eof::ends,
            peer));
    };
    auto crowd = wire::crowd::make((*bound)->fd(), std::move(accept));
    if (!crowd) return crowd.why();
    return wire::receiver_end::make(
        std::make_unique<named_reader>(std::move(*bound), std::move(*crowd), std::nullopt), wanted);
}

std::unique_ptr<hawser::detail::stream_end> bytes_on(os::fork_guard connected, stream_role role) {
    const auto peer = os::peer_of(connected.get());
    return std::make_unique<wire::byte_end>(
        os::stream{std::move(connected), os::stream_kind::socket}, role, peer);
}

result<std::unique_ptr<hawser::detail::stream_end>>
open_stream(const address& where, const options& wanted, stream_role role, deadline until) {
    if (auto taken = wire::refuse_others(wanted, honoured, where.scheme); !taken)
        return taken.why();
    const auto name = name_in(where, "open");
    if (!name) return name.why();
    const auto bytes_of =
        [&](os::fork_guard connected) -> result<std::unique_ptr<hawser::detail::stream_end>> {
        if (auto sized = size_buffer(connected.get(), wanted); !sized) return sized.why();
        return bytes_on(std::move(connected), role);
    };
    auto first = reach_first(*name, type, wanted);
    if (!first) return first.why();
    if (*first) return bytes_of(std::move(**first));
    return wire::open_until(until, [&]() -> result<std::unique_ptr<hawser::detail::stream_end>> {
        auto connected = reach(*name, type);
        if (!connected) return connected.why();
        return bytes_of(std::move(*connected));
    });
}

result<std::unique_ptr<hawser::detail::listening_end>> open_listener(const address& where,
                                                                     const options& wanted) {
    auto bound = listen_at(where, wanted);
    if (!bound) return bound.why();
    const int fd = (*bound)->fd();
    auto accept = [bound = *bound]() -> result<std::unique_ptr<hawser::detail::stream_end>> {
        auto taken = os::accept_connection(bound->fd());
        if (!taken) return taken.why();
        return bytes_on(std::move(*taken), stream_role::both);
    };
    return std::unique_ptr<hawser::detail::listening_end>(
        std::make_unique<wire::listening_end>(fd, std::move(accept)));
}

} // namespace

const hawser::detail::transport stream_transport{
    {"unix", "unix:PATH or unix:@NAME", "Unix stream socket", abilities},
    open_sender,
    open_receiver,
    open_stream,
    open_listener,
    inspect,
    remove};

} // namespace hawser::local
