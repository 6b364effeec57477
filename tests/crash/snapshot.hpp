// What others can see of a victim: the bytes of the mailbox and of the ledger. Two instructions
// between which none of it changes, and which are not parted by a system call, leave the same
// world behind if the victim is killed there: its registers, its stack and its heap die with it.
//
// - So the instructions after which something changed, and those after a system call (which may
//   have changed what the kernel keeps: locks, names, pipes), are *all* states that a kill of this
//   run can leave.
// - Reads with pread, which gives no memory to holes. Blocks: never. Allocates: yes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ledger.hpp"
#include "stepper.hpp"

namespace hawser::crash {

class snapshot {
  public:
    // path: of the mailbox's file, which need not exist yet; empty: there is none.
    snapshot(std::string path, const ledger& book);
    ~snapshot();
    snapshot(const snapshot&) = delete;
    snapshot& operator=(const snapshot&) = delete;

    // Whether anything differs from the last look.
    bool changed();
    // The name may lead to another file now.
    void look_again();

  private:
    bool file_changed();

    std::string path_;
    std::span<const std::byte> book_;
    std::vector<std::byte> seen_book_;
    std::vector<std::byte> seen_file_;
    std::vector<std::byte> now_;
    int fd_ = -1;
};

// One run from begin() to end(): its route, and the states that it goes through (k = 0 is the
// first).
struct exploration {
    route way;
    std::vector<std::uint64_t> states;
};
// Steps the victim to its end, or to the limit, if that comes first.
exploration explore(victim& who, snapshot& world, std::uint64_t limit = UINT64_MAX);

} // namespace hawser::crash
