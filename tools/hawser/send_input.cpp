#include "send_input.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "terminal/signals.hpp"

namespace tool {
namespace {

constexpr std::size_t frame_header = 8;

std::uint64_t read_little_endian(std::string_view bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = frame_header; i-- > 0;)
        value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

} // namespace

message_input::message_input(int fd, cut_at where, std::uint64_t size, std::uint64_t limit,
                             std::size_t block_bytes)
    : fd_(fd), where_(where), size_(size), limit_(limit), block_(block_bytes) {}

message_input::outcome message_input::next() {
    for (;;) {
        const cut got = take();
        if (got == cut::done) return outcome::message;
        if (got == cut::too_long) return outcome::too_long;
        if (at_end_) return take_rest();
        const outcome filled = fill();
        if (filled != outcome::message) return filled;
    }
}

message_input::cut message_input::take() {
    switch (where_) {
    case cut_at::newline:
        return take_delimited('\n');
    case cut_at::nul:
        return take_delimited('\0');
    case cut_at::size:
        return take_sized(size_, 0);
    case cut_at::frame:
        return take_frame();
    case cut_at::end:
        break;
    }
    return unread().size() > limit_ ? cut::too_long : cut::more;
}

message_input::cut message_input::take_delimited(char delimiter) {
    const std::string_view have = unread();
    const void* const found =
        std::memchr(have.data() + scanned_, delimiter, have.size() - scanned_);
    if (found == nullptr) {
        scanned_ = have.size();
        return have.size() > limit_ ? cut::too_long : cut::more;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - have.data());
    if (length > limit_) return cut::too_long;
    message_ = have.substr(0, length);
    begin_ += length + 1;
    scanned_ = 0;
    return cut::done;
}

message_input::cut message_input::take_sized(std::uint64_t size, std::size_t header) {
    if (size > limit_) return cut::too_long;
    const std::string_view have = unread();
    if (have.size() - header < size) return cut::more;
    message_ = have.substr(header, size);
    begin_ += header + size;
    return cut::done;
}

message_input::cut message_input::take_frame() {
    const std::string_view have = unread();
    if (have.size() < frame_header) return cut::more;
    return take_sized(read_little_endian(have), frame_header);
}

// The input is at its end, and what is left holds no whole message.
message_input::outcome message_input::take_rest() {
    const std::string_view left = unread();
    const bool is_message = where_ == cut_at::end ? !whole_done_ : !left.empty();
    if (!is_message) return outcome::end;
    if (where_ == cut_at::frame) return outcome::torn;
    whole_done_ = true;
    message_ = left;
    begin_ = end_;
    scanned_ = 0;
    return outcome::message;
}

// Reads more behind what is left; `message` means that there is more to cut, or the end.
message_input::outcome message_input::fill() {
    if (begin_ > 0) {
        std::memmove(block_.data(), block_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == block_.size()) block_.resize(block_.size() * 2);
    for (;;) {
        if (stop_signal() != 0) return outcome::stopped;
        const ssize_t got = read(fd_, block_.data() + end_, block_.size() - end_);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            sys_ = errno;
            return outcome::failed;
        }
        at_end_ = got == 0;
        end_ += static_cast<std::size_t>(got);
        return outcome::message;
    }
}

} // namespace tool
