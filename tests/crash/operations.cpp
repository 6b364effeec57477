#include "operations.hpp"

#include "audit.hpp"
#include "stepper.hpp"

namespace hawser::crash {

victims_ends& mine() {
    static victims_ends& all = *new victims_ends;
    return all;
}

sender& join_as_sender(const scene& at, const std::string& more) {
    return mine().out.emplace(sender::open(at.address() + more).value());
}

receiver& join_as_receiver(const scene& at, const std::string& more) {
    return mine().in.emplace(receiver::open(at.address() + more).value());
}

void receive_some(const scene& at, deadline until, bool release) {
    auto got = mine().in->receive_by(until);
    if (!got) return;
    note_arrival(*at.book, *got);
    const auto id = read_letter(*at.book, got->text());
    mine().held.emplace(std::move(*got));
    if (!release || !id) return;
    at.book->at(*id).releasing.fetch_add(1);
    mine().held->release();
    at.book->at(*id).released.fetch_add(1);
}

void send_as_victim(const scene& at, std::size_t size, std::chrono::nanoseconds until,
                    const std::string& more) {
    sender& out = join_as_sender(at, more);
    const letter mail = write_letter(*at.book, size);
    const bool drops = more.find("drop_oldest") != std::string::npos;
    if (drops) at.book->dropping.store(1);
    begin();
    static_cast<void>(post(*at.book, out, mail, deadline::after(until)));
    if (drops) at.book->dropping.store(0);
    at.book->finished.fetch_add(1);
    end();
}

void receive_as_victim(const scene& at, std::chrono::nanoseconds until, bool release,
                       const std::string& more) {
    join_as_receiver(at, more);
    at.book->receiving.fetch_add(1);
    begin();
    receive_some(at, deadline::after(until), release);
    at.book->finished.fetch_add(1);
    end();
}

void come_as_victim(const scene& at, bool as_sender) {
    begin();
    if (as_sender)
        join_as_sender(at);
    else
        join_as_receiver(at);
    at.book->finished.fetch_add(1);
    end();
}

void go_as_victim(const scene& at, bool as_sender) {
    if (as_sender)
        join_as_sender(at);
    else
        join_as_receiver(at);
    begin();
    mine().out.reset(), mine().in.reset();
    at.book->finished.fetch_add(1);
    end();
}

void kill_after(const std::function<void()>& act) {
    victim dying([&] {
        act();
        begin();
    });
    dying.kill();
}

void orphan(const scene& at, std::size_t size) {
    put(at, 1, size);
    kill_after([&] {
        join_as_receiver(at);
        at.book->receiving.fetch_add(1);
        receive_some(at, deadline::after(patience), false);
    });
}

namespace {

std::string take_all(const scene& at, std::size_t& taken) {
    for (;;) {
        const auto got = at.own->in->try_receive();
        if (!got && got.is(errc::would_block)) return {};
        if (!got) return "while one is stopped: can't receive: " + got.why().describe();
        if (!note_arrival(*at.book, *got)) return "while one is stopped: a torn message";
        note_kept(*at.book, *got);
        ++taken;
    }
}

} // namespace

std::string pass_a_batch(const scene& at) {
    constexpr std::size_t messages = 3 * 4; // three times what the mailboxes of the proofs hold
    std::size_t taken = 0;
    std::size_t posted = 0;
    const std::uint32_t first = at.book->used;
    for (std::size_t tries = 0; posted < messages && tries < 4 * messages; ++tries) {
        if (tries % 5 == 0) hurry_census(at.name());
        const auto done = post(*at.book, *at.own->out, write_letter(*at.book), deadline::now());
        if (!done && !done.is(errc::would_block))
            return "while one is stopped: can't send: " + done.why().describe();
        if (done) ++posted;
        if (done && tries % 3 != 0) continue;
        if (auto wrong = take_all(at, taken); !wrong.empty()) return wrong;
    }
    if (posted < messages) return "while one is stopped: the mailbox stays full";
    if (auto wrong = take_all(at, taken); !wrong.empty()) return wrong;
    for (std::uint32_t id = first; id < at.book->used; ++id) {
        const auto& line = at.book->at(id);
        if (line.sent != line.kept) return "while one is stopped: a message does not arrive";
    }
    return {};
}

std::span<const operation> operations() {
    static const std::vector<operation> all = [] {
        std::vector<operation> made = mailbox_operations();
        for (auto& one : life_operations()) made.push_back(std::move(one));
        for (auto& one : wire_operations()) made.push_back(std::move(one));
        return made;
    }();
    return all;
}

} // namespace hawser::crash
