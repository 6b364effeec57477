#include "operations.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include <poll.h>

namespace hawser::faults {

namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

constexpr auto patience = 5s;
constexpr auto moment = 5ms;

// ---- what is looked at after the fault ------------------------------------------------------

void reopen(const stage& s, both_ends& ends) {
    ends.out.close();
    ends.in.close();
    ends = s.open_both();
}

// A message gets through: on these ends as they are, once what broke has been told, or on new ones.
void still_works(const stage& s, both_ends& ends) {
    std::string last;
    for (int round = 0; round < 3; ++round) {
        if (round == 2) reopen(s, ends);
        if (const auto sent = ends.out.send_for("after", patience); !sent) {
            last = sent.why().describe();
            continue;
        }
        // What comes may be late: a break of the old connection is told before the new message.
        for (int i = 0; i < 3; ++i) {
            const auto got = ends.in.receive_for(patience);
            if (got && got->text() == "after") return;
            if (got) wrong("'" + std::string(got->text().substr(0, 40)) + "' came unasked");
            last = got.why().describe();
            if (!got.is(errc::closed) && !got.is(errc::peer_died)) break;
        }
    }
    wrong("nothing gets through any more, not on new end points either: " + last);
}

// The same for a receiver whose sender is gone for good.
void check_rest(const stage& s, both_ends& ends, const std::string& text, bool ok) {
    int times = 0;
    auto got = ends.in.try_receive();
    for (; got; got = ends.in.try_receive(), ++times)
        if (got->text() != text) wrong("a message is torn");
    if (times != (ok ? 1 : 0)) wrong("the message came " + std::to_string(times) + " times");
    reopen(s, ends);
    still_works(s, ends);
}

// A send that said ok arrives once and whole, one that did not never does.
void check_sent(const stage& s, both_ends& ends, const std::string& text, bool ok) {
    bool reopened = false;
    if (!ends.out.send_for("after", patience)) {
        ends.out.close();
        if (s.how().make_both != nullptr) return check_rest(s, ends, text, ok);
        ends.out = s.open_sender();
        s.send(ends.out, "after");
        reopened = true;
    }
    int times = 0;
    int breaks = 0;
    for (bool after = false; !after;) {
        const auto got = ends.in.receive_for(patience);
        const bool broken = got.is(errc::peer_died) || got.is(errc::closed);
        if (broken && reopened && ++breaks < 3) continue; // the old connection's end
        if (!got) wrong("what was sent later does not come: " + got.why().describe());
        after = got->text() == "after";
        if (!after && got->text() != text)
            wrong("a message is torn: " + std::to_string(got->size()) + " bytes");
        times += after ? 0 : 1;
    }
    // From a connection of its own it may be later.
    if (const auto got = ends.in.receive_for(reopened ? moment : 0ms); got) ++times;
    if (times > 1) wrong("the message came " + std::to_string(times) + " times");
    if (ok && times == 0) wrong("a message is lost whose send said ok");
    if (!ok && times == 1) wrong("a message came whose send said it was not sent");
}

// The kernel has ended the connection of the call under the fault, and what was in it is gone.
bool connection_broke(const stage& s) {
    return s.code() == errc::peer_died || s.code() == errc::closed || s.sys() == ECONNREFUSED;
}

// A message that is there comes once and whole, at once or when asked again.
void check_received(const stage& s, both_ends& ends, const std::string& text,
                    result<message> first) {
    if (!first) {
        auto second = ends.in.receive_for(patience);
        const bool broken = connection_broke(s);
        if (!second && !broken)
            wrong("the message is lost; receive said: " + second.why().describe());
        first = std::move(second);
    }
    if (first && first->text() != text)
        wrong("a message is torn: " + std::to_string(first->size()) + " bytes");
    if (first) first->release();
    still_works(s, ends);
    if (ends.in.try_receive()) wrong("a message came twice");
}

// As a poller does it: with the descriptor that it has had all along. Asking for it again would be
// a call on the end point, which may ring its own bell.
struct poller {
    int fd = -1;
    short events = 0;

