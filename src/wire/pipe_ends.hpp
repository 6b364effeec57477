// Frames on a pipe or a FIFO, and the settings that these have.
//
// - Blocks: never. Allocates: for large messages. Threads: one at a time.
// - In packets (os::set_packets) each message is one write that is never mixed with others and one
//   read that is never a part of one: then there may be many writers and many readers.
#pragma once

#include <functional>

#include "os/pipe.hpp"
#include "wire/frame.hpp"

namespace hawser::wire {

inline constexpr std::size_t largest_in_packet = os::whole_write_bytes - frame_extra_bytes;

// Called with the descriptor before it is closed (-1 in a fork child, which has none).
using before_close = std::function<void(int fd)>;

// Which of the settings can be changed.
enum class pipe_naming : std::uint8_t { anonymous, in_file_system };

class pipe_writer final : public writer {
  public:
    pipe_writer(os::stream to, pipe_naming naming, before_close leaving = {});
    ~pipe_writer() override;

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override;
    void abandon() noexcept override { frames_.abandon(); }
    [[nodiscard]] waiting_point room() const noexcept override { return frames_.room(); }
    [[nodiscard]] std::uint64_t at_once_bytes() const noexcept override;
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override;

  private:
    frame_writer frames_;
    before_close leaving_;
    pipe_naming naming_;
};

class pipe_reader final : public reader {
  public:
    pipe_reader(os::stream from, std::uint64_t max_message, pipe_naming naming,
                before_close leaving = {});
    ~pipe_reader() override;

    result<void> try_read(received& into, const selection& which) override;
    [[nodiscard]] waiting_point arrival() const noexcept override { return frames_.arrival(); }
    [[nodiscard]] bool has_more() const noexcept override { return frames_.has_more(); }
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override;

  private:
    frame_reader frames_;
    before_close leaving_;
    std::uint64_t max_message_;
    pipe_naming naming_;
};

result<hawser::attributes> pipe_attributes(int fd, pipe_naming naming);
// max_memory is its capacity in bytes; a FIFO has mode and group besides. Errors: unsupported
// (another option) · permission (the limit, with the sysctl) · would_block (too full to shrink).
result<void> change_pipe(int fd, const options& wanted, pipe_naming naming);
// Only the capacity, where it is given.
result<void> set_capacity(int fd, const options& wanted);

} // namespace hawser::wire
