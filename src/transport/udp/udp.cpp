#include "transport/udp/udp.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <poll.h>

#include "os/inet_socket.hpp"
#include "wire/ends.hpp"
#include "wire/host_port.hpp"

namespace hawser::udp {

namespace {

constexpr std::string_view scheme = "udp";
constexpr std::array<std::string_view, 1> honoured{"max_memory"};

// 65,535, less what the headers take that are counted in it: of UDP, and over IPv4 of IP as well.
constexpr std::uint64_t largest_by_ipv6 = 65'535 - 8;
constexpr std::uint64_t largest_by_ipv4 = largest_by_ipv6 - 20;

result<hawser::attributes> attributes_of(int fd, os::socket_buffer which,
                                         std::uint64_t max_message) {
    hawser::attributes all;
    all.max_message = max_message;
    all.capacity_bytes = os::buffer_bytes(fd, which);
    return all;
}

result<void> change_memory(int fd, os::socket_buffer which, const options& wanted) {
    options others = wanted;
    others.max_memory.reset();
    if (!wanted.max_memory || others != options{})
        return error{errc::unsupported, "change"}.because(
            "of a UDP socket only max_memory can be changed.");
    return os::set_buffer_bytes(fd, which, *wanted.max_memory);
}

result<os::fork_guard> socket_for(const os::inet_address& address, os::socket_buffer which,
                                  const options& wanted) {
    auto made = os::inet_socket(address, os::inet_kind::datagram);
    if (!made || !wanted.max_memory) return made;
    auto set = os::set_buffer_bytes(made->get(), which, *wanted.max_memory);
    if (!set) return set.why();
    return made;
}

// ---- sending ------------------------------------------------------------------------------------

class datagram_writer final : public wire::writer {
  public:
    datagram_writer(os::fork_guard fd, std::uint64_t max_message) noexcept
        : fd_(std::move(fd)), max_message_(max_message) {}

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override {
        if (!with.empty())
            return error{errc::unsupported, "send"}.because(
                "a datagram of the network carries bytes only: no priority, type or descriptors.");
        const os::io done = os::send_datagram(fd_.get(), bytes);
        if (done.sys == 0) return {};
        if (done.would_block()) return error{errc::would_block, "send"};
        return refused(done.sys, bytes.size());
    }
    [[nodiscard]] wire::waiting_point room() const noexcept override {
        return {fd_.get(), POLLOUT, 0};
    }
    result<hawser::attributes> attributes() override {
        return attributes_of(fd_.get(), os::socket_buffer::sending, max_message_);
    }
    result<void> change(const options& wanted) override {
        return change_memory(fd_.get(), os::socket_buffer::sending, wanted);
    }

  private:
    static error refused(int sys, std::size_t size) {
        if (sys == ECONNREFUSED)
            return error{errc::not_found, "send", sys}.because(
                "the receiver's host said of an earlier message that nobody receives on that port; "
                "it is lost, and this one was not sent.");
        if (sys == EMSGSIZE)
            return error{errc::too_big, "send", sys}.because(
                "the message has " + std::to_string(size) +
                " bytes, more than the way there takes.");
        return os::inet_failure("send", sys);
    }

    os::fork_guard fd_;
    std::uint64_t max_message_;
};

// The first address that a way leads to.
result<os::fork_guard> connect_to_one_of(const std::vector<os::inet_address>& all,
                                         const options& wanted, bool& by_ipv6) {
    error last{errc::not_found, "open"};
    for (const os::inet_address& to : all) {
        auto made = socket_for(to, os::socket_buffer::sending, wanted);
        if (!made) {
            last = made.why();
        } else {
            const int outcome = os::connect_to(made->get(), to);
            by_ipv6 = to.is_v6();
            if (outcome == 0) return made;
            last = os::inet_failure("open", outcome);
        }
        if (!os::is_absence(last.sys())) break;
    }
    return last;
}

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    if (auto fits = wire::refuse_others(wanted, honoured, scheme); !fits) return fits.why();
    if (wanted.create.value_or(create_policy::open_or_create) != create_policy::open_or_create)
        return error{errc::unsupported, "open"}.because(
            "who sends datagrams is not told whether anybody receives them: leave create= out.");
    const auto parsed = wire::parse_host_port(where.rest, scheme);
    if (!parsed) return parsed.why();
    if (auto good = wire::check_destination(*parsed, scheme); !good) return good.why();
    const auto all = os::resolve(parsed->host, parsed->port, os::inet_kind::datagram);
    if (!all) return all.why();
    bool by_ipv6 = false;
    auto fd = connect_to_one_of(*all, wanted, by_ipv6);
    if (!fd) return fd.why();
    const std::uint64_t largest = by_ipv6 ? largest_by_ipv6 : largest_by_ipv4;
    return wire::sender_end::make(
        std::make_unique<datagram_writer>(std::move(*fd),
                                          std::min(largest, wanted.max_message.value_or(largest))),
        wanted, largest);
}

// ---- receiving ----------------------------------------------------------------------------------

class datagram_reader final : public wire::reader {
  public:
    datagram_reader(os::fork_guard fd, std::uint64_t max_message) noexcept
        : fd_(std::move(fd)), max_message_(max_message) {}