    template <typename End>
    static poller of(End& end) {
        const auto fd = end.fd();
        if (!fd) wrong("fd() fails: " + fd.why().describe());
        return {*fd, end.fd_events()};
    }
    void check_ready(const char* why) const {
        pollfd one{fd, events, 0};
        const int limit_ms = static_cast<int>(std::chrono::milliseconds(patience).count());
        if (::poll(&one, 1, limit_ms) != 1) wrong(std::string("fd() stays silent ") + why);
    }
};

// ---- opening --------------------------------------------------------------------------------

template <typename End>
End open_under_fault(stage& s) {
    const auto before = holdings::of_now(s.how());
    auto opened = s.under_fault([&] { return End::open(s.address()); });
    if (opened) return std::move(*opened);
    s.check_nothing_leaked("after open had failed", before);
    auto again = End::open(s.address());
    if (!again) wrong("it can't be opened after the fault either: " + again.why().describe());
    return std::move(*again);
}

void open_receiver(stage& s) {
    auto in = open_under_fault<receiver>(s);
    both_ends ends{std::move(in), s.open_sender()};
    still_works(s, ends);
}

void open_sender(stage& s) {
    auto in = s.open_receiver();
    both_ends ends{std::move(in), open_under_fault<sender>(s)};
    still_works(s, ends);
}

void open_sender_first(stage& s) {
    auto out = open_under_fault<sender>(s);
    both_ends ends{s.open_receiver(), std::move(out)};
    still_works(s, ends);
}

void open_both(stage& s) {
    const auto before = holdings::of_now(s.how());
    auto made = s.under_fault([&] { return s.how().make_both(); });
    if (!made) s.check_nothing_leaked("after it had failed", before);
    auto ends = made ? std::move(*made) : s.open_both();
    still_works(s, ends);
}

void join_receiver(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    auto second = open_under_fault<receiver>(s);
    s.exchange(ends.out, ends.in, "to the first one");
    ends.in.close();
    ends.in = std::move(second);
    still_works(s, ends);
}

void join_sender(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    auto second = open_under_fault<sender>(s);
    s.exchange(ends.out, ends.in, "from the first one");
    s.exchange(second, ends.in, "from the second one");
}

// ---- sending --------------------------------------------------------------------------------

void send_text(stage& s, const std::string& text, bool again) {
    auto ends = s.open_both();
    if (again) s.exchange(ends.out, ends.in, "before");
    const auto done = s.under_fault([&] { return ends.out.send_for(text, patience); });
    check_sent(s, ends, text, done.has_value());
}

std::string large(const stage& s) {
    std::string text(s.how().large_bytes, 'L');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

void send_loan(stage& s) {
    const std::string text = s.how().large_bytes != 0 ? large(s) : "a loan";
    auto ends = s.open_both();
    const auto done = s.under_fault([&]() -> result<sent> {
        auto lent = ends.out.loan_for(text.size(), deadline::after(patience));
        if (!lent) return lent.why();
        std::memcpy(lent->bytes().data(), text.data(), text.size());
        return ends.out.send_for(std::move(*lent), patience);
    });
    check_sent(s, ends, text, done.has_value());
}

// How many messages it takes until there is no room.
std::size_t fill(const stage& s, sender& out) {
    const std::string text(s.how().fill_bytes, 'f');
    constexpr std::size_t most = 100'000;
    for (std::size_t count = 0; count < most; ++count) {
        const auto done = out.try_send(text);
        if (done.is(errc::would_block)) return count;
        if (!done) wrong("it can't be filled: " + done.why().describe());
    }
    wrong("it is never full");
}

void send_when_full(stage& s) {
    auto ends = s.open_both();
    const std::size_t filled = fill(s, ends.out);
    s.expect(errc::timed_out);
    const auto done = s.under_fault([&] { return ends.out.send_for("late", moment); });
    // On a new connection, if the old one broke, the late one may come before older ones.
    bool late = false;
    for (std::size_t i = 0; i < filled + (done ? 1 : 0); ++i) {
        const std::string got = s.receive(ends.in);
        const bool is_late = done && !late && got == "late";
        if (is_late) late = true;
        if (!is_late && got.size() != s.how().fill_bytes) wrong("an old message is torn");
    }
    still_works(s, ends);
}

// ---- receiving ------------------------------------------------------------------------------

void receive_text(stage& s, const std::string& text, bool again) {
    auto ends = s.open_both();
    if (again) s.exchange(ends.out, ends.in, "before");
    s.send(ends.out, text);
    auto got = s.under_fault([&] { return ends.in.receive_for(patience); });
    check_received(s, ends, text, std::move(got));
}

void receive_nothing(stage& s, std::chrono::milliseconds limit) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    s.expect(limit == 0ms ? errc::would_block : errc::timed_out);
    const auto got = s.under_fault([&] { return ends.in.receive_for(limit); });
    if (got) wrong("a message came that nobody had sent");
    still_works(s, ends);
}

// ---- closing --------------------------------------------------------------------------------

void close_sender(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    s.quietly_under_fault([&] { ends.out.close(); });
    if (s.how().make_both != nullptr) return;
    ends.out = s.open_sender();
    still_works(s, ends);
}

void close_receiver(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    s.quietly_under_fault([&] { ends.in.close(); });
    if (s.how().make_both != nullptr) return;
    ends.in = s.open_receiver();
    still_works(s, ends);
}

void close_last(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    ends.out.close();
    s.quietly_under_fault([&] { ends.in.close(); });
}

// ---- waiting with poll ----------------------------------------------------------------------

void receiver_fd(stage& s) {
    auto ends = s.open_both();
    static_cast<void>(s.under_fault([&] { return ends.in.fd(); }));
    const poller waits = poller::of(ends.in);
    s.send(ends.out, "rings");
    waits.check_ready("when a message came");
    if (s.receive(ends.in) != "rings") wrong("another message came");
    still_works(s, ends);
}

void sender_fd(stage& s) {
    auto ends = s.open_both();
    const auto first = s.under_fault([&] { return ends.out.fd(); });
    const poller waits = first ? poller{*first, ends.out.fd_events()} : poller::of(ends.out);
    waits.check_ready("though there is room");
    still_works(s, ends);
}

// The receiver waits with poll; what is sent must wake it.
void send_to_poller(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    const poller waits = poller::of(ends.in);
    if (ends.in.try_receive()) wrong("a message came unasked");
    const auto done = s.under_fault([&] { return ends.out.send_for("rings", patience); });
    if (done) waits.check_ready("when a message came");
    check_sent(s, ends, "rings", done.has_value());
}

// The receiver has a descriptor that must stay true after its own call.
void receive_as_poller(stage& s) {
    auto ends = s.open_both();
    s.exchange(ends.out, ends.in, "before");
    const poller waits = poller::of(ends.in);
    s.send(ends.out, "first");
    waits.check_ready("before the fault");
    auto got = s.under_fault([&] { return ends.in.receive_for(patience); });
    if (!got) waits.check_ready("though the message is still there");
    check_received(s, ends, "first", std::move(got));
    s.send(ends.out, "second");
    waits.check_ready("when the next message came");
    if (s.receive(ends.in) != "second") wrong("another message came");
}

// The sender waits with poll for room; what is received must wake it.
void receive_from_poller(stage& s) {
    auto ends = s.open_both();
    const poller waits = poller::of(ends.out);
    const std::size_t filled = fill(s, ends.out);
    std::size_t received = 0;
    const auto receive_all = [&]() -> result<void> {
        for (; received < filled; ++received)
            if (const auto got = ends.in.receive_for(patience); !got) return got.why();
        return {};
    };
    static_cast<void>(s.under_fault(receive_all));
    // With a connection that breaks goes what was in it.
    const bool broken = connection_broke(s);
    const auto rest = receive_all();
    if (!rest && !broken) wrong("a message is lost; receive said: " + rest.why().describe());
    if (!rest) return still_works(s, ends);
    waits.check_ready("when there was room");
    still_works(s, ends);
}

// ---- byte streams ---------------------------------------------------------------------------

std::string read_all(byte_stream& from, std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t got = 0; got < size;) {
        const auto rest = std::as_writable_bytes(std::span(text)).subspan(got);
        const auto some = from.read_some(rest, deadline::after(patience));
        if (!some) wrong("bytes are lost: " + some.why().describe());
        got += *some;
    }
    return text;
}

