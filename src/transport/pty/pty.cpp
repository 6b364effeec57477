#include "transport/pty/pty.hpp"

#include <cstring>
#include <memory>
#include <string>

#include "os/terminal.hpp"
#include "wire/byte_ends.hpp"

namespace hawser::pty {

namespace {

using hawser::detail::receiving_end;
using hawser::detail::sending_end;
using hawser::detail::stream_end;

constexpr capabilities abilities{
    .boundaries = boundary_kind::stream,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::process,
    .needs_relation = relation_kind::none,
    .survives_kill_of = survival_kind::neither,
    .max_message = 0,
    .both_ways = true,
    .reliable = true,
    .end_of_stream = true,
    .byte_stream = true,
    .capacity_bounded = false, // in bytes
    .fd_pollable = true,
    .sharing_pair = true,
};

error no_messages() {
    return error{errc::unsupported, "open"}.because(
        "a terminal carries bytes, not messages: programs on it speak text, and its line "
        "discipline may change what looks like a key. Use a byte_stream (--raw).");
}

result<std::unique_ptr<sending_end>> open_sender(const address&, const options&) {
    return no_messages();
}

result<std::unique_ptr<receiving_end>> open_receiver(const address&, const options&) {
    return no_messages();
}

error explain(const error& why, const std::string& path) {
    error better{why.code(), "open", why.sys()};
    switch (why.code()) {
    case errc::not_found:
        return better.because("there is no such terminal: " + path +
                              ". Whoever opened pty: knows its path, as long as it is open.");
    case errc::permission:
        return better.because("the terminal belongs to another user; its mode says who may open "
                              "it.");
    case errc::corrupt:
        return better.because("it is no terminal.");
    case errc::closed:
        return better.because("the other side of this terminal has gone.");
    default:
        return better.because(std::string("the system said: ") + std::strerror(why.sys()) +
                              ". The sysctl kernel.pty.max limits how many there are.");
    }
}

std::unique_ptr<stream_end> stream_over(os::fork_guard fd, stream_role role, std::string path) {
    // The end is not for ever: another program may open the terminal.
    auto end =
        std::make_unique<wire::byte_end>(os::stream{std::move(fd), os::stream_kind::terminal}, role,
                                         std::nullopt, wire::at_eof::ends);
    end->where = address{"pty", std::move(path), {}};
    return end;
}

// The user's side of a new terminal, in raw mode.
result<std::unique_ptr<stream_end>> open_master(stream_role role) {
    std::string path;
    auto master = os::fork_guard::of([&]() -> result<os::unique_fd> {
        auto made = os::make_terminal();
        if (!made) return made.why();
        path = made->slave;
        return std::move(made->master);
    });
    if (!master) return explain(master.why(), "/dev/ptmx");
    if (const auto raw = os::make_raw(master->get()); !raw) return raw.why();
    return stream_over(std::move(*master), role, std::move(path));
}

result<std::unique_ptr<stream_end>> open_slave(const std::string& path, stream_role role) {
    auto slave = os::fork_guard::of([&] { return os::open_terminal(path); });
    if (!slave) return explain(slave.why(), path);
    if (const auto raw = os::make_raw(slave->get()); !raw) return explain(raw.why(), path);
    return stream_over(std::move(*slave), role, path);
}

result<std::unique_ptr<stream_end>> open_stream(const address& where, const options& wanted,
                                                stream_role role, deadline) {
    if (auto fit = wire::refuse_others(wanted, {}, "pty"); !fit) return fit.why();
    if (where.rest.empty()) return open_master(role);
    if (wanted.create == create_policy::create)
        return error{errc::already_exists, "open"}.because(
            "pty: makes a new terminal; a path names one that exists.");
    if (where.rest.front() != '/')
        return error{errc::invalid_argument, "open"}.because(
            "pty: makes a new terminal, pty:/dev/pts/7 opens one.");
    return open_slave(where.rest, role);
}

} // namespace

const hawser::detail::transport transport{
    {"pty", "pty:[PATH]", "pseudo-terminal", abilities}, open_sender, open_receiver, open_stream};

} // namespace hawser::pty
