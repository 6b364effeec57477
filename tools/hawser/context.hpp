// What all verbs share: the global flags, the way a verb is added, and the exit codes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
} // namespace CLI

namespace tool {

// The promise to scripts; hawser(1) lists it.
enum exit_code : int {
    exit_ok = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_not_found = 3,
    exit_timed_out = 4,
    exit_permission = 5,
    exit_broken = 6, // a peer died, or shared state is corrupt
    exit_full = 7,   // full, or would block
    exit_interrupted = 130,
};

enum class color_choice : std::uint8_t { automatic, always, never };

struct context {
    color_choice color = color_choice::automatic;
    bool json = false;                 // --json or --jsonl: errors are JSON as well
    int status = exit_ok;              // what the process exits with; set by the verb's callback
    std::string_view verb;             // for the hints in errors
    std::vector<std::string> programs; // of `run`, with their arguments: no flags of hawser
};

// Adds a verb. The summary is one line; the examples lead its --help, each a command and what it is
// for.
struct example {
    std::string_view command;
    std::string_view purpose;
};
CLI::App* add_verb(CLI::App& app, std::string_view name, std::string_view summary,
                   const std::array<example, 3>& examples);

// Adds --color; main does it for every verb.
void add_color(CLI::App* app, context& here);

// Adds --json, which sets here.json.
CLI::Option* add_json_flag(CLI::App* verb, context& here);

// Adds a required ADDRESS. The type names steer the completion: ADDRESS (live names), FILE, or
// `a|b|c`.
CLI::Option* add_address(CLI::App* verb, std::string& address);

// A flag with one of several words as its value, `a|b|c`.
CLI::Option* add_choice(CLI::App* verb, const std::string& flag, std::string& value,
                        const std::string& choices, const std::string& help);

} // namespace tool
