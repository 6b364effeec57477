// Who sent, took and finished which message, in memory that no kill takes back.
//
// Each message of a proof has a number, and a body that says its number and size, so that a torn
// one is seen. Whoever is about to do something that a kill may cut short notes that before and
// after. From the notes follows what the survivors must find: what each count means is at `line`,
// what must be true at compare().
//
// - Lives in shared memory made before the fork. Blocks, allocates: never, but for body() and the
//   reports. Threads, processes: any, as every note is one atomic count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <hawser/hawser.hpp>

namespace hawser::crash {

using count = std::atomic<std::uint32_t>;

struct ledger {
    static constexpr std::size_t most = 768;

    struct line {
        count size;      // of the body
        count offered;   // given to a send, which may not have returned
        count sent;      // that send returned, and the message is stored
        count fresh;     // came out of a receive
        count again;     // came out of a receive, flagged
        count kept;      // a survivor has received it, and released it
        count releasing; // a victim was about to release it
        count released;  // and had
    };
    std::array<line, most> lines;
    count used;      // lines
    count dropped;   // older messages that sends said they had dropped
    count dropping;  // sends with full=drop_oldest that had not returned
    count receiving; // victims that began to receive: they may have died with messages
    count finished;  // victims whose operation returned
    count wrong;     // what must not happen at all, seen by a victim

    void clear();
    [[nodiscard]] line& at(std::uint32_t id) { return lines[id % most]; }
};

inline constexpr std::size_t small = 4;   // fits in a chunk
inline constexpr std::size_t large = 700; // does not

// A message with a new number, noted as offered.
struct letter {
    std::uint32_t id = 0;
    std::string body;
};
letter write_letter(ledger& book, std::size_t size = small);

// The number of a message that is whole; nothing if it is torn or none of ours.
std::optional<std::uint32_t> read_letter(const ledger& book, std::string_view body);

// Sends it and notes what became of it. What try_send or send_for said.
result<sent> post(ledger& book, sender& out, const letter& mail, deadline until);
// Notes what came out of a receive; `kept` when it is released after that.
bool note_arrival(ledger& book, const message& got);
void note_kept(ledger& book, const message& got);

// What the deaths of a case allow.
struct allowance {
    std::uint32_t may_lose = 0; // messages that a killed receiver had: no redelivery there
    bool redelivers = true;     // a message may come again, flagged, if a receiver died
    bool may_duplicate = false; // the network may (udp)
};
// What is wrong after all survivors have taken everything, or nothing:
// - a message whose send returned is kept, released, or said to be dropped;
// - none is kept or released that was not offered, nor more often than it was offered;
// - one that comes a second time is flagged; none is flagged more often than receivers died.
std::string compare(ledger& book, const allowance& may);

} // namespace hawser::crash
