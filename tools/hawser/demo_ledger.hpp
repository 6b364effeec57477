// The ledger: memory that all processes of a run share, in which each worker notes what it has
// done.
//
// It is the witness of the demo, so it is no mailbox and uses nothing of hawser: an anonymous file
// that the workers inherit, with plain atomic counters. Who is killed leaves in it exactly what it
// had noted; its successor goes on from there. All orders are sequentially consistent: a witness
// has no need for speed.
//
// - Blocks: never. Allocates: create() and attach(). Processes and threads: any.
// - A crash of a worker: each counter is right or one short.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <hawser/options.hpp>

#include "demo_histogram.hpp"
#include "demo_plan.hpp"
#include "demo_settings.hpp"

namespace tool::demo {

inline constexpr std::uint64_t no_chunk = ~std::uint64_t{0};

enum class worker_role : std::uint32_t { producer, consumer };

// What a worker is at. Noted before it begins.
enum class activity : std::uint32_t {
    starting,  // not yet at the mailbox
    filling,   // producer: has a loan and reads the file into it
    sending,   // producer: inside send() or loan_for()
    held_back, // producer: has a filled loan and waits for the kills, see ledger_header::gate_open
    receiving, // consumer: inside receive()
    writing,   // consumer: has a message and writes it out
    done,
    failed, // worker_record::failure says why
};

std::string_view name_of(worker_role value) noexcept;
// "while it …"
std::string_view describe(activity value) noexcept;

// One worker: a process and, once it is killed, its successor.
struct alignas(64) worker_record {
    std::atomic<std::uint32_t> doing{};
    std::atomic<std::uint32_t> open{}; // 1 + generation of the process that is at the mailbox
    std::atomic<std::uint64_t> chunk{no_chunk};     // the message it is at
    std::atomic<std::uint64_t> next_chunk{};        // producer: the first one not noted as sent
    std::uint64_t end_chunk = 0;                    // producer: one past its share
    std::uint64_t gate_chunk = no_chunk;            // producer: not past this one before the kills
    std::atomic<std::uint64_t> messages{};          // sent or received, as noted
    std::atomic<std::uint64_t> bytes{};             // of files, without headers
    std::atomic<std::uint64_t> redelivered{};       // flagged so by hawser
    std::atomic<std::uint64_t> duplicates{};        // received again after they had been written
    std::atomic<std::uint64_t> foreign{};           // no message of this run, or damaged
    std::atomic<std::uint64_t> disordered{};        // behind a later one of the same producer
    std::atomic<std::uint64_t> first_progress_ns{}; // on CLOCK_MONOTONIC
    std::atomic<std::uint64_t> last_progress_ns{};
    std::atomic<std::uint64_t> resumed_ns{};                // first progress of a successor
    std::atomic<std::uint64_t> held_back_ns{};              // producer: waited at the gate, in all
    std::atomic<std::uint64_t> redelivered_ns{};            // the last redelivery …
    std::atomic<std::uint64_t> redelivered_chunk{no_chunk}; // … and what it brought
    std::atomic<std::uint64_t> longest_gap_ns{};            // between two messages
    std::atomic<std::uint64_t> longest_call_ns{};           // inside hawser, between two messages
    latency_histogram latency;                              // consumer
    std::array<char, 512> failure{};
};

struct ledger_header {
    std::uint64_t magic = 0;
    std::uint64_t size = 0;
    std::uint64_t run = 0; // in every message
    std::uint64_t parent_pid = 0;
    std::uint64_t chunk_bytes = 0; // of a file in one message
    std::uint64_t chunks = 0;
    std::uint64_t files = 0;
    std::uint32_t producers = 0;
    std::uint32_t consumers = 0;
    hawser::wait_mode wait = hawser::wait_mode::adaptive;
    sabotage fault = sabotage::none;
    // The last part of each producer's share is held back until the kills are over, so that they
    // fall into the middle of the work also where there is little of it. Until then a message
    // passes for each pass given, but never a producer's last one.
    std::atomic<std::uint32_t> gate_open{};
    std::atomic<std::uint32_t> passes{};
    std::array<char, 128> address{};
    std::array<char, 4096> output{}; // directory of the results
};

struct file_record {
    std::uint64_t bytes = 0;
    std::uint64_t first_chunk = 0;
    std::uint64_t path_at = 0;            // in the text at the end
    std::atomic<std::uint32_t> changed{}; // a producer found it shorter than planned, or gone
    std::uint32_t padding = 0;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
static_assert(std::atomic<std::uint8_t>::is_always_lock_free);

struct ledger_settings {
    std::uint64_t run = 0;
    std::uint64_t chunk_bytes = 0;
    std::uint32_t producers = 0;
    std::uint32_t consumers = 0;
    hawser::wait_mode wait = hawser::wait_mode::adaptive;
    sabotage fault = sabotage::none;
    std::string address;
    std::string output;
};

class ledger {
  public:
    // Nothing where memory is short; errno says so.
    static std::optional<ledger> create(const plan& of, const ledger_settings& wanted);
    // Nothing if the descriptor is no ledger of this build. Takes the descriptor.
    static std::optional<ledger> attach(int descriptor);

    ledger(ledger&& other) noexcept
        : memory_(std::exchange(other.memory_, {})),
          descriptor_(std::exchange(other.descriptor_, -1)) {}
    ledger& operator=(ledger&&) = delete;
    ~ledger();

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] ledger_header& header() const noexcept;
    // Producers first.
    [[nodiscard]] std::span<worker_record> workers() const noexcept;
    [[nodiscard]] worker_record& worker(worker_role role, std::uint32_t index) const noexcept;
    [[nodiscard]] std::span<file_record> files() const noexcept;
    // The file that each message is a part of.
    [[nodiscard]] std::span<std::uint32_t> chunk_files() const noexcept;
    // 1 once the message is in the result.
    [[nodiscard]] std::span<std::atomic<std::uint8_t>> delivered() const noexcept;
    [[nodiscard]] const char* path(const file_record& file) const noexcept;

  private:
    ledger(std::span<std::byte> memory, int descriptor) noexcept
        : memory_(memory), descriptor_(descriptor) {}
    template <typename T>
    [[nodiscard]] T* at(std::size_t offset) const noexcept;
    void fill(const plan& of, const ledger_settings& wanted) const;
    void fill_files(const plan& of) const;

    std::span<std::byte> memory_;
    int descriptor_ = -1;
};

std::uint64_t now_ns() noexcept;

} // namespace tool::demo
