// The two end points over a facility of the kernel. A transport writes a reader and a writer, which
// never block; what the contract promises besides – waiting, deadlines, full policies, loans,
// counters, fork – is here, once.
//
// - Blocks: send and receive as their deadlines say; nothing else.
// - Allocates: opening, and messages larger than those before (message_pool.hpp).
// - Threads: one at a time for each end point. Fork: in a child every call is invalid_argument, and
//   destruction closes nothing of the parent's.
// - Signals: a handler that runs while a call sleeps ends it with `interrupted`.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "core/transport.hpp"
#include "os/poll.hpp"
#include "wire/message_pool.hpp"

namespace hawser::wire {

// What a message may have where neither the facility nor the user says less: as on shm.
inline constexpr std::uint64_t default_max_message = 16ULL << 20U;

// Where a call waits that would block: for events on a descriptor, and looking again after a while
// where no event would come. Without a descriptor (-1) it only looks again.
struct waiting_point {
    int fd = -1;
    short events = 0;
    std::int64_t look_again_ns = 0; // 0: never
};

// A facility that takes messages. Never blocks.
class writer {
  public:
    virtual ~writer() = default;

    // Takes the whole message, or says would_block; then it is called again with the same message
    // until that is taken, fails, or is abandoned. What part of it a stream has had by then is its
    // own affair: the other side gets a whole message or none.
    // Errors: would_block · closed (nobody receives there any more) · peer_died (reset) ·
    // not_found (the connection did not come about: nobody is there) · too_big · unsupported
    // (with) · …
    virtual result<void> try_write(std::span<const std::byte> bytes, const envelope& with) = 0;
    // The connection was lost as soon as it was made: another one has to be made.
    [[nodiscard]] virtual bool is_lost() const noexcept { return false; }
    // The message that would_block refused is not tried again.
    virtual void abandon() noexcept {}
    // Waits in the kernel for room where there is no descriptor to wait on, and takes the message.
    // After try_write said would_block, and only for deadline::never(). Nothing: it has no such
    // call.
    virtual std::optional<result<void>> write_blocking(std::span<const std::byte> /*bytes*/,
                                                       const envelope& /*with*/) {
        return std::nullopt;
    }
    // Where to wait for room.
    [[nodiscard]] virtual waiting_point room() const noexcept = 0;
    // What try_write can take in one go from an empty facility.
    [[nodiscard]] virtual std::uint64_t at_once_bytes() const noexcept {
        return std::numeric_limits<std::uint64_t>::max();
    }
    // A sentence on how to raise the largest message, for too_big; "" where it is only the option.
    [[nodiscard]] virtual std::string_view to_raise_the_limit() const noexcept { return {}; }
    virtual result<hawser::attributes> attributes();
    virtual result<void> change(const options& wanted);
};

// A facility that gives messages. Never blocks.
class reader {
  public:
    virtual ~reader() = default;

    // One whole message, with all that came along. into is cleared; after an error what is in it
    // does not matter. Errors: would_block · closed (the end; may be over later) · peer_died · …
    virtual result<void> try_read(received& into, const selection& which) = 0;
    // Where to wait for a message. Its descriptor must not change.
    [[nodiscard]] virtual waiting_point arrival() const noexcept = 0;
    // Whether try_read has something to say that the descriptor does not know of: a message that
    // was read already, an end that was seen. Called after try_read.
    [[nodiscard]] virtual bool has_more() const noexcept { return false; }
    // Waits in the kernel for one message where there is no descriptor to wait on. Only for
    // deadline::never(). Nothing: it has no such call.
    virtual std::optional<result<void>> read_blocking(received& /*into*/,
                                                      const selection& /*which*/) {
        return std::nullopt;
    }
    // Whether somebody who sends is known to be, or have been, there: a stranger who connects and
    // says nothing is no sender.
    [[nodiscard]] virtual bool heard() const noexcept { return true; }
    // Messages that came and had no room, and are gone (stats::dropped).
    [[nodiscard]] virtual std::uint64_t dropped() const noexcept { return 0; }
    virtual result<void> notify(const notification& how);
    virtual result<void> stop_notifying();
    virtual result<hawser::attributes> attributes();
    virtual result<void> change(const options& wanted);
};

// Makes the connection again that a sender needs. Error would_block: nobody is there, try later.
using connector = std::function<result<std::unique_ptr<writer>>()>;

class sender_end final : public hawser::detail::sending_end {
  public:
    // to may be empty if there is a connector, which is asked again and again, also after the
    // connection is lost. Without one, what is lost stays lost. max_message: of the facility; the
    // option may lower it.
    static result<std::unique_ptr<hawser::detail::sending_end>> make(std::unique_ptr<writer> to,
                                                                     const options& wanted,
                                                                     std::uint64_t max_message,
                                                                     connector again = {});

    result<sent> send(std::span<const std::byte> bytes, deadline until) override;
    result<sent> send_with(std::span<const std::byte> bytes, const envelope& with,
                           deadline until) override;
    result<loan> loan_for(std::size_t size, deadline until) override;
    result<sent> send(loan& filled, deadline until) override;
    result<int> fd() override;
    [[nodiscard]] short fd_events() const noexcept override;
    [[nodiscard]] hawser::stats stats() const noexcept override { return counters_; }
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override;

    sender_end(std::unique_ptr<writer> to, const options& wanted, std::uint64_t max_message,
               connector again);

  private:
    result<void> admit(const char* operation) const;
    result<void> check_size(std::size_t size, deadline until) const;
    result<void> pass_on(std::span<const std::byte> bytes, const envelope& with, deadline until);
    result<void> attempt(std::span<const std::byte> bytes, const envelope& with);
    result<void> connected();
    void disconnect();
    result<void> watch();
    [[nodiscard]] waiting_point room() const noexcept;

    std::unique_ptr<writer> to_;
    connector again_;
    message_pool_handle loans_;
    hawser::stats counters_;
    std::optional<os::poll_set> polled_; // with a connector, once fd() was asked for
    std::optional<os::ticker> ticker_;
    std::uint64_t max_message_;
    full_policy full_;
    wait_mode wait_;
    unsigned born_;
};

class receiver_end final : public hawser::detail::receiving_end {
  public:
    static result<std::unique_ptr<hawser::detail::receiving_end>> make(std::unique_ptr<reader> from,
                                                                       const options& wanted);

    result<message> receive(deadline until) override;
    result<message> receive_selected(const selection& which, deadline until) override;
    result<int> fd() override;
    [[nodiscard]] short fd_events() const noexcept override;
    [[nodiscard]] hawser::stats stats() const noexcept override;
    result<void> notify(const notification& how) override;
    result<void> stop_notifying() override;
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override;

    receiver_end(std::unique_ptr<reader> from, const options& wanted);

  private:
    result<void> admit(const char* operation) const;
    result<void> take(received& into, const selection& which, deadline until);

    message_pool_handle messages_;
    hawser::stats counters_;
    std::optional<os::poll_set> polled_; // once fd() was asked for
    std::optional<os::flag> more_;
    wait_mode wait_;
    unsigned born_;
    // Goes first: it may have a thread that calls back and receives (notify).
    std::unique_ptr<reader> from_;
};

// The options of either end that a facility without capacity, geometry or owner of its own ignores
// in silence would be lies: refuses those that are set and not in `taken`.
result<void> refuse_others(const options& wanted, std::span<const std::string_view> taken,
                           std::string_view scheme);

} // namespace hawser::wire
