// hawser send: lines, pieces or whole files become messages.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <hawser/capabilities.hpp>
#include <hawser/inspect.hpp>
#include <hawser/sender.hpp>

#include "flags.hpp"
#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "raw_bytes.hpp"
#include "send_input.hpp"
#include "terminal/signals.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::array<example, 3> examples{{
    {"hawser send shm:orders < orders.csv", "each line is a message"},
    {"hawser send shm:jobs --whole *.json", "each file is a message"},
    {"hawser send shm:log --message 'disk full' --full fail", "one message; 7 if there is no room"},
}};

struct send_flags {
    std::string address;
    std::vector<std::string> files;
    std::vector<std::string> messages;
    hawser::options wanted;
    maybe_duration timeout;
    maybe_size size;
    bool whole = false;
    bool nul = false;
    bool frames = false;
    bool verbose = false;
    raw_flags raw;
    maybe_count priority;
    maybe_count type;

    [[nodiscard]] hawser::envelope envelope() const noexcept {
        hawser::envelope with;
        with.priority = static_cast<std::uint32_t>(priority.value_or(0));
        with.type = static_cast<std::int64_t>(type.value_or(0));
        return with;
    }
    [[nodiscard]] cut_at cut() const noexcept {
        return whole    ? cut_at::end
               : nul    ? cut_at::nul
               : frames ? cut_at::frame
               : size   ? cut_at::size
                        : cut_at::newline;
    }
};

struct tally {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t dropped = 0;
    std::uint64_t left = 0; // nobody came to receive them
    steady::time_point began = steady::now();
};

const hawser::capabilities* capabilities_of(const hawser::address& where) {
    for (const auto& each : hawser::transports())
        if (each.scheme == where.scheme) return &each.can;
    return nullptr;
}

// No longer message is worth reading: nothing could carry it.
std::uint64_t longest_message(hawser::sender& out) {
    constexpr std::uint64_t most = std::uint64_t{1} << 30; // what one may cost us in memory
    const hawser::address& where = out.where();
    if (where.scheme == "shm") {
        const auto mailbox = hawser::inspect_mailbox(where.name());
        if (mailbox && mailbox->geometry.max_message)
            return std::min(most, *mailbox->geometry.max_message);
    }
    // Others would have to connect, to know.
    if (where.scheme == "mq" || where.scheme == "udp")
        if (const auto now = out.attributes(); now && now->max_message)
            return std::min(most, *now->max_message);
    const auto* const can = capabilities_of(where);
    return can == nullptr ? most : std::min(most, can->max_message);
}

// Could one that is made anew take longer ones?
bool can_be_made_larger(const hawser::address& where, std::uint64_t limit) {
    const auto* const can = capabilities_of(where);
    return can != nullptr && can->lives != hawser::lifetime_kind::process &&
           limit < can->max_message;
}

class sending {
  public:
    sending(const context& here, const send_flags& flags, hawser::sender out)
        : here_(here), flags_(flags), with_(flags.envelope()), out_(std::move(out)),
          name_(out_.where().name()), limit_(longest_message(out_)),
          progress_(!is_terminal(stream::in)) {}

    // Each stops at the first failure, which is reported, and gives its exit code.
    int send_messages();
    int send_file(const std::string& path);
    int send_input(int fd, const std::string& name);
    int finish(int status);

  private:
    int stay_for_a_receiver();
    void sum_up() const;
    int send_one(std::string_view bytes, const std::string& origin);
    hawser::result<hawser::sent> send_patiently(std::string_view bytes);
    int refuse_too_long(const std::string& name);
    [[nodiscard]] hawser::error placed(const hawser::error& why) const;
    int refuse(hawser::errc code, const std::string& name, std::string_view why);

    const context& here_;
    const send_flags& flags_;
    hawser::envelope with_;
    hawser::sender out_;
    std::string name_; // scheme and rest, for errors
    std::uint64_t limit_;
    tally done_;
    progress progress_;
};

// Sleeps in naps, since a signal may come just before the sleep that it should have ended.
hawser::result<hawser::sent> sending::send_patiently(std::string_view bytes) {
    const std::span<const std::byte> all = std::as_bytes(std::span(bytes.data(), bytes.size()));
    auto sent = out_.send_with(all, with_, hawser::deadline::now());
    // What is too big to be taken at once may be taken piece by piece.
    if (!sent.is(hawser::errc::would_block) && !sent.is(hawser::errc::too_big)) return sent;
    const auto began = steady::now();
    while (stop_signal() == 0) {
        const auto waited = steady::now() - began;
        if (flags_.timeout && waited >= *flags_.timeout)
            return hawser::error{hawser::errc::timed_out, "send"}.at(name_).because(
                "there was no room in the time given. Is anyone receiving?");
        const auto left = flags_.timeout ? *flags_.timeout - waited : std::chrono::nanoseconds(nap);
        sent = out_.send_with(
            all, with_, hawser::deadline::after(std::min<std::chrono::nanoseconds>(nap, left)));
        if (!sent.is(hawser::errc::timed_out) && !sent.is(hawser::errc::interrupted)) return sent;
    }
    return hawser::error{hawser::errc::interrupted, "send"};
}

