// A received message, and a loan: memory of the mailbox itself, to be filled in place and sent
// without a copy.
//
// message
// - owns its bytes until it is destroyed; they are the mailbox's own memory where the transport can
//   (shm; with trust=none a copy that nobody else can change), so a message in use counts against
//   the receiver's `loans`. Destroying it is what tells the mailbox that it was processed.
// - Blocks: never. Allocates: never (the copy was made by receive, and goes with the message).
//   Threads: may be moved to another thread and released there; it keeps its end point's memory
//   alive, also past the receiver's destruction. Fork: a child must not use or destroy a message of
//   its parent (destroying it is harmless and does nothing). Signals: nothing special.
// - A crash before it is destroyed: it is delivered again, with redelivered() == true
//   (delivery=at_least_once).
//
// - What came along with the bytes (priority, type, who sent it, descriptors) is there where the
//   transport's capabilities say so. Descriptors that nobody takes are closed with the message.
//
// loan
// - the same rules; dropped without send() it goes back unsent. A crash before send(): as if it had
//   never been.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
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

// What goes along with a message besides its bytes. A transport that can't carry something that is
// set here says `unsupported`.
struct envelope {
    std::uint32_t priority = 0; // 0 to 32,767; higher first, in order within one (`priorities`)
    std::int64_t type = 0;      // from 1: System V's type, instead of a priority (`selection`)
    std::span<const int> descriptors = {}; // copies of these go along (`passes_fds`)

    [[nodiscard]] bool empty() const noexcept {
        return priority == 0 && type == 0 && descriptors.empty();
    }
};

// Who sent a message, by the kernel's word, in the receiver's namespaces.
struct credentials {
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;

    [[nodiscard]] bool operator==(const credentials&) const = default;
};

// Which message to receive (transports with `selection`).
struct selection {
    enum class rule : std::uint8_t {
        by_priority, // as receive() does
        in_order,    // the oldest, whatever its type
        exactly,     // the oldest of this type
        not_this,    // the oldest of any other type
        up_to,       // the lowest type that is not above this
    };
    rule by = rule::by_priority;
    std::int64_t type = 0;
};

namespace detail {

// What came along, kept by whoever lent the message's memory.
class accompaniment {
  public:
    std::uint32_t priority = 0;
    std::int64_t type = 0;
    bool has_sender = false;
    credentials sender;

    [[nodiscard]] virtual std::size_t descriptors() const noexcept { return 0; }
    virtual int take_descriptor(std::size_t /*index*/) noexcept { return -1; }

  protected:
    ~accompaniment() = default;
};

} // namespace detail

class message {
  public:
    message() noexcept = default;
    message(detail::lent_memory memory, std::uint64_t sequence, bool redelivered,
            detail::accompaniment* along = nullptr) noexcept
        : memory_(std::move(memory)), along_(along), sequence_(sequence),
          redelivered_(redelivered) {}

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

    // As it was sent; 0 where the transport has none, and after release(). On sysv-mq, whose types
    // stand for priorities, the one follows from the other: type = 32,768 - priority.
    [[nodiscard]] std::uint32_t priority() const noexcept { return along() ? along_->priority : 0; }
    [[nodiscard]] std::int64_t type() const noexcept { return along() ? along_->type : 0; }
    // Nothing where the transport does not tell (`peer_credentials`).
    [[nodiscard]] std::optional<credentials> sender() const noexcept {
        if (!along() || !along_->has_sender) return std::nullopt;
        return along_->sender;
    }
    // How many descriptors came along, and the one at index, which is the caller's from then on; it
    // is close-on-exec. -1 where there is none, or it was taken before.
    [[nodiscard]] std::size_t descriptors() const noexcept {
        return along() ? along_->descriptors() : 0;
    }
    [[nodiscard]] int take_descriptor(std::size_t index) noexcept {
        return along() ? along_->take_descriptor(index) : -1;
    }

    // Gives the memory back now instead of at destruction.
    void release() noexcept { memory_.give_back(); }

  private:
    [[nodiscard]] bool along() const noexcept {
        return along_ != nullptr && memory_.from() != nullptr;
    }

    detail::lent_memory memory_;
    detail::accompaniment* along_ = nullptr;
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
