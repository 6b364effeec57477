// iceoryx: an untyped publisher and subscriber that lose nothing; taking in a loop, or a WaitSet.
#include <optional>
#include <stdexcept>

#include <fmt/format.h>
#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <unistd.h>

#include "bench/crew.hpp"
#include "peers.hpp"
#include "roudi.hpp"

namespace peers {
namespace {

namespace posh = iox::popo;

// Its most, but no more than RouDi has chunks of the size by default.
std::uint64_t queue_for(std::size_t size) {
    if (size <= 16384) return 256;
    return size <= 131'072 ? 64 : 8;
}

// One runtime for each process, whatever lanes it uses.
void be_known() {
    static const bool once = [] {
        iox::log::LogManager::GetLogManager().SetDefaultLogLevel(
            iox::log::LogLevel::kOff, iox::log::LogLevelOutput::kHideLogLevel);
        const std::string name = fmt::format("hawser-bench-{}", ::getpid());
        iox::runtime::PoshRuntime::initRuntime(
            iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name));
        return true;
    }();
    static_cast<void>(once);
}

class iceoryx_lane_ {
  public:
    explicit iceoryx_lane_(const lane_plan& plan)
        : plan_(plan), owner_(::getpid()),
          where_("hawser", "bench",
                 iox::capro::IdString_t(iox::cxx::TruncateToCapacity,
                                        fmt::format("{}-{}-{}", ::getpid(), plan.stem, ++lanes_))) {
        roudi::wake();
    }
    ~iceoryx_lane_() {
        if (::getpid() == owner_) roudi::sleep();
    }
    iceoryx_lane_(const iceoryx_lane_&) = delete;
    iceoryx_lane_& operator=(const iceoryx_lane_&) = delete;

    void open_sender() {
        be_known();
        posh::PublisherOptions options;
        options.subscriberTooSlowPolicy = posh::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        out_.emplace(where_, options);
        until([&] { return out_->hasSubscribers(); });
    }

    void open_receiver() {
        be_known();
        posh::SubscriberOptions options;
        options.queueCapacity = queue_for(plan_.size);
        options.queueFullPolicy = posh::QueueFullPolicy::BLOCK_PRODUCER;
        in_.emplace(where_, options);
        if (plan_.wait == wait_class::block) {
            waiting_.emplace();
            const auto attached = waiting_->attachState(*in_, posh::SubscriberState::HAS_DATA);
            if (attached.has_error())
                throw std::runtime_error("a WaitSet does not take a subscriber");
        }
    }

    void send(std::span<const std::byte> bytes) {
        auto place = out_->loan(static_cast<std::uint32_t>(bytes.size()));
        if (place.has_error()) throw std::runtime_error("iceoryx has no chunk to loan");
        const bool in_place = plan_.what == payload::loaned;
        std::memcpy(place.value(), bytes.data(), in_place ? sizeof(std::uint64_t) : bytes.size());
        out_->publish(place.value());
    }

    template <typename See>
    void receive(See&& see) {
        for (;;) {
            auto taken = in_->take();
            if (!taken.has_error()) {
                see(std::span(static_cast<const std::byte*>(taken.value()), plan_.size));
                in_->release(taken.value());
                return;
            }
            plan_.stopping(false);
            if (waiting_) waiting_->timedWait(iox::units::Duration::fromMilliseconds(100));
        }
    }

    void close() {
        waiting_.reset();
        in_.reset();
        out_.reset();
    }

  private:
    template <typename Condition>
    static void until(const Condition& so) {
        for (int waited_ms = 0; !so(); ++waited_ms) {
            if (waited_ms > 10'000) throw std::runtime_error("iceoryx: no subscriber came");
            tool::bench::rest(std::chrono::milliseconds(1));
        }
    }

    static inline unsigned lanes_ = 0;

    lane_plan plan_;
    pid_t owner_;
    iox::capro::ServiceDescription where_;
    std::optional<posh::UntypedPublisher> out_;
    std::optional<posh::UntypedSubscriber> in_;
    std::optional<posh::WaitSet<>> waiting_;
};

} // namespace

lane_kind iceoryx_lane() {
    lane_kind kind;
    kind.name = "iceoryx";
    kind.family = "library";
    kind.waits = {wait_class::spin, wait_class::block};
    kind.loans = true;
    kind.farewell = std::chrono::milliseconds(400);
    kind.make = maker<iceoryx_lane_>();
    return kind;
}

} // namespace peers
