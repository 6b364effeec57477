// Many senders, each on a connection of its own, read as one: the receiving side of the socket
// transports that have connections.
//
// - Blocks: never. Allocates: for each connection. Threads: one at a time.
// - Fair: connections take turns, those with something in the kernel at least every 32 messages.
// - The end of the stream is the end of the last connection that was a sender's; a new one opens it
//   again. A stranger who connects and says nothing begins nothing and ends nothing. A connection
//   that breaks, or whose bytes are no messages, is dropped and reported once; the others go on.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "wire/ends.hpp"

namespace hawser::wire {

// Takes one connection that waits. Error would_block: none does.
using acceptor = std::function<result<std::unique_ptr<reader>>()>;

class crowd final : public reader {
  public:
    // listening_fd is readable when accept has something to take; accept owns it.
    static result<std::unique_ptr<reader>> make(int listening_fd, acceptor accept);

    result<void> try_read(received& into, const selection& which) override;
    [[nodiscard]] waiting_point arrival() const noexcept override;
    [[nodiscard]] bool has_more() const noexcept override;

    crowd(os::poll_set polled, int listening_fd, acceptor accept) noexcept;

  private:
    using token = std::uint64_t;
    static constexpr token listening = 0;

    result<void> read_buffered(received& into, const selection& which);
    result<void> read_ready(received& into, const selection& which);
    void watch_the_unwatched();
    result<void> accept_all();
    result<void> pause(const error& why);
    result<void> read_from(token which, received& into, const selection& how);

    os::poll_set polled_;
    acceptor accept_;
    std::map<token, std::unique_ptr<reader>> members_;
    std::vector<token> unwatched_; // members that are not in polled_
    std::deque<token> with_more_;  // members that have read further than they have given
    token next_ = listening + 1;
    unsigned since_look_ = 0;
    int listening_fd_;
    bool had_members_ = false; // that were senders
    bool paused_ = false;      // no descriptor was left for a connection that waits
};

} // namespace hawser::wire
