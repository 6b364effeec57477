#include "scene.hpp"

#include <algorithm>

#include "audit.hpp"

namespace hawser::crash {

std::string scene::name() const {
    return where.substr(where.find(':') + 1);
}

std::string scene::path() const {
    return where.starts_with("shm:") ? mailbox_directory() + "/hawser." + name() : std::string{};
}

void put(const scene& at, std::size_t how_many, std::size_t size) {
    std::optional<sender> made;
    if (!at.own->out) made.emplace(sender::open(at.address()).value());
    sender& out = at.own->out ? *at.own->out : *made;
    for (std::size_t i = 0; i < how_many; ++i)
        post(*at.book, out, write_letter(*at.book, size), deadline::after(patience)).value();
}

std::string drain(const scene& at) {
    std::optional<receiver> made;
    if (!at.own->in) {
        auto opened = receiver::open(at.where);
        if (!opened) return "a new receiver can't join: " + opened.why().describe();
        made.emplace(std::move(*opened));
    }
    receiver& in = at.own->in ? *at.own->in : *made;
    // The first look finds the dead, the second one what they left.
    hurry_census(at.name());
    for (int empty = 0; empty < 2;) {
        auto got = in.try_receive();
        if (got) {
            if (!note_arrival(*at.book, *got)) return "a torn message, or one that nobody sent";
            note_kept(*at.book, *got);
            continue;
        }
        if (!got.is(errc::would_block) && !got.is(errc::closed))
            return "the survivor can't receive: " + got.why().describe();
        ++empty;
        hurry_census(at.name());
    }
    return {};
}

namespace {

std::string gets_through(ledger& book, sender& out, receiver& in, const std::string& who) {
    const letter ping = write_letter(book);
    if (const auto done = post(book, out, ping, deadline::after(patience)); !done)
        return who + ": can't send: " + done.why().describe();
    const auto got = in.receive_for(patience);
    if (!got) return who + ": can't receive: " + got.why().describe();
    if (!note_arrival(book, *got)) return who + ": a torn message";
    note_kept(book, *got);
    if (read_letter(book, got->text()) != ping.id) return who + ": received another message";
    return {};
}

} // namespace

std::string still_works(const scene& at) {
    auto out = sender::open(at.where);
    if (!out) return "a new sender can't join: " + out.why().describe();
    auto in = receiver::open(at.where);
    if (!in) return "a new receiver can't join: " + in.why().describe();
    auto wrong = gets_through(*at.book, *out, *in, "newcomers");
    if (!wrong.empty() || !at.survivors) return wrong;
    wrong = gets_through(*at.book, *out, *at.own->in, "a newcomer to a survivor");
    if (!wrong.empty()) return wrong;
    return gets_through(*at.book, *at.own->out, *in, "a survivor to a newcomer");
}

namespace {

// Nobody else is in there any more: the victim's locks went with it, whatever it has inherited to
// children.
std::string only_survivors_live(const scene& at) {
    if (!at.survivors) return {};
    const auto info = inspect_mailbox(at.where);
    if (!info) return "it can't be looked at: " + info.why().describe();
    const auto living = std::ranges::count_if(info->participants, &participant_info::alive);
    if (living == 2) return {};
    return std::to_string(living) + " participants seem to live, and 2 do";
}

} // namespace

std::string settle(const scene& at, const allowance& may) {
    if (auto wrong = drain(at); !wrong.empty()) return wrong;
    // Before newcomers take the slots over, and with their own first operation cover what was left.
    if (at.survivors)
        if (auto wrong = audit(at.name()); !wrong.empty()) return "after repair: " + wrong;
    if (auto wrong = still_works(at); !wrong.empty()) return wrong;
    if (auto wrong = compare(*at.book, may); !wrong.empty()) return wrong;
    if (auto wrong = only_survivors_live(at); !wrong.empty()) return wrong;
    return audit(at.name());
}

std::string fresh_start(const scene& at) {
    {
        auto out = sender::open(at.address());
        if (!out) return "it can't be opened any more: " + out.why().describe();
        auto in = receiver::open(at.address()).value();
        hurry_census(at.name());
        if (auto wrong = drain(at); !wrong.empty()) return wrong;
        auto wrong = gets_through(*at.book, *out, in, "newcomers");
        if (!wrong.empty()) return wrong;
        if (wrong = compare(*at.book, {}); !wrong.empty()) return wrong;
        if (wrong = audit(at.name()); !wrong.empty()) return wrong;
    }
    for (const auto& one : collect_garbage().value())
        if (!one.removed) return one.address + " stays: " + one.reason;
    return list_mailboxes().value().empty() ? "" : "a mailbox is left";
}

} // namespace hawser::crash
