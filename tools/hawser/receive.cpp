// hawser receive: messages become lines, bytes, frames or JSON on stdout.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/capabilities.hpp>
#include <hawser/receiver.hpp>

#include "flags.hpp"
#include "output/error.hpp"
#include "output/human.hpp"
#include "raw_bytes.hpp"
#include "receive_output.hpp"
#include "terminal/signals.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::array<example, 3> examples{{
    {"hawser receive shm:orders", "a line each, until all senders went"},
    {"hawser receive shm:orders --idle 0s", "what is there now, and end"},
    {"hawser receive A --format frame | hawser send B --frames", "any bytes, boundaries kept"},
}};

constexpr std::string_view footer =
    R"(A message is released once its bytes are written to stdout: what a crash, or a reader that
went away, leaves unwritten comes again to another receiver. Ctrl-C writes what was taken, and
exits with 130.)";

struct receive_flags {
    std::string address;
    hawser::options wanted;
    maybe_count count;
    maybe_duration for_;
    maybe_duration idle;
    maybe_duration timeout;
    std::string format_name;
    std::string release = "written";
    bool nul = false;
    bool jsonl = false;
    bool verbose = false;
    raw_flags raw;
    std::string type;
};

// "3", "<=3", "!=3", "any"; nothing where it is none of these.
std::optional<hawser::selection> parse_selection(std::string_view text) {
    using rule = hawser::selection::rule;
    if (text.empty()) return hawser::selection{};
    if (text == "any") return hawser::selection{rule::in_order, 0};
    hawser::selection which{rule::exactly, 0};
    if (text.starts_with("<=")) which.by = rule::up_to;
    if (text.starts_with("!=")) which.by = rule::not_this;
    if (which.by != rule::exactly) text.remove_prefix(2);
    const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), which.type);
    if (bad != std::errc{} || stop != text.data() + text.size() || which.type < 1)
        return std::nullopt;
    return which;
}

format format_of(const receive_flags& flags) {
    struct spelling {
        std::string_view name;
        format value;
    };
    constexpr std::array<spelling, 6> spellings{{{"raw", format::raw},
                                                 {"text", format::text},
                                                 {"frame", format::frame},
                                                 {"quoted", format::quoted},
                                                 {"hex", format::hex},
                                                 {"json", format::json}}};
    if (flags.jsonl) return format::json;
    if (flags.nul) return format::nul;
    for (const spelling& each : spellings)
        if (each.name == flags.format_name) return each.value;
    return is_terminal(stream::out) ? format::terminal : format::text;
}

// Does what one sender breaks leave the others unharmed? They come and go, each by itself.
bool outlives_senders(const hawser::address& where) {
    for (const auto& each : hawser::transports())
        if (each.scheme == where.scheme)
            return each.can.many_senders && each.can.lives == hawser::lifetime_kind::process;
    return false;
}

// So many mishaps with neither a message nor a nap between them are no longer those of single
// senders.
constexpr unsigned most_mishaps = 1000;

class receiving {
  public:
    receiving(const context& here, const receive_flags& flags, hawser::receiver in,
              const hawser::selection& which)
        : here_(here), flags_(flags), in_(std::move(in)), which_(which),
          out_(here, format_of(flags),
               flags.release == "taken" ? release_when::taken : release_when::written,
               [this] { in_.close(); }),
          progress_(!is_terminal(stream::out)), outlives_senders_(outlives_senders(in_.where())) {}

    int run();

  private:
    bool is_over();
    bool take(hawser::result<hawser::message>& got);
    void wait();
    void end(const hawser::error& why);
    bool goes_on(const hawser::error& why);
    [[nodiscard]] steady::duration patience(steady::time_point now) const;
    void report() const;

    const context& here_;
    const receive_flags& flags_;
    hawser::receiver in_;
    hawser::selection which_;
    message_output out_;
    progress progress_;
    bool outlives_senders_;
    unsigned mishaps_ = 0; // in a row
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t redelivered_ = 0;
    const steady::time_point began_ = steady::now();
    steady::time_point quiet_since_ = began_;
    bool quiet_ = false; // nothing came since quiet_since_
    bool over_ = false;
    int status_ = exit_ok;
};

