// The ledger: what became of each message, and who lives, in memory that no kill takes back.
//
// - A message has an entry; its number travels in the message. The sender writes before and after
//   its send, the receiver when it has the message in hand and when it has released it. Each note
//   is one store after (or before) the fact, so a kill leaves at most the one message ambiguous
//   that its process was at: see judge.hpp.
// - A player (a process as sender or receiver) has a life. Lives are never used again.
// - The memory is a file without a name, so that a player which has called exec maps it again.
// - Blocks, allocates: never, but for making it. Threads and processes: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace hawser::storm {

std::int64_t now_ns() noexcept;

// Lengths of time by size, at most an eighth too long; the longest exactly.
class histogram {
  public:
    void add(std::int64_t ns) noexcept;
    void add(const histogram& other) noexcept;
    [[nodiscard]] std::uint64_t count() const noexcept;
    // The length that this share (0 to 1) of all does not exceed.
    [[nodiscard]] std::int64_t below(double share) const noexcept;
    [[nodiscard]] std::int64_t longest() const noexcept { return longest_.load(); }

  private:
    std::array<std::atomic<std::uint64_t>, 512> buckets_{};
    std::atomic<std::int64_t> longest_{0};
};

enum class fate : std::uint8_t {
    unused,
    begun,   // send was called. Killed there: delivered or never committed, both are right
    stored,  // send returned: it was stored
    dropped, // send returned: it was dropped (full=drop_newest)
    refused, // send returned an error: never committed
};

struct entry {
    std::atomic<std::uint32_t> sender; // life
    std::atomic<fate> sent;
    std::atomic<std::uint8_t> fresh;    // deliveries that were not flagged
    std::atomic<std::uint8_t> flagged;  // those that were
    std::atomic<std::uint8_t> released; // by whoever had it
    std::atomic<std::uint64_t> sequence;
    std::atomic<std::uint32_t> holder; // the life that had it last
    std::atomic<std::uint16_t> era;    // removals that were done when its sender opened
};

enum class role : std::uint8_t { none, sender, receiver, observer };
enum class doing : std::uint8_t {
    nothing,
    opening,
    sending,
    receiving,
    polling,
    idling,
    closing,
    parked,
    over,
};
enum class order : std::uint8_t {
    none,
    leave,
    fork_idle,    // a child that uses nothing of hawser
    fork_holding, // a child by raw clone, which keeps the descriptors
    fork_user,    // a child that tries its parent's end point, then closes it
    fork_opening, // a child that becomes a player of its own
    exec,         // the process becomes another player
};

struct life {
    std::atomic<pid_t> pid;
    std::atomic<role> as;
    std::atomic<doing> at;
    std::atomic<order> told;
    std::atomic<bool> survivor;
    std::atomic<bool> left;             // by exec: what it held may come again
    std::atomic<bool> adopted;          // the child of a player; now the conductor's
    std::atomic<std::int64_t> since_ns; // of `at`
    std::atomic<std::uint64_t> progress;
};

enum class tally : std::uint8_t {
    began_again,   // `closed` or `peer_died` where the kind allows it
    half_messages, // told as peer_died to a receiver of a stream
    refusals,      // sends that did not send: full, out of time, nobody there
    waits_to_open, // attempts to open that found every slot taken, or the name
    checked_again, // messages in use whose bytes were looked at again before the release
    forks_refused, // calls of a child on its parent's end point: invalid_argument, as promised
    count,
};

inline constexpr std::uint32_t most_messages = 12 << 20;
inline constexpr std::uint32_t most_lives = 1 << 14;
inline constexpr std::uint32_t page_messages = 64;  // a sender's share of the ledger at a time
inline constexpr std::uint32_t most_pids = 1 << 22; // as of the kernel
inline constexpr std::size_t most_complaints = 32;
inline constexpr std::size_t complaint_bytes = 400;

struct book {
    std::array<char, 256> address;
    std::atomic<std::uint32_t> kind; // place in all_kinds()
    std::atomic<std::uint64_t> seed;

    std::atomic<bool> senders_stop;
    std::atomic<bool> drain;           // no sender is there any more
    std::atomic<bool> receivers_go;    // parked receivers may leave
    std::atomic<std::uint32_t> events; // kills and stops so far
    std::atomic<std::int64_t> event_ns;
    std::atomic<std::uint16_t> removals_begun;
    std::atomic<std::uint16_t> removals_done;

    std::atomic<std::uint32_t> lives_used;
    std::atomic<std::uint32_t> messages_used;
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(tally::count)> tallies;

    // What the mailbox itself had counted, read when all was quiet.
    std::atomic<bool> counters_read;
    struct {
        std::uint64_t sent, received, redelivered, dropped, lost, reaped;
    } counters;

    histogram stalls;     // of survivors, after each event
    histogram own_stalls; // without the time that the survivor itself waited for a CPU
    histogram lateness;   // of a thread in the same process that does nothing but wait for 1 ms

    std::atomic<std::uint32_t> complaints;
    std::array<std::array<char, complaint_bytes>, most_complaints> complaint;

    std::array<std::atomic<std::uint8_t>, most_pids / 8> doomed; // bit of each pid
    std::array<life, most_lives> lives;
    std::array<entry, most_messages> messages;

    void count(tally what) noexcept { tallies[static_cast<std::size_t>(what)].fetch_add(1); }
    [[nodiscard]] std::uint64_t counted(tally what) const noexcept {
        return tallies[static_cast<std::size_t>(what)].load();
    }
    // Something is wrong. Keeps the first few texts, counts all.
    void complain(const std::string& text) noexcept;
    // A new life, or 0 if there are no more: the first one is never given.
    std::uint32_t be_born(role as, bool survivor) noexcept;
    // A kill or a stop is coming.
    void note_event() noexcept;
    // It is going to be killed: by process, as that may become another life in the same moment.
    void doom(pid_t process) noexcept;
    // May what this life held come again? Only if it was killed, or has left by exec.
    [[nodiscard]] bool is_dead(std::uint32_t who) const noexcept;
};

// Makes or maps a book. The descriptor is inherited across exec.
class ledger {
  public:
    ledger();                // throws std::runtime_error
    explicit ledger(int fd); // one that exists
    ~ledger();
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    book& operator*() const noexcept { return *book_; }
    book* operator->() const noexcept { return book_; }

  private:
    int fd_;
    book* book_;
};

} // namespace hawser::storm
