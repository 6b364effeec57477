#include "transport/tcp/tcp.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <poll.h>

#include "transport/tcp/dialer.hpp"
#include "wire/byte_ends.hpp"
#include "wire/crowd.hpp"
#include "wire/ends.hpp"
#include "wire/frame.hpp"

namespace hawser::tcp {

namespace {

constexpr std::string_view scheme = "tcp";
constexpr std::array<std::string_view, 1> honoured{"max_memory"};
constexpr std::uint64_t largest_message = std::uint64_t{1} << 40U;

// A sender that waits looks so often whether the other side still answers.
constexpr std::int64_t look_again_ns = 1'000'000'000;
// How long opening with create= waits for the answer of a host.
constexpr std::chrono::seconds patience_in_open{10};

os::stream as_stream(os::fork_guard fd) {
    return {std::move(fd), os::stream_kind::socket};
}

std::uint64_t capacity_bytes(int fd, os::socket_buffer which) {
    return os::buffer_bytes(fd, which);
}

result<void> change_memory(int fd, os::socket_buffer which, const options& wanted) {
    options others = wanted;
    others.max_memory.reset();
    if (!wanted.max_memory || others != options{})
        return error{errc::unsupported, "change"}.because(
            "of a TCP connection only max_memory can be changed.");
    return os::set_buffer_bytes(fd, which, *wanted.max_memory);
}

// ---- sending ------------------------------------------------------------------------------------

// One connection, from the first SYN on.
class connection final : public wire::writer {
  public:
    explicit connection(attempt begun)
        : frames_(as_stream(std::move(begun.fd))), pending_(begun.pending) {}

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override {
        if (!with.descriptors.empty())
            return error{errc::unsupported, "send"}.because(
                "descriptors don't leave the computer; they go along on Unix sockets only.");
        if (auto there = established(); !there) return there;
        // Before the kernel takes what nobody would read.
        switch (os::state_of_peer(fd())) {
        case os::peer_state::there:
            break;
        case os::peer_state::finished:
            return error{errc::closed, "send"}.because(
                "the receiver has closed. What it had not read by then is lost.");
        case os::peer_state::silent:
            os::discard_on_close(fd());
            return error{errc::peer_died, "send", ETIMEDOUT}.because(
                "the receiver's host has not answered for 15 s. What was sent since may not have "
                "arrived.");
        }
        return frames_.try_write(bytes, with);
    }
    [[nodiscard]] bool is_lost() const noexcept override { return frames_.is_lost(); }
    void abandon() noexcept override {
        if (!pending_) frames_.abandon();
    }
    // The kernel counts its own bookkeeping as well, and lets the buffer grow as the connection
    // proves fast: half of what it is now goes in for sure.
    [[nodiscard]] std::uint64_t at_once_bytes() const noexcept override {
        return capacity_bytes(frames_.room().fd, os::socket_buffer::sending) / 2;
    }
    [[nodiscard]] wire::waiting_point room() const noexcept override {
        wire::waiting_point at = frames_.room();
        if (!pending_) at.look_again_ns = look_again_ns;
        return at;
    }
    result<hawser::attributes> attributes() override {
        hawser::attributes all;
        all.capacity_bytes = capacity_bytes(fd(), os::socket_buffer::sending);
        return all;
    }
    result<void> change(const options& wanted) override {
        return change_memory(fd(), os::socket_buffer::sending, wanted);
    }

  private:
    [[nodiscard]] int fd() noexcept { return frames_.stream().fd(); }

    result<void> established() {
        if (!pending_) return {};
        const int outcome = os::connect_outcome(fd());
        if (outcome == EINPROGRESS) return error{errc::would_block, "send"};
        // Nobody there, or not now: to be tried again.
        if (outcome != 0 && os::is_absence(outcome)) return error{errc::not_found, "send", outcome};
        if (outcome != 0) return os::inet_failure("send", outcome);
        pending_ = false;
        return {};
    }

