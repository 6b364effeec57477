// hawser bench: what a message costs here, beside what the machine itself costs.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <hawser/hawser.hpp>

#include "bench/output.hpp"
#include "bench/suite.hpp"
#include "bench/transports.hpp"
#include "output/error.hpp"
#include "terminal/terminal.hpp"
#include "verbs.hpp"

namespace tool {
namespace {

constexpr std::array<example, 3> examples{{
    {"hawser bench", "round trip and rate of 64-byte messages, as ratios to the machine's floor"},
    {"hawser bench --all --case order=sender --runs 9", "of all cases those that are called so"},
    {"hawser bench --transports", "all transports of this build beside each other"},
}};

struct bench_flags {
    std::string size = "64B";
    unsigned runs = 5;
    bool transports = false;
    bool list = false;
    bench::suite_plan plan{};
};

// On a terminal where it stands; elsewhere a line for each run of a long suite.
class narrator {
  public:
    narrator(unsigned runs, std::size_t cases) : runs_(runs), cases_(cases) {}
    ~narrator() {
        if (lively_) fmt::print(stderr, "\r\x1b[K");
    }
    narrator(const narrator&) = delete;
    narrator& operator=(const narrator&) = delete;

    void operator()(unsigned run, std::size_t index, const std::string& name) const {
        if (lively_)
            fmt::print(stderr, "\r\x1b[Krun {} of {}, {} of {}: {}", run + 1, runs_, index + 1,
                       cases_, name.substr(0, 70));
        else if (index == 0 && cases_ > 50)
            fmt::print(stderr, "run {} of {}: {} cases\n", run + 1, runs_, cases_);
    }

  private:
    unsigned runs_;
    std::size_t cases_;
    bool lively_ = is_terminal(stream::err);
};

int list_cases(const std::vector<bench::bench_case>& cases) {
    for (const bench::bench_case& one : cases) fmt::print("{}\n", one.name());
    return std::fflush(stdout) == 0 ? exit_ok : exit_failed;
}

// A case of hawser's that fails is a failure; what it can't do is told.
bool is_well(const bench::suite_result& found) {
    for (std::size_t i = 0; i < found.cases.size(); ++i) {
        const bench::outcome& came = found.outcomes[i];
        if (found.cases[i].facts.at("family") == "hawser" && came.failed > 0 &&
            !came.is_unsupported)
            return false;
    }
    return true;
}

int measure(const context& here, const bench_flags& flags) {
    auto cases = bench::cases_of(flags.plan);
    if (cases.empty())
        return fail_usage(here, "no case has all of these words in its name",
                          "hawser bench --all --list");
    if (flags.list) return list_cases(cases);
    if (bench::usable_cpus().size() < 2)
        fmt::print(stderr, "hawser bench: only one CPU to run on; the figures show switching "
                           "between processes, not messages\n");
    bench::suite_result found;
    {
        const narrator tell(flags.runs, cases.size());
        found = bench::run_suite(std::move(cases), flags.runs, std::cref(tell));
    }
    const bool written = here.json ? bench::print_json(found, flags.runs)
                                   : bench::print_text(here, found, flags.runs);
    return written && is_well(found) ? exit_ok : exit_failed;
}

int run_bench(const context& here, bench_flags& flags) {
    const auto size = hawser::parse_size(flags.size);
    if (!size) return fail(here, size.why());
    constexpr std::uint64_t most = 16U << 20U;
    if (*size < sizeof(std::uint64_t) || *size > most)
        return fail_usage(here, "a message of a measurement has from 8B to 16MiB");
    flags.plan.size = *size;
    bench::end_tidily_on_signals();
    try {
        return flags.transports ? bench_transports(here, flags.runs) : measure(here, flags);
    } catch (const hawser::exception& why) {
        return fail(here, why.why());
    } catch (const bench::interrupted&) {
        return exit_interrupted;
    } catch (const std::runtime_error& why) {
        fmt::print(stderr, "hawser bench: {}\n", why.what());
        return exit_failed;
    }
}

} // namespace

void add_bench(CLI::App& app, context& here) {
    auto flags = std::make_shared<bench_flags>();
    CLI::App* const verb = add_verb(
        app, "bench", "Measure round trips and rates beside the machine's floor.", examples);
    verb->add_option("--size", flags->size, "bytes of a message")->type_name("SIZE");
    verb->add_option("--runs", flags->runs, "how often each case is measured")
        ->check(CLI::Range(1, 1000));
    verb->add_flag("--all", flags->plan.all,
                   "every case: sizes, loans, crowds, paced load, idle, opening, scale");
    verb->add_flag("--quick", flags->plan.quick, "shorter measurements, with more noise");
    verb->add_option("--case", flags->plan.words,
                     "only cases whose name has this in it; may be given again")
        ->type_name("WORD")
        ->expected(1)
        ->take_all();
    verb->add_flag("--list", flags->list, "the names of the cases, and end");
    verb->add_flag("--transports", flags->transports,
                   "all transports beside each other, with sizes of their own");
    add_json_flag(verb, here);
    verb->callback([=, &here] { here.status = run_bench(here, *flags); });
}

} // namespace tool
