// Boost.Interprocess' message_queue, and Boost.Lockfree's ring for one sender and one receiver
// placed in shared memory.
#include <algorithm>
#include <memory>
#include <new>
#include <optional>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "peers.hpp"

namespace peers {
namespace {

namespace ipc = boost::interprocess;

std::size_t depth_for(std::size_t size) {
    return std::clamp<std::size_t>((8U << 20U) / size, 8, 1024);
}

class queue_lane {
  public:
    explicit queue_lane(const lane_plan& plan)
        : plan_(plan), buffer_(plan.size),
          name_(fmt::format("hawser-bench-{}-{}", ::getpid(), plan.stem)), owner_(::getpid()) {
        queue_.emplace(ipc::create_only, name_.c_str(), depth_for(plan.size), plan.size);
    }
    ~queue_lane() {
        if (::getpid() == owner_) ipc::message_queue::remove(name_.c_str());
    }
    queue_lane(const queue_lane&) = delete;
    queue_lane& operator=(const queue_lane&) = delete;

    void open_sender() { queue_.emplace(ipc::open_only, name_.c_str()); }
    void open_receiver() { queue_.emplace(ipc::open_only, name_.c_str()); }

    void send(std::span<const std::byte> bytes) {
        if (plan_.wait == wait_class::block) {
            queue_->send(bytes.data(), bytes.size(), 0);
            return;
        }
        while (!queue_->try_send(bytes.data(), bytes.size(), 0)) plan_.stopping(true);
    }

    template <typename See>
    void receive(See&& see) {
        ipc::message_queue::size_type length = 0;
        unsigned priority = 0;
        if (plan_.wait == wait_class::block)
            queue_->receive(buffer_.data(), buffer_.size(), length, priority);
        else
            while (!queue_->try_receive(buffer_.data(), buffer_.size(), length, priority))
                plan_.stopping(false);
        see(std::span<const std::byte>(buffer_.data(), length));
    }

  private:
    lane_plan plan_;
    std::vector<std::byte> buffer_;
    std::string name_;
    pid_t owner_;
    std::optional<ipc::message_queue> queue_;
};

// Its size is part of its type; the receiver looks at a large element where it lies.
template <std::size_t Size>
class ring_lane {
    struct element {
        std::byte bytes[Size];
    };
    static constexpr std::size_t depth = std::clamp<std::size_t>((2U << 20U) / Size, 4, 1024);
    using ring = boost::lockfree::spsc_queue<element, boost::lockfree::capacity<depth>>;

  public:
    explicit ring_lane(const lane_plan& plan) : plan_(plan) {
        void* memory = ::mmap(nullptr, sizeof(ring), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) fail("mmap");
        ring_ = ::new (memory) ring;
    }
    ~ring_lane() { ::munmap(ring_, sizeof(ring)); }
    ring_lane(const ring_lane&) = delete;
    ring_lane& operator=(const ring_lane&) = delete;

    void open_sender() const {}
    void open_receiver() const {}

    void send(std::span<const std::byte> bytes) {
        const auto& whole = *reinterpret_cast<const element*>(bytes.data());
        while (!ring_->push(whole)) plan_.stopping(true);
    }

    template <typename See>
    void receive(See&& see) {
        while (!ring_->consume_one(
            [&](const element& one) { see(std::span<const std::byte>(one.bytes, Size)); }))
            plan_.stopping(false);
    }

    lane_plan plan_;
    ring* ring_;
    element batch_[Size <= 256 ? 64 : 1];
    std::size_t next_ = 0;
    std::size_t got_ = 0;
};

template <std::size_t... Sizes>
std::unique_ptr<tool::bench::flow> ring_of(const lane_plan& plan) {
    std::unique_ptr<tool::bench::flow> made;
    const auto make_if = [&]<std::size_t Size>(std::integral_constant<std::size_t, Size>) {
        if (plan.size == Size) made = std::make_unique<tool::bench::flow_of<ring_lane<Size>>>(plan);
    };
    (make_if(std::integral_constant<std::size_t, Sizes>{}), ...);
    if (made == nullptr) throw std::runtime_error("a ring of this size is not built in");
    return made;
}

} // namespace

lane_kind boost_queue_lane() {
    lane_kind kind;
    kind.name = "Boost mq";
    kind.family = "library";
    kind.waits = {wait_class::spin, wait_class::block};
    kind.many_senders = true;
    kind.many_receivers = true;
    kind.make = maker<queue_lane>();
    return kind;
}

lane_kind boost_ring_lane() {
    lane_kind kind;
    kind.name = "Boost SPSC ring";
    kind.family = "library";
    kind.waits = {wait_class::spin};
    kind.make = ring_of<8, 64, 256, 1024, 4096, 16384, 65536, 262'144, 1'048'576>;
    return kind;
}

} // namespace peers