    wire::frame_writer frames_;
    bool pending_;
};

// create=create and create=open ask for what the other side knows: wait for its answer.
result<void> check_existence(dialer& to, create_policy wanted) {
    if (wanted == create_policy::open_or_create) return {};
    const auto there = to.connect_by(deadline::after(patience_in_open));
    if (wanted == create_policy::create) {
        if (!there) return {};
        return error{errc::already_exists, "open"}.because("somebody receives there already.");
    }
    if (there) return {};
    if (!there.is(errc::timed_out)) return there.why();
    return error{errc::not_found, "open", ETIMEDOUT}.because("that host does not answer.");
}

result<std::unique_ptr<wire::writer>> dial(dialer& to) {
    auto begun = to.begin();
    if (!begun) return begun.why();
    return std::unique_ptr<wire::writer>(std::make_unique<connection>(std::move(*begun)));
}

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    if (auto fits = wire::refuse_others(wanted, honoured, scheme); !fits) return fits.why();
    const auto parsed = wire::parse_host_port(where.rest, scheme);
    if (!parsed) return parsed.why();
    auto to = dialer::resolve(*parsed, wanted);
    if (!to) return to.why();
    auto exists = check_existence(*to, wanted.create.value_or(create_policy::open_or_create));
    if (!exists) return exists.why();
    // A receiver that is there learns of this sender now, not with its first message.
    auto first = dial(*to);
    if (!first && !first.is(errc::would_block)) return first.why();
    return wire::sender_end::make(first ? std::move(*first) : nullptr, wanted, largest_message,
                                  [to = std::move(*to)]() mutable { return dial(to); });
}

// ---- receiving ----------------------------------------------------------------------------------

struct listener {
    std::shared_ptr<os::fork_guard> fd; // shared with the function that accepts
    address where;                      // with the port that it has
};

// The first address of the host that this computer has.
result<os::fork_guard> listen_on_one_of(const std::vector<os::inet_address>& all,
                                        const options& wanted) {
    error last{errc::not_found, "open"};
    for (const os::inet_address& at : all) {
        auto made = os::inet_socket(at, os::inet_kind::stream);
        if (made && wanted.max_memory) {
            // Connections get it from here; later would be too late for their windows.
            auto set =
                os::set_buffer_bytes(made->get(), os::socket_buffer::receiving, *wanted.max_memory);
            if (!set) return set.why();
        }
        const result<void> done = made ? os::listen_at(made->get(), at) : made.why();
        if (done) return made;
        last = done.why();
        if (!os::is_absence(last.sys())) break;
    }
    return last;
}

result<listener> listen(const address& where, const options& wanted) {
    if (auto fits = wire::refuse_others(wanted, honoured, scheme); !fits) return fits.why();
    auto at = wire::parse_host_port(where.rest, scheme);
    if (!at) return at.why();
    const auto all = os::resolve(at->host, at->port, os::inet_kind::stream);
    if (!all) return all.why();
    auto fd = listen_on_one_of(*all, wanted);
    if (!fd) return fd.why();
    if (wanted.create == create_policy::open)
        return error{errc::not_found, "open"}.because(
            "nobody receives there, and a receiver can't join another one. Leave create=open out.");
    at->port = os::local_address(fd->get()).port();
    return listener{std::make_shared<os::fork_guard>(std::move(*fd)),
                    address{where.scheme, at->to_text(), where.wanted}};
}

result<os::stream> accept(const os::fork_guard& listening) {
    auto taken = os::accept_from_network(listening.get());
    if (!taken) return taken.why();
    os::tune_connection(taken->get());
    return as_stream(std::move(*taken));
}

// The crowd of those who have connected, and the settings of the socket where they did.
class reception final : public wire::reader {
  public:
    reception(std::unique_ptr<wire::reader> crowd, std::shared_ptr<os::fork_guard> listening,
              std::uint64_t max_message) noexcept
        : crowd_(std::move(crowd)), listening_(std::move(listening)), max_message_(max_message) {}

