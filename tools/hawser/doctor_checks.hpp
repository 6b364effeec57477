// What can be wrong with the mailboxes of a machine, and what to do about it.
//
// - Looks only: nothing is repaired, nobody is disturbed.
// - A check never fails: what it can't look at is a finding as well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <hawser/inspect.hpp>

namespace tool {

enum class level : std::uint8_t {
    ok,
    note,    // worth knowing
    problem, // there is something to do
};

struct finding {
    level how_bad = level::ok;
    std::string where; // an address, a path, or a kernel setting
    std::string what;
    std::string why;  // empty where `what` says it all
    std::string next; // a command, or empty
};

using findings = std::vector<finding>;

// The directory that holds the mailboxes: kind, room, who may write.
findings check_directory();
// Limits of the kernel that hawser depends on.
findings check_limits();
// One mailbox and its participants. No findings: nothing is wrong.
findings check_mailbox(const hawser::mailbox_info& mailbox);

} // namespace tool