int receiving::run() {
    while (!is_over()) {
        auto got = in_.receive_selected(which_, hawser::deadline::now());
        if (take(got)) continue;
        if (got.is(hawser::errc::would_block)) {
            out_.flush();
            wait();
        } else if (got.is(hawser::errc::no_space) && out_.held() > 0) {
            out_.flush(); // all loans are in the buffer
        } else {
            out_.flush();
            end(got.why());
        }
    }
    out_.flush();
    in_.close();
    if (stop_signal() != 0) status_ = stop_status();
    progress_.clear();
    report();
    return status_;
}

bool receiving::is_over() {
    if (flags_.count && messages_ >= *flags_.count) over_ = true;
    if (stop_signal() != 0) over_ = true;
    return over_;
}

// Counts the message and hands it on; false if there is none.
bool receiving::take(hawser::result<hawser::message>& got) {
    if (!got) return false;
    mishaps_ = 0;
    ++messages_;
    bytes_ += got->size();
    if (got->redelivered()) ++redelivered_;
    quiet_ = false;
    out_.add(std::move(*got));
    // A look at the clock costs as much as a message.
    if (messages_ % 1024 == 0) progress_.show(messages_, bytes_);
    const bool look = flags_.for_ && messages_ % 64 == 0;
    if (look && steady::now() - began_ >= *flags_.for_) over_ = true;
    return true;
}

// How long the silence may still last until one of the limits is reached; zero or less if one is.
steady::duration receiving::patience(steady::time_point now) const {
    steady::duration left = nap;
    const bool first = messages_ == 0;
    if (flags_.for_) left = std::min<steady::duration>(left, *flags_.for_ - (now - began_));
    if (flags_.timeout && first)
        left = std::min<steady::duration>(left, *flags_.timeout - (now - began_));
    if (flags_.idle && !(flags_.timeout && first))
        left = std::min<steady::duration>(left, *flags_.idle - (now - quiet_since_));
    return left;
}

// Nothing is there: sleeps for a nap, until a message comes, or finds that it is over.
void receiving::wait() {
    const auto now = steady::now();
    if (!std::exchange(quiet_, true)) quiet_since_ = messages_ == 0 ? began_ : now;
    progress_.show(messages_, bytes_);
    out_.notice_lost_reader();
    const auto left = patience(now);
    if (left <= steady::duration::zero()) {
        over_ = true;
        const bool too_late = messages_ == 0 && flags_.timeout && now - began_ >= *flags_.timeout;
        const std::string name = in_.where().name();
        in_.close(); // before the next step is chosen: what we made for us goes with us
        if (too_late)
            status_ =
                fail(here_, hawser::error{hawser::errc::timed_out, "receive"}.at(name).because(
                                "no message came in the time given"));
        return;
    }
    auto got = in_.receive_selected(which_, hawser::deadline::after(left));
    if (got.is(hawser::errc::timed_out)) mishaps_ = 0;
    if (take(got) || got.is(hawser::errc::timed_out) || got.is(hawser::errc::interrupted)) return;
    end(got.why());
}

// A receive that failed for good, or found the end of the stream; or one sender's mishap.
void receiving::end(const hawser::error& why) {
    if (goes_on(why)) return;
    over_ = true;
    if (why.code() == hawser::errc::closed) return;
    progress_.clear();
    in_.close();
    status_ = fail(here_, why);
}

// What one of several senders did wrong is told, and the others are heard.
bool receiving::goes_on(const hawser::error& why) {
    const bool of_one_sender = why.code() == hawser::errc::corrupt ||
                               why.code() == hawser::errc::peer_died ||
                               why.code() == hawser::errc::too_big;
    if (!outlives_senders_ || !of_one_sender || ++mishaps_ > most_mishaps) return false;
    progress_.clear();
    status_ = warn(here_, why, "Receiving goes on.");
    return true;
}