int sending::send_one(std::string_view bytes, const std::string& origin) {
    const auto sent = send_patiently(bytes);
    if (!sent) {
        if (sent.is(hawser::errc::interrupted)) return stop_status();
        if (sent.is(hawser::errc::too_big))
            return refuse(sent.why().code(), origin, sent.why().detail());
        progress_.clear();
        out_.close(); // before the next step is chosen: what we made for us goes with us
        return fail(here_, placed(sent.why()));
    }
    done_.dropped += sent->dropped;
    if (sent->stored) {
        ++done_.messages;
        done_.bytes += bytes.size();
    } else {
        ++done_.dropped;
    }
    // A look at the clock costs as much as a message.
    if (done_.messages % 1024 == 0) progress_.show(done_.messages, done_.bytes);
    return exit_ok;
}

// An error of one message among many: says which.
int sending::refuse(hawser::errc code, const std::string& name, std::string_view why) {
    const std::string which =
        fmt::format("message {} of {}: {}", done_.messages + 1, printable(name), why);
    out_.close();
    return fail(here_, hawser::error{code, "send"}.at(name_).because(which));
}

int sending::refuse_too_long(const std::string& name) {
    const bool can_be_more = can_be_made_larger(out_.where(), limit_);
    return refuse(hawser::errc::too_big, name,
                  fmt::format("it is longer than max_message, which is {}. Cut it (--size){}",
                              human_limit(limit_),
                              can_be_more ? ", or make the mailbox with a larger --max_message."
                                          : "; more can't be had there."));
}

// With the address, which the library leaves out where an error is nothing unusual.
hawser::error sending::placed(const hawser::error& why) const {
    hawser::error told = why;
    if (told.address().empty()) told.at(name_);
    return told;
}

int sending::send_messages() {
    int status = exit_ok;
    for (const std::string& each : flags_.messages)
        if (status == exit_ok) status = send_one(each, "the command line");
    return status;
}

int sending::send_file(const std::string& path) {
    if (path == "-") return send_input(STDIN_FILENO, "stdin");
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_file(here_, "read", path, errno);
    const int status = send_input(fd, path);
    close(fd);
    return status;
}

int sending::send_input(int fd, const std::string& name) {
    message_input input(fd, flags_.cut(), flags_.size.value_or(0), limit_);
    for (;;) {
        int status = exit_ok;
        switch (input.next()) {
        case message_input::outcome::message:
            status = send_one(input.bytes(), name);
            break;
        case message_input::outcome::end:
            return exit_ok;
        case message_input::outcome::stopped:
            return stop_status();
        case message_input::outcome::failed:
            return fail_file(here_, "read", name, input.sys());
        case message_input::outcome::too_long:
            return refuse_too_long(name);
        case message_input::outcome::torn:
            return refuse(hawser::errc::corrupt, name,
                          "the input ends within a frame. Does it come from "
                          "`hawser receive --format frame`?");
        }
        if (status != exit_ok) return status;
    }
}

// How many messages are there for which nobody has come who would receive them.
std::uint64_t left_to_nobody(const std::string& name) {
    const auto seen = hawser::inspect_mailbox(name);
    if (!seen) return 0;
    const bool received = std::ranges::any_of(seen->participants, [](const auto& who) {
        return who.alive && who.role == hawser::participant_role::receiver;
    });
    return received ? 0 : seen->depth + seen->held;
}

// With trust=none what waits goes with the last participant, so this one stays until a receiver
// has come, for the time given at most.
int sending::stay_for_a_receiver() {
    constexpr std::chrono::milliseconds between{20};
    const auto began = steady::now();
    const auto look = [&] { return done_.left = left_to_nobody(name_); };
    if (look() == 0) return exit_ok;
    progress_.clear();
    tell_waiting(here_, name_, done_.left);
    do {
        if (stop_signal() != 0) return stop_status();
        if (flags_.timeout && steady::now() - began >= *flags_.timeout) {
            out_.close();
            return fail(here_, hawser::error{hawser::errc::timed_out, "send"}.at(name_).because(
                                   fmt::format("no receiver came in the time given: {} not "
                                               "received, and gone. Start the receiver first, "
                                               "or give more time (--timeout).",
                                               human_plural(done_.left, "message"))));
        }
        std::this_thread::sleep_for(between);
    } while (look() != 0);
    return exit_ok;
}

void sending::sum_up() const {
    std::string more;
    if (done_.dropped != 0) more += fmt::format(", {} dropped", done_.dropped);
    if (done_.left != 0) more += fmt::format(", {} not received, and gone", done_.left);
    fmt::print(stderr, "sent {}, {} in {}{}\n", human_plural(done_.messages, "message"),
               human_size(done_.bytes), human_duration(steady::now() - done_.began), more);
}