    result<void> try_read(wire::received& into, const selection& which) override {
        return crowd_->try_read(into, which);
    }
    [[nodiscard]] wire::waiting_point arrival() const noexcept override {
        return crowd_->arrival();
    }
    [[nodiscard]] bool has_more() const noexcept override { return crowd_->has_more(); }
    result<hawser::attributes> attributes() override {
        hawser::attributes all;
        all.max_message = max_message_;
        all.capacity_bytes = capacity_bytes(listening_->get(), os::socket_buffer::receiving);
        return all;
    }
    // Of connections that come from now on.
    result<void> change(const options& wanted) override {
        return change_memory(listening_->get(), os::socket_buffer::receiving, wanted);
    }

  private:
    std::unique_ptr<wire::reader> crowd_;
    std::shared_ptr<os::fork_guard> listening_;
    std::uint64_t max_message_;
};

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    auto at = listen(where, wanted);
    if (!at) return at.why();
    const std::uint64_t max_message = wanted.max_message.value_or(wire::default_max_message);
    auto crowd = wire::crowd::make(
        at->fd->get(), [fd = at->fd, max_message]() -> result<std::unique_ptr<wire::reader>> {
            auto taken = accept(*fd);
            if (!taken) return taken.why();
            return std::unique_ptr<wire::reader>(std::make_unique<wire::frame_reader>(
                std::move(*taken), max_message, wire::at_eof::ends));
        });
    if (!crowd) return crowd.why();
    auto end = wire::receiver_end::make(
        std::make_unique<reception>(std::move(*crowd), at->fd, max_message), wanted);
    if (end) (*end)->where = std::move(at->where);
    return end;
}

// ---- bytes --------------------------------------------------------------------------------------

result<std::unique_ptr<hawser::detail::stream_end>>
open_stream(const address& where, const options& wanted, stream_role role, deadline until) {
    if (auto fits = wire::refuse_others(wanted, honoured, scheme); !fits) return fits.why();
    const auto parsed = wire::parse_host_port(where.rest, scheme);
    if (!parsed) return parsed.why();
    auto to = dialer::resolve(*parsed, wanted);
    if (!to) return to.why();
    const bool must_exist = wanted.create == create_policy::open;
    return wire::open_until(until, [&]() -> result<std::unique_ptr<hawser::detail::stream_end>> {
        auto fd = to->connect_by(until);
        if (!fd && fd.is(errc::not_found) && !must_exist) return error{errc::would_block, "open"};
        if (!fd) return fd.why();
        return std::unique_ptr<hawser::detail::stream_end>(
            std::make_unique<wire::byte_end>(as_stream(std::move(*fd)), role));
    });
}

result<std::unique_ptr<hawser::detail::listening_end>> open_listener(const address& where,
                                                                     const options& wanted) {
    auto at = listen(where, wanted);
    if (!at) return at.why();
    const int fd = at->fd->get();
    auto end = std::make_unique<wire::listening_end>(
        fd, [fd = at->fd]() -> result<std::unique_ptr<hawser::detail::stream_end>> {
            auto taken = accept(*fd);
            if (!taken) return taken.why();
            const os::inet_address peer = os::peer_address(taken->fd());
            auto stream = std::make_unique<wire::byte_end>(std::move(*taken), stream_role::both);
            stream->where = address{
                std::string(scheme), wire::host_port{peer.host(), peer.port()}.to_text(), {}};
            return std::unique_ptr<hawser::detail::stream_end>(std::move(stream));
        });
    end->where = std::move(at->where);
    return std::unique_ptr<hawser::detail::listening_end>(std::move(end));
}

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
    .fd_pollable = true,
    .crosses_machines = true,
    .sharing_any = true,
};

} // namespace

const hawser::detail::transport transport{
    {scheme, "tcp://HOST:PORT", "TCP connections, one for each sender", abilities},
    open_sender,
    open_receiver,
    open_stream,
    open_listener,
    nullptr,
    nullptr};

} // namespace hawser::tcp
