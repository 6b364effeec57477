// A player: one process as a sender or receiver of the storm, until it is told to leave, or killed.
//
// - Everything it does is chosen by chance from the round's seed and its life, and noted in the
//   ledger. A player that survives does only what can be timed: it sends or receives, one after
//   the other.
// - What it finds wrong by itself it complains of in the ledger: a message that is torn, out of
//   order, twice, or that comes again though its holder lives or has released it; an error that
//   the contract does not know; descriptors left open.
#pragma once

#include <cstdint>
#include <functional>

#include <hawser/pipe.hpp>

#include "ledger.hpp"

namespace hawser::storm {

struct stage {
    ledger* notes = nullptr;
    hawser::pipe* link = nullptr; // kinds that are opened by inheritance
    pid_t conductor = 0;
};

// Never returns. Exit status 0: it left in good order.
[[noreturn]] void play(const stage& where, std::uint32_t me);

// What the program does after exec: `--play FD LIFE CONDUCTOR`.
[[noreturn]] void play_after_exec(char** words);

// Receives what is left where nobody is any more, as a further receiver; `look` is called when
// nothing is left, and the receiver still there.
void collect_the_rest(const stage& where, std::uint32_t me, const std::function<void()>& look);

// Lets time pass: for chance, not for readiness.
void let_pass(std::int64_t ns) noexcept;

} // namespace hawser::storm
