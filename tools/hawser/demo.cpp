// hawser demo: the main job. Real files go through one mailbox from producer to consumer processes,
// some of which are killed on the way, and every byte is compared at the end.
//
//   plan -> digests of the sources -> workers, kills (demo_run) -> digests of the results ->
//   summary
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "demo_ledger.hpp"
#include "demo_output.hpp"
#include "demo_plan.hpp"
#include "demo_report.hpp"
#include "demo_run.hpp"
#include "demo_screen.hpp"
#include "demo_settings.hpp"
#include "demo_verify.hpp"
#include "demo_worker.hpp"
#include "flags.hpp"
#include "output/error.hpp"
#include "output/human.hpp"
#include "terminal/signals.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {

namespace demo {

namespace {

volatile std::sig_atomic_t caught = 0;

void note_stop(int signal) {
    caught = signal;
}

constexpr std::size_t most_unreadable_shown = 5;

void say_left_out(screen& shown, const plan& work) {
    const std::size_t count = work.unreadable.size();
    for (std::size_t i = 0; i < std::min(count, most_unreadable_shown); ++i)
        shown.say(fmt::format("demo: left out, unreadable: {}: {}",
                              printable(work.unreadable[i].path),
                              std::strerror(work.unreadable[i].sys)));
    if (count > most_unreadable_shown)
        shown.say(fmt::format("demo: left out, unreadable: {} more",
                              human_count(count - most_unreadable_shown)));
    if (work.beyond_limit > 0)
        shown.say(fmt::format("demo: left out, too large for the space or --limit: {}, {}",
                              human_plural(work.beyond_limit, "file"),
                              megabytes(work.beyond_limit_bytes)));
}

// One demo, from the files to the summary. Its parts take themselves away, the mailbox included,
// on every way out.
class job {
  public:
    job(const context& here, settings wanted)
        : here_(here), wanted_(std::move(wanted)), shown_(here, here.json) {}

    int run() {
        if (const int status = make_plan(); status != exit_ok) return status;
        auto notes = make_ledger();
        if (!notes) return fail_file(here_, "make", "the ledger", errno);
        outcome done = carry(*notes);
        if (done.unopened) return fail(here_, *done.unopened);
        verification files;
        if (!done.stopped) files = check(*notes);
        return finish(*notes, done, files);
    }

  private:
    int fail_output() const {
        const std::string path = wanted_.output.empty() ? "a temporary directory" : wanted_.output;
        if (output_->sys() == ENOTEMPTY)
            return fail_usage(here_, fmt::format("--output {}: the directory is not empty", path));
        return fail_file(here_, "make", path, output_->sys());
    }

    int stopped() const { return 128 + stop_asked(); }

    int make_plan() {
        const auto paths = wanted_.paths.empty() ? default_paths() : wanted_.paths;
        std::error_code unknown;
        work_ = collect(paths, std::filesystem::weakly_canonical(wanted_.output, unknown).string());
        if (!work_.missing.empty())
            return fail_file(here_, "read", work_.missing.front().path, work_.missing.front().sys);
        if (wanted_.limit_bytes) limit_to(work_, *wanted_.limit_bytes, 1);
        output_.emplace(wanted_.output, work_.bytes);
        if (output_->sys() != 0) return fail_output();
        output_->fit(work_);

        const std::uint64_t found = work_.files.size();
        shown_.phase(fmt::format("reading {}, {}, for their SHA-256", human_plural(found, "file"),
                                 megabytes(work_.bytes)));
        hash_sources(work_, [&](std::uint64_t count) { shown_.counted(count, found); });
        if (stop_asked() != 0) return stopped();
        say_left_out(shown_, work_);
        if (work_.files.empty())
            return work_.unreadable.empty()
                       ? fail_file(here_, "read", fmt::format("{}", fmt::join(paths, " ")), ENOENT)
                       : fail_file(here_, "read", work_.unreadable.front().path,
                                   work_.unreadable.front().sys);

        deal(work_, wanted_.producers, wanted_.message_bytes - sizeof(message_header),
             wanted_.seed);
        const int sys = output_->prepare(work_);
        return sys == 0 ? exit_ok : fail_file(here_, "make", output_->path(), sys);
    }

