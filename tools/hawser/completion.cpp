// hawser completion: scripts that complete verbs, flags, their values and live mailbox names.
// All of them are made from the tree of verbs, so that they can't lag behind it.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "output/error.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"source <(hawser completion bash)", "in this shell; put it into ~/.bashrc to keep it"},
    {"hawser completion zsh > ~/.zfunc/_hawser", "with ~/.zfunc in fpath"},
    {"hawser completion fish | source", "in this shell"},
}};

struct completion_flags {
    std::string shell;
};

// What may follow a flag, or stand as an argument.
struct values {
    std::vector<std::string> words;
    bool addresses = false;
    bool files = false;
    bool programs = false; // with their arguments, to the end of the line
};

// The convention of context.hpp: ADDRESS, FILE, or words with `|` between (placeholders such as N
// are in capitals); `-- PROGRAM` begins what is not hawser's.
values values_of(const CLI::Option& option) {
    values found;
    const std::string type = option.get_type_name();
    found.addresses = type == "ADDRESS";
    found.programs = type.starts_with("-- PROGRAM");
    found.files = type == "FILE" || type == "DIR" || type == "PATH" || found.programs;
    if (type.find('|') == type.npos) return found;
    for (const std::string& word : CLI::detail::split(type, '|'))
        if (!word.empty() && std::islower(static_cast<unsigned char>(word[0])) != 0)
            found.words.push_back(word);
    return found;
}

bool takes_value(const CLI::Option& option) {
    return option.get_items_expected_max() > 0;
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* verb) { return !verb->get_group().empty(); });
}

std::vector<const CLI::Option*> flags_of(const CLI::App& verb) {
    return verb.get_options([](const CLI::Option* o) { return o->nonpositional(); });
}

std::vector<const CLI::Option*> arguments_of(const CLI::App& verb) {
    return verb.get_options([](const CLI::Option* o) { return o->get_positional(); });
}

std::vector<std::string> spellings_of(const CLI::Option& option) {
    std::vector<std::string> all;
    for (const std::string& name : option.get_snames()) all.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) all.push_back("--" + name);
    return all;
}

std::string joined(const std::vector<std::string>& words, std::string_view by) {
    return fmt::format("{}", fmt::join(words, by));
}

std::string summary_of(const CLI::App& verb) {
    const std::string text = verb.get_description();
    return text.substr(0, text.find('\n'));
}

values argument_values(const CLI::App& verb) {
    values all;
    for (const CLI::Option* each : arguments_of(verb)) {
        const values one = values_of(*each);
        all.words.insert(all.words.end(), one.words.begin(), one.words.end());
        all.addresses |= one.addresses;
        all.files |= one.files;
        all.programs |= one.programs;
    }
    return all;
}

// ---- bash -------------------------------------------------------------------------------------

// The shell code that sets `words` and `files` to what these values are.
std::string bash_values(const values& of) {
    std::string words = joined(of.words, " ");
    if (of.addresses) words += " $(hawser ls --names 2>/dev/null)";
    return fmt::format("words=\"{}\" files={}", words, of.files ? 1 : 0);
}

// A program follows the verb, `--` and `:::`; all else after these is the program's, not a flag.
std::string bash_programs(const std::string& verb, const std::string& flags) {
    return fmt::format(
        "                --|:::) commands=1 ;;\n"
        "                *) if [[ \" ${{before[*]}} \" == *' -- '* ]]; then files=1\n"
        "                   elif [[ $cur == -* ]]; then words=\"{}\"\n"
        "                   elif [[ $prev == {} ]]; then commands=1\n"
        "                   else files=1; fi ;;\n"
        "            esac ;;\n",
        flags, verb);
}

std::string bash_verb(const CLI::App& verb) {
    std::vector<std::string> all;
    std::string cases;
    for (const CLI::Option* each : flags_of(verb)) {
        const auto spellings = spellings_of(*each);
        all.insert(all.end(), spellings.begin(), spellings.end());
        if (takes_value(*each))
            cases += fmt::format("                {}) {} ;;\n", joined(spellings, "|"),
                                 bash_values(values_of(*each)));
    }
    const values arguments = argument_values(verb);
    if (arguments.programs)
        return fmt::format("        {}) case $prev in\n{}{}", verb.get_name(), cases,
                           bash_programs(verb.get_name(), joined(all, " ")));
    return fmt::format("        {}) case $prev in\n{}"
                       "                *) if [[ $cur == -* ]]; then words=\"{}\"\n"
                       "                   else {}; fi ;;\n"
                       "            esac ;;\n",
                       verb.get_name(), cases, joined(all, " "), bash_values(arguments));
}

// Bash splits words at `:` while it completes, so the word is cut from the line, and what stands
// before its last colon is taken off the answers.
constexpr std::string_view bash_head = R"(# bash completion for hawser
_hawser() {
    local line=${COMP_LINE:0:COMP_POINT} words='' files=0 commands=0 cur prev verb prefix before
    cur=${line##*[[:space:]]}
    before=${line%"$cur"}
    read -ra before <<<"$before"
    prev=${before[${#before[@]}-1]}
    verb=${before[1]:-}
    case $verb in
)";

constexpr std::string_view bash_tail = R"(    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
    local found=()
    if ((files)); then mapfile -t found < <(compgen -f -- "$cur"); fi
    if ((commands)); then mapfile -t found < <(compgen -c -- "$cur" | sort -u); fi
    COMPREPLY+=("${found[@]}")
    if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        prefix=${cur%"${cur##*:}"}
        COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    fi
}
complete -o filenames -o bashdefault -F _hawser hawser
)";

std::string bash_script(const CLI::App& app) {
    std::string text(bash_head);
    std::vector<std::string> names;
    for (const CLI::App* verb : verbs_of(app)) {
        text += bash_verb(*verb);
        names.push_back(verb->get_name());
    }
    text += fmt::format("        *) words=\"{} --help --version\" ;;\n", joined(names, " "));
    return text.append(bash_tail);
}

// ---- zsh --------------------------------------------------------------------------------------

// For use within single quotes and brackets of an _arguments specification.
std::string zsh_text(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\'') {
            safe += "'\\''";
        } else {
            if (c == '[' || c == ']' || c == ':' || c == '\\') safe += '\\';
            safe += c;
        }
    }
    return safe;
}

