// Observers' calls go to the transport that the address names. Listing and clearing away mailboxes
// is the shared-memory transport's own (transport/shm/inspect.cpp).
#include <hawser/inspect.hpp>

#include <array>
#include <string>

#include "core/address_check.hpp"
#include "core/located.hpp"
#include "core/open.hpp"
#include "core/transport.hpp"

namespace hawser {
inline namespace v1 {

namespace {

// The transport of an address, if it has the call. Errors: those of address::parse · unsupported.
template <typename Call>
result<const detail::transport*> able(const address& where, Call detail::transport::*call,
                                      const char* operation) {
    const detail::transport* const by = detail::find_transport(where.scheme);
    if (by == nullptr) {
        const error why = detail::unknown_scheme(where.scheme, transports());
        return detail::located(error{why.code(), operation}.because(why.detail()), where);
    }
    if (by->*call == nullptr)
        return detail::located(error{errc::unsupported, operation}.because(
                                   where.scheme + " has no object of its own that could be looked "
                                                  "at or removed from outside."),
                               where);
    return by;
}

} // namespace

result<mailbox_info> inspect_mailbox(std::string_view text) {
    const auto where = address::parse(text);
    if (!where) return where.why();
    const auto by = able(*where, &detail::transport::inspect, "info");
    if (!by) return by.why();
    auto seen = (*by)->inspect(*where);
    if (!seen) return detail::located(seen.why(), *where);
    return seen;
}

result<void> remove_mailbox(std::string_view text, removal how) {
    const auto where = address::parse(text);
    if (!where) return where.why();
    const auto by = able(*where, &detail::transport::remove, "rm");
    if (!by) return by.why();
    auto removed = (*by)->remove(*where, how);
    if (!removed) return detail::located(removed.why(), *where);
    return removed;
}

std::string_view name_of(participant_role value) noexcept {
    constexpr std::array<std::string_view, 3> names{"none", "sender", "receiver"};
    return names[static_cast<std::size_t>(value)];
}

std::string_view name_of(mailbox_state value) noexcept {
    constexpr std::array<std::string_view, 7> names{
        "in_use", "idle", "dead", "not_mailbox", "other_version", "damaged", "unreadable"};
    return names[static_cast<std::size_t>(value)];
}

} // namespace v1
} // namespace hawser
