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
#include <optional>
#include <span>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/attributes.hpp>
#include <hawser/byte_stream.hpp>
#include <hawser/capabilities.hpp>
#include <hawser/inspect.hpp>
#include <hawser/message.hpp>
#include <hawser/notification.hpp>
#include <hawser/sender.hpp>
#include <hawser/stats.hpp>
#include <hawser/wait.hpp>

namespace hawser {
inline namespace v1 {
namespace detail {

// What an end point says that has no such thing.
[[nodiscard]] error no_settings(const char* operation) noexcept;
[[nodiscard]] error no_notification() noexcept;

// What takes an end point out of the poller that it is a member of. The façade resets it before it
// destroys the end, while the descriptor is still open.
using membership = std::shared_ptr<void>;

// One open sending end. Destroying it closes it. Errors need no address; the façade adds it. What
// is not pure says `unsupported` unless it is overridden.
class sending_end {
  public:
    virtual ~sending_end() = default;

    virtual result<sent> send(std::span<const std::byte> bytes, deadline until) = 0;
    // Only with an envelope that is not empty.
    virtual result<sent> send_with(std::span<const std::byte> bytes, const envelope& with,
                                   deadline until);
    virtual result<loan> loan_for(std::size_t size, deadline until) = 0;
    // On success the loan's memory is forgotten; on an error it is left as it was.
    virtual result<sent> send(loan& filled, deadline until) = 0;
    virtual result<int> fd() = 0;
    [[nodiscard]] virtual short fd_events() const noexcept = 0;
    [[nodiscard]] virtual hawser::stats stats() const noexcept = 0;
    virtual result<hawser::attributes> attributes();
    virtual result<void> change(const options& wanted);

    address where; // set by the façade after opening, unless the end knows better (port 0)
    membership member_of;
};

// One open receiving end. Destroying it closes it; memory that it lent lives on until it is given
// back.
class receiving_end {
  public:
    virtual ~receiving_end() = default;

    virtual result<message> receive(deadline until) = 0;
    virtual result<message> receive_selected(const selection& which, deadline until);
    virtual result<void> notify(const notification& how);
    virtual result<void> stop_notifying();
    virtual result<int> fd() = 0;
    [[nodiscard]] virtual short fd_events() const noexcept = 0;
    [[nodiscard]] virtual hawser::stats stats() const noexcept = 0;
    virtual result<hawser::attributes> attributes();
    virtual result<void> change(const options& wanted);

    address where; // set by the façade after opening, unless the end knows better (port 0)
    membership member_of;
};

// One open byte stream. write may move a part; read gives at least one byte or an error.
class stream_end {
  public:
    virtual ~stream_end() = default;

    virtual result<std::size_t> read(std::span<std::byte> into, deadline until) = 0;
    virtual result<std::size_t> write(std::span<const std::byte> bytes, deadline until) = 0;
    virtual result<void> finish_writing() = 0;
    [[nodiscard]] virtual result<int> fd() const = 0;
    [[nodiscard]] virtual std::optional<credentials> peer() const { return std::nullopt; }

    address where; // as above
    membership member_of;
};

// A socket that takes connections.
class listening_end {
  public:
    virtual ~listening_end() = default;

    virtual result<std::unique_ptr<stream_end>> accept(deadline until) = 0;
    [[nodiscard]] virtual result<int> fd() const = 0;

    address where; // as above
    membership member_of;
};

// wanted holds the options of the address and of the call, merged and each within its own range.
struct transport {
    transport_info info;
    result<std::unique_ptr<sending_end>> (*open_sender)(const address& where,
                                                        const options& wanted);
    result<std::unique_ptr<receiving_end>> (*open_receiver)(const address& where,
                                                            const options& wanted);
    // What only some transports have; nullptr says unsupported.
    result<std::unique_ptr<stream_end>> (*open_stream)(const address& where, const options& wanted,
                                                       stream_role role, deadline until) = nullptr;
    result<std::unique_ptr<listening_end>> (*open_listener)(const address& where,
                                                            const options& wanted) = nullptr;
    // The object itself, for observers (inspect.hpp). Errors carry no address.
    result<mailbox_info> (*inspect)(const address& where) = nullptr;
    result<void> (*remove)(const address& where, removal how) = nullptr;
};

// The transport of a scheme, or nullptr. Defined by transport/table.cpp.
const transport* find_transport(std::string_view scheme) noexcept;

} // namespace detail
} // namespace v1
} // namespace hawser