    std::optional<ledger> make_ledger() const {
        std::random_device random;
        const std::uint64_t run = std::uint64_t{random()} << 32 | random();
        return ledger::create(
            work_, {.run = run,
                    .chunk_bytes = wanted_.message_bytes - sizeof(message_header),
                    .producers = wanted_.producers,
                    .consumers = wanted_.consumers,
                    .wait = wanted_.mailbox.wait.value_or(hawser::wait_mode::adaptive),
                    .fault = wanted_.fault,
                    .address = fmt::format("shm:demo-{}-{:06x}", ::getpid(), run & 0xFFFFFF),
                    .output = output_->path()});
    }

    outcome carry(ledger& notes) {
        shown_.phase(fmt::format(
            "sending {}, {}, as {}: {} -> {} -> {}", human_plural(work_.files.size(), "file"),
            megabytes(work_.bytes), human_plural(work_.chunks, "message"),
            human_plural(wanted_.producers, "producer"), notes.header().address.data(),
            human_plural(wanted_.consumers, "consumer")));
        outcome done =
            demo::run(notes, wanted_, [&](const auto& workers, const auto& kills, bool last) {
                shown_.streaming(notes, workers, kills, last);
            });
        for (const std::string& problem : done.problems)
            shown_.say(fmt::format("demo: {}", printable(problem)));
        return done;
    }

    verification check(const ledger& notes) {
        const std::uint64_t all = work_.files.size();
        shown_.phase(fmt::format("comparing {} by SHA-256", human_plural(all, "file")));
        return verify(work_, notes, output_->path(),
                      [&](std::uint64_t count) { shown_.counted(count, all); });
    }

    int finish(const ledger& notes, const outcome& done, const verification& files) {
        report made{wanted_, work_, notes, done, files, output_->place(), {}, {}, 0};
        const std::string address = notes.header().address.data();
        if (!done.mailbox_gone && !done.stopped && done.problems.empty())
            made.left_behind.push_back(fmt::format("{} outlived its last participant", address));
        if (std::string rest = remove_rest(address); !rest.empty())
            made.left_behind.push_back(std::move(rest));

        const bool keeps = (wanted_.keep || !wanted_.output.empty()) && stop_asked() == 0;
        if (keeps) {
            made.kept = output_->path();
            output_->keep();
        } else if (std::string rest = output_->remove(); !rest.empty()) {
            made.left_behind.push_back(std::move(rest));
        }
        made.total_ns = now_ns() - began_ns_;
        shown_.close();
        if (stop_asked() != 0) return say_stopped(made);
        const bool written = here_.json ? print_json(made) : print_summary(here_, made);
        if (!written && errno == EPIPE) die_of_broken_pipe();
        if (!written) return fail_file(here_, "write", "stdout", errno);
        return made.passed() ? exit_ok : exit_failed;
    }

    int say_stopped(const report& made) {
        for (const std::string& each : made.left_behind)
            shown_.say(fmt::format("demo: left behind: {}", printable(each)));
        shown_.say(made.left_behind.empty()
                       ? "demo: stopped; no process, no mailbox and no file is left"
                       : "demo: stopped");
        return stopped();
    }

