#include "flags.hpp"

#include <array>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace tool {
namespace {

struct option_flag {
    const char* name;
    const char* value;
    const char* help;
};

// In the order of hawser::options.
constexpr std::array<option_flag, 17> option_flags{{
    {"capacity", "N|unbounded", "messages that fit; 0: a send waits for its receiver (1024)"},
    {"max_message", "SIZE", "the largest message (16MiB)"},
    {"max_memory", "SIZE", "memory for all large messages together (64MiB)"},
    {"participants", "N", "end points at the same time (64)"},
    {"loans", "N", "messages that one end point may hold at a time, 2 to 32 (8)"},
    {"sharing", "pair|one|any|all", "who gets a message when several receive (any)"},
    {"order", "total|sender", "one queue for all, or one for each sender (total)"},
    {"full", "block|fail|drop_oldest|drop_newest", "what a send does without room (block)"},
    {"delivery", "at_least_once|at_most_once",
     "what becomes of a message whose receiver died (at_least_once)"},
    {"wait", "adaptive|spin|block", "how to wait: quickest, or with the least CPU (adaptive)"},
    {"create", "open_or_create|create|open", "open demands that it exists (open_or_create)"},
    {"mode", "MODE", "permission bits of a new mailbox, whatever the umask (0600)"},
    {"group", "GROUP", "the group that a new mailbox belongs to"},
    {"history", "N", "messages kept for late joiners, with sharing=all"},
    {"persist", "yes|no", "keep the mailbox when it is empty and nobody is there (no)"},
    {"trust", "all|none", "none: sealed memory, for peers that are not trusted (all)"},
    {"host", "USER", "with trust=none: whose mailbox to join, beside one's own and root's"},
}};

// A hawser parser as a CLI11 conversion: what is wrong becomes the error of the flag.
template <typename T, typename Parser>
CLI::Option* add_parsed(CLI::App* verb, const std::string& flag, std::optional<T>& into,
                        Parser parse, const std::string& help) {
    const auto set = [flag, &into, parse](const std::string& value) {
        const auto parsed = parse(value);
        if (!parsed)
            throw CLI::ValidationError(flag.substr(flag.rfind("--")),
                                       std::string(parsed.why().detail()));
        into = *parsed;
    };
    return verb->add_option_function<std::string>(flag, set, help);
}

hawser::result<std::uint64_t> parse_count(std::string_view text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, problem] = std::from_chars(text.data(), end, value);
    if (problem == std::errc{} && stop == end) return value;
    return hawser::error{hawser::errc::invalid_argument, "parse_count"}.because(
        fmt::format("'{}' is not a whole number", text));
}

} // namespace

CLI::Option* add_duration(CLI::App* verb, const std::string& flag, maybe_duration& into,
                          const std::string& help) {
    return add_parsed(verb, flag, into, hawser::parse_duration, help)->type_name("DURATION");
}

CLI::Option* add_size(CLI::App* verb, const std::string& flag, maybe_size& into,
                      const std::string& help) {
    return add_parsed(verb, flag, into, hawser::parse_size, help)->type_name("SIZE");
}

CLI::Option* add_count(CLI::App* verb, const std::string& flag, maybe_count& into,
                       const std::string& help) {
    return add_parsed(verb, flag, into, parse_count, help)->type_name("N");
}

void add_options(CLI::App* verb, hawser::options& into) {
    for (const option_flag& each : option_flags) {
        const std::string flag = std::string("--") + each.name;
        const auto set = [name = each.name, flag, &into](const std::string& value) {
            const auto done = into.set(name, value);
            if (done) return;
            std::string why(done.why().detail());
            if (why.starts_with(std::string(name) + ": ")) why.erase(0, std::strlen(name) + 2);
            throw CLI::ValidationError(flag, why);
        };
        verb->add_option_function<std::string>(flag, set, each.help)
            ->type_name(each.value)
            ->group("Mailbox options, which an address may hold as well (and their defaults)");
    }
}

} // namespace tool