void receiving::report() const {
    if (!flags_.verbose && !(stop_signal() != 0 && is_terminal(stream::err))) return;
    fmt::print(stderr, "received {}, {} in {}{}\n", human_plural(messages_, "message"),
               human_size(bytes_), human_duration(steady::now() - began_),
               redelivered_ == 0 ? "" : fmt::format(", {} redelivered", human_count(redelivered_)));
}

int run_receive(const context& here, const receive_flags& flags) {
    if (flags.raw.on)
        return receive_raw(
            here, {flags.address, flags.wanted, flags.raw, flags.timeout, {}, {}, flags.verbose});
    const auto which = parse_selection(flags.type);
    if (!which)
        return fail_usage(here,
                          "--type is 3 (of this type), <=3 (the lowest up to it), !=3 (of any "
                          "other) or any (the oldest)");
    catch_signals();
    auto in = hawser::receiver::open(flags.address, flags.wanted);
    if (!in) return fail(here, in.why());
    tell_where(here, "receiving at", flags.address, in->where());
    return receiving(here, flags, std::move(*in), *which).run();
}

void add_endings(CLI::App* verb, receive_flags& flags) {
    const std::string group = "When to end, if not when all senders have gone and nothing is left";
    add_count(verb, "-n,--count", flags.count, "after N messages")->group(group);
    add_duration(verb, "--for", flags.for_, "so long after the start, however much still comes")
        ->group(group);
    add_duration(verb, "--idle", flags.idle,
                 "when nothing came for so long; 0s takes what is there (together with --timeout, "
                 "it counts from the first message)")
        ->group(group);
    add_duration(verb, "--timeout", flags.timeout,
                 "fail with 4 when not even one message came so long after the start")
        ->group(group);
}

void add_formats(CLI::App* verb, receive_flags& flags) {
    const std::string group = "Output";
    CLI::Option* const as =
        add_choice(verb, "--format", flags.format_name, "raw|text|quoted|hex|json|frame",
                   "text: a line each (on a terminal with control characters shown as \\xNN); raw: "
                   "the bytes alone; frame: 8 bytes of length, little-endian, before each (text)")
            ->group(group);
    CLI::Option* const nul =
        verb->add_flag("-0,--null", flags.nul, "a NUL after each message")->group(group);
    CLI::Option* const jsonl =
        verb->add_flag("--jsonl,--json", flags.jsonl, "--format json; errors are JSON as well")
            ->group(group);
    as->excludes(nul, jsonl);
    nul->excludes(jsonl);
    add_choice(verb, "--release", flags.release, "written|taken",
               "when a message counts as received: once its bytes are written, or, faster, as "
               "soon as it is taken; a crash then loses up to 1MiB of output (written)")
        ->group(group);
    verb->add_flag("-v,--verbose", flags.verbose, "say on stderr how much came")->group(group);
}

// What is received: not every message, or no messages at all.
void add_sources(CLI::App* verb, receive_flags& flags) {
    CLI::Option* const type =
        verb->add_option("--type", flags.type,
                         "only System V messages of type 3, up to it (<=3), of any other (!=3), or "
                         "any in the order of sending")
            ->type_name("N|<=N|!=N|any");
    CLI::Option* const raw =
        add_raw(verb, flags.raw,
                "the bytes as they come, without messages, from a stream (a FIFO, a pipe, a "
                "socket, a terminal); takes one connection on a socket");
    raw->excludes(type);
    for (const char* other :
         {"--count", "--for", "--idle", "--format", "--null", "--jsonl", "--release"})
        raw->excludes(verb->get_option(other));
}

} // namespace

void add_receive(CLI::App& app, context& here) {
    auto flags = std::make_shared<receive_flags>();
    CLI::App* const verb = add_verb(app, "receive", "Receive messages and print them.", examples);
    verb->footer(std::string(footer));
    add_address(verb, flags->address);
    add_endings(verb, *flags);
    add_formats(verb, *flags);
    add_sources(verb, *flags);
    add_options(verb, flags->wanted);
    verb->callback([=, &here] {
        here.json = format_of(*flags) == format::json;
        here.status = run_receive(here, *flags);
    });
}

} // namespace tool
