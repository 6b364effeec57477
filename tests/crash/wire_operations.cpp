// The kernel's facilities, as far as a kill can tear something: frames on streams, names, records.

#include "operations.hpp"
#include "stepper.hpp"
#include "support/place.hpp"

namespace hawser::crash {

namespace {

constexpr auto timed = 40ms;

struct facility {
    const char* scheme;
    bool streams = false;      // messages larger than what the kernel takes at once
    bool ends = false;         // a receiver is told when its sender has gone
    bool queues = false;       // the kernel keeps what no receiver has taken
    std::size_t larger = 5000; // than the small ones; streams: more than PIPE_BUF
    std::size_t too_much = 0;  // for the buffers: the send times out in the middle
    bool has_file = false;     // a name that has to be collected
    const char* options = "";
};

constexpr facility facilities[] = {
    {.scheme = "pipe",
     .streams = true,
     .ends = true,
     .too_much = 70000,
     .options = "?max_memory=64KiB"},
    {.scheme = "fifo", .ends = true, .queues = true, .larger = 4000, .has_file = true},
    {.scheme = "unix",
     .streams = true,
     .ends = true,
     .too_much = 200000,
     .has_file = true,
     .options = "?max_memory=64KiB"},
    {.scheme = "unix-seqpacket", .ends = true, .larger = 20000, .has_file = true},
    {.scheme = "unix-dgram", .larger = 20000, .has_file = true},
    {.scheme = "tcp",
     .streams = true,
     .ends = true,
     .too_much = 400000,
     .options = "?max_memory=64KiB"},
    {.scheme = "udp", .larger = 20000},
    {.scheme = "mq", .queues = true, .larger = 4000},
    {.scheme = "sysv-mq", .queues = true, .larger = 4000},
};

bool is_pipe(const scene& at) {
    return at.where.starts_with("pipe:");
}

options own_options(const scene& at) {
    return at.options.empty() ? options{} : address::parse("fifo:x" + at.options).value().wanted;
}

// ---- the parent's part
// ----------------------------------------------------------------------------

void open_link(const scene& at) {
    if (is_pipe(at)) at.own->link.emplace(pipe::create(own_options(at)).value());
}

void listen(const scene& at) {
    open_link(at);
    if (!is_pipe(at)) at.own->in.emplace(receiver::open(at.address()).value());
}
void listen_on_link(const scene& at) {
    if (is_pipe(at)) at.own->in.emplace(at.own->link->receiver().value());
}

void send_two(const scene& at, std::size_t size) {
    at.own->out.emplace(is_pipe(at) ? at.own->link->sender().value()
                                    : sender::open(at.address()).value());
    put(at, 2, size);
}

// What comes, until nothing does. `torn` counts the ends in the middle of a message.
std::string take_all(const scene& at, unsigned& torn, bool& ended) {
    for (int empty = 0; empty < 2;) {
        const auto got = at.own->in->try_receive();
        if (got) {
            if (!note_arrival(*at.book, *got)) return "a torn message, or one that nobody sent";
            note_kept(*at.book, *got);
            continue;
        }
        if (got.is(errc::peer_died))
            ++torn;
        else if (got.is(errc::closed) || got.is(errc::would_block))
            ++empty;
        else
            return "the receiver is told " + got.why().describe();
        ended = got.is(errc::closed);
    }
    return {};
}

// Another one sends, and it arrives. Ends of earlier connections may be told on the way.
std::string another_gets_through(const scene& at) {
    sender out = sender::open(at.address()).value();
    const letter ping = write_letter(*at.book);
    if (const auto done = post(*at.book, out, ping, deadline::after(patience)); !done)
        return "another sender can't send: " + done.why().describe();
    for (int looks = 0; looks < 16; ++looks) {
        const auto got = at.own->in->receive_for(patience);
        if (got.is(errc::closed) || got.is(errc::peer_died)) continue;
        if (!got) return "nothing comes of another sender: " + got.why().describe();
        if (!note_arrival(*at.book, *got)) return "a torn message";
        note_kept(*at.book, *got);
        if (read_letter(*at.book, got->text()) == ping.id) return {};
    }
    return "the message of another sender does not come";
}

// One that was heard has gone, also if a fork child of it lives on.
bool end_is_told(const scene& at) {
    if (at.book->at(0).kept == 0) return true; // perhaps it never connected
    const auto got = at.own->in->receive_for(patience);
    return got.is(errc::closed) || got.is(errc::peer_died);
}

std::string sender_is_gone(const scene& at, bool ends) {
    unsigned torn = 0;
    bool ended = false;
    std::string wrong = take_all(at, torn, ended);
    if (wrong.empty() && torn > 1) wrong = "one dead sender is told more than once";
    if (is_pipe(at) && !ended) wrong += "the end of the stream is not told";
    if (wrong.empty() && ends && !ended && torn == 0 && !end_is_told(at))
        wrong = "nobody tells that the sender has gone";
    if (wrong.empty() && !is_pipe(at)) wrong = another_gets_through(at);
    if (wrong.empty()) wrong = compare(*at.book, {});
    at.own->leave();
    return wrong;
}

// While the sender is stopped, perhaps in the middle of a frame: nothing of it, and no end, is
// told; others get through.
std::string another_goes_on(const scene& at) {
    if (!is_pipe(at)) return another_gets_through(at);
    unsigned torn = 0;
    bool ended = false;
    std::string wrong = take_all(at, torn, ended);
    if (wrong.empty() && (torn != 0 || ended)) wrong = "the end is told of a sender that stands";
    return wrong;
}

// A sender whose receiver died is told so, or has found the next one.
std::string sends_on(const scene& at) {
    for (int tries = 0; tries < 4; ++tries) {
        const letter ping = write_letter(*at.book);
        const auto done = post(*at.book, *at.own->out, ping, deadline::after(patience));
        if (done) return {};
        const bool told =
            done.is(errc::closed) || done.is(errc::peer_died) || done.is(errc::not_found);
        if (!told) return "its sender is told " + done.why().describe();
        if (is_pipe(at)) return {}; // nobody comes after it
    }
    return "its sender does not find the next receiver";
}

std::string receiver_is_gone(const scene& at, std::uint32_t may_lose) {
    std::string wrong;
    if (!is_pipe(at) && !at.own->in) {
        auto next = receiver::open(at.address());
        if (!next) return "there is no place for the next receiver: " + next.why().describe();
        at.own->in.emplace(std::move(*next));
    }
    if (wrong = sends_on(at); !wrong.empty()) return wrong;
    if (!is_pipe(at)) wrong = another_gets_through(at);
    unsigned torn = 0;
    bool ended = false;
    if (wrong.empty() && !is_pipe(at)) wrong = take_all(at, torn, ended);
    // Those that it had, or that were on the way to it.
    if (wrong.empty()) wrong = compare(*at.book, {.may_lose = may_lose});
    at.own->leave();
    return wrong;
}

// What is left after collecting. Where other processes come and go, one that can't be looked at may
// have it open, and that keeps a FIFO: it is asked again, and believed if it says so to the end.
std::string what_gc_leaves() {
    constexpr int tries = 10;
    std::string wrong;
    for (int i = 0; i < tries; ++i) {
        wrong.clear();
        const auto collected = collect_system_objects();
        if (!collected) return "can't collect: " + collected.why().describe();
        for (const auto& one : *collected)
            if (!one.removed && one.name.find(test::private_directory()) != std::string::npos)
                wrong += one.name + " stays: " + one.reason + ". ";
        if (wrong.empty()) break;
        if (i + 1 == tries && wrong.find("not all processes may be looked at") != wrong.npos)
            return test::sweep_left_over(), std::string{};
    }
    // What docs/design/kill-anywhere.md names: a FIFO under its first name, in no record yet.
    for (const auto& name : test::left_over())
        if (!name.starts_with(".hawser-fifo.")) wrong += name + " is left. ";
    test::sweep_left_over();
    return wrong;
}

// The name leads to somebody or is free, and what is left of it is collected.
std::string name_is_usable(const scene& at, bool has_file) {
    {
        auto in = receiver::open(at.address());
        if (!in) return "the name can't be received at: " + in.why().describe();
        at.own->in.emplace(std::move(*in));
    }
    std::string wrong = another_gets_through(at);
    at.own->leave();
    if (!wrong.empty() || !has_file) return wrong;
    return what_gc_leaves();
}

// ---- the victim's part --------------------------------------------------------------------------

void wire_send(const scene& at, std::size_t size, std::chrono::nanoseconds until) {
    sender& out =
        is_pipe(at) ? mine().out.emplace(at.own->link->sender().value()) : join_as_sender(at);
    const letter mail = write_letter(*at.book, size);
    begin();
    static_cast<void>(post(*at.book, out, mail, deadline::after(until)));
    at.book->finished.fetch_add(1);
    end();
}

void wire_receive(const scene& at, std::chrono::nanoseconds until) {
    if (is_pipe(at))
        mine().in.emplace(at.own->link->receiver().value());
    else
        join_as_receiver(at);
    at.book->receiving.fetch_add(1);
    begin();
    receive_some(at, deadline::after(until), true);
    at.book->finished.fetch_add(1);
    end();
}

// ---- the table
// ------------------------------------------------------------------------------------

using table = std::vector<operation>;

operation sending(const std::string& name, const facility& of, std::size_t size,
                  std::chrono::nanoseconds until) {
    operation made{name,
                   of.scheme + std::string(":") + of.options,
                   listen,
                   [=](const scene& at) { wire_send(at, size, until); },
                   [ends = of.ends](const scene& at) { return sender_is_gone(at, ends); },
                   listen_on_link};
    made.meanwhile = another_goes_on;
    return made;
}

operation receiving(const std::string& name, const facility& of, std::size_t size,
                    std::chrono::nanoseconds until) {
    const std::uint32_t may_lose = of.queues ? 1 : 2;
    // A FIFO keeps what was written as long as somebody has it open.
    const bool beside = std::string_view(of.scheme) == "fifo";
    return {name,
            of.scheme + std::string(":") + of.options,
            [=](const scene& at) {
                open_link(at);
                if (beside) at.own->in.emplace(receiver::open(at.address()).value());
            },
            [=](const scene& at) { wire_receive(at, until); },
            [=](const scene& at) { return receiver_is_gone(at, may_lose); },
            [=](const scene& at) { send_two(at, size); }};
}

void add_coming(table& all, const facility& of) {
    const auto usable = [=](const scene& at) { return name_is_usable(at, of.has_file); };
    const auto nothing = [](const scene&) {};
    for (const bool as_sender : {true, false}) {
        const std::string who = as_sender ? "-sender" : "-receiver";
        const auto come = [=](const scene& at) { come_as_victim(at, as_sender); };
        const auto go = [=](const scene& at) { go_as_victim(at, as_sender); };
        all.push_back({"open" + who, of.scheme + std::string(":"), nothing, come, usable});
        all.push_back({"close" + who, of.scheme + std::string(":"), nothing, go, usable});
    }
}

void add(table& all, const facility& of) {
    all.push_back(sending("send", of, small, patience));
    all.push_back(sending("send-larger", of, of.larger, patience));
    if (of.streams) all.push_back(sending("send-timed", of, of.too_much, timed));
    all.push_back(receiving("receive", of, small, patience));
    all.push_back(receiving("receive-larger", of, of.larger, patience));
    if (std::string_view(of.scheme) != "pipe") add_coming(all, of);
}

} // namespace

std::vector<operation> wire_operations() {
    table all;
    for (const facility& of : facilities) {
        table of_scheme;
        add(of_scheme, of);
        for (auto& made : of_scheme) {
            made.name = std::string(of.scheme) + "/" + made.name;
            made.survivors = false;
            all.push_back(std::move(made));
        }
    }
    return all;
}

} // namespace hawser::crash
