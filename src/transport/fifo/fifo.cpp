#include "transport/fifo/fifo.hpp"

#include <array>
#include <memory>

#include "os/pipe.hpp"
#include "transport/fifo/place.hpp"
#include "wire/byte_ends.hpp"
#include "wire/pipe_ends.hpp"

namespace hawser::fifo {

namespace {

using hawser::detail::receiving_end;
using hawser::detail::sending_end;
using hawser::detail::stream_end;

constexpr std::array<std::string_view, 3> settings{"max_memory", "mode", "group"};

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::process,
    .needs_relation = relation_kind::none,
    .survives_kill_of = survival_kind::sender,
    .max_message = wire::largest_in_packet,
    .many_senders = true,
    .many_receivers = true,
    .reliable = true,
    .end_of_stream = true,
    .byte_stream = true,
    .permissions = true,
    .capacity_bounded = false, // in bytes and slots, not in messages of one's choice
    .fd_pollable = true,
    .sharing_any = true,
};

// The end point's place is left with the end point, not with a connection that it lost: then the
// connector, which goes before the writer, has it as well.
wire::before_close leaving(std::shared_ptr<place> here) {
    return [here = std::move(here)](int fd) {
        if (fd >= 0 && here.use_count() == 1) here->leave(fd);
    };
}

result<std::unique_ptr<wire::writer>> connect(const std::shared_ptr<place>& here,
                                              const options& wanted, bool patient) {
    auto end = here->open(os::fifo_side::writing, patient);
    if (!end) return end.why();
    // Each message a packet, so that each of several readers gets whole ones.
    if (const auto set = os::set_packets(end->get()); !set) return set.why();
    const auto set = wire::set_capacity(end->get(), wanted);
    if (!set && !set.is(errc::would_block)) return set.why();
    return std::unique_ptr<wire::writer>(
        std::make_unique<wire::pipe_writer>(os::stream{std::move(*end), os::stream_kind::file},
                                            wire::pipe_naming::in_file_system, leaving(here)));
}

result<std::shared_ptr<place>> place_of(const address& where, const options& wanted) {
    if (auto fit = wire::refuse_others(wanted, settings, "fifo"); !fit) return fit.why();
    auto here = place::of(where, wanted);
    if (!here) return here.why();
    return std::make_shared<place>(std::move(*here));
}

result<std::unique_ptr<sending_end>> open_sender(const address& where, const options& wanted) {
    auto here = place_of(where, wanted);
    if (!here) return here.why();
    std::unique_ptr<wire::writer> first;
    auto connected = connect(*here, wanted, true);
    if (connected)
        first = std::move(*connected);
    else if (!connected.is(errc::would_block))
        return connected.why();
    return wire::sender_end::make(
        std::move(first), wanted, wire::largest_in_packet,
        [here = std::move(*here), wanted] { return connect(here, wanted, false); });
}

result<std::unique_ptr<receiving_end>> open_receiver(const address& where, const options& wanted) {
    auto here = place_of(where, wanted);
    if (!here) return here.why();
    auto end = (*here)->open(os::fifo_side::reading, true);
    if (!end) return end.why();
    if (const auto set = wire::set_capacity(end->get(), wanted); !set) return set.why();
    const auto limit = wanted.max_message.value_or(wire::largest_in_packet);
    return wire::receiver_end::make(
        std::make_unique<wire::pipe_reader>(os::stream{std::move(*end), os::stream_kind::file},
                                            limit, wire::pipe_naming::in_file_system,
                                            leaving(std::move(*here))),
        wanted);
}

// The raw bytes, and the place that is left with them.
class bytes final : public stream_end {
  public:
    bytes(std::shared_ptr<place> here, os::fork_guard end, stream_role role)
        : here_(std::move(here)), inner_(os::stream{std::move(end), os::stream_kind::file}, role,
                                         std::nullopt, wire::at_eof::reopens) {}
    ~bytes() override { leave(); }

    result<std::size_t> read(std::span<std::byte> into, deadline until) override {
        return inner_.read(into, until);
    }
    result<std::size_t> write(std::span<const std::byte> from, deadline until) override {
        return inner_.write(from, until);
    }
    result<void> finish_writing() override {
        if (role_ == stream_role::writer) leave();
        return inner_.finish_writing();
    }
    [[nodiscard]] result<int> fd() const override { return inner_.fd(); }

  private:
    void leave() noexcept {
        if (inner_.stream().is_open()) here_->leave(inner_.stream().fd());
    }

    std::shared_ptr<place> here_;
    wire::byte_end inner_;
    stream_role role_;
};

result<os::fork_guard> open_bytes(place& here, os::fifo_side side, const options& wanted) {
    auto end = here.open(side, false);
    if (!end) return end;
    const auto set = wire::set_capacity(end->get(), wanted);
    if (!set && !set.is(errc::would_block)) return set.why();
    return end;
}

// The kernel lets a reader in without a writer. The end is held meanwhile, so that a writer's open
// gets through; one that came, wrote and left before anybody looked was there, too.
result<std::unique_ptr<stream_end>> await_writer(const std::shared_ptr<place>& here,
                                                 const options& wanted, deadline until) {
    os::fork_guard end;
    auto opened = wire::open_until(until, [&]() -> result<std::unique_ptr<stream_end>> {
        if (end.get() >= 0 && !here->has(end.get())) end.close(); // where nobody would come to
        if (end.get() < 0) {
            auto one = open_bytes(*here, os::fifo_side::reading, wanted);
            if (!one) return one.why();
            end = std::move(*one);
        }
        const auto met = os::has_met_writer(end.get());
        if (!met) return error{met.why().code(), "open", met.why().sys()};
        if (!*met) return error{errc::would_block, "open"};
        return std::unique_ptr<stream_end>(
            std::make_unique<bytes>(here, std::move(end), stream_role::reader));
    });
    // Not without its end: to get one it would have to open it for writing as well.
    if (!opened && end.get() >= 0) here->leave(end.get());
    return opened;
}

result<std::unique_ptr<stream_end>> open_stream(const address& where, const options& wanted,
                                                stream_role role, deadline until) {
    if (role == stream_role::both)
        return error{errc::invalid_argument, "open"}.because(
            "a FIFO goes one way: open it with stream_role::reader or stream_role::writer, and use "
            "two of them for both ways.");
    auto here = place_of(where, wanted);
    if (!here) return here.why();
    if (role == stream_role::reader) return await_writer(*here, wanted, until);
    return wire::open_until(until, [&]() -> result<std::unique_ptr<stream_end>> {
        auto end = open_bytes(**here, os::fifo_side::writing, wanted);
        if (!end) return end.why();
        return std::unique_ptr<stream_end>(std::make_unique<bytes>(*here, std::move(*end), role));
    });
}

} // namespace

const hawser::detail::transport transport{{"fifo", "fifo:PATH", "named pipe", abilities},
                                          open_sender,
                                          open_receiver,
                                          open_stream,
                                          nullptr,
                                          inspect,
                                          remove};

} // namespace hawser::fifo
