#include "output/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include <fmt/format.h>

#include <hawser/inspect.hpp>

#include "output/human.hpp"
#include "output/json.hpp"
#include "terminal/terminal.hpp"

namespace tool {
namespace {

// As one word for a shell.
std::string shell_word(std::string_view text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_@%+=:,./-";
    if (!text.empty() && text.find_first_not_of(plain) == text.npos) return std::string(text);
    std::string word = "'";
    for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return printable(word + "'");
}

// Is it one of the kinds that `hawser ls` lists, and `hawser info` and `doctor` look at?
bool is_listed(std::string_view address) {
    constexpr std::array<std::string_view, 7> schemes{
        "shm:", "fifo:", "unix:", "unix-seqpacket:", "unix-dgram:", "mq:", "sysv-mq:"};
    return std::any_of(schemes.begin(), schemes.end(),
                       [&](std::string_view scheme) { return address.starts_with(scheme); });
}

// A look at what the address names, where there is something to look at.
std::string look_at(std::string_view address, std::string_view verb) {
    if (!hawser::inspect_mailbox(address)) return address.starts_with("shm:") ? "hawser ls" : "";
    return fmt::format("hawser {} {}", verb, shell_word(address));
}

// Who has the port that was asked for.
std::string look_at_port(std::string_view address) {
    if (address.starts_with("tcp:")) return "ss -tlnp";
    if (address.starts_with("udp:")) return "ss -ulnp";
    return {};
}

// The command that most likely helps on; none is better than one that can't.
std::string usual_next(const context& here, const hawser::error& why) {
    const std::string_view address = why.address();
    const bool listed = address.empty() || is_listed(address);
    switch (why.code()) {
    case hawser::errc::not_found:
        return listed ? "hawser ls" : "";
    case hawser::errc::already_exists:
        if (!listed) return look_at_port(address);
        [[fallthrough]];
    case hawser::errc::would_block:
    case hawser::errc::timed_out:
    case hawser::errc::too_big:
    case hawser::errc::permission:
        return address.empty() ? "hawser ls" : listed ? look_at(address, "info") : "";
    case hawser::errc::invalid_argument:
    case hawser::errc::unsupported:
        return here.verb.empty() ? "hawser --help" : fmt::format("hawser {} --help", here.verb);
    default:
        return address.empty() ? "hawser doctor" : listed ? look_at(address, "doctor") : "";
    }
}

// In one write: in a pipeline others talk on the same stderr.
void print(const context& here, const json& facts, std::string_view what, std::string_view next,
           ink color = ink::red) {
    std::string shown;
    if (here.json) {
        shown = facts.dump() + '\n';
    } else {
        shown = fmt::format("{} {}\n", paint(here, stream::err, color, "hawser:"), what);
        if (!next.empty()) shown += fmt::format("  try: {}\n", next);
    }
    std::fwrite(shown.data(), 1, shown.size(), stderr);
}

json facts_of(std::string_view code, int exit, int sys, std::string_view operation,
              std::string_view address, std::string_view message, std::string_view next) {
    json facts = envelope("error");
    facts["code"] = code;
    facts["exit"] = exit;
    facts["errno"] = sys;
    facts["operation"] = text(operation);
    facts["address"] = text(address);
    facts["message"] = text(message);
    facts["next"] = text(next);
    return facts;
}

} // namespace

exit_code exit_code_of(const hawser::error& why) noexcept {
    switch (why.code()) {
    case hawser::errc::invalid_argument:
        return exit_usage;
    case hawser::errc::not_found:
        return exit_not_found;
    case hawser::errc::timed_out:
        return exit_timed_out;
    case hawser::errc::permission:
        return exit_permission;
    case hawser::errc::peer_died:
    case hawser::errc::corrupt:
        return exit_broken;
    case hawser::errc::would_block:
    case hawser::errc::no_space:
        return exit_full;
    case hawser::errc::interrupted:
        return exit_interrupted;
    default:
        return exit_failed;
    }
}

exit_code fail(const context& here, const hawser::error& why, std::string_view next) {
    const std::string usual = next.empty() ? usual_next(here, why) : std::string(next);
    const exit_code code = exit_code_of(why);
    print(here,
          facts_of(hawser::name_of(why.code()), code, why.sys(), why.operation(), why.address(),
                   why.describe(), usual),
          printable(why.describe()), usual);
    return code;
}

exit_code warn(const context& here, const hawser::error& why, std::string_view goes_on) {
    const exit_code code = exit_code_of(why);
    json facts = facts_of(hawser::name_of(why.code()), code, why.sys(), why.operation(),
                          why.address(), why.describe(), {});
    facts["schema"] = "hawser.warning";
    print(here, facts, fmt::format("warning: {} {}", printable(why.describe()), goes_on), {},
          ink::yellow);
    return code;
}

void tell_where(const context& here, std::string_view doing, std::string_view asked,
                const hawser::address& where) {
    const auto given = hawser::address::parse(asked);
    if (!given || given->rest == where.rest) return;
    json facts = envelope("place");
    facts["address"] = text(where.name());
    print(here, facts, fmt::format("{} {}", doing, printable(where.name())), {}, ink::dim);
}

void tell_waiting(const context& here, std::string_view address, std::uint64_t messages) {
    json facts = envelope("waiting");
    facts["address"] = text(address);
    facts["messages"] = messages;
    print(here, facts,
          fmt::format("{}: waiting for a receiver; {} gone if this process ends before one comes",
                      printable(address),
                      human_plural(messages, "message") + (messages == 1 ? " is" : " are")),
          {}, ink::dim);
}

exit_code fail_usage(const context& here, std::string_view what, std::string_view next) {
    const std::string usual =
        here.verb.empty() ? "hawser --help" : fmt::format("hawser {} --help", here.verb);
    const std::string_view then = next.empty() ? usual : next;
    const std::string shown =
        printable(here.verb.empty() ? std::string(what) : fmt::format("{}: {}", here.verb, what));
    print(here, facts_of("usage", exit_usage, 0, here.verb, {}, what, then), shown, then);
    return exit_usage;
}

exit_code fail_file(const context& here, std::string_view operation, std::string_view path,
                    int sys) {
    const exit_code code = sys == ENOENT                   ? exit_not_found
                           : sys == EACCES || sys == EPERM ? exit_permission
                                                           : exit_failed;
    const std::string what =
        fmt::format("{} {}: {}", operation, printable(path), std::generic_category().message(sys));
    print(here, facts_of("file", code, sys, operation, path, what, {}), what, {});
    return code;
}

} // namespace tool
