// Messages on a stream of bytes. docs/formats/frame.md describes each byte.
//
//     'h' 'w' version descriptors length(4, little-endian) | length bytes | mark
//
// - A frame is at most 256 KiB; a larger message goes in several. The mark after a frame's bytes
//   says what becomes of them: the message ends here, goes on in the next frame, or is void –
//   so a send that gives up in the middle of a frame can finish the frame and take the message
//   back.
// - What a peer announces is checked before anything is allocated, and memory grows only with what
//   has come. Bytes that are no frame are `corrupt`.
// - Descriptors travel with the first byte of their message's first frame, which announces how
//   many. Fewer than announced are `corrupt`; those that no frame announces are closed.
// - Blocks: never. Allocates: for large messages. Threads: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "os/stream.hpp"
#include "wire/ends.hpp"

namespace hawser::wire {

inline constexpr std::size_t frame_header_bytes = 8;
inline constexpr std::size_t frame_extra_bytes = frame_header_bytes + 1; // with the mark
inline constexpr std::size_t longest_frame = 256UL * 1024;               // its message bytes
inline constexpr std::uint8_t frame_version = 1;

enum class frame_mark : std::uint8_t { end = 1, more = 2, is_void = 3 };

struct frame_header {
    std::uint8_t descriptors = 0; // that belong to this message; in its first frame only
    std::uint32_t length = 0;
};

std::array<std::byte, frame_header_bytes> encode(const frame_header& header) noexcept;
// Nothing if it is no header of this version, or announces more than a frame may have.
std::optional<frame_header> decode(std::span<const std::byte, frame_header_bytes> bytes) noexcept;

// What a facility does at the end of its stream.
enum class at_eof : std::uint8_t {
    ends,    // nothing comes after it
    reopens, // a FIFO: another writer may come, so after garbage the next frame may be good again
};

class frame_writer final : public writer {
  public:
    // On a socket it says hello – an empty void frame – so that the other side knows a sender from
    // a stranger who connects; as soon as there is room.
    explicit frame_writer(os::stream to);

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override;
    [[nodiscard]] bool is_lost() const noexcept override { return lost_; }
    void abandon() noexcept override;
    [[nodiscard]] waiting_point room() const noexcept override;
    [[nodiscard]] os::stream& stream() noexcept { return to_; }

  private:
    result<void> write_frame(std::span<const std::byte> payload, bool last,
                             std::span<const int> descriptors);
    result<void> flush_owed();

    os::stream to_;
    std::size_t frames_done_bytes_ = 0;  // of the message, in frames that are wholly written
    std::size_t frame_written_ = 0;      // of the current frame, header and mark included
    std::span<const std::byte> current_; // the message that would_block refused
    std::vector<std::byte> owed_;        // the rest of a frame whose message was abandoned
    std::size_t owed_written_ = 0;
    bool lost_ = false; // the hello found nobody
};

class frame_reader final : public reader {
  public:
    frame_reader(os::stream from, std::uint64_t max_message, at_eof eof,
                 std::optional<credentials> peer = std::nullopt);

    result<void> try_read(received& into, const selection& which) override;
    [[nodiscard]] waiting_point arrival() const noexcept override;
    [[nodiscard]] bool has_more() const noexcept override;
    [[nodiscard]] bool heard() const noexcept override { return heard_; }
    [[nodiscard]] os::stream& stream() noexcept { return from_; }

  private:
    enum class step : std::uint8_t { need_bytes, message, corrupt, too_big, descriptors_cut };

    step parse(received& into);
    step begin_frame();
    step take_payload();
    step take_mark(received& into);
    result<void> fill();
    result<void> at_end();
    result<void> give_up(errc code, std::string_view why);
    void forget_message() noexcept;
    void drop_unannounced() noexcept;
    [[nodiscard]] std::span<const std::byte> buffered() const noexcept {
        return std::span(buffer_).subspan(begin_, end_ - begin_);
    }

    os::stream from_;
    std::vector<std::byte> buffer_; // bytes read and not looked at yet: begin_ … end_
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    byte_buffer message_;               // its bytes so far
    os::passed_descriptors passed_;     // that came, for the frame whose header comes next
    os::passed_descriptors mine_;       // of the message that is being read
    std::optional<frame_header> frame_; // the current one
    std::size_t frame_read_ = 0;        // of its bytes
    std::uint64_t max_message_;
    std::uint64_t sequence_ = 0;
    std::optional<credentials> peer_;
    at_eof eof_;
    bool skipping_ = false;   // the message is larger than max_message, or lacks descriptors
    bool continued_ = false;  // the frame is not its message's first
    bool passed_cut_ = false; // not all of passed_ could be taken
    bool message_cut_ = false;
    bool heard_ = false; // a frame has begun
    bool broken_ = false;
};

// The error of a message whose descriptors could not be taken: this process has too many.
error descriptors_cut(const char* operation);

// The error of a stream that failed with errno sys: closed, peer_died, or what the errno says.
error stream_failure(const char* operation, int sys);

} // namespace hawser::wire
