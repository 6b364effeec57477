// A received message, and a loan: memory of the mailbox itself, to be filled in place and sent
// without a copy.
//
// message
// - owns its bytes until it is destroyed; they are the mailbox's own memory where the transport can
//   (shm), so a message in use counts against the receiver's `loans`. Destroying it is what tells
//   the mailbox that it was processed.
// - Blocks: never. Allocates: never. Threads: may be moved to another thread and released there; it
//   keeps its end point's memory alive, also past the receiver's destruction. Fork: a child must
//   not use or destroy a message of its parent (destroying it is harmless and does nothing).
//   Signals: nothing special.
// - A crash before it is destroyed: it is delivered again, with redelivered() == true
//   (delivery=at_least_once).
//
// loan
// - the same rules; dropped without send() it goes back unsent. A crash before send(): as if it had
//   never been.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <hawser/result.hpp>

namespace hawser {
inline namespace v1 {

namespace detail {

// Whoever lent the memory. One for each end point; end points outlive what they lent.
class lender {
  public:
    virtual void release(std::uint64_t ticket) noexcept = 0;

  protected:
    ~lender() = default;
};

// Memory with a way back to its lender; moves, never copies.
class lent_memory {
  public:
    lent_memory() noexcept = default;
    lent_memory(lender* from, std::uint64_t ticket, std::span<std::byte> memory) noexcept
        : from_(from), ticket_(ticket), memory_(memory) {}
    lent_memory(lent_memory&& other) noexcept
        : from_(std::exchange(other.from_, nullptr)), ticket_(other.ticket_),
          memory_(std::exchange(other.memory_, {})) {}
    lent_memory& operator=(lent_memory&& other) noexcept {
        if (this != &other) {
            give_back();
            from_ = std::exchange(other.from_, nullptr);
            ticket_ = other.ticket_;
            memory_ = std::exchange(other.memory_, {});
        }
        return *this;
    }
    lent_memory(const lent_memory&) = delete;
    lent_memory& operator=(const lent_memory&) = delete;
    ~lent_memory() { give_back(); }

    void give_back() noexcept {
        if (lender* from = std::exchange(from_, nullptr)) from->release(ticket_);
        memory_ = {};
    }
    // The memory is no longer the holder's to give back (it was sent).
    void forget() noexcept {
        from_ = nullptr;
        memory_ = {};
    }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return memory_; }
    [[nodiscard]] const lender* from() const noexcept { return from_; }
    [[nodiscard]] std::uint64_t ticket() const noexcept { return ticket_; }
    void shrink(std::size_t size) noexcept { memory_ = memory_.first(size); }

  private:
    lender* from_ = nullptr;
    std::uint64_t ticket_ = 0;
    std::span<std::byte> memory_;
};

} // namespace detail

class message {
  public:
    message() noexcept = default;
    message(detail::lent_memory memory, std::uint64_t sequence, bool redelivered) noexcept
        : memory_(std::move(memory)), sequence_(sequence), redelivered_(redelivered) {}

    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return memory_.bytes(); }
    [[nodiscard]] std::size_t size() const noexcept { return memory_.bytes().size(); }
    [[nodiscard]] bool empty() const noexcept { return memory_.bytes().empty(); }
    [[nodiscard]] std::string_view text() const noexcept {
        const auto memory = memory_.bytes();
        return {reinterpret_cast<const char*>(memory.data()), memory.size()};
    }
    // A copy of the value, or invalid_argument if the size is not that of a T.
    template <typename T>
    [[nodiscard]] result<T> value_as() const {
        static_assert(std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>);
        if (size() != sizeof(T))
            return error{errc::invalid_argument, "value_as"}.because(
                "the message does not have the size of the type asked for");
        T value;
        std::memcpy(&value, memory_.bytes().data(), sizeof(T));
        return value;
    }

    // Its place in the mailbox's (order=total) or in its sender's (order=sender) order, from 0.
    [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
    // True if a receiver that died may have seen it before.
    [[nodiscard]] bool redelivered() const noexcept { return redelivered_; }

    // Gives the memory back now instead of at destruction.
    void release() noexcept { memory_.give_back(); }

  private:
    detail::lent_memory memory_;
    std::uint64_t sequence_ = 0;
    bool redelivered_ = false;
};

class loan {
  public:
    loan() noexcept = default;
    explicit loan(detail::lent_memory memory) noexcept : memory_(std::move(memory)) {}

    // To be written. Its content is whatever was there before.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return memory_.bytes(); }
    [[nodiscard]] std::size_t size() const noexcept { return memory_.bytes().size(); }
    // Sends fewer bytes than were asked for. size must not exceed size().
    void shrink(std::size_t size) noexcept {
        if (size < memory_.bytes().size()) memory_.shrink(size);
    }
    [[nodiscard]] detail::lent_memory& memory() noexcept { return memory_; }

  private:
    detail::lent_memory memory_;
};

} // namespace v1
} // namespace hawser
