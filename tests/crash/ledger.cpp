#include "ledger.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hawser::crash {

namespace {

constexpr std::size_t digits = 4;

char filler_of(std::uint32_t id) {
    return static_cast<char>('a' + id % 26);
}

// What one message's counts say, or nothing. Adds to `missing` what was sent and is nowhere.
std::string compare_line(const ledger::line& of, const allowance& may, std::uint32_t receivers_died,
                         std::uint32_t& missing) {
    const std::uint32_t ended = of.kept + of.released;
    const std::uint32_t perhaps = of.kept + std::max<std::uint32_t>(of.releasing, of.released);
    if (perhaps < of.sent) missing += of.sent - perhaps;
    if (may.may_duplicate) return {};
    if (ended > of.offered) return "came again although it was finished";
    if (of.fresh > of.offered) return "came twice, and not flagged";
    if (of.again == 0) return {};
    if (!may.redelivers) return "came again where nothing may";
    if (of.again > receivers_died) return "is flagged more often than receivers died";
    return {};
}

} // namespace

void ledger::clear() {
    for (std::uint32_t id = 0; id < std::min<std::uint32_t>(used, most); ++id) {
        line& one = lines[id];
        for (count* word : {&one.size, &one.offered, &one.sent, &one.fresh, &one.again, &one.kept,
                            &one.releasing, &one.released})
            word->store(0);
    }
    for (count* word : {&used, &dropped, &dropping, &receiving, &finished, &wrong}) word->store(0);
}

letter write_letter(ledger& book, std::size_t size) {
    letter made;
    made.id = book.used.fetch_add(1);
    const std::string number = std::to_string(made.id);
    made.body = std::string(digits - std::min(digits, number.size()), '0') + number;
    made.body.append(size - made.body.size(), filler_of(made.id));
    book.at(made.id).size.store(static_cast<std::uint32_t>(size));
    book.at(made.id).offered.fetch_add(1);
    return made;
}

std::optional<std::uint32_t> read_letter(const ledger& book, std::string_view body) {
    std::uint32_t id = 0;
    if (body.size() < digits) return std::nullopt;
    const auto read = std::from_chars(body.data(), body.data() + digits, id);
    if (read.ptr != body.data() + digits || id >= ledger::most || id >= book.used)
        return std::nullopt;
    if (body.size() != book.lines[id].size) return std::nullopt;
    // All the same: the first is right, and each is as the one before. Victims are stepped through
    // this, so it had better be quick.
    const auto rest = body.substr(digits);
    if (rest.empty()) return id;
    if (rest.front() != filler_of(id)) return std::nullopt;
    if (std::memcmp(rest.data(), rest.data() + 1, rest.size() - 1) != 0) return std::nullopt;
    return id;
}

result<sent> post(ledger& book, sender& out, const letter& mail, deadline until) {
    const auto bytes = std::as_bytes(std::span(mail.body));
    auto done = out.send_by(bytes, until);
    if (done && done->stored) book.at(mail.id).sent.fetch_add(1);
    if (done && done->dropped != 0)
        book.dropped.fetch_add(static_cast<std::uint32_t>(done->dropped));
    return done;
}

bool note_arrival(ledger& book, const message& got) {
    const auto id = read_letter(book, got.text());
    if (!id) return book.wrong.fetch_add(1), false;
    auto& line = book.at(*id);
    (got.redelivered() ? line.again : line.fresh).fetch_add(1);
    return true;
}

void note_kept(ledger& book, const message& got) {
    if (const auto id = read_letter(book, got.text())) book.at(*id).kept.fetch_add(1);
}

std::string compare(ledger& book, const allowance& may) {
    if (book.wrong != 0) return "a victim saw a torn message, or what must not happen";
    std::uint32_t missing = 0;
    const std::uint32_t used = std::min<std::uint32_t>(book.used, ledger::most);
    for (std::uint32_t id = 0; id < used; ++id) {
        const auto wrong = compare_line(book.lines[id], may, book.receiving, missing);
        if (!wrong.empty()) return "message " + std::to_string(id) + " " + wrong;
    }
    const std::uint32_t most_missing = book.dropped + book.dropping + may.may_lose;
    if (missing > most_missing)
        return std::to_string(missing) + " messages that were sent are lost, and " +
               std::to_string(most_missing) + " may be";
    if (missing < book.dropped)
        return "sends said that they dropped " + std::to_string(book.dropped) + ", and " +
               std::to_string(missing) + " are missing";
    return {};
}

} // namespace hawser::crash
