// The seam between the contract and the transports: what a transport gives to the façades of
// sender.hpp and receiver.hpp.
//
// A transport is one entry of transport/table.cpp. It owns its scheme: the meaning of address.rest,
// the limits, the errors. The façades add nothing but the address in errors and the refusal of
// calls after close; everything else that the public headers promise, the end point itself keeps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/capabilities.hpp>
#include <hawser/message.hpp>
#include <hawser/sender.hpp>
#include <hawser/stats.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// One open sending end. Destroying it closes it. Errors need no address; the façade adds it.
class sending_end {
  public:
    virtual ~sending_end() = default;

    virtual result<sent> send(std::span<const std::byte> bytes, deadline until) = 0;
    virtual result<loan> loan_for(std::size_t size, deadline until) = 0;
    // On success the loan's memory is forgotten; on an error it is left as it was.
    virtual result<sent> send(loan& filled, deadline until) = 0;
    virtual result<int> fd() = 0;
    [[nodiscard]] virtual short fd_events() const noexcept = 0;
    [[nodiscard]] virtual hawser::stats stats() const noexcept = 0;

    address where; // set by the façade after opening
};

// One open receiving end. Destroying it closes it; memory that it lent lives on until it is given
// back.
class receiving_end {
  public:
    virtual ~receiving_end() = default;

    virtual result<message> receive(deadline until) = 0;
    virtual result<int> fd() = 0;
    [[nodiscard]] virtual short fd_events() const noexcept = 0;
    [[nodiscard]] virtual hawser::stats stats() const noexcept = 0;

    address where; // set by the façade after opening
};

// wanted holds the options of the address and of the call, merged and each within its own range.
struct transport {
    transport_info info;
    result<std::unique_ptr<sending_end>> (*open_sender)(const address& where,
                                                        const options& wanted);
    result<std::unique_ptr<receiving_end>> (*open_receiver)(const address& where,
                                                            const options& wanted);
};

// The transport of a scheme, or nullptr. Defined by transport/table.cpp.
const transport* find_transport(std::string_view scheme) noexcept;

} // namespace detail
} // namespace v1
} // namespace hawser
