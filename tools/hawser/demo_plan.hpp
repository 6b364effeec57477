// What a run of the demo is to carry: the files, their order, and the messages they become.
//
// - Blocks: on the file system. Allocates: yes. One thread.
// - A symbolic link is followed only where it is itself a path that was asked for. What is no
//   regular file (a device, a FIFO, a socket) is no part of the plan; what can't be read is said.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "demo_digest.hpp"

namespace tool::demo {

enum class verdict : std::uint8_t {
    unknown,
    identical,
    different,
    changed, // the source itself is no longer what it was before the run
};

struct planned_file {
    std::string path; // absolute, without links in it
    std::uint64_t bytes = 0;
    std::uint64_t first_chunk = 0; // its place in the order of all messages
    std::uint64_t chunks = 0;      // at least one: an empty file is a message too
    digest source{};               // before the run
    digest result{};
    verdict found = verdict::unknown;
};

// A path that is left out, and why.
struct left_out {
    std::string path;
    int sys = 0; // errno
};

// The messages [first, end) are one producer's.
struct share {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
};

struct plan {
    std::vector<planned_file> files; // in the order of their messages
    std::vector<share> shares;       // one for each producer
    std::vector<left_out> missing;   // asked for by name, and not there
    std::vector<left_out> unreadable;
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
    std::uint64_t beyond_limit = 0; // files left out for the limit or for lack of space
    std::uint64_t beyond_limit_bytes = 0;
};

// /usr/share/common-licenses, /usr/share/doc and the checkout around the working directory, as far
// as they are there. The checkout is where the nearest .git is, upwards.
std::vector<std::string> default_paths();

// Every regular file at or below the paths, each once. A checkout's .git and build/ are skipped.
plan collect(const std::vector<std::string>& paths, const std::string& output);

// Leaves out the largest files until the rest, each rounded up to whole blocks, fits in `bytes`.
void limit_to(plan& made, std::uint64_t bytes, std::uint64_t block_bytes);

// What the results take on a file system with blocks of this size.
std::uint64_t space_for(const plan& made, std::uint64_t block_bytes);

// Puts the files in an order that depends on the seed only, cuts them into messages of at most
// chunk_bytes, and gives every producer the same number of messages, in one piece: a file may be
// the work of two of them.
void deal(plan& made, std::uint32_t producers, std::uint64_t chunk_bytes, std::uint64_t seed);

} // namespace tool::demo
