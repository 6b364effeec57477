// An address of each scheme for a measurement, made before its two processes part and removed
// after.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include <hawser/capabilities.hpp>
#include <hawser/receiver.hpp>
#include <hawser/sender.hpp>

#include "shared.hpp"

namespace tool {

class route {
  public:
    using sender_opener = std::function<hawser::result<hawser::sender>()>;
    using receiver_opener = std::function<hawser::result<hawser::receiver>()>;

    route(sender_opener sender, receiver_opener receiver, std::function<void()> remove = {})
        : sender_(std::move(sender)), receiver_(std::move(receiver)), remove_(std::move(remove)) {}
    ~route() {
        if (remove_) remove_();
    }
    route(const route&) = delete;
    route& operator=(const route&) = delete;

    [[nodiscard]] hawser::result<hawser::sender> open_sender() const { return sender_(); }
    [[nodiscard]] hawser::result<hawser::receiver> open_receiver() const { return receiver_(); }

  private:
    sender_opener sender_;
    receiver_opener receiver_;
    std::function<void()> remove_;
};

// Whether a scheme carries messages between two processes that a measurement can start.
[[nodiscard]] bool has_route(std::string_view scheme);
// stem tells the routes of one measurement apart. Throws hawser::exception.
[[nodiscard]] route make_route(std::string_view scheme, std::string_view stem);
// The largest message that the facility takes as it is set here.
[[nodiscard]] std::uint64_t largest_message(const hawser::transport_info& about);

// Where the two processes of a measurement wait for each other, as often as one likes. Made before
// they start. Who waits for one that has died is ended with the measurement.
class meeting_point {
  public:
    void arrive();

  private:
    bench::shared<std::atomic<std::uint64_t>> arrivals_;
};

} // namespace tool
