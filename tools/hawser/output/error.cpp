#include "output/error.hpp"

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include <fmt/format.h>

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

// The command that most likely helps on.
std::string usual_next(const context& here, const hawser::error& why) {
    const std::string address = shell_word(why.address());
    const bool named = !why.address().empty();
    switch (why.code()) {
    case hawser::errc::not_found:
        return "hawser ls";
    case hawser::errc::would_block:
    case hawser::errc::timed_out:
    case hawser::errc::too_big:
    case hawser::errc::already_exists:
    case hawser::errc::permission:
        return named ? fmt::format("hawser info {}", address) : "hawser ls";
    case hawser::errc::invalid_argument:
    case hawser::errc::unsupported:
        return here.verb.empty() ? "hawser --help" : fmt::format("hawser {} --help", here.verb);
    default:
        return named ? fmt::format("hawser doctor {}", address) : "hawser doctor";
    }
}

// In one write: in a pipeline others talk on the same stderr.
void print(const context& here, const json& facts, std::string_view what, std::string_view next) {
    std::string shown;
    if (here.json) {
        shown = facts.dump() + '\n';
    } else {
        shown = fmt::format("{} {}\n", paint(here, stream::err, ink::red, "hawser:"), what);
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
