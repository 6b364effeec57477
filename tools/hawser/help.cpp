#include "help.hpp"

#include <sstream>

#include <fmt/format.h>

namespace tool {
namespace {

constexpr std::size_t left_column = 30;
constexpr std::size_t line_length = 96;

// name in the left column, text wrapped in the right one.
std::string entry(const std::string& name, const std::string& text) {
    std::string shown = fmt::format("  {}", name);
    if (shown.size() + 2 > left_column) shown += '\n' + std::string(left_column, ' ');
    std::size_t column = shown.rfind('\n') == shown.npos ? shown.size() : left_column;
    shown.append(left_column - std::min(column, left_column), ' ');
    column = left_column;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        if (column > left_column && column + 1 + word.size() > line_length) {
            shown += '\n' + std::string(left_column, ' ');
            column = left_column;
        }
        if (column > left_column) shown += ' ';
        column += word.size() + (column > left_column ? 1 : 0);
        shown += word;
    }
    return shown + '\n';
}

bool has_arguments(const CLI::App* app) {
    return !app->get_options([](const CLI::Option* o) { return o->get_positional(); }).empty();
}

} // namespace

std::string help_text::make_help(const CLI::App* app, std::string name,
                                 CLI::AppFormatMode mode) const {
    std::string text = app->get_description() + "\n\n";
    text += make_usage(app, std::move(name));
    if (has_arguments(app)) text += make_positionals(app);
    text += make_subcommands(app, mode);
    text += make_groups(app, mode);
    if (!app->get_footer().empty()) text += '\n' + app->get_footer() + '\n';
    // make_groups puts an empty line before and after each group.
    return CLI::detail::find_and_replace(text, "\n\n\n", "\n\n");
}

std::string help_text::make_usage(const CLI::App* app, std::string name) const {
    std::string text = "Usage: " + name;
    if (!app->get_subcommands({}).empty()) text += " VERB";
    for (const CLI::Option* each :
         app->get_options([](const CLI::Option* o) { return o->get_positional(); })) {
        std::string argument = each->get_type_name();
        // Programs of the user come last: all that follows them is theirs.
        if (argument.starts_with("--")) return text.append(" [flags] ").append(argument) + '\n';
        if (each->get_expected_max() > 1) argument += "...";
        text += each->get_required() ? ' ' + argument : " [" + argument + ']';
    }
    return text + " [flags]\n";
}

std::string help_text::make_subcommand(const CLI::App* verb) const {
    const std::string text = verb->get_description();
    return entry(verb->get_name(), text.substr(0, text.find('\n')));
}

std::string help_text::make_option(const CLI::Option* option, bool is_positional) const {
    if (is_positional) return entry(option->get_type_name(), option->get_description());
    std::string name = option->get_name(false, true);
    if (option->get_type_size() != 0) name += ' ' + option->get_type_name();
    return entry(name, option->get_description());
}

} // namespace tool
