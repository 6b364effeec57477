// One run: the messages from the first to the last, with the kills in between.
//
// - Blocks: until all is delivered, something goes wrong, or somebody asks to stop.
// - Whatever happens, no worker is left when it returns; the mailbox is gone unless hawser refuses.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <hawser/inspect.hpp>
#include <hawser/options.hpp>

#include "demo_crew.hpp"
#include "demo_ledger.hpp"
#include "demo_settings.hpp"

namespace tool::demo {

// The longest that one of the survivors took. A survivor is neither killed nor a successor.
struct stall {
    std::uint64_t ns = 0;
    std::string who; // empty: nobody had two messages
};

struct outcome {
    std::optional<hawser::error> unopened; // there was no mailbox, and so no run
    std::vector<killing> kills;
    std::vector<std::string> problems;           // each a sentence; any of them is a failure
    bool stopped = false;                        // somebody asked to
    std::uint64_t began_ns = 0;                  // the first message was sent
    std::uint64_t ended_ns = 0;                  // the last one was delivered
    std::uint64_t delivered = 0;                 // messages that are in a result
    stall longest_gap;                           // between two messages
    stall longest_call;                          // of it, inside hawser
    std::optional<hawser::mailbox_info> mailbox; // once all was delivered
    bool mailbox_gone = false;                   // by itself, with its last participant
};

// Shows how it goes; called often, and once more when the last message has come.
using watcher = std::function<void(const crew&, const std::vector<killing>&, bool last)>;

outcome run(ledger& notes, const settings& wanted, const watcher& watch);

// Removes the mailbox if it is still there. Empty, or what could not be removed and why.
std::string remove_rest(const std::string& address);

} // namespace tool::demo