    result<void> try_read(wire::received& into, const selection& which) override {
        if (which.by != selection::rule::by_priority && which.by != selection::rule::in_order)
            return error{errc::unsupported, "receive"}.because(
                "datagrams have no types to select by; sysv-mq: can select.");
        into.bytes.resize(max_message_);
        const os::io done = os::receive_datagram(fd_.get(), into.bytes.bytes());
        if (done.would_block()) return error{errc::would_block, "receive"};
        if (done.sys != 0) return os::inet_failure("receive", done.sys);
        into.sequence = sequence_++;
        if (done.bytes > max_message_)
            return error{errc::too_big, "receive"}.because(
                "a datagram of " + std::to_string(done.bytes) + " bytes came, more than " +
                std::to_string(max_message_) +
                "; it is lost. Open the receiver with a larger max_message=.");
        into.bytes.resize(done.bytes);
        return {};
    }
    [[nodiscard]] wire::waiting_point arrival() const noexcept override {
        return {fd_.get(), POLLIN, 0};
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept override {
        const auto now = os::dropped_datagrams(fd_.get());
        if (now) dropped_ += *now - static_cast<std::uint32_t>(dropped_);
        return dropped_;
    }
    result<hawser::attributes> attributes() override {
        return attributes_of(fd_.get(), os::socket_buffer::receiving, max_message_);
    }
    result<void> change(const options& wanted) override {
        return change_memory(fd_.get(), os::socket_buffer::receiving, wanted);
    }

  private:
    os::fork_guard fd_;
    std::uint64_t max_message_;
    std::uint64_t sequence_ = 0;
    mutable std::uint64_t dropped_ = 0; // as far as the kernel was asked
};

// The first address of the host that this computer has.
result<os::fork_guard> bind_to_one_of(const std::vector<os::inet_address>& all,
                                      const options& wanted) {
    error last{errc::not_found, "open"};
    for (const os::inet_address& at : all) {
        auto made = socket_for(at, os::socket_buffer::receiving, wanted);
        const result<void> done = made ? os::bind_to(made->get(), at) : made.why();
        if (done) return made;
        last = done.why();
        if (!os::is_absence(last.sys())) break;
    }
    return last;
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    if (auto fits = wire::refuse_others(wanted, honoured, scheme); !fits) return fits.why();
    auto at = wire::parse_host_port(where.rest, scheme);
    if (!at) return at.why();
    const auto all = os::resolve(at->host, at->port, os::inet_kind::datagram);
    if (!all) return all.why();
    auto fd = bind_to_one_of(*all, wanted);
    if (!fd) return fd.why();
    if (wanted.create == create_policy::open)
        return error{errc::not_found, "open"}.because(
            "nobody receives there, and a receiver can't join another one. Leave create=open out.");
    at->port = os::local_address(fd->get()).port();
    const std::uint64_t max_message = wanted.max_message.value_or(largest_by_ipv6);
    auto end = wire::receiver_end::make(
        std::make_unique<datagram_reader>(std::move(*fd), max_message), wanted);
    if (end) (*end)->where = address{where.scheme, at->to_text(), where.wanted};
    return end;
}

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::none,
    .lives = lifetime_kind::process,
    .needs_relation = relation_kind::none,
    .survives_kill_of = survival_kind::sender,
    .max_message = largest_by_ipv6,
    .many_senders = true,
    .fd_pollable = true,
    .crosses_machines = true,
    .sharing_any = true,
};

} // namespace

const hawser::detail::transport transport{
    {scheme, "udp://HOST:PORT", "UDP datagrams", abilities}, open_sender, open_receiver};

} // namespace hawser::udp
