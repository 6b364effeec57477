// The live scribbler: victims use a real mailbox, enemies who may write it do their worst.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>

#include <hawser/options.hpp>

namespace hawser::hostile {

// What all processes of a round share.
struct board {
    std::atomic<bool> stop;
    std::atomic<std::uint64_t> calls;
    std::atomic<std::uint64_t> delivered;
    std::atomic<std::uint64_t> corrupt;      // calls that said so
    std::atomic<std::uint64_t> attacks;      //
    std::atomic<std::uint64_t> missed;       // calls that came back too late
    std::atomic<std::int64_t> worst_late_ns; // after the deadline
    std::atomic<std::uint32_t> odd_errors;   // that the call does not have
    std::atomic<std::uint32_t> odd_code;     // the last of them
    std::atomic<std::uint32_t> impossible;   // messages larger than any can be
};

struct round {
    std::string name;    // of the mailbox
    std::string path;    // of its file, or of its host's socket
    std::string address; // with all options
    bool sealed = false; // trust=none
    std::uint64_t max_message = 0;
    std::uint32_t participants = 0;
    std::uint64_t seed = 0;
    board* results = nullptr;
};

// How late a call may come back on a machine that has more to do than it can.
inline constexpr std::int64_t slack_ns = 1'000'000'000;

enum class part : std::uint8_t { sender, receiver, visitor };

// Both run until results->stop, in a process of their own.
void be_victim(const round& of, part which, std::uint64_t seed);
void be_enemy(const round& of, std::uint64_t seed);

} // namespace hawser::hostile
