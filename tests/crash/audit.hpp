// Is a mailbox whole? Counts every chunk and every block in the memory itself.
#pragma once

#include <string>

namespace hawser::crash {

// What is wrong, or nothing. Only true while nobody works on the mailbox and the dead have been
// repaired:
// - every chunk is in exactly one place, a ring slot or a hand;
// - every block is free, or belongs to a chunk that is a message;
// - no participant slot names an owner whose lock is free, and no intent is left.
std::string audit(const std::string& name);

// Makes the next census due at once.
void hurry_census(const std::string& name);

} // namespace hawser::crash
