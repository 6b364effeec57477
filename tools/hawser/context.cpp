#include "context.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "nearest.hpp"

namespace tool {
namespace {

std::vector<std::string> split(const std::string& choices) {
    return CLI::detail::split(choices, '|');
}

// Empty if value is one of the choices, otherwise what is wrong; the way a CLI11 check answers.
std::string check_choice(const std::string& value, const std::string& choices) {
    const auto known = split(choices);
    if (std::find(known.begin(), known.end(), value) != known.end()) return {};
    const std::string meant = nearest(value, known);
    return fmt::format("'{}' is none of {}{}", value, choices,
                       meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
}

} // namespace

void add_color(CLI::App* app, context& here) {
    const auto set = [&here](const std::string& value) {
        here.color = value == "always"  ? color_choice::always
                     : value == "never" ? color_choice::never
                                        : color_choice::automatic;
    };
    app->add_option_function<std::string>("--color", set, "colours: auto is on a terminal only")
        ->type_name("auto|always|never")
        ->check([](const std::string& value) { return check_choice(value, "auto|always|never"); });
}

CLI::App* add_verb(CLI::App& app, std::string_view name, std::string_view summary,
                   const std::array<example, 3>& examples) {
    std::size_t widest = 0;
    for (const example& each : examples) widest = std::max(widest, each.command.size());
    std::string text = fmt::format("{}\n\nExamples:", summary);
    for (const example& each : examples)
        text += fmt::format("\n  {:<{}}  # {}", each.command, widest, each.purpose);
    return app.add_subcommand(std::string(name), text);
}

CLI::Option* add_json_flag(CLI::App* verb, context& here) {
    return verb->add_flag("--json", here.json,
                          "one JSON document instead; errors are JSON as well");
}

CLI::Option* add_address(CLI::App* verb, std::string& address) {
    return verb->add_option("address", address, "scheme:name?option=value; shm: may be left out")
        ->required()
        ->type_name("ADDRESS");
}

CLI::Option* add_choice(CLI::App* verb, const std::string& flag, std::string& value,
                        const std::string& choices, const std::string& help) {
    return verb->add_option(flag, value, help)
        ->type_name(choices)
        ->check([choices](const std::string& given) { return check_choice(given, choices); });
}

} // namespace tool
