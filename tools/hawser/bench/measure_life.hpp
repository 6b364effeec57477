// What mailboxes cost beside messages: opening and closing, memory, many of them, many who take
// part. And the command line, as a whole.
//
// - As measure.hpp.
#pragma once

#include "measure.hpp"

namespace tool::bench {

// Open and close of a mailbox that is made and goes again.
figures open_close_new();
// The same of one that somebody else has open.
figures open_close_existing();
// Resident memory of a mailbox of 64 messages of 256 bytes, each slot used once, now empty.
figures idle_memory();
// So many mailboxes are there; the cost of one more.
figures many_mailboxes(unsigned mailboxes);
// A round trip in mailboxes where so many take part, of whom two are busy.
figures many_participants(unsigned participants, milliseconds span);

// `hawser send | hawser receive` of a file in pieces of 64 KiB. The file is `bytes` long, and in
// memory.
figures cli_copy(std::uint64_t bytes);
// The same file by `cat f | cat`.
figures cat_copy(std::uint64_t bytes);
// Lines of some 20 bytes, one message each.
figures cli_lines(std::uint64_t lines);

} // namespace tool::bench
