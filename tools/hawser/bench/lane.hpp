// A lane carries messages one way between processes: hawser's, or a peer's. Each is one small class
// that knows how its own users would do it at their best; what is timed is written once, below, and
// compiled for each of them, so that nobody pays for the harness.
//
//     struct some_lane {
//         explicit some_lane(const lane_plan&);     // in the measuring process, before it forks
//         ~some_lane();                             // there; members never destroy a lane
//         void open_sender();                       // in a member; may wait for the other side
//         void open_receiver();
//         void send(std::span<const std::byte>);    // waits for room, as plan.wait says
//         template <typename F> void receive(F&&);  // calls it with the message's bytes
//         void close();                             // optional: in a member, before it ends
//     };
//
// - Every message begins with a 64-bit word (its number, or the time it was meant to leave), which
//   the receiver reads; so no lane gets away with not delivering.
// - A lane that waits by looking again and again may ask plan.stopping().
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "shared.hpp"
#include "statistics.hpp"

namespace tool::bench {

enum class wait_class : std::uint8_t {
    spin,     // both sides look again and again
    block,    // both sides sleep until there is something
    adaptive, // the facility's own mixture
};
[[nodiscard]] const char* name_of(wait_class wait) noexcept;

// How the payload is treated.
enum class payload : std::uint8_t {
    touched, // copied in by the sender; the receiver reads the first word
    filled,  // copied in by the sender; the receiver reads every byte
    loaned,  // made in place: only the first word is written and read
};
[[nodiscard]] const char* name_of(payload what) noexcept;

// What the measuring process tells the members while they run.
struct signals {
    std::atomic<bool> stop_senders{false};
    std::atomic<bool> stop_receivers{false};
};

struct lane_plan {
    std::size_t size = 64;
    wait_class wait = wait_class::spin;
    payload what = payload::touched;
    unsigned senders = 1;
    unsigned receivers = 1;
    std::string stem{}; // makes the names of one measurement its own
    const signals* told = nullptr;

    // Thrown where a lane notices that the measurement is over.
    struct stopped {};
    void stopping(bool sender) const {
        if (told == nullptr) return;
        const auto& flag = sender ? told->stop_senders : told->stop_receivers;
        if (flag.load(std::memory_order_relaxed)) throw stopped{};
    }
};

// A count that one member makes and the measuring process reads, on lines of its own.
struct alignas(128) counter {
    std::atomic<std::uint64_t> messages{0};
    std::atomic<std::uint64_t> out_of_order{0};
};

struct trip_figures {
    double ns = 0;  // median over batches, no clock inside
    tail each_ns{}; // each trip by itself, one look at the clock included
    std::uint64_t trips = 0;
};

// The moment, in ns; the same for all processes of the machine.
inline std::uint64_t now_ns() noexcept {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

inline std::uint64_t first_word(std::span<const std::byte> bytes) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    return word;
}

// Reads every byte; what comes out is used by keep(), so that the reading stays.
std::uint64_t read_all(std::span<const std::byte> bytes) noexcept;
inline void keep(std::uint64_t value) noexcept {
    __asm__ volatile("" : : "r"(value));
}

// A lane of any kind, with what can be timed on it.
class flow {
  public:
    flow() = default;
    virtual ~flow() = default;
    flow(const flow&) = delete;
    flow& operator=(const flow&) = delete;

    virtual void open_sender() = 0;
    virtual void open_receiver() = 0;
    virtual void close() = 0;

    // Until told to stop.
    virtual void send_all_day(const signals& told, counter& sent) = 0;
    virtual void receive_all_day(const signals& told, counter& got) = 0;
    // There and back on two lanes of one kind. The echo ends with the trips.
    virtual void echo(flow& back) = 0;
    virtual trip_figures trips(flow& back, std::chrono::nanoseconds span) = 0;

    virtual void send_word(std::uint64_t word) = 0;
    virtual std::uint64_t receive_word() = 0;
};

// The last word of a conversation.
constexpr std::uint64_t good_bye = ~std::uint64_t{0};

template <typename Lane>
class flow_of final : public flow {
  public:
    template <typename... Arguments>
    explicit flow_of(const lane_plan& plan, Arguments&&... arguments)
        : lane_(plan, std::forward<Arguments>(arguments)...), plan_(plan),
          source_(std::max<std::size_t>(plan.size, sizeof(std::uint64_t)), std::byte{'h'}) {}

    void open_sender() override { lane_.open_sender(); }
    void open_receiver() override { lane_.open_receiver(); }
    void close() override {
        if constexpr (requires { lane_.close(); }) lane_.close();
    }

