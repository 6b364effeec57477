// What an end point says that has no such thing.
#include "core/transport.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

error lacking(const char* operation, std::string_view what) noexcept {
    return error{errc::unsupported, operation}.because(what);
}

} // namespace

error no_settings(const char* operation) noexcept {
    return lacking(operation, "this transport has no settings that could be read or changed.");
}

error no_notification() noexcept {
    return lacking("notify", "this transport has no notification; mq: has. fd() in poll or epoll "
                             "tells of messages as well.");
}

result<sent> sending_end::send_with(std::span<const std::byte> bytes, const envelope& with,
                                    deadline until) {
    if (with.empty()) return send(bytes, until);
    return lacking("send", "this transport carries bytes only: no priority, type or descriptors. "
                           "hawser transports shows which can.");
}

result<hawser::attributes> sending_end::attributes() {
    return no_settings("attributes");
}

result<void> sending_end::change(const options&) {
    return no_settings("change");
}

result<message> receiving_end::receive_selected(const selection& which, deadline until) {
    if (which.by == selection::rule::by_priority) return receive(until);
    return lacking("receive", "this transport can't select messages; sysv-mq: can.");
}

result<void> receiving_end::notify(const notification&) {
    return no_notification();
}

result<void> receiving_end::stop_notifying() {
    return {};
}

result<hawser::attributes> receiving_end::attributes() {
    return no_settings("attributes");
}

result<void> receiving_end::change(const options&) {
    return no_settings("change");
}

} // namespace detail
} // namespace v1
} // namespace hawser
