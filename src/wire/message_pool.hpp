// The messages that one end point has in use at a time, where a facility of the kernel copies them
// into this process: `loans` of them, whose memory is used again and again.
//
// - Blocks: never longer than another thread takes to release a message. Allocates: when a message
//   is larger than what its place has had so far.
// - Threads: a message may be released in any thread; everything else in the end point's.
// - Fork: in a child every call does nothing (the messages are the parent's).
// - It outlives its end point until the last message is released: retire(), not delete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include <hawser/message.hpp>

#include "os/stream.hpp"

namespace hawser::wire {

// Bytes that grow without being cleared first.
class byte_buffer {
  public:
    [[nodiscard]] std::span<std::byte> bytes() noexcept { return {memory_.get(), size_}; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    // Keeps what is there, as far as it fits.
    void resize(std::size_t size);
    void append(std::span<const std::byte> more);
    void clear() noexcept { size_ = 0; }
    // Gives memory back that is more than most messages need.
    void trim() noexcept;

  private:
    std::unique_ptr<std::byte[]> memory_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

// A place for one received message, with what came along.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, as accompaniment intends
class received final : public hawser::detail::accompaniment {
  public:
    byte_buffer bytes;
    os::passed_descriptors passed;
    std::uint64_t sequence = 0;

    [[nodiscard]] std::size_t descriptors() const noexcept override { return passed.size(); }
    int take_descriptor(std::size_t index) noexcept override {
        return index < passed.size() ? passed.release(index) : -1;
    }
    // As if nothing had come.
    void clear() noexcept;

  private:
    friend class message_pool;
    bool in_use_ = false;
};

// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor): final, as lender intends
class message_pool final : public hawser::detail::lender {
  public:
    explicit message_pool(std::uint32_t places);

    [[nodiscard]] std::size_t places() const noexcept { return places_.size(); }
    // A free place, cleared; nullptr when all are in use.
    received* claim() noexcept;
    // Back, unused.
    void give_back(received& place) noexcept;
    // The memory of a claimed place, released by whoever has it.
    [[nodiscard]] hawser::detail::lent_memory lend(received& place) noexcept;
    void release(std::uint64_t ticket) noexcept override;

    // The end point goes; the pool goes with the last message.
    void retire() noexcept;

  private:
    void free(received& place) noexcept;

    std::mutex mutex_;
    std::vector<received> places_;
    std::size_t used_ = 0;
    unsigned born_; // fork generation
    bool retired_ = false;
};

struct retire_pool {
    void operator()(message_pool* pool) const noexcept { pool->retire(); }
};
using message_pool_handle = std::unique_ptr<message_pool, retire_pool>;

} // namespace hawser::wire
