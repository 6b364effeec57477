// The operations that the proofs step through: killed, stopped, forked and nested alike. To add
// one: an entry in one of the *_operations.cpp.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "scene.hpp"

namespace hawser::crash {

struct operation {
    std::string name;
    std::string address; // "shm:?capacity=4", "fifo:?…": the place is filled in
    // Before it, in the parent: puts the mailbox into the state that the operation needs.
    std::function<void(const scene&)> prepare = [](const scene&) {};
    // In the victim: opens, begin(), operates, end(), and notes it in the ledger.
    std::function<void(const scene&)> act;
    // After the kill, in the parent: what must be true now. What is wrong, or nothing.
    std::function<std::string(const scene&)> check = [](const scene& at) { return settle(at); };
    // In the parent, while the victim stands at begin().
    std::function<void(const scene&)> joined = [](const scene&) {};
    // In the parent, while the victim is stopped in the middle: others go on. What is wrong, or
    // nothing. Nothing to do: the operation has nobody else (it is not stopped then).
    std::function<std::string(const scene&)> meanwhile = {};
    bool survivors = true; // a sender and a receiver of the mailbox live through everything
    // What its kills leave is for others to repair: it is nested. Then, of a nested one, what the
    // repairer does, which is killed, too.
    bool leaves_work = false;
    std::function<void(const scene&)> repair = {};
};

std::span<const operation> operations();

// By theme.
std::vector<operation> mailbox_operations(); // sending, receiving, joining, repairing
std::vector<operation> life_operations();    // creating, removing, looking
std::vector<operation> wire_operations();    // the kernel's facilities
// Each operation that leaves work, with each kind of repairer: "total/send+by-receiver".
std::vector<operation> nested_operations();

// What the victim has open: also what its fork children find. Never destroyed, as it is killed.
struct victims_ends {
    std::optional<sender> out;
    std::optional<receiver> in;
    std::optional<message> held;
    std::optional<loan> lent;
};
victims_ends& mine();

// For act(): end points that are mine(), and what they do, noted in the ledger.
sender& join_as_sender(const scene& at, const std::string& more = "");
receiver& join_as_receiver(const scene& at, const std::string& more = "");
void receive_some(const scene& at, deadline until, bool release);
// Opens, begin(), sends or receives, end().
void send_as_victim(const scene& at, std::size_t size, std::chrono::nanoseconds until,
                    const std::string& more = "");
void receive_as_victim(const scene& at, std::chrono::nanoseconds until, bool release,
                       const std::string& more = "");
// Opens, or closes, between begin() and end().
void come_as_victim(const scene& at, bool as_sender);
void go_as_victim(const scene& at, bool as_sender);
// A process that opens, does this, and is killed then.
void kill_after(const std::function<void()>& act);
// Leaves a letter in the hand of a process that is dead.
void orphan(const scene& at, std::size_t size = small);

// For meanwhile(): the survivors pass more messages than the ring has places, so that it wraps past
// whoever is stopped. What is wrong, or nothing.
std::string pass_a_batch(const scene& at);

} // namespace hawser::crash
