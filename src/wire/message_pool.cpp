#include "wire/message_pool.hpp"

#include <algorithm>
#include <cstring>

#include "os/process.hpp"

namespace hawser::wire {

namespace {

// What a place keeps between messages; a larger message gives its memory back.
constexpr std::size_t kept_bytes = 256UL * 1024;

} // namespace

void byte_buffer::resize(std::size_t size) {
    if (size > capacity_) {
        // Doubling, so that a message that grows frame by frame is copied a few times only.
        const std::size_t capacity = std::max(size, capacity_ * 2);
        auto memory = std::make_unique_for_overwrite<std::byte[]>(capacity);
        if (size_ > 0) std::memcpy(memory.get(), memory_.get(), size_);
        memory_ = std::move(memory);
        capacity_ = capacity;
    }
    size_ = size;
}

void byte_buffer::append(std::span<const std::byte> more) {
    if (more.empty()) return;
    const std::size_t old = size_;
    resize(old + more.size());
    std::memcpy(memory_.get() + old, more.data(), more.size());
}

void byte_buffer::trim() noexcept {
    if (capacity_ <= kept_bytes) return;
    memory_.reset();
    size_ = capacity_ = 0;
}

void received::clear() noexcept {
    bytes.clear();
    passed.close_all();
    sequence = 0;
    priority = 0;
    type = 0;
    has_sender = false;
}

message_pool::message_pool(std::uint32_t places) : places_(places), born_(os::fork_generation()) {}

received* message_pool::claim() noexcept {
    const std::lock_guard hold(mutex_);
    const auto found =
        std::ranges::find_if(places_, [](const received& one) { return !one.in_use_; });
    if (found == places_.end()) return nullptr;
    found->in_use_ = true;
    ++used_;
    return &*found;
}

void message_pool::free(received& place) noexcept {
    place.clear();
    place.bytes.trim();
    place.in_use_ = false;
    --used_;
}

void message_pool::give_back(received& place) noexcept {
    const std::lock_guard hold(mutex_);
    free(place);
}

hawser::detail::lent_memory message_pool::lend(received& place) noexcept {
    return {this, static_cast<std::uint64_t>(&place - places_.data()), place.bytes.bytes()};
}

void message_pool::release(std::uint64_t ticket) noexcept {
    if (os::fork_generation() != born_) return;
    bool last = false;
    {
        const std::lock_guard hold(mutex_);
        free(places_[ticket]);
        last = retired_ && used_ == 0;
    }
    if (last) delete this;
}

void message_pool::retire() noexcept {
    if (os::fork_generation() != born_) return;
    bool last = false;
    {
        const std::lock_guard hold(mutex_);
        retired_ = true;
        last = used_ == 0;
    }
    if (last) delete this;
}

} // namespace hawser::wire
