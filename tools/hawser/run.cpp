// hawser run: programs joined by pipes, as by the shell's `|`, with a report of what flowed.
#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <hawser/error.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "run_pipeline.hpp"
#include "run_pty.hpp"
#include "run_report.hpp"
#include "run_words.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser run -- ls /usr ::: wc -l", "as `ls /usr | wc -l`, and what flowed"},
    {"hawser run -- tar c src ::: xz > src.tar.xz", "shows bytes and rates while it works"},
    {"hawser run --report-json r.json -- yes ::: head -1", "the report as JSON; exits with 141"},
}};

struct run_flags {
    std::string report = "auto";
    std::string report_file;
    std::string separator = ":::";
    bool pty = false;
    std::vector<std::string> shown_in_help; // the programs come by context::programs
};

// Whether stderr gets the table; on a terminal only, unless it is always wanted.
bool wants_table(const run_flags& flags) {
    return flags.report == "always" || (flags.report == "auto" && is_terminal(stream::err));
}

// A line that is drawn over and over would spoil what the last program shows on the same terminal.
bool wants_progress(const run_flags& flags) {
    return is_terminal(stream::err) &&
           (flags.report == "always" || (flags.report == "auto" && !is_terminal(stream::out)));
}

int refuse(const context& here, std::size_t stage, const pipeline::refusal& why) {
    const auto code = why.exit == 127   ? hawser::errc::not_found
                      : why.exit == 126 ? hawser::errc::permission
                                        : hawser::errc::system;
    const std::string where = fmt::format("stage {}", stage + 1);
    fail(here, hawser::error{code, "run"}.at(where).because(why.why),
         why.next.empty() ? "hawser run --help" : why.next);
    return why.exit;
}

// False, with errno, if not all of it could be written.
bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

// 0, or what a stage was refused with.
int find_all(const context& here, std::vector<pipeline::stage>& stages) {
    for (std::size_t i = 0; i < stages.size(); ++i)
        if (const auto refused = find_program(stages[i])) return refuse(here, i, *refused);
    return exit_ok;
}

// Of the pipeline, unless hawser itself failed or was told to end.
int final_status(const context& here, const pipeline::line& work) {
    for (std::size_t i = 0; i < work.joints().size(); ++i)
        if (const int sys = work.joints()[i].failure(); sys != 0)
            return refuse(here, i,
                          {exit_failed,
                           fmt::format("its bytes can't be handed on: {}",
                                       std::generic_category().message(sys)),
                           "hawser doctor"});
    return work.stop_signal() != 0 ? 128 + work.stop_signal() : work.shell_status();
}

void run_watched(const context& here, const run_flags& flags, pipeline::line& work) {
    pipeline::progress_line progress(work, wants_progress(flags));
    work.run({.every = progress.every(),
              .look = [&] { progress.show(); },
              .on_stop =
                  [&](std::size_t i, int signal) {
                      if (flags.report == "never" || signal == SIGTSTP) return; // Ctrl-Z: all stop
                      progress.clear();
                      const pipeline::stage& one = work.stages()[i];
                      fmt::print(stderr, "{} stage {} ({}) was stopped by {}; kill -CONT {}\n",
                                 paint(here, stream::err, ink::yellow, "hawser:"), i + 1,
                                 printable(short_name(one)), pipeline::signal_name(signal),
                                 one.pid);
                  }});
}

int report(const context& here, const run_flags& flags, const pipeline::line& work, int fd) {
    const int status = final_status(here, work);
    if (work.stop_signal() != 0 && is_terminal(stream::err)) fmt::print(stderr, "\n"); // after ^C
    if (wants_table(flags))
        print_report(here, work, status);
    else if (flags.report != "never")
        print_kills(here, work);
    if (fd < 0 || write_all(fd, pipeline::report_document(work, status).dump(2) + '\n'))
        return status;
    const int failed = fail_file(here, "write", flags.report_file, errno);
    return status == exit_ok ? failed : status;
}

int run_stages(const context& here, const run_flags& flags, std::vector<pipeline::stage> stages) {
    if (const int refused = find_all(here, stages); refused != exit_ok) return refused;
    pipeline::descriptor file;
    if (!flags.report_file.empty()) { // before anything runs: better no work than no report of it
        file = pipeline::descriptor(
            ::open(flags.report_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (!file) return fail_file(here, "write", flags.report_file, errno);
    }
    pipeline::line work(std::move(stages));
    if (const auto failed = work.start()) return refuse(here, failed->stage, failed->why);
    run_watched(here, flags, work);
    return report(here, flags, work, file.get());
}

int run_run(const context& here, const run_flags& flags) {
    if (here.programs.empty())
        return fail_usage(here, "there is no program to run", "hawser run -- ls /usr ::: wc -l");
    if (flags.report_file == "-")
        return fail_usage(here, "the standard output belongs to the last program; "
                                "--report-json needs a file");
    std::vector<pipeline::stage> stages;
    for (auto& words : pipeline::split_stages(here.programs, flags.separator)) {
        if (words.empty())
            return fail_usage(here, fmt::format("stage {} has no program: {} stands between two",
                                                stages.size() + 1, flags.separator));
        stages.emplace_back().words = std::move(words);
    }
    if (!flags.pty) return run_stages(here, flags, std::move(stages));
    if (stages.size() > 1)
        return fail_usage(here, "--pty runs one program; a terminal has no second end for another");
    if (const int refused = find_all(here, stages); refused != exit_ok) return refused;
    const auto outcome = pipeline::run_on_terminal(stages.front());
    if (const auto* const why = std::get_if<pipeline::refusal>(&outcome))
        return refuse(here, 0, *why);
    return std::get<int>(outcome);
}

} // namespace

void add_run(CLI::App& app, context& here) {
    auto flags = std::make_shared<run_flags>();
    CLI::App* const verb =
        add_verb(app, "run", "Run programs joined by pipes, and report what flowed.", examples);
    verb->add_option("program", flags->shown_in_help,
                     "programs with their arguments, each joined to the next by a pipe. Exits with "
                     "the status of the last one that did not end with 0; 128+n for signal n")
        ->type_name("-- PROGRAM [ARG...] [::: PROGRAM [ARG...]]...");
    add_choice(verb, "--report", flags->report, "auto|always|never",
               "the table of stages on stderr when all is done, and progress while it runs; auto "
               "is on a terminal only");
    verb->add_option("--report-json", flags->report_file, "write the report as JSON to this file")
        ->type_name("FILE");
    verb->add_option("--separator", flags->separator,
                     "what stands between two programs, if one of them has a ::: of its own")
        ->type_name("WORD");
    CLI::Option* const pty =
        verb->add_flag("--pty", flags->pty,
                       "run one program on a terminal of its own, of the size of ours; what it "
                       "shows goes to stdout");
    for (const char* other : {"--report", "--report-json", "--separator"})
        pty->excludes(verb->get_option(other));
    verb->callback([=, &here] { here.status = run_run(here, *flags); });
}

} // namespace tool