    void send_all_day(const signals& told, counter& sent) override {
        for (std::uint64_t next = 0; !told.stop_senders.load(std::memory_order_relaxed); ++next) {
            put(next);
            sent.messages.store(next + 1, std::memory_order_relaxed);
        }
    }

    void receive_all_day(const signals& told, counter& got) override {
        std::uint64_t expected = 0;
        std::uint64_t strange = 0;
        for (std::uint64_t count = 1; !told.stop_receivers.load(std::memory_order_relaxed);
             ++count) {
            const std::uint64_t word = take();
            if (word != expected) got.out_of_order.store(++strange, std::memory_order_relaxed);
            expected = word + 1;
            got.messages.store(count, std::memory_order_relaxed);
        }
    }

    void echo(flow& back) override {
        auto& answers = static_cast<flow_of&>(back);
        for (;;) {
            const std::uint64_t word = take();
            answers.put(word);
            if (word == good_bye) return;
        }
    }

    trip_figures trips(flow& back, std::chrono::nanoseconds span) override;

    void send_word(std::uint64_t word) override { put(word); }
    std::uint64_t receive_word() override { return take(); }

  private:
    void put(std::uint64_t word) {
        std::memcpy(source_.data(), &word, sizeof word);
        lane_.send(source_);
    }
    std::uint64_t take() {
        std::uint64_t word = 0;
        lane_.receive([&](std::span<const std::byte> bytes) {
            word = first_word(bytes);
            if (plan_.what == payload::filled) keep(read_all(bytes));
        });
        return word;
    }
    void one_trip(flow_of& back, std::uint64_t word) {
        put(word);
        if (back.take() != word) throw std::runtime_error("an answer is not what was sent");
    }

    Lane lane_;
    lane_plan plan_;
    std::vector<std::byte> source_;
};

// First batches without a clock inside, then trips one by one for the tail.
template <typename Lane>
trip_figures flow_of<Lane>::trips(flow& back, std::chrono::nanoseconds span) {
    constexpr std::uint64_t most = 200'000;
    auto& answers = static_cast<flow_of&>(back);
    const auto half = static_cast<std::uint64_t>(span.count()) / 2;
    trip_figures found;
    std::vector<double> batches;
    std::vector<std::uint64_t> each;
    each.reserve(most);
    std::uint64_t word = 0;
    std::uint64_t count = 4; // in a batch; warms up, and then such that a batch is about 100 us
    for (const std::uint64_t end = now_ns() + half;;) {
        const std::uint64_t begin = now_ns();
        for (std::uint64_t i = 0; i < count; ++i) one_trip(answers, word++);
        const std::uint64_t now = now_ns();
        const double ns = static_cast<double>(now - begin) / static_cast<double>(count);
        if (count == 4)
            count = static_cast<std::uint64_t>(std::clamp(100'000.0 / ns, 5.0, 500.0));
        else
            batches.push_back(ns);
        if (now > end && !batches.empty()) break;
    }
    std::uint64_t now = now_ns();
    for (const std::uint64_t end = now + half; now < end && each.size() < most;) {
        one_trip(answers, word++);
        const std::uint64_t then = now_ns();
        each.push_back(then - now);
        now = then;
    }
    one_trip(answers, good_bye);
    found.ns = median_of(std::move(batches));
    found.trips = word;
    found.each_ns = tail_of(each);
    return found;
}

struct lane_kind {
    std::string name;
    std::string family; // hawser, kernel, library, or floor
    std::vector<wait_class> waits;
    std::size_t most_bytes = 1U << 20U;
    bool many_senders = false;
    bool many_receivers = false;
    bool loans = false;
    bool only_trips = false; // has one slot and no way to wait for room
    bool loses = false;      // may lose messages, by its nature
    // What it runs in the background needs to hear that a process has gone, and this long.
    std::chrono::milliseconds farewell{0};
    std::function<std::unique_ptr<flow>(const lane_plan&)> make;

    [[nodiscard]] bool can_wait(wait_class wait) const;
};

// All kinds that this program knows; hawser's own are always there, a program that measures peers
// adds them.
std::vector<lane_kind>& lane_kinds();
// Throws std::out_of_range.
const lane_kind& find_lane(const std::string& name);

// Peers that should be there and are not, with the reason.
struct missing_peer {
    std::string name;
    std::string why;
};
std::vector<missing_peer>& missing_peers();

template <typename Lane, typename... Arguments>
std::function<std::unique_ptr<flow>(const lane_plan&)> maker(Arguments... arguments) {
    return [=](const lane_plan& plan) -> std::unique_ptr<flow> {
        return std::make_unique<flow_of<Lane>>(plan, arguments...);
    };
}

} // namespace tool::bench