void pass_bytes(both_streams& ends) {
    if (const auto done = ends.writes.write_all("more", deadline::after(patience)); !done)
        wrong("nothing can be written any more: " + done.why().describe());
    if (read_all(ends.reads, 4) != "more") wrong("other bytes came");
}

void open_streams(stage& s) {
    const auto before = holdings::of_now(s.how());
    auto made = s.under_fault([&] { return s.how().make_streams(s.address()); });
    if (!made) s.check_nothing_leaked("after it had failed", before);
    auto ends = made ? std::move(*made) : s.open_streams();
    pass_bytes(ends);
}

void write_bytes(stage& s) {
    auto ends = s.open_streams();
    pass_bytes(ends);
    const auto done =
        s.under_fault([&] { return ends.writes.write_all("bytes", deadline::after(patience)); });
    if (done && read_all(ends.reads, 5) != "bytes") wrong("the bytes are not those written");
    if (!done) ends = s.open_streams();
    pass_bytes(ends);
}

void read_bytes(stage& s) {
    auto ends = s.open_streams();
    pass_bytes(ends);
    if (!ends.writes.write_all("bytes")) wrong("nothing can be written");
    std::array<std::byte, 16> some{};
    const auto got =
        s.under_fault([&] { return ends.reads.read_some(some, deadline::after(patience)); });
    if (got && *got != 5) wrong("not all that was there was read");
    const bool broken = connection_broke(s);
    if (!got && !broken && read_all(ends.reads, 5) != "bytes")
        wrong("the bytes are not those written");
    if (broken) ends = s.open_streams();
    pass_bytes(ends);
}

