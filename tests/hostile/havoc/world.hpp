// The world that the library meets in the havoc fuzzer: memory that says what the fuzzer wants, and
// a kernel whose answers the fuzzer picks among those that are documented. os_*.cpp define the
// functions of src/os on it, so no system call is made and time is counted, not waited for.
//
// The memory has a shadow: what was stored last. A load gives the shadow's value, or one that a
// hostile process could have put there instead: the fuzzer decides each time. So long sequences of
// calls get somewhere, and any of them can be derailed anywhere.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hawser::havoc {

[[noreturn]] void broken(const char* what, std::uint64_t number = 0) noexcept;
inline void require(bool holds, const char* what, std::uint64_t number = 0) noexcept {
    if (!holds) broken(what, number);
}

// Bytes to decide by. After the last one it begins again, as it was or scrambled.
class decisions {
  public:
    decisions() noexcept = default;
    decisions(std::span<const std::uint8_t> bytes, bool scrambled) noexcept
        : bytes_(bytes), scrambled_(scrambled) {}

    [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
    std::uint8_t byte() noexcept;
    std::uint64_t number(std::size_t bytes) noexcept;

  private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
    std::uint64_t lap_ = 0;
    bool scrambled_ = false;
};

inline constexpr std::size_t most_mappings = 12;
inline constexpr std::size_t most_files = 4;
inline constexpr std::size_t most_descriptors = 32;
inline constexpr std::size_t most_locks = 128;
inline constexpr std::uint64_t most_file_bytes = std::uint64_t{1} << 28;
inline constexpr int first_descriptor = 1'000'000;

struct file {
    bool exists = false;
    bool named = false;
    std::uint64_t inode = 0;
    std::uint64_t bytes = 0;
    std::array<std::byte, 256> start{}; // what is read and written through the file
};

struct descriptor {
    bool open = false;
    std::size_t of = 0;
};

struct mapping {
    bool alive = false;
    bool writable = false;
    std::size_t of = 0;
    std::uint64_t bytes = 0;
};

struct held_lock {
    int fd = -1;
    std::uint64_t byte = 0;
    bool exclusive = false;
};

struct world {
    decisions answers;
    unsigned malice = 0; // of 256 answers, so many are not honest
    std::array<file, most_files> files{};
    std::array<descriptor, most_descriptors> descriptors{};
    std::array<mapping, most_mappings> mappings{};
    std::array<held_lock, most_locks> locks{};
    std::size_t lock_count = 0;
    std::uint64_t next_inode = 1;
    unsigned tricks = 0; // answers that make open begin anew; a few for each run

    std::int64_t now_ns = 1'000'000'000;
    std::int64_t overslept_ns = 0; // by which the kernel woke us late
    std::uint64_t accesses = 0;
    std::uint64_t since_clock = 0;      // accesses since the clock was last read
    std::uint64_t most_since_clock = 0; // in this call
    std::uint64_t allowed = ~std::uint64_t{0};
    std::int64_t out_of_time_ns = 0; // no clock is read after this; 0: no limit

    void begin(std::span<const std::uint8_t> answers_, unsigned malice_, bool scrambled) noexcept;
    // Nothing may be left: no descriptor, no mapping, no lock.
    void end() noexcept;

    // Whether the next answer is one that only an enemy, or bad luck, would give.
    bool unlucky() noexcept;
    bool trick() noexcept; // the same, but not often
    void advance(std::int64_t by_ns) noexcept;
    void count_access() noexcept;

    std::size_t file_of(int fd) const noexcept;
    int open_descriptor(std::size_t of) noexcept; // -1: too many
    void close_descriptor(int fd) noexcept;
    void forget_if_unused(std::size_t of) noexcept;
    void unlock(int fd, std::uint64_t first, std::uint64_t count) noexcept;

    // True if all of it lies in one living mapping (and it is writable).
    [[nodiscard]] bool is_mapped(const void* at, std::uint64_t bytes, bool to_write) const noexcept;
    std::byte* map(std::size_t of, std::uint64_t bytes, bool writable) noexcept;
    void unmap(const std::byte* at) noexcept;
    void punch(std::size_t of, std::uint64_t at, std::uint64_t bytes) noexcept;
};

world& the_world() noexcept;

} // namespace hawser::havoc
