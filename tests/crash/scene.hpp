// The stage of the proofs: one mailbox or address, those who survive, and the looks that they take
// afterwards.
//
// - Survivors live through all kills of an operation, so what is broken once stays broken for them.
// - Blocks: a few seconds at most; every wait has a limit, and one that is over is a failure.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include <hawser/hawser.hpp>

#include "ledger.hpp"

namespace hawser::crash {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Far more than anything here takes; less than the watchdog's limit.
inline constexpr auto patience = 2s;

// What the parent holds during a case.
struct others {
    std::optional<pipe> link;
    std::optional<sender> out;
    std::optional<receiver> in;

    void leave() { out.reset(), in.reset(), link.reset(); }
};

struct scene {
    std::string where;   // the address without options: "shm:crash-1"
    std::string options; // "?capacity=4"
    ledger* book = nullptr;
    others* own = nullptr;
    bool survivors = false; // own->out and own->in live through all of it

    [[nodiscard]] std::string address() const { return where + options; }
    [[nodiscard]] std::string name() const; // of the mailbox
    [[nodiscard]] std::string path() const; // of the mailbox's file; empty if it is none
};

// A letter that a survivor sends, which has to work.
void put(const scene& at, std::size_t how_many, std::size_t size = small);

// A survivor takes all there is. What is wrong, or nothing.
std::string drain(const scene& at);
// Survivors go on, and so do newcomers: a message gets through in each direction.
std::string still_works(const scene& at);
// All of it: drain, the ledger, still_works, the audit.
std::string settle(const scene& at, const allowance& may = {});

// Nobody is left: the name is free for a new mailbox or leads to a whole one, the ledger is right,
// and garbage collection leaves nothing.
std::string fresh_start(const scene& at);

} // namespace hawser::crash