    const context& here_;
    const settings wanted_;
    const std::uint64_t began_ns_ = now_ns();
    screen shown_;
    std::optional<output_directory> output_;
    plan work_;
};

constexpr std::array<example, 3> examples{{
    {"hawser demo", "send the licences and documents of this machine, killing two processes"},
    {"hawser demo ~/photos --verbose", "your own files, and both digests of each"},
    {"hawser demo --json | jq .messages", "for programs"},
}};

// What the command line says, before it is checked.
struct flags {
    settings wanted;
    std::optional<std::uint64_t> seed;
    maybe_size message;
    maybe_duration patience;
    std::string capacity = "64";
    std::string order = "total";
    std::string wait = "adaptive";
    std::string sabotage;
    std::string worker;
};

constexpr std::uint64_t smallest_message = 256;
constexpr std::uint64_t largest_message = std::uint64_t{1} << 30;

sabotage fault_of(const std::string& name) {
    if (name == "flip") return sabotage::flip;
    if (name == "lose") return sabotage::lose;
    if (name == "hang") return sabotage::hang;
    return name == "quit" ? sabotage::quit : sabotage::none;
}

// Empty, or what is wrong.
std::string settle(flags& given) {
    settings& wanted = given.wanted;
    wanted.message_bytes = given.message.value_or(wanted.message_bytes);
    if (wanted.message_bytes < smallest_message || wanted.message_bytes > largest_message)
        return fmt::format("--message takes {} to {}", human_size(smallest_message),
                           human_size(largest_message));
    wanted.patience = given.patience.value_or(wanted.patience);
    wanted.fault = fault_of(given.sabotage);
    // A seed that is easy to type again.
    wanted.seed = given.seed ? *given.seed : std::random_device{}() % 1'000'000;
    for (const auto& [name, value] :
         {std::pair{"capacity", &given.capacity}, std::pair{"order", &given.order},
          std::pair{"wait", &given.wait}})
        if (const auto set = wanted.mailbox.set(name, *value); !set)
            return fmt::format("--{}: {}", name, set.why().detail());
    return {};
}

int run_demo(const context& here, flags& given) {
    if (!given.worker.empty()) return run_worker(given.worker);
    if (const std::string wrong = settle(given); !wrong.empty()) return fail_usage(here, wrong);
    catch_stops();
    return job(here, given.wanted).run();
}

void add_flags(CLI::App* verb, const std::shared_ptr<flags>& given) {
    settings& wanted = given->wanted;
    verb->add_option("path", wanted.paths,
                     "files and directories; without: /usr/share/common-licenses, /usr/share/doc "
                     "and the checkout around the working directory")
        ->type_name("PATH");
    verb->add_option("--producers", wanted.producers, "sending processes (3)")
        ->type_name("N")
        ->check(CLI::Range(1, 64).description(""));
    verb->add_option("--consumers", wanted.consumers, "receiving processes (3)")
        ->type_name("N")
        ->check(CLI::Range(1, 64).description(""));
    verb->add_flag_callback(
        "--kill", [given] { given->wanted.kill = true; },
        "SIGKILL a consumer and a producer in the middle, and replace them "
        "(the default)");
    verb->add_flag_callback(
        "--no-kill", [given] { given->wanted.kill = false; }, "kill nobody");
    verb->add_option("--seed", given->seed,
                     "the order of the files, and whom the kills hit and when (random)")
        ->type_name("N");
    add_size(verb, "--message", given->message, "size of a message (64KiB)");
    verb->add_option("--capacity", given->capacity, "messages that fit into the mailbox (64)")
        ->type_name("N|unbounded");
    add_choice(verb, "--order", given->order, "total|sender",
               "one queue for all, or one for each sender (total)");
    add_choice(verb, "--wait", given->wait, "adaptive|spin|block", "how to wait (adaptive)");
    add_size(verb, "--limit", wanted.limit_bytes,
             "leave out the largest files beyond this sum (all that fits on the disk)");
    verb->add_option("--output", wanted.output,
                     "write the results here, and keep them (else $TMPDIR, memory or /tmp)")
        ->type_name("DIRECTORY");
    verb->add_flag("--keep", wanted.keep, "keep the results, and say where they are");
    verb->add_flag("--verbose", wanted.verbose, "every file with both digests");
    add_duration(verb, "--patience", given->patience,
                 "how long nothing may move before it is called a failure (10s)");
    // For the tests, and how the demo starts its own processes; no part of the command line.
    add_choice(verb, "--sabotage", given->sabotage, "flip|lose|hang|quit", "")->group("");
    verb->add_option("--worker", given->worker)->group("");
}

} // namespace

void catch_stops() noexcept {
    struct sigaction action {};
    action.sa_handler = note_stop;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction before {};
        // Ignored by whoever started us (nohup, a shell's `&`): leave it ignored.
        if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        sigaction(signal, &action, nullptr);
    }
    // A reader that goes away is noticed at the end, when everything has been taken away.
    std::signal(SIGPIPE, SIG_IGN);
}

int stop_asked() noexcept {
    return caught;
}

} // namespace demo

void add_demo(CLI::App& app, context& here) {
    auto given = std::make_shared<demo::flags>();
    CLI::App* const verb = add_verb(
        app, "demo", "Send real files through a mailbox, kill two processes, compare every byte.",
        demo::examples);
    demo::add_flags(verb, given);
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = demo::run_demo(here, *given); });
}

} // namespace tool
