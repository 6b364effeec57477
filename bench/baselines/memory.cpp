// What the machine gives without any library: one slot of shared memory with a futex, an eventfd in
// epoll, and copying in and reading out as fast as it goes.
#include <algorithm>
#include <atomic>
#include <limits>

#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "peers.hpp"

namespace peers {
namespace {

// Memory that the members inherit.
class common_memory {
  public:
    explicit common_memory(std::size_t bytes) : bytes_(bytes) {
        at_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (at_ == MAP_FAILED) fail("mmap");
    }
    ~common_memory() { ::munmap(at_, bytes_); }
    common_memory(const common_memory&) = delete;
    common_memory& operator=(const common_memory&) = delete;
    [[nodiscard]] std::byte* at(std::size_t offset) const {
        return static_cast<std::byte*>(at_) + offset;
    }

  private:
    std::size_t bytes_;
    void* at_;
};

constexpr std::size_t line = 128;

// One slot: its word says whether it is full. Each side sleeps on that word.
class futex_lane {
  public:
    explicit futex_lane(const lane_plan& plan) : plan_(plan), memory_(line + plan.size) {}
    void open_sender() const {}
    void open_receiver() const {}

    void send(std::span<const std::byte> bytes) {
        sleep_while(1, true);
        std::memcpy(memory_.at(line), bytes.data(), bytes.size());
        hand_over(1);
    }
    template <typename See>
    void receive(See&& see) {
        sleep_while(0, false);
        see(std::span<const std::byte>(memory_.at(line), plan_.size));
        hand_over(0);
    }

  private:
    [[nodiscard]] std::atomic<std::uint32_t>& word() const {
        return *reinterpret_cast<std::atomic<std::uint32_t>*>(memory_.at(0));
    }
    void sleep_while(std::uint32_t value, bool sender) const {
        while (word().load(std::memory_order_acquire) == value) {
            plan_.stopping(sender);
            ::syscall(SYS_futex, &word(), FUTEX_WAIT, value, nullptr, nullptr, 0);
        }
    }
    void hand_over(std::uint32_t value) const {
        word().store(value, std::memory_order_release);
        ::syscall(SYS_futex, &word(), FUTEX_WAKE, 1, nullptr, nullptr, 0);
    }

    lane_plan plan_;
    common_memory memory_;
};

// One slot and a descriptor that says so; there is no way back, so it is for round trips only.
class eventfd_lane {
  public:
    explicit eventfd_lane(const lane_plan& plan)
        : plan_(plan), memory_(plan.size), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (event_ < 0) fail("eventfd");
    }
    ~eventfd_lane() { ::close(event_); }
    eventfd_lane(const eventfd_lane&) = delete;
    eventfd_lane& operator=(const eventfd_lane&) = delete;

    void open_sender() const {}
    void open_receiver() {
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        if (epoll_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &wanted) != 0) fail("epoll");
    }
    void send(std::span<const std::byte> bytes) const {
        std::memcpy(memory_.at(0), bytes.data(), bytes.size());
        const std::uint64_t one = 1;
        if (::write(event_, &one, sizeof one) != sizeof one) fail("write to an eventfd");
    }
    template <typename See>
    void receive(See&& see) const {
        std::uint64_t count = 0;
        do {
            epoll_event happened{};
            ::epoll_wait(epoll_, &happened, 1, -1);
        } while (::read(event_, &count, sizeof count) != sizeof count);
        see(std::span<const std::byte>(memory_.at(0), plan_.size));
    }

  private:
    lane_plan plan_;
    common_memory memory_;
    int event_;
    int epoll_ = -1;
};

// As many slots as hide the hand-over, each with a word of its own: the price of copying in and
// reading out, and of one cache line for each message.
class memcpy_lane {
  public:
    explicit memcpy_lane(const lane_plan& plan)
        : plan_(plan), slots_(std::clamp<std::size_t>((1U << 20U) / plan.size, 2, 8)),
          stride_((plan.size + 2 * line - 1) / line * line), memory_(slots_ * stride_) {}
    void open_sender() const {}
    void open_receiver() const {}

    void send(std::span<const std::byte> bytes) {
        auto& full = word(next_);
        while (full.load(std::memory_order_acquire) != 0) plan_.stopping(true);
        std::memcpy(data(next_), bytes.data(), bytes.size());
        full.store(1, std::memory_order_release);
        next_ = (next_ + 1) % slots_;
    }
    template <typename See>
    void receive(See&& see) {
        auto& full = word(next_);
        while (full.load(std::memory_order_acquire) == 0) plan_.stopping(false);
        see(std::span<const std::byte>(data(next_), plan_.size));
        full.store(0, std::memory_order_release);
        next_ = (next_ + 1) % slots_;
    }

  private:
    static constexpr std::size_t header = 64;
    [[nodiscard]] std::atomic<std::uint32_t>& word(std::size_t slot) const {
        return *reinterpret_cast<std::atomic<std::uint32_t>*>(memory_.at(slot * stride_));
    }
    [[nodiscard]] std::byte* data(std::size_t slot) const {
        return memory_.at(slot * stride_ + header);
    }

    lane_plan plan_;
    std::size_t slots_; // few enough to stay in a cache
    std::size_t stride_;
    common_memory memory_;
    std::size_t next_ = 0;
};

lane_kind kind_of(const char* name, wait_class wait) {
    lane_kind kind;
    kind.name = name;
    kind.family = "machine";
    kind.waits = {wait};
    return kind;
}

} // namespace

std::vector<lane_kind> memory_lanes() {
    std::vector<lane_kind> kinds{kind_of("memcpy in, read out", wait_class::spin),
                                 kind_of("futex", wait_class::block),
                                 kind_of("eventfd in epoll", wait_class::block)};
    kinds[0].make = maker<memcpy_lane>();
    kinds[1].make = maker<futex_lane>();
    kinds[2].make = maker<eventfd_lane>();
    kinds[2].only_trips = true;
    return kinds;
}

} // namespace peers
