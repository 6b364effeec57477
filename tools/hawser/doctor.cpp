// hawser doctor: what is wrong, why, and what to do.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/inspect.hpp>

#include "doctor_checks.hpp"
#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser doctor", "the machine and all mailboxes; 1 if there is a problem"},
    {"hawser doctor shm:orders", "look at this one"},
    {"hawser doctor --json | jq .problems", "for programs"},
}};

struct doctor_flags {
    std::string address;
};

struct grade {
    std::string_view word;
    ink color;
};

grade grade_of(level how_bad) {
    switch (how_bad) {
    case level::ok:
        return {"ok", ink::green};
    case level::note:
        return {"note", ink::yellow};
    case level::problem:
        break;
    }
    return {"problem", ink::red};
}

void append(findings& into, findings more) {
    for (finding& each : more) into.push_back(std::move(each));
}

// What mailboxes are alright is said in one line.
void check_all(const std::vector<hawser::mailbox_info>& mailboxes, findings& into) {
    std::size_t well = 0;
    for (const auto& each : mailboxes) {
        findings found = check_mailbox(each);
        if (found.empty()) ++well;
        append(into, std::move(found));
    }
    const std::string word = well == 0   ? "there are none"
                             : well == 1 ? "1 is well"
                                         : fmt::format("{} are well", well);
    if (well > 0 || mailboxes.empty()) into.push_back({level::ok, "mailboxes", word, {}, {}});
}

hawser::result<findings> examine(const std::string& address) {
    findings all = check_directory();
    append(all, check_limits());
    if (address.empty()) {
        const auto mailboxes = hawser::list_mailboxes();
        if (mailboxes)
            check_all(*mailboxes, all);
        else // of which check_directory has said why
            all.push_back({level::problem, "mailboxes", mailboxes.why().describe(), {}, {}});
        return all;
    }
    const auto mailbox = hawser::inspect_mailbox(address);
    if (!mailbox) return mailbox.why();
    findings found = check_mailbox(*mailbox);
    if (found.empty()) found.push_back({level::ok, mailbox->address, "is well", {}, {}});
    append(all, std::move(found));
    return all;
}

bool print_json(const findings& all, std::size_t problems) {
    json document = envelope("doctor");
    document["problems"] = problems;
    document["findings"] = json::array();
    for (const finding& each : all)
        document["findings"].push_back({{"level", grade_of(each.how_bad).word},
                                        {"where", text(each.where)},
                                        {"what", text(each.what)},
                                        {"why", text(each.why)},
                                        {"next", text(each.next)}});
    return print_document(document);
}

bool print_text(const context& here, const findings& all) {
    constexpr std::string_view indent = "         ";
    std::string shown;
    for (const finding& each : all) {
        const grade as = grade_of(each.how_bad);
        const std::string word = fmt::format("{:<7}", as.word);
        shown += fmt::format("{}  {}: {}\n", paint(here, stream::out, as.color, word),
                             printable(each.where), printable(each.what));
        if (!each.why.empty()) shown += fmt::format("{}why: {}\n", indent, printable(each.why));
        if (!each.next.empty()) shown += fmt::format("{}try: {}\n", indent, printable(each.next));
    }
    return std::fputs(shown.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
}

exit_code run_doctor(const context& here, const doctor_flags& flags) {
    auto all = examine(flags.address);
    if (!all) return fail(here, all.why());
    const auto problems =
        static_cast<std::size_t>(std::count_if(all->begin(), all->end(), [](const finding& each) {
            return each.how_bad == level::problem;
        }));
    const bool written = here.json ? print_json(*all, problems) : print_text(here, *all);
    if (!written) return fail_file(here, "write", "stdout", errno);
    return problems == 0 ? exit_ok : exit_failed;
}

} // namespace

void add_doctor(CLI::App& app, context& here) {
    auto flags = std::make_shared<doctor_flags>();
    CLI::App* const verb =
        add_verb(app, "doctor", "Find what is wrong, and say what to do.", examples);
    add_address(verb, flags->address)->required(false);
    add_json_flag(verb, here);
    verb->footer("ok is well, note is worth knowing, problem needs doing; exits with 1 if there is "
                 "a problem.\nIt looks only: nothing is changed.");
    verb->callback([=, &here] { here.status = run_doctor(here, *flags); });
}

} // namespace tool
