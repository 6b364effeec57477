// How an address of each scheme is spelled, and what the suite must know to use it. A scheme that
// the build has and that is not spelled here fails the suite.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <hawser/hawser.hpp>

namespace hawser::faults {

struct both_ends {
    receiver in;
    sender out;
};

struct both_streams {
    byte_stream writes;
    byte_stream reads;
};

struct spelling {
    std::string label;  // "shm/sender": the scheme, and the variant where there are several
    std::string scheme; // as hawser::transports() has it
    // A fresh address; `unique` is a name that nobody else has.
    std::string (*address)(const std::string& unique);
    // For what has no name to be opened by: makes both ends at once.
    result<both_ends> (*make_both)() = nullptr;
    // Two ends of a byte stream on the address; nullptr where there is none, or none by name.
    result<both_streams> (*make_streams)(const std::string& address) = nullptr;
    bool bytes_only = false; // it has no messages
    // Both ends are in one process here, so what is sent must fit without anybody who receives.
    bool sender_first = true;      // a sender may be opened before there is a receiver
    bool fills = true;             // a sender that nobody receives from finds no room in the end
    std::size_t fill_bytes = 1000; // of the messages that fill it
    std::size_t large_bytes = 0;   // a message beyond what goes in one piece; 0: there is none
    // Takes away what stays when all have closed, by design; nullptr where nothing does.
    void (*remove)(const std::string& address) = nullptr;
    // After a fault, files may stay until somebody removes them: hawser makes a file where it is
    // asked to, but takes away only what a record says it made; a record makes no promise.
    bool files_may_stay = false;
    // How many such objects the system has, other than files in the private directory.
    std::size_t (*objects)() = nullptr;
};

const std::vector<spelling>& spellings();

// What the build has and this table does not, as text; empty when they agree.
std::string not_spelled();

} // namespace hawser::faults
