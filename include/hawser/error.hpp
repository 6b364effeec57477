// What went wrong, as data: a canonical code, the errno behind it, the operation, the address, and
// a sentence that says why and what to do next.
//
// - Blocks: never. Allocates: only describe(). An error is a plain value of fixed size.
// - Threads: a value like any other. Fork, signals: nothing special.
// - Errors are ordinary results of calls (see result.hpp); the only exception that leaves hawser is
//   hawser::exception, thrown by result::value() because the caller asked for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include <hawser/version.hpp>

namespace hawser {
inline namespace v1 {

// The canonical codes. Each tells a caller what it can do next; the errno only tells why.
enum class errc : std::uint8_t {
    would_block = 1, // non-blocking: nothing to receive, or no room to send. Try again later.
    timed_out, // the time given is over; nothing was sent or received. Of open: who would have to
               // answer or make way is stopped.
    closed,    // end of stream: every sender has gone and nothing is left; or the end point was
               // closed.
    not_found, // no such mailbox, and none was to be created.
    already_exists, // it exists although it was to be created, or exists with another geometry.
    permission,     // the file mode or the owner forbids it.
    too_big,        // the message is larger than max_message; of open with trust=none: the mailbox
                    // is larger than what was agreed to.
    no_space,  // no memory, no participant slot, no chunk in the hand: a limit that can be raised.
    peer_died, // the other side died, and the caller had asked to be told.
    corrupt,   // the shared state breaks an invariant: not a mailbox, cut short, or scribbled on.
    unsupported,      // this transport, version or option can't do it.
    invalid_argument, // the call itself is wrong: bad address, option out of range, used after
                      // fork.
    interrupted,      // a signal handler ran while the call slept; nothing was sent or received.
    system,           // any other failure of a system call; see sys().
};

// "would_block", "timed_out", … – the spelling used in documents and in JSON.
[[nodiscard]] std::string_view name_of(errc code) noexcept;

// Text with a place of its own: no allocation, cut at Capacity bytes. Copies only what is used.
template <std::size_t Capacity>
class short_text {
  public:
    short_text() noexcept = default;
    explicit short_text(std::string_view text) noexcept { assign(text); }
    short_text(const short_text& other) noexcept { assign(other.view()); }
    short_text& operator=(const short_text& other) noexcept {
        if (this != &other) assign(other.view());
        return *this;
    }
    ~short_text() = default;

    void assign(std::string_view text) noexcept {
        length_ = static_cast<std::uint16_t>(text.size() < Capacity ? text.size() : Capacity);
        for (std::size_t i = 0; i < length_; ++i) text_[i] = text[i];
    }
    [[nodiscard]] std::string_view view() const noexcept { return {text_, length_}; }
    [[nodiscard]] bool empty() const noexcept { return length_ == 0; }

  private:
    std::uint16_t length_ = 0;
    char text_[Capacity]; // only the first length_ bytes mean anything
};

class [[nodiscard]] error {
  public:
    // operation must be a string literal such as "send"; it is kept as a pointer.
    error(errc code, const char* operation, int sys = 0) noexcept
        : operation_(operation), sys_(sys), code_(code) {}

    error& at(std::string_view address) noexcept {
        address_.assign(address);
        return *this;
    }
    // One or two sentences: why, and what to do next. Cut at 384 bytes.
    error& because(std::string_view detail) noexcept {
        detail_.assign(detail);
        return *this;
    }

    [[nodiscard]] errc code() const noexcept { return code_; }
    [[nodiscard]] int sys() const noexcept { return sys_; } // errno, 0 where there is none
    [[nodiscard]] std::string_view operation() const noexcept { return operation_; }
    [[nodiscard]] std::string_view address() const noexcept { return address_.view(); }
    [[nodiscard]] std::string_view detail() const noexcept { return detail_.view(); }

    // "send shm:orders: too_big: the message has 9000 bytes, max_message is 4096. …"  Allocates.
    [[nodiscard]] std::string describe() const;

  private:
    const char* operation_;
    int sys_;
    errc code_;
    short_text<160> address_;
    short_text<384> detail_;
};

// Thrown by result::value() when there is none.
class exception : public std::exception {
  public:
    explicit exception(const error& why) : why_(why), text_(why.describe()) {}
    [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }
    [[nodiscard]] const error& why() const noexcept { return why_; }
    [[nodiscard]] errc code() const noexcept { return why_.code(); }

  private:
    error why_;
    std::string text_;
};

// Throws exception(why); where exceptions are off, prints it and aborts.
[[noreturn]] void throw_error(const error& why);

} // namespace v1
} // namespace hawser
