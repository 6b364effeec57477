// The operations that the kill-anywhere proof steps through. To add one: an entry in
// operations.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace hawser::crash {

// What the victim tells before it dies, in memory that outlives it.
struct victims_word {
    std::atomic<bool> done;  // the operation returned
    std::atomic<bool> taken; // it had a message from receive()
};

struct scene {
    std::string name;    // of the mailbox
    std::string options; // "?capacity=4"
    victims_word* said = nullptr;

    [[nodiscard]] std::string address() const { return "shm:" + name + options; }
};

struct operation {
    std::string name;
    std::string options;
    // Before the kill, in the parent: puts the mailbox into the state that the operation needs.
    std::function<void(const scene&)> prepare;
    // In the victim: opens, begin(), operates, end().
    std::function<void(const scene&)> act;
    // After the kill, in the parent: what must be true now. What is wrong, or nothing.
    std::function<std::string(const scene&)> check;
    bool survivors = true; // a sender and a receiver that live through everything
};

std::span<const operation> operations();

} // namespace hawser::crash
