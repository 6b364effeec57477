#include "application.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/error.hpp>
#include <hawser/version.hpp>

#include "help.hpp"
#include "nearest.hpp"
#include "output/error.hpp"
#include "run_words.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::string_view description =
    R"(hawser carries messages between processes: send and receive on an address.

Examples:
  seq 3 | hawser send shm:numbers   # each line is a message, and waits until someone receives it
  hawser receive shm:numbers        # print messages as they come
  hawser ls                         # which mailboxes there are, and who takes part)";

constexpr std::string_view footer =
    R"(Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 timed out, 5 permission,
6 peer died or corrupt, 7 full or would block, 130 on Ctrl-C.
Mailboxes live in /dev/shm, or in $HAWSER_DIR. `man hawser` has the whole story.)";

// In the order of the help.
constexpr std::array verbs{add_send,  add_receive,    add_run,       add_ls,     add_info,
                           add_stat,  add_rm,         add_gc,        add_doctor, add_demo,
                           add_bench, add_transports, add_completion};

void build(CLI::App& app, context& here) {
    const auto text = std::make_shared<help_text>();
    text->label("Positionals", "Arguments");
    app.formatter(text);
    app.require_subcommand(1);
    app.set_help_flag("-h,--help", "what it does, with examples");
    app.set_version_flag("--version", "hawser " HAWSER_VERSION_STRING, "the version, and end");
    add_color(&app, here);
    for (const auto& add : verbs) add(app, here);
    app.footer(std::string(footer)); // now: verbs inherit what is there when they are added
    for (CLI::App* verb : app.get_subcommands({})) {
        verb->group("Verbs");
        verb->preparse_callback(
            [verb, &here](std::size_t /*arguments*/) { here.verb = verb->get_name(); });
        add_color(verb, here);
    }
}

// `hawser help send` is what many try first.
std::vector<std::string> arguments_of(int argc, const char* const* argv) {
    std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
    if (words.empty() || words.front() != "help") return words;
    words.erase(words.begin());
    words.resize(std::min<std::size_t>(words.size(), 1));
    words.emplace_back("--help");
    return words;
}

const CLI::App* chosen_verb(const CLI::App& app) {
    const auto chosen = app.get_subcommands();
    return chosen.empty() ? nullptr : chosen.front();
}

std::vector<std::string> flags_of(const CLI::App& app) {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app.get_options())
        for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    return flags;
}

std::string suggestion(const std::string& meant) {
    return meant.empty() ? "" : fmt::format("; did you mean {}?", meant);
}

int answer_unknown_verb(const CLI::App& app, const context& here, const std::string& word) {
    if (word.starts_with('-'))
        return fail_usage(here, fmt::format("there is no flag {}{}", word,
                                            suggestion(nearest(word, flags_of(app)))));
    std::vector<std::string> names;
    for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
    const std::string meant = nearest(word, names);
    return fail_usage(here, fmt::format("there is no verb '{}'{}", word, suggestion(meant)),
                      meant.empty() ? "" : fmt::format("hawser {} --help", meant));
}

int answer_unknown_flag(const CLI::App& verb, const context& here, const std::string& word) {
    const std::string flag = word.substr(0, word.find('='));
    if (!flag.starts_with('-'))
        return fail_usage(here, fmt::format("'{}' is one argument too many", word));
    return fail_usage(here, fmt::format("there is no flag {}{}", flag,
                                        suggestion(nearest(flag, flags_of(verb)))));
}

// The first mistake is told; an unknown flag before a missing argument, which it may have caused.
int answer_mistake(const CLI::App& app, const context& here, const CLI::ParseError& mistake) {
    const CLI::App* const verb = chosen_verb(app);
    const std::vector<std::string> unknown = (verb == nullptr ? app : *verb).remaining();
    if (!unknown.empty() && verb == nullptr) return answer_unknown_verb(app, here, unknown.front());
    if (!unknown.empty()) return answer_unknown_flag(*verb, here, unknown.front());
    return fail_usage(here, mistake.what());
}

int parse_and_run(CLI::App& app, context& here, std::vector<std::string> words) {
    // The parser may give up before it comes to --json, and still the error is to be JSON.
    const bool wants_json = std::any_of(words.begin(), words.end(), [](const std::string& word) {
        return word == "--json" || word == "--jsonl";
    });
    try {
        std::reverse(words.begin(), words.end()); // as CLI11 wants them
        app.parse(std::move(words));
        return here.status;
    } catch (const CLI::Success& help_or_version) {
        return app.exit(help_or_version);
    } catch (const CLI::ParseError& mistake) {
        here.json |= wants_json;
        return answer_mistake(app, here, mistake);
    } catch (const hawser::exception& error) {
        return fail(here, error.why());
    } catch (const std::bad_alloc&) {
        return fail(here, hawser::error{hawser::errc::no_space, "hawser"}.because(
                              "this process has no memory left"));
    }
}

} // namespace

int run(int argc, const char* const* argv) {
    context here;
    CLI::App app{std::string(description), "hawser"};
    build(app, here);
    std::vector<std::string> words = arguments_of(argc, argv);
    if (words.empty()) {
        std::fputs(app.help().c_str(), stderr);
        return exit_usage;
    }
    pipeline::set_programs_aside(words, here);
    return parse_and_run(app, here, std::move(words));
}

} // namespace tool
