// Messages on their way to stdout, and when each of them counts as received.
//
// - release_when::written (the rule): a message is released only after write(2) took its last byte.
//   Until then it is held, so at most `loans` messages go into one write, and a crash in between
//   means that they come again to another receiver.
// - release_when::taken: a message is copied and released at once. One write for a megabyte; what
//   is in the buffer at a crash is lost.
// - Blocks: in write(2), also on a descriptor that is non-blocking. Allocates: its buffer.
// - A closed pipe ends the process as SIGPIPE does, and any other failed write ends it with its
//   error: in both cases without releasing what was not written, but having left the address, so
//   that nothing dead stays there unless such a message does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <hawser/message.hpp>

#include "context.hpp"

namespace tool {

enum class release_when : std::uint8_t { written, taken };

enum class format : std::uint8_t {
    raw,      // the bytes and nothing else
    text,     // the bytes and a newline
    nul,      // the bytes and a NUL
    frame,    // 8 bytes of length, little-endian, and the bytes
    quoted,   // "a C string\x0a"
    hex,      // 68656c6c6f
    json,     // one object a line
    terminal, // text for people: control characters shown as \xNN
};

class message_output {
  public:
    // leave: closes the end that the messages come from, before the process is ended.
    message_output(const context& here, format as, release_when when, std::function<void()> leave);

    // Takes the message over; may write.
    void add(hawser::message&& taken);
    // Writes all, and releases all.
    void flush();

    // Ends the process, as a write would, when the reader of the pipe has gone. For quiet times, in
    // which there is nothing to write: `hawser receive A | head -n 1` is to end after its line.
    void notice_lost_reader();

    // Messages that wait for the next flush to be released.
    [[nodiscard]] std::size_t held() const noexcept { return held_.size(); }

  private:
    struct held_message {
        hawser::message taken;
        std::size_t end; // of its bytes in the buffer
    };

    void put(const hawser::message& taken);
    void put_json(const hawser::message& taken);
    void put_large(hawser::message&& taken);
    void write_all(std::string_view bytes);
    [[noreturn]] void give_up(int sys);

    const context& here_;
    format as_;
    release_when when_;
    std::function<void()> leave_;
    std::string buffer_;
    std::vector<held_message> held_;
};

} // namespace tool