std::string zsh_action(const values& of) {
    if (of.addresses) return "_hawser_addresses";
    if (of.files) return "_files";
    return of.words.empty() ? " " : fmt::format("({})", joined(of.words, " "));
}

std::string zsh_verb(const CLI::App& verb) {
    std::string text = fmt::format("        {}) _arguments", verb.get_name());
    for (const CLI::Option* each : flags_of(verb)) {
        const std::string about = zsh_text(each->get_description());
        const std::string value =
            takes_value(*each) ? ":value:" + zsh_action(values_of(*each)) : "";
        for (const std::string& spelling : spellings_of(*each))
            text += fmt::format(" \\\n            '{}[{}]{}'", spelling, about, value);
    }
    std::size_t place = 1;
    for (const CLI::Option* each : arguments_of(verb)) {
        if (values_of(*each).programs) return text + " \\\n            '*::program: _normal' ;;\n";
        const bool many = each->get_expected_max() > 1;
        text += fmt::format(" \\\n            '{}:{}:{}'", many ? "*" : std::to_string(place++),
                            zsh_text(each->get_type_name()), zsh_action(values_of(*each)));
    }
    return text + " ;;\n";
}

constexpr std::string_view zsh_head = R"zsh(#compdef hawser
_hawser_addresses() {
    local -a names
    names=(${(f)"$(hawser ls --names 2>/dev/null)"})
    compadd -a names
}
_hawser() {
    local -a verbs
    verbs=(
)zsh";

constexpr std::string_view zsh_tail = R"(    esac
}
if [[ $funcstack[1] == _hawser ]]; then _hawser "$@"; else compdef _hawser hawser; fi
)";

std::string zsh_script(const CLI::App& app) {
    std::string text(zsh_head);
    for (const CLI::App* verb : verbs_of(app))
        text += fmt::format("        '{}:{}'\n", verb->get_name(), zsh_text(summary_of(*verb)));
    text += "    )\n"
            "    if (( CURRENT == 2 )); then _describe verb verbs; return; fi\n"
            "    local verb=$words[2]\n"
            "    shift words; (( CURRENT-- ))\n"
            "    case $verb in\n";
    for (const CLI::App* verb : verbs_of(app)) text += zsh_verb(*verb);
    return text.append(zsh_tail);
}

// ---- fish -------------------------------------------------------------------------------------

std::string fish_text(const std::string& text) {
    std::string safe;
    for (const char c : text) {
        if (c == '\'' || c == '\\') safe += '\\';
        safe += c;
    }
    return "'" + safe + "'";
}

std::string fish_values(const values& of) {
    std::string words = joined(of.words, " ");
    if (of.addresses) words += "(hawser ls --names 2>/dev/null)";
    return words.empty() ? "" : " -a " + fish_text(words);
}

std::string fish_verb(const CLI::App& verb) {
    const std::string when =
        fmt::format("complete -c hawser -n '__fish_seen_subcommand_from {}'", verb.get_name());
    std::string text;
    for (const CLI::Option* each : flags_of(verb)) {
        text += when;
        for (const std::string& name : each->get_snames()) text += " -s " + name;
        for (const std::string& name : each->get_lnames()) text += " -l " + name;
        if (takes_value(*each)) {
            const values of = values_of(*each);
            text += (of.files ? " -r" : " -x") + fish_values(of);
        }
        text += " -d " + fish_text(each->get_description()) + '\n';
    }
    const values of = argument_values(verb);
    if (of.files) text += when + " -F\n";
    if (of.programs) text += when + " -a '(__fish_complete_command)'\n";
    if (of.addresses || !of.words.empty()) text += when + fish_values(of) + '\n';
    return text;
}

std::string fish_script(const CLI::App& app) {
    std::string text = "# fish completion for hawser\ncomplete -c hawser -f\n";
    for (const CLI::App* verb : verbs_of(app))
        text += fmt::format("complete -c hawser -n __fish_use_subcommand -a {} -d {}\n",
                            verb->get_name(), fish_text(summary_of(*verb)));
    for (const CLI::App* verb : verbs_of(app)) text += fish_verb(*verb);
    return text;
}

int run_completion(const context& here, const CLI::App& app, const std::string& shell) {
    const std::string script = shell == "bash"  ? bash_script(app)
                               : shell == "zsh" ? zsh_script(app)
                                                : fish_script(app);
    if (std::fputs(script.c_str(), stdout) >= 0 && std::fflush(stdout) == 0) return exit_ok;
    return fail_file(here, "write", "stdout", errno);
}

} // namespace

void add_completion(CLI::App& app, context& here) {
    auto flags = std::make_shared<completion_flags>();
    CLI::App* const verb =
        add_verb(app, "completion", "Print a script that completes hawser's words.", examples);
    add_choice(verb, "shell", flags->shell, "bash|zsh|fish", "the shell")->required();
    verb->callback([=, &app, &here] { here.status = run_completion(here, app, flags->shell); });
}

} // namespace tool
