// Where the mailboxes of a test live, and what can be seen of them from outside.
//
// - private_directory() makes a directory below /dev/shm on first use, one for each test process,
//   sets HAWSER_DIR to it, and removes it with all that is in it when the process ends. Children
//   that are forked use their parent's.
// - Blocks: the until… functions, by looking again and again; the watchdog ends a test that waits
//   for ever.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <hawser/inspect.hpp>

namespace hawser::test {

const std::string& private_directory();

// A name that no other test of this process uses.
std::string unique_name(std::string_view stem);

// The names in the private directory; empty when a test has left nothing behind.
std::vector<std::string> left_over();
// Removes them, so that one test's failure does not spread.
void sweep_left_over();

// Looks until it is so.
void until(const std::function<bool()>& is_so);
// Until so many participants of this role sleep in a blocking call on the mailbox.
void until_waiting(const std::string& address, participant_role role, std::size_t at_least = 1);

} // namespace hawser::test
