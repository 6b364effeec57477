#include "wire/host_port.hpp"

#include <limits>

#include "core/text.hpp"

namespace hawser::wire {

namespace {

constexpr std::string_view all_hosts = "*";
constexpr std::size_t longest_host = 253; // of a name in the DNS

error refused(std::string_view scheme, const std::string& why) {
    const std::string prefix = std::string(scheme) + "://";
    return error{errc::invalid_argument, "open"}.because(
        why + " Write " + prefix + "HOST:PORT, such as " + prefix + "127.0.0.1:7000, " + prefix +
        "[::1]:7000 or, to receive on all addresses, " + prefix + "*:7000.");
}

// Where the host ends: at the colon before the port. npos if there is none.
struct parts {
    std::string_view host;
    std::string_view port;
};

result<parts> split(std::string_view text, std::string_view scheme) {
    if (text.starts_with('[')) {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos) return refused(scheme, "']' is missing.");
        if (end == 1) return refused(scheme, "there is no address between '[' and ']'.");
        if (end + 1 == text.size() || text[end + 1] != ':')
            return refused(scheme, "after ']' comes ':' and a port.");
        return parts{text.substr(1, end - 1), text.substr(end + 2)};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return refused(scheme, "the port is missing.");
    const std::string_view host = text.substr(0, colon);
    if (host.find(':') != std::string_view::npos)
        return refused(scheme, "an IPv6 address is written in brackets.");
    return parts{host, text.substr(colon + 1)};
}

} // namespace

std::string host_port::to_text() const {
    std::string text = "//";
    if (host.empty())
        text += all_hosts;
    else if (host.find(':') != std::string::npos)
        text += "[" + host + "]";
    else
        text += host;
    return text + ":" + std::to_string(port);
}

result<host_port> parse_host_port(std::string_view rest, std::string_view scheme) {
    constexpr std::string_view slashes = "//";
    if (!rest.starts_with(slashes)) return refused(scheme, "'//' is missing before the host.");
    const auto found = split(rest.substr(slashes.size()), scheme);
    if (!found) return found.why();
    const auto port = hawser::detail::parse_count(found->port);
    if (!port || *port > std::numeric_limits<std::uint16_t>::max())
        return refused(scheme, "a port is a number from 0 to 65535, not " +
                                   hawser::detail::in_quotes(found->port) + ".");
    const std::string_view host = found->host == all_hosts ? std::string_view{} : found->host;
    if (host.size() > longest_host) return refused(scheme, "the host's name is too long.");
    if (host.find_first_of("/[]") != std::string_view::npos)
        return refused(scheme, "a host has no '/' and no brackets in it.");
    return host_port{std::string(host), static_cast<std::uint16_t>(*port)};
}

result<void> check_destination(const host_port& to, std::string_view scheme) {
    if (to.host.empty())
        return error{errc::invalid_argument, "open"}.because(
            "a sender needs one host to send to; '*' is for the receiver. On this computer: " +
            std::string(scheme) + "://localhost:" + std::to_string(to.port) + ".");
    if (to.port == 0)
        return error{errc::invalid_argument, "open"}.because(
            "a sender needs the receiver's port; 0 lets the system pick one for a receiver, whose "
            "where() tells it.");
    return {};
}

} // namespace hawser::wire
