#include "core/open.hpp"

#include <array>
#include <string>
#include <vector>

#include "core/address_check.hpp"
#include "core/located.hpp"
#include "core/options_check.hpp"
#include "core/text.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

// An option that asks for a capability. met() is true where the option is not set.
struct demand {
    std::string_view option;
    bool (*met)(const options& wanted, const capabilities& can);
};

bool capacity_met(const options& wanted, const capabilities& can) noexcept {
    if (!wanted.capacity) return true;
    if (*wanted.capacity == 0) return can.capacity_zero;
    return *wanted.capacity == unbounded ? can.capacity_unbounded : can.capacity_bounded;
}

bool sharing_met(const options& wanted, const capabilities& can) noexcept {
    if (!wanted.sharing) return true;
    switch (*wanted.sharing) {
    case sharing_policy::pair:
        return can.sharing_pair;
    case sharing_policy::one:
        return can.sharing_one;
    case sharing_policy::any:
        return can.sharing_any;
    case sharing_policy::all:
        return can.sharing_all;
    }
    return false;
}

// A total order is an order per sender as well.
bool order_met(const options& wanted, const capabilities& can) noexcept {
    if (!wanted.order) return true;
    return can.ordering == ordering_kind::total ||
           (*wanted.order == order_policy::sender && can.ordering == ordering_kind::per_sender);
}

// Only what loses nothing with a killed receiver can deliver its messages again.
bool delivery_met(const options& wanted, const capabilities& can) noexcept {
    return wanted.delivery != delivery_policy::at_least_once ||
           can.survives_kill_of == survival_kind::receiver ||
           can.survives_kill_of == survival_kind::both;
}

constexpr std::array<demand, 9> demands{{
    {"capacity", capacity_met},
    {"max_message",
     [](const options& wanted, const capabilities& can) {
         return wanted.max_message.value_or(0) <= can.max_message;
     }},
    {"sharing", sharing_met},
    {"order", order_met},
    {"delivery", delivery_met},
    {"full",
     [](const options& wanted, const capabilities& can) {
         return wanted.full != full_policy::drop_oldest || can.drops_oldest;
     }},
    {"history",
     [](const options& wanted, const capabilities& can) {
         return wanted.history.value_or(0) == 0 || can.sharing_all;
     }},
    {"persist",
     [](const options& wanted, const capabilities& can) {
         return !wanted.persist.value_or(false) || can.lives != lifetime_kind::process;
     }},
    // Only shared memory has a host. trust=none itself everybody can: where the kernel carries the
    // messages, nobody writes into another one's memory, and it changes nothing (options.hpp).
    {"host",
     [](const options& wanted, const capabilities& can) { return !wanted.host || can.zero_copy; }},
}};

error refusal(const demand& lacking, const transport_info& by, const options& wanted,
              std::span<const transport_info> all) {
    std::vector<std::string_view> able;
    for (const transport_info& other : all)
        if (lacking.met(wanted, other.can)) able.push_back(other.scheme);
    std::string why = std::string(by.scheme) + " can't do " + option_text(wanted, lacking.option);
    if (lacking.option == "max_message")
        why += ", its largest message is " + size_text(by.can.max_message);
    why += able.empty() ? "; no scheme of this build can." : "; these can: " + joined(able) + ".";
    return error{errc::unsupported, "open"}.because(why);
}

} // namespace

result<void> check_supported(const transport_info& by, const options& wanted,
                             std::span<const transport_info> all) {
    for (const demand& one : demands)
        if (!one.met(wanted, by.can)) return refusal(one, by, wanted, all);
    return {};
}

error unknown_scheme(std::string_view scheme, std::span<const transport_info> all) {
    std::vector<std::string_view> schemes;
    for (const transport_info& one : all) schemes.push_back(one.scheme);
    std::string why = "there is no scheme " + in_quotes(scheme);
    const std::string meant = did_you_mean(scheme, schemes);
    why += meant.empty() ? "." : meant;
    why += " Schemes: " + joined(schemes) + ". For a mailbox with ':' in its name write shm: in " +
           "front of it.";
    return error{errc::unsupported, "open"}.because(why);
}

result<opening> prepare_open(const address& where, const options& wanted) {
    if (auto good = check_address(where); !good) return good.why();
    auto merged = where.wanted.merged_with(wanted);
    if (!merged) return located(merged.why(), where);
    if (auto good = check_ranges(*merged); !good) return located(good.why(), where);
    const transport* const by = find_transport(where.scheme);
    if (by == nullptr) return located(unknown_scheme(where.scheme, transports()), where);
    if (auto good = check_supported(by->info, *merged, transports()); !good)
        return located(good.why(), where);
    return opening{by, address{where.scheme, where.rest, std::move(*merged)}};
}

} // namespace detail
} // namespace v1
} // namespace hawser
