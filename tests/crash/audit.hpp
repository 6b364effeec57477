// Is a mailbox whole? Counts every chunk and every block in the memory itself.
#pragma once

#include <cstdint>
#include <string>

namespace hawser::crash {

// What is wrong, or nothing. Only true while nobody works on the mailbox and the dead have been
// repaired:
// - every chunk is in exactly one place, a ring slot or a hand;
// - every block is free, or belongs to a chunk that is a message;
// - no participant slot names an owner whose lock is free, and no intent is left.
std::string audit(const std::string& name);

// The same while one participant stands still between two instructions: of the chunks two may be on
// their way, as its intent says; its blocks are not looked at.
std::string audit_with_one_stopped(const std::string& name);

// How somebody holds the door: not at all (or there is no such mailbox), as a joiner, as a remover.
enum class door : std::uint8_t { open, ajar, shut };
door door_of(const std::string& name);

// Makes the next census due at once.
void hurry_census(const std::string& name);

} // namespace hawser::crash
