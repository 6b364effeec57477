// `unix-seqpacket:` and `unix-dgram:`.
#include <algorithm>

#include "os/clock.hpp"
#include "os/file.hpp"
#include "os/socket.hpp"
#include "transport/unix/packets.hpp"
#include "transport/unix/settings.hpp"
#include "transport/unix/unix.hpp"
#include "wire/crowd.hpp"

namespace hawser::local {

namespace {

using os::socket_type;

capabilities abilities(socket_type type) noexcept {
    const bool connected = type == socket_type::seqpacket;
    return {
        .boundaries = boundary_kind::message,
        // All datagrams are in one queue, the receiver's.
        .ordering = connected ? ordering_kind::per_sender : ordering_kind::total,
        .lives = lifetime_kind::process,
        .needs_relation = relation_kind::none,
        .survives_kill_of = survival_kind::sender,
        .max_message = largest_settable_packet(),
        .max_message_varies = true,
        .many_senders = true,
        .reliable = true,
        .end_of_stream = connected,
        .permissions = true,
        .fd_pollable = true,
        .passes_fds = true,
        .peer_credentials = true,
        .sharing_any = true,
    };
}

// What a sender that has no connection yet can count on: what every new socket of it gets.
result<std::uint64_t> limit_of_new_socket(socket_type type, const options& wanted) {
    const auto probe = os::make_unix_socket(type);
    if (!probe) return probe.why();
    return size_for_packets(probe->get(), wanted);
}

result<std::unique_ptr<wire::writer>> writer_on(os::fork_guard connected, const options& wanted) {
    const auto limit = size_for_packets(connected.get(), wanted);
    if (!limit) return limit.why();
    return std::unique_ptr<wire::writer>(
        std::make_unique<packet_writer>(std::move(connected), *limit));
}

template <socket_type Type>
result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    if (auto taken = wire::refuse_others(wanted, honoured, where.scheme); !taken)
        return taken.why();
    const auto name = name_in(where, "open");
    if (!name) return name.why();
    const auto limit = limit_of_new_socket(Type, wanted);
    if (!limit) return limit.why();
    auto first = reach_first(*name, Type, wanted);
    if (!first) return first.why();
    std::unique_ptr<wire::writer> to;
    if (*first) {
        auto made = writer_on(std::move(**first), wanted);
        if (!made) return made.why();
        to = std::move(*made);
    }
    auto again = [name = *name, wanted]() -> result<std::unique_ptr<wire::writer>> {
        auto connected = reach(name, Type);
        if (!connected) return connected.why();
        return writer_on(std::move(*connected), wanted);
    };
    return wire::sender_end::make(std::move(to), wanted, *limit, std::move(again));
}

// The name, and how large a message may be that comes there.
struct place {
    std::shared_ptr<bound_socket> bound;
    std::uint64_t max_message;
    packet_memory large;
};

result<place> take_place(const address& where, const options& wanted, socket_type type) {
    if (auto taken = wire::refuse_others(wanted, honoured, where.scheme); !taken)
        return taken.why();
    const auto name = name_in(where, "open");
    if (!name) return name.why();
    // Whoever may send more than this machine lets us ask for (root) is not cut off by default.
    const std::uint64_t max_message = wanted.max_message.value_or(largest_packet);
    auto bound = take_name(*name, type, wanted);
    if (!bound) return bound.why();
    return place{std::move(*bound), max_message, packet_reader::memory_for(max_message)};
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_seqpacket(const address& where,
                                                                      const options& wanted) {
    auto at = take_place(where, wanted, socket_type::seqpacket);
    if (!at) return at.why();
    const int fd = at->bound->fd();
    if (auto listening = os::listen_on(fd); !listening) return listening.why();
    auto accept = [fd, max_message = at->max_message,
                   large = at->large]() -> result<std::unique_ptr<wire::reader>> {
        auto taken = os::accept_connection(fd);
        if (!taken) return taken.why();
        os::ask_for_credentials(taken->get());
        return std::unique_ptr<wire::reader>(std::make_unique<packet_reader>(
            std::move(*taken), socket_type::seqpacket, max_message, large));
    };
    auto crowd = wire::crowd::make(fd, std::move(accept));
    if (!crowd) return crowd.why();
    return wire::receiver_end::make(
        std::make_unique<named_reader>(std::move(at->bound), std::move(*crowd), std::nullopt),
        wanted);
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_dgram(const address& where,
                                                                  const options& wanted) {
    auto at = take_place(where, wanted, socket_type::datagram);
    if (!at) return at.why();
    auto reader = std::make_unique<packet_reader>(at->bound, socket_type::datagram, at->max_message,
                                                  at->large);
    return wire::receiver_end::make(std::make_unique<named_reader>(std::move(at->bound),
                                                                   std::move(reader),
                                                                   os::datagram_queue_length()),
                                    wanted);
}

} // namespace

// Not constants: what a message may have is up to a sysctl of the machine.
const hawser::detail::transport seqpacket_transport{
    {"unix-seqpacket", "unix-seqpacket:PATH or unix-seqpacket:@NAME", "Unix sequential packets",
     abilities(socket_type::seqpacket)},
    open_sender<socket_type::seqpacket>,
    open_seqpacket,
    nullptr,
    nullptr,
    inspect,
    remove};

const hawser::detail::transport dgram_transport{
    {"unix-dgram", "unix-dgram:PATH or unix-dgram:@NAME", "Unix datagram socket",
     abilities(socket_type::datagram)},
    open_sender<socket_type::datagram>,
    open_dgram,
    nullptr,
    nullptr,
    inspect,
    remove};

} // namespace hawser::local
