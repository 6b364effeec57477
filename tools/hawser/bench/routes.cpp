#include "routes.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <string>

#include <fmt/format.h>
#include <unistd.h>

#include <hawser/hawser.hpp>
#include <hawser/pipe.hpp>

#include "crew.hpp"

namespace tool {
namespace {

// Where the objects with paths go: memory, as /dev/shm is where mailboxes are.
std::string path_for(std::string_view stem) {
    return fmt::format("{}/hawser-bench-{}-{}", hawser::mailbox_directory(), ::getpid(), stem);
}

// A port that was free a moment ago.
std::string with_free_port(std::string_view scheme) {
    const auto probe = hawser::receiver::open(fmt::format("{}://127.0.0.1:0", scheme)).value();
    return probe.where().name();
}

std::string address_for(std::string_view scheme, std::string_view stem) {
    if (scheme == "shm" || scheme == "mq")
        return fmt::format("{}:{}bench-{}-{}", scheme, scheme == "mq" ? "/" : "", ::getpid(), stem);
    if (scheme == "tcp" || scheme == "udp") return with_free_port(scheme);
    if (scheme == "sysv-mq") {
        // A key that is ours: the process, and which of its routes.
        static unsigned routes = 0;
        return fmt::format("sysv-mq:{:#x}",
                           0x68000000U + ((static_cast<unsigned>(::getpid()) & 0xFFFFU) << 8U) +
                               (routes++ & 0xFFU));
    }
    return fmt::format("{}:{}", scheme, path_for(stem));
}

// Both processes inherit both ends; each takes one, and the other is closed for it.
route pipe_route() {
    auto link = std::make_shared<hawser::pipe>(hawser::pipe::create().value());
    return {[link] { return link->sender(); }, [link] { return link->receiver(); }};
}

} // namespace

bool has_route(std::string_view scheme) {
    constexpr std::array<std::string_view, 10> by_name{
        "shm",        "pipe", "fifo", "unix", "unix-seqpacket",
        "unix-dgram", "tcp",  "udp",  "mq",   "sysv-mq"};
    return std::ranges::find(by_name, scheme) != by_name.end();
}

route make_route(std::string_view scheme, std::string_view stem) {
    if (scheme == "pipe") return pipe_route();
    const std::string address = address_for(scheme, stem);
    // What stays when its users have gone has to be removed; the rest goes by itself.
    return {[address] { return hawser::sender::open(address); },
            [address] { return hawser::receiver::open(address); },
            [address] {
                static_cast<void>(hawser::remove_mailbox(address, hawser::removal::by_force));
            }};
}

std::uint64_t largest_message(const hawser::transport_info& about) {
    if (about.scheme == "pipe") return about.can.max_message; // its ends can't be opened twice
    const route probe = make_route(about.scheme, "probe");
    auto in = probe.open_receiver().value();
    auto out = probe.open_sender().value();
    const auto settings = out.attributes();
    return settings && settings->max_message ? *settings->max_message : about.can.max_message;
}

void meeting_point::arrive() {
    const std::uint64_t mine = ++*arrivals_;
    const std::uint64_t both = (mine + 1) / 2 * 2;
    while (*arrivals_ < both) bench::rest(std::chrono::microseconds(50));
}

} // namespace tool
