// Cuts what comes from a file descriptor into messages, without a copy or an allocation for each.
//
// - Reads big blocks; a message is a view into the block, good until the next call.
// - Blocks: in read(2). A signal handler that sets the stop flag ends it with `stopped`.
// - Memory: a block, or the longest message, whichever is more; a message longer than `limit` is
//   refused before it is read as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tool {

enum class cut_at : std::uint8_t {
    newline, // the newline is no part of the message; a last line without one is a message too
    nul,     // the same with NUL bytes
    size,    // pieces of that many bytes; the last may be shorter
    end,     // all of it is one message
    frame,   // 8 bytes of length, little-endian, before each message
};

class message_input {
  public:
    enum class outcome : std::uint8_t {
        message,
        end,
        stopped,  // by a signal
        failed,   // read(2) failed: sys() is its errno
        too_long, // the message is longer than the limit
        torn,     // the input ends within a frame
    };

    // As much as a pipe can hold at the default limit of its size.
    static constexpr std::size_t usual_block_bytes = std::size_t{1} << 20;

    // The descriptor stays the caller's. size is for cut_at::size only. Blocks begin that large.
    message_input(int fd, cut_at where, std::uint64_t size, std::uint64_t limit,
                  std::size_t block_bytes = usual_block_bytes);

    // On `message`, bytes() is the next one.
    outcome next();
    [[nodiscard]] std::string_view bytes() const noexcept { return message_; }
    [[nodiscard]] int sys() const noexcept { return sys_; }

  private:
    enum class cut : std::uint8_t { done, more, too_long };

    [[nodiscard]] std::string_view unread() const noexcept {
        return {block_.data() + begin_, end_ - begin_};
    }
    cut take();
    cut take_delimited(char delimiter);
    cut take_sized(std::uint64_t size, std::size_t header);
    cut take_frame();
    outcome take_rest();
    outcome fill();

    int fd_;
    cut_at where_;
    std::uint64_t size_;
    std::uint64_t limit_;
    std::vector<char> block_;
    std::size_t begin_ = 0;   // of what is not yet cut
    std::size_t end_ = 0;     // of what is read
    std::size_t scanned_ = 0; // of that, how much is known to hold no delimiter
    bool at_end_ = false;
    bool whole_done_ = false;
    int sys_ = 0;
    std::string_view message_;
};

} // namespace tool
