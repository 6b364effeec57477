// A received message's own copy, for mailboxes whose participants are not trusted: they could
// change the mailbox's memory while the message is read.
//
// - The original stays taken until the copy is destroyed, so what a killed receiver had comes again
//   to another one, as everywhere. So there are never more copies than `loans`, of at most
//   max_message bytes each.
// - Blocks: never. Allocates: of(), the copy. Threads: destroyed in any. Fork: in a child only the
//   copy goes. Signals: nothing special.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include <hawser/message.hpp>

#include "segment/accessor.hpp"

namespace hawser::shm {

class copied final : public hawser::detail::lender {
  public:
    // Takes the original over, and lends the copy instead. Without memory for it the original is as
    // it was, and false is returned.
    static bool replace(hawser::detail::lent_memory& original) noexcept {
        const std::span<const std::byte> from = original.bytes();
        void* const place = ::operator new(sizeof(copied) + from.size(), std::nothrow);
        if (place == nullptr) return false;
        auto* const bytes = static_cast<std::byte*>(place) + sizeof(copied);
        segment::copy_out({bytes, from.size()}, from);
        auto* const made = ::new (place) copied(std::move(original));
        original = {made, 0, {bytes, from.size()}};
        return true;
    }

    void release(std::uint64_t /*ticket*/) noexcept override {
        this->~copied();
        ::operator delete(static_cast<void*>(this));
    }

  private:
    explicit copied(hawser::detail::lent_memory original) noexcept
        : original_(std::move(original)) {}
    ~copied() = default;

    hawser::detail::lent_memory original_;
};

} // namespace hawser::shm
