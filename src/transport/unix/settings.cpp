#include "transport/unix/settings.hpp"

#include <algorithm>
#include <string>

#include "core/options_check.hpp"
#include "os/socket.hpp"

namespace hawser::local {

namespace {

// What change() was asked for besides those that it can do; "" if nothing.
std::string other_than(const options& wanted, std::span<const std::string_view> possible) {
    constexpr std::array<std::string_view, 15> settings{
        "capacity", "max_message", "max_memory", "participants", "loans",
        "sharing",  "order",       "full",       "delivery",     "wait",
        "create",   "mode",        "group",      "history",      "persist"};
    for (const std::string_view name : settings) {
        std::string given = hawser::detail::option_text(wanted, name);
        if (!given.empty() && std::ranges::find(possible, name) == possible.end()) return given;
    }
    return {};
}

} // namespace

result<void> size_buffer(int fd, const options& wanted) {
    if (!wanted.max_memory) return {};
    auto sized = os::set_buffer_bytes(fd, os::socket_buffer::sending, *wanted.max_memory);
    if (sized) return sized;
    return error{sized.why().code(), "open", sized.why().sys()}.because(sized.why().detail());
}

hawser::attributes attributes_of_sender(int fd) {
    hawser::attributes all;
    all.capacity_bytes = os::buffer_bytes(fd, os::socket_buffer::sending);
    return all;
}

result<void> change_sender(int fd, const options& wanted) {
    constexpr std::array<std::string_view, 1> possible{"max_memory"};
    if (const std::string given = other_than(wanted, possible); !given.empty())
        return error{errc::unsupported, "change"}.because(
            given + " can't be changed at the sending end of a Unix socket; max_memory can.");
    auto sized = size_buffer(fd, wanted);
    if (sized) return sized;
    return error{sized.why().code(), "change", sized.why().sys()}.because(sized.why().detail());
}

result<hawser::attributes> named_reader::attributes() {
    hawser::attributes all;
    all.capacity = capacity_;
    if (const auto file = bound_->file()) {
        all.mode = file->mode;
        all.uid = file->uid;
        all.gid = file->gid;
    }
    return all;
}

result<void> named_reader::change(const options& wanted) {
    constexpr std::array<std::string_view, 2> possible{"mode", "group"};
    if (wanted.max_memory)
        return error{errc::unsupported, "change"}.because(
            "on a Unix socket the memory of what waits is counted at the sender: set max_memory "
            "there.");
    if (const std::string given = other_than(wanted, possible); !given.empty())
        return error{errc::unsupported, "change"}.because(
            given + " can't be changed at a Unix socket; mode and group can.");
    auto set = bound_->set_access(wanted.mode, wanted.group);
    if (set) return set;
    return error{set.why().code(), "change", set.why().sys()}.because(set.why().detail());
}

} // namespace hawser::local