int sending::finish(int status) {
    if (status == exit_ok && out_.where().wanted.trust == hawser::trust_policy::none)
        status = stay_for_a_receiver();
    out_.close();
    progress_.clear();
    if (here_.json && status == exit_ok) {
        json document = envelope("send");
        document["address"] = text(name_);
        document["messages"] = done_.messages;
        document["bytes"] = done_.bytes;
        document["dropped"] = done_.dropped;
        if (!print_document(document)) return fail_file(here_, "write", "stdout", errno);
    }
    // Messages that are lost are worth a line in a log as well.
    const bool stopped = stop_signal() != 0 && (is_terminal(stream::err) || done_.left != 0);
    if (flags_.verbose || (stopped && !here_.json)) sum_up();
    return status;
}

// What the kernel's queues have; what this transport has, it says itself.
int check_numbers(const context& here, const send_flags& flags) {
    constexpr std::uint64_t highest_priority = 32'767;
    if (flags.priority && *flags.priority > highest_priority)
        return fail_usage(here, "--priority is at most 32,767");
    constexpr auto highest_type =
        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (flags.type && (*flags.type == 0 || *flags.type > highest_type))
        return fail_usage(here, "--type is a number from 1 on");
    return exit_ok;
}

int run_send(const context& here, const send_flags& flags) {
    if (flags.raw.on)
        return send_raw(here, {flags.address, flags.wanted, flags.raw, flags.timeout,
                               flags.messages, flags.files, flags.verbose});
    if (const int wrong = check_numbers(here, flags); wrong != exit_ok) return wrong;
    if (flags.size == 0) return fail_usage(here, "--size must be at least one byte");
    catch_signals();
    auto out = hawser::sender::open(flags.address, flags.wanted);
    if (!out) return fail(here, out.why());
    tell_where(here, "sending to", flags.address, out->where());
    sending work(here, flags, std::move(*out));
    int status = work.send_messages();
    for (const std::string& path : flags.files)
        if (status == exit_ok) status = work.send_file(path);
    if (status == exit_ok && flags.files.empty() && flags.messages.empty()) {
        if (is_terminal(stream::in) && is_terminal(stream::err))
            fmt::print(stderr, "each line that you type is a message; Ctrl-D ends\n");
        status = work.send_input(STDIN_FILENO, "stdin");
    }
    return work.finish(status);
}

void add_cuts(CLI::App* verb, send_flags& flags) {
    CLI::Option* const raw =
        add_raw(verb, flags.raw,
                "the bytes as they are, without messages, to a stream (a FIFO, a pipe, a socket, "
                "a terminal); connects to a socket");
    CLI::Option* const whole =
        verb->add_flag("--whole", flags.whole, "each input is one message, not each line");
    CLI::Option* const size = add_size(verb, "--size", flags.size,
                                       "cut into pieces of that size; the last may be shorter");
    CLI::Option* const nul =
        verb->add_flag("-0,--null", flags.nul, "messages end in NUL, not in newline");
    CLI::Option* const frames = verb->add_flag("--frames", flags.frames,
                                               "messages have 8 bytes of length before them: what "
                                               "`hawser receive --format frame` writes");
    whole->excludes(size, nul, frames);
    size->excludes(nul, frames);
    nul->excludes(frames);
    raw->excludes(whole, size, nul, frames);
    CLI::Option* const priority = add_count(verb, "--priority", flags.priority,
                                            "of each message, higher first (mq, sysv-mq)");
    CLI::Option* const type =
        add_count(verb, "--type", flags.type, "System V type of each message, from 1 (sysv-mq)");
    priority->excludes(raw, type);
    type->excludes(raw);
}

} // namespace

void add_send(CLI::App& app, context& here) {
    auto flags = std::make_shared<send_flags>();
    CLI::App* const verb =
        add_verb(app, "send", "Send lines, pieces or whole files as messages.", examples);
    add_address(verb, flags->address);
    verb->add_option("file", flags->files, "what to send; - is stdin, and so is none")
        ->type_name("FILE");
    verb->add_option("-m,--message", flags->messages,
                     "send this text (again for more), and read no stdin")
        ->type_name("TEXT")
        ->allow_extra_args(false);
    add_cuts(verb, *flags);
    add_duration(verb, "--timeout", flags->timeout,
                 "fail with 4 when one message finds no room for so long, or, with "
                 "--trust=none, no receiver comes for so long at the end (for ever)");
    verb->add_flag("-v,--verbose", flags->verbose, "say on stderr how much was sent");
    add_json_flag(verb, here);
    add_options(verb, flags->wanted);
    verb->footer("With --trust=none messages go when the last process that uses the mailbox goes: "
                 "so in\nthe end it waits until a receiver has come.");
    verb->callback([=, &here] { here.status = run_send(here, *flags); });
}

} // namespace tool
