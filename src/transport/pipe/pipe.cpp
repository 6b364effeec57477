#include "transport/pipe/pipe.hpp"

#include <array>
#include <charconv>
#include <optional>
#include <string>

#include "core/text.hpp"
#include "os/pipe.hpp"
#include "transport/pipe/ends.hpp"
#include "wire/byte_ends.hpp"
#include "wire/pipe_ends.hpp"

namespace hawser::pipes {

namespace {

using hawser::detail::receiving_end;
using hawser::detail::sending_end;
using hawser::detail::stream_end;

constexpr std::array<std::string_view, 1> settings{"max_memory"};

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::process,
    .needs_relation = relation_kind::parent_child,
    .survives_kill_of = survival_kind::sender,
    .max_message = std::uint64_t{1} << 40,
    .many_senders = false, // pipe_mode::packets aside
    .reliable = true,
    .end_of_stream = true,
    .numbered = true,
    .byte_stream = true,
    .capacity_bounded = false, // in bytes, not in messages of one's choice
    .fd_pollable = true,
    .sharing_pair = true,
};

error bad_address(std::string_view why) {
    return error{errc::invalid_argument, "open"}.because(why);
}

// One descriptor of "5,-"; nothing for '-'.
struct numbers {
    std::optional<int> reading;
    std::optional<int> writing;
};

result<std::optional<int>> parse_number(std::string_view text) {
    if (text == "-") return std::optional<int>{};
    int fd = -1;
    const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), fd);
    if (bad != std::errc{} || stop != text.data() + text.size() || fd < 0)
        return bad_address(hawser::detail::in_quotes(text) +
                           " is no descriptor number; pipe:5,- names descriptor 5 for reading, "
                           "pipe:-,6 descriptor 6 for writing.");
    return std::optional<int>{fd};
}

result<numbers> parse(std::string_view rest) {
    if (rest.empty())
        return bad_address("a pipe has no name that could be opened. hawser::pipe::create() makes "
                           "one, for a child to inherit; a program that was given an end opens "
                           "pipe:5,- (reading) or pipe:-,6 (writing). fifo:PATH has a name.");
    const std::size_t comma = rest.find(',');
    if (comma == std::string_view::npos)
        return bad_address("two descriptor numbers are needed, reading and writing, with - for "
                           "the one that is not there: pipe:5,- or pipe:-,6.");
    const auto reading = parse_number(rest.substr(0, comma));
    if (!reading) return reading.why();
    const auto writing = parse_number(rest.substr(comma + 1));
    if (!writing) return writing.why();
    if (!*reading && !*writing) return bad_address("neither end is there.");
    return numbers{*reading, *writing};
}

// Errors: invalid_argument (not open, no pipe, the other direction).
result<void> check_end(int fd, bool writing) {
    const std::string name = "descriptor " + std::to_string(fd);
    const auto side = os::side_of(fd);
    if (!side)
        return bad_address(name + " is not open in this process. Was it given to this program "
                                  "(hawser::pipe::give_reader), and not opened twice?");
    if (!side->is_pipe) return bad_address(name + " is open, but no pipe.");
    if (writing ? !side->writes : !side->reads)
        return bad_address(name + " is the " + (writing ? "reading" : "writing") +
                           " end of a pipe, the other one is needed here.");
    return {};
}

// Takes the wanted end over; the other one is not needed, and left open it would keep the other
// process waiting.
result<os::unique_fd> take_end(std::string_view rest, bool writing) {
    const auto both = parse(rest);
    if (!both) return both.why();
    const auto wanted = writing ? both->writing : both->reading;
    const auto other = writing ? both->reading : both->writing;
    if (!wanted)
        return bad_address(std::string("the address has no end for ") +
                           (writing ? "writing." : "reading."));
    if (const auto good = check_end(*wanted, writing); !good) return good.why();
    if (other) {
        if (const auto good = check_end(*other, !writing); !good) return good.why();
    }
    auto taken = os::take_over(*wanted);
    if (taken && other) static_cast<void>(os::take_over(*other));
    return taken;
}

result<std::unique_ptr<sending_end>> open_sender(const address& where, const options& wanted) {
    if (auto fit = check_options(wanted); !fit) return fit.why();
    auto end = take_end(where.rest, true);
    if (!end) return end.why();
    return sending_over(std::move(*end), wanted);
}

result<std::unique_ptr<receiving_end>> open_receiver(const address& where, const options& wanted) {
    if (auto fit = check_options(wanted); !fit) return fit.why();
    auto end = take_end(where.rest, false);
    if (!end) return end.why();
    return receiving_over(std::move(*end), wanted);
}

result<std::unique_ptr<stream_end>> open_stream(const address& where, const options& wanted,
                                                stream_role role, deadline) {
    if (auto fit = check_options(wanted); !fit) return fit.why();
    if (role == stream_role::both)
        return error{errc::invalid_argument, "open"}.because(
            "a pipe goes one way: open it with stream_role::reader or stream_role::writer, and use "
            "two pipes for both ways.");
    auto end = take_end(where.rest, role == stream_role::writer);
    if (!end) return end.why();
    return bytes_over(std::move(*end), role, wanted);
}

result<os::stream> stream_over(os::unique_fd fd, const options& wanted) {
    auto guarded = os::fork_guard::of([&]() -> result<os::unique_fd> { return std::move(fd); });
    if (!guarded) return guarded.why();
    if (const auto set = wire::set_capacity(guarded->get(), wanted); !set) return set.why();
    return os::stream{std::move(*guarded), os::stream_kind::file};
}

} // namespace

result<void> check_options(const options& wanted) {
    if (wanted.create && *wanted.create == create_policy::create)
        return error{errc::unsupported, "open"}.because(
            "a pipe is made with hawser::pipe::create(), not by opening it.");
    return wire::refuse_others(wanted, settings, "pipe");
}

result<std::unique_ptr<sending_end>> sending_over(os::unique_fd fd, const options& wanted) {
    auto over = stream_over(std::move(fd), wanted);
    if (!over) return over.why();
    const bool packets = os::has_packets(over->fd());
    const std::uint64_t limit = packets ? wire::largest_in_packet : abilities.max_message;
    return wire::sender_end::make(
        std::make_unique<wire::pipe_writer>(std::move(*over), wire::pipe_naming::anonymous), wanted,
        limit);
}

result<std::unique_ptr<receiving_end>> receiving_over(os::unique_fd fd, const options& wanted) {
    auto over = stream_over(std::move(fd), wanted);
    if (!over) return over.why();
    return wire::receiver_end::make(
        std::make_unique<wire::pipe_reader>(std::move(*over),
                                            wanted.max_message.value_or(wire::default_max_message),
                                            wire::pipe_naming::anonymous),
        wanted);
}

result<std::unique_ptr<stream_end>> bytes_over(os::unique_fd fd, stream_role role,
                                               const options& wanted) {
    if (role == stream_role::writer && os::has_packets(fd.get()))
        return error{errc::invalid_argument, "open"}.because(
            "the pipe is in packets (pipe_mode::packets), in which a read loses what it has no "
            "room for. Make it with pipe_mode::stream.");
    auto over = stream_over(std::move(fd), wanted);
    if (!over) return over.why();
    return std::unique_ptr<stream_end>(std::make_unique<wire::byte_end>(std::move(*over), role));
}

const hawser::detail::transport transport{
    {"pipe", "pipe:R,W", "pipe between related processes", abilities},
    open_sender,
    open_receiver,
    open_stream};

} // namespace hawser::pipes