void close_streams(stage& s) {
    auto ends = s.open_streams();
    pass_bytes(ends);
    s.quietly_under_fault([&] {
        ends.writes.close();
        ends.reads.close();
    });
}

// ---- the list -------------------------------------------------------------------------------

bool always(const spelling& /*how*/, const capabilities& /*can*/) {
    return true;
}
bool if_named(const spelling& how, const capabilities& /*can*/) {
    return how.make_both == nullptr;
}
bool if_together(const spelling& how, const capabilities& /*can*/) {
    return how.make_both != nullptr;
}
bool if_sender_first(const spelling& how, const capabilities& /*can*/) {
    return how.make_both == nullptr && how.sender_first;
}
bool if_many_receivers(const spelling& how, const capabilities& can) {
    return how.make_both == nullptr && can.many_receivers;
}
bool if_many_senders(const spelling& how, const capabilities& can) {
    return how.make_both == nullptr && can.many_senders;
}
bool if_large(const spelling& how, const capabilities& /*can*/) {
    return how.large_bytes != 0;
}
bool if_fills(const spelling& how, const capabilities& /*can*/) {
    return how.fills;
}
bool if_pollable(const spelling& /*how*/, const capabilities& can) {
    return can.fd_pollable;
}
bool if_streams(const spelling& how, const capabilities& /*can*/) {
    return how.make_streams != nullptr;
}
bool if_pollable_and_fills(const spelling& how, const capabilities& can) {
    return can.fd_pollable && how.fills;
}

} // namespace

const std::vector<operation>& operations() {
    static const std::vector<operation> all{
        {"open-both", true, if_together, open_both},
        {"open-receiver", true, if_named, open_receiver},
        {"open-sender", true, if_named, open_sender},
        {"open-sender-first", true, if_sender_first, open_sender_first},
        {"join-receiver", true, if_many_receivers, join_receiver},
        {"join-sender", true, if_many_senders, join_sender},
        {"send-first", false, always, [](stage& s) { send_text(s, "tiny", false); }},
        {"send", false, always, [](stage& s) { send_text(s, "tiny", true); }},
        {"send-large", false, if_large, [](stage& s) { send_text(s, large(s), false); }},
        {"send-loan", false, always, send_loan},
        {"send-when-full", false, if_fills, send_when_full},
        {"receive-first", false, always, [](stage& s) { receive_text(s, "tiny", false); }},
        {"receive", false, always, [](stage& s) { receive_text(s, "tiny", true); }},
        {"receive-large", false, if_large, [](stage& s) { receive_text(s, large(s), false); }},
        {"receive-timed", false, always, [](stage& s) { receive_nothing(s, moment); }},
        {"receive-try", false, always, [](stage& s) { receive_nothing(s, 0ms); }},
        {"close-sender", true, always, close_sender},
        {"close-receiver", true, always, close_receiver},
        {"close-last", true, always, close_last},
        {"fd-receiver", false, if_pollable, receiver_fd},
        {"fd-sender", false, if_pollable, sender_fd},
        {"send-to-poller", false, if_pollable, send_to_poller},
        {"receive-as-poller", false, if_pollable, receive_as_poller},
        {"receive-from-poller", false, if_pollable_and_fills, receive_from_poller},
        {"stream-open", true, if_streams, open_streams, true},
        {"stream-write", false, if_streams, write_bytes, true},
        {"stream-read", false, if_streams, read_bytes, true},
        {"stream-close", true, if_streams, close_streams, true},
    };
    return all;
}

} // namespace hawser::faults
