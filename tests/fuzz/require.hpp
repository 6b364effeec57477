// What all fuzzers share.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace hawser::fuzz {

// An assert that is never compiled out.
inline void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

// Takes the fuzzer's bytes from the front; at their end all is zero.
class source {
  public:
    source(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::span<const std::uint8_t> rest() const noexcept { return rest_; }
    std::span<const std::uint8_t> take(std::size_t size) noexcept {
        const auto taken = rest_.first(size < rest_.size() ? size : rest_.size());
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    template <typename Number>
    Number number() noexcept {
        std::uint64_t value = 0;
        unsigned shift = 0;
        for (const std::uint8_t byte : take(sizeof(Number))) {
            value |= std::uint64_t{byte} << shift;
            shift += 8;
        }
        return static_cast<Number>(value);
    }

  private:
    std::span<const std::uint8_t> rest_;
};

} // namespace hawser::fuzz
