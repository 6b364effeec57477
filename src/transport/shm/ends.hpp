// The two ends of a shared-memory mailbox behind the contract. See README.md here, and
// docs/design/mailbox-protocol.md.
#pragma once

#include <memory>
#include <vector>

#include "core/transport.hpp"
#include "segment/participant.hpp"
#include "sync/spinner.hpp"
#include "transport/shm/doorbell.hpp"
#include "transport/shm/waiting.hpp"

namespace hawser::shm {

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted);
result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted);

// Gives a participant up when its end point goes. What it lent keeps it alive (participant.hpp).
struct retire_participant {
    void operator()(segment::participant* self) const noexcept { self->retire(); }
};
using participant_handle = std::unique_ptr<segment::participant, retire_participant>;

// Whether a call may go on; if not, admit() says why.
[[nodiscard]] inline bool may_go_on(const segment::participant& self, bool poisoned) noexcept {
    return self.usable() && !self.removed() && !poisoned;
}
// What both ends refuse before they do anything. has_value() if the call may go on.
result<void> admit(const segment::participant& self, bool poisoned, const char* operation) noexcept;
error poison(bool& poisoned, const char* operation) noexcept;
// For who has seen it removed and must not look whether it is: it may seem to be there now.
error was_removed(const segment::participant& self, const char* operation) noexcept;

class sender_end final : public hawser::detail::sending_end {
  public:
    sender_end(participant_handle self, const options& wanted) noexcept;

    result<sent> send(std::span<const std::byte> bytes, deadline until) override;
    result<loan> loan_for(std::size_t size, deadline until) override;
    result<sent> send(loan& filled, deadline until) override;
    result<int> fd() override;
    [[nodiscard]] short fd_events() const noexcept override;
    [[nodiscard]] hawser::stats stats() const noexcept override { return self_->stats(); }

  private:
    // A claimed hand entry with room for size bytes; drops says how many messages made way.
    struct room {
        std::uint32_t hand = 0;
        std::span<std::byte> bytes;
        std::uint64_t drops = 0;
        bool stored = true; // false: full=drop_newest, and there is no room
    };
    result<sent> send_with_room(std::span<const std::byte> bytes, deadline until);
    result<sent> send_in(const room& found, std::span<const std::byte> bytes, deadline until);
    result<room> find_room(std::size_t size, deadline until, const char* operation);
    result<bool> wait_for_memory(room& found, std::size_t size, deadline until);
    result<sent> commit(std::uint32_t hand, std::size_t size, std::uint64_t drops, deadline until);
    result<sent> commit_when_full(std::uint32_t hand, std::size_t size, std::uint64_t drops,
                                  deadline until);
    result<sent> make_way(std::uint32_t hand, std::size_t size, std::uint64_t drops,
                          deadline until);
    result<sent> committed(std::size_t size, std::uint64_t drops, const sync::exchanged& done);
    enum class dropped : std::uint8_t { one, nothing, no_spare };
    dropped drop_oldest();
    [[nodiscard]] error no_spare(const char* operation) const;
    void after_call() {
        if (bell_.in_use()) [[unlikely]]
            answer_bell();
    }
    void answer_bell();

    participant_handle self_;
    full_policy full_;
    wait_mode wait_;
    std::uint32_t lane_;
    sync::lane_memory<segment::atomic> ring_;
    sync::cursor at_;
    sync::cursor oldest_;
    sync::spinner spinner_;
    doorbell bell_{os::bell_tone::write};
    std::size_t memory_short_of_ = 0; // the size that found no memory last, if it was the last
    bool poisoned_ = false;
};

class receiver_end final : public hawser::detail::receiving_end {
  public:
    receiver_end(participant_handle self, const options& wanted);

    result<message> receive(deadline until) override;
    result<int> fd() override;
    [[nodiscard]] short fd_events() const noexcept override;
    [[nodiscard]] hawser::stats stats() const noexcept override { return self_->stats(); }

  private:
    enum class state : std::uint8_t { nothing, got, closed, corrupt };

    // One lane as this receiver goes through it.
    struct lane_view {
        sync::cursor at;
        sync::lane_memory<segment::atomic> ring; // without slots until it is looked at first
        segment::atomic<std::uint32_t>* space = nullptr; // its event word
    };
    state take(std::uint32_t hand);
    state take_from(std::uint32_t lane, std::uint32_t hand);
    state attempt(std::uint32_t hand, look how);
    bool at_end(look how);
    bool available();
    result<message> deliver();
    result<message> deliver_copy();
    result<message> outcome(state now, std::uint32_t hand);
    result<message> nothing(std::uint32_t hand, errc code);
    lane_view& view(std::uint32_t lane);

    participant_handle self_;
    wait_mode wait_;
    std::vector<lane_view> lanes_;
    std::uint32_t next_lane_ = 0;
    segment::held_message held_;
    hawser::detail::lent_memory uncopied_; // that of held_, while there is no memory for a copy
    sync::spinner spinner_;
    doorbell bell_{os::bell_tone::touch};
    std::uint64_t joins_at_open_;
    std::uint32_t membership_ = 0; // as of the last look for an end
    bool sender_was_there_;
    bool ended_ = false;     // as of the last look
    bool contended_ = false; // the last take() gave up early: there may be something
    bool poisoned_ = false;
};

} // namespace hawser::shm
