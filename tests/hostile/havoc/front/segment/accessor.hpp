// In front of src/segment/accessor.hpp when the library is built for the havoc fuzzer: the words of
// a segment have the same layout, but nobody ever touches their memory, which is mapped PROT_NONE.
// A load gives what the fuzzer says, a compare-and-exchange succeeds or fails by its choice, and a
// store is only checked to lie within a mapping. What goes around this accessor faults at once.
#pragma once

#include <atomic> // std::memory_order, and what is private to the library
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hawser::havoc {

// Each counts as one access and ends the run unless the word lies wholly inside a living mapping.
std::uint64_t load(const void* word, std::size_t bytes) noexcept;
void store(void* word, std::size_t bytes, std::uint64_t value) noexcept;
// Changes `expected` when it fails.
bool exchange(void* word, std::size_t bytes, std::uint64_t& expected,
              std::uint64_t desired) noexcept;
void touch(const void* payload, std::size_t bytes) noexcept;

template <std::integral T>
class word {
  public:
    static constexpr bool is_always_lock_free = true;

    T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
        return static_cast<T>(havoc::load(this, sizeof(T)));
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
        havoc::store(this, sizeof(T), static_cast<std::uint64_t>(value));
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order = std::memory_order_seq_cst,
                                 std::memory_order = std::memory_order_seq_cst) noexcept {
        auto seen = static_cast<std::uint64_t>(expected);
        const bool done =
            havoc::exchange(this, sizeof(T), seen, static_cast<std::uint64_t>(desired));
        expected = static_cast<T>(seen);
        return done;
    }
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_seq_cst) noexcept {
        return compare_exchange_strong(expected, desired);
    }
    T fetch_add(T more, std::memory_order = std::memory_order_seq_cst) noexcept {
        const T seen = load();
        store(static_cast<T>(seen + more));
        return seen;
    }
    T fetch_or(T bits, std::memory_order = std::memory_order_seq_cst) noexcept {
        const T seen = load();
        store(static_cast<T>(seen | bits));
        return seen;
    }

  private:
    T never_touched_{};
};

} // namespace hawser::havoc

namespace hawser::segment {

template <typename T>
using atomic = havoc::word<T>;

inline void copy_in(std::span<std::byte> payload, std::span<const std::byte> from) noexcept {
    havoc::touch(payload.data(), from.size());
}
inline void copy_out(std::span<std::byte> to, std::span<const std::byte> payload) noexcept {
    havoc::touch(payload.data(), payload.size());
    for (std::byte& byte : to.first(payload.size())) byte = std::byte{0x5a};
}

} // namespace hawser::segment
