// Fault injection: for each transport and each operation, the n-th system call fails with each
// errno that its manual page documents, for every n.
//
//   hawser_faults [--sample] [--list] [--scheme S] [--op NAME [--n K [--errno E]]]
//                 [--lasting]
//
// Each fault comes once, and, if it can last, a second time so that from the n-th call on all calls
// of its kind fail until the operation is over (--lasting: only that).
//
// After each injection: no crash, no hang; the outcome is success or an error that is true of the
// errno (judge.cpp); nothing leaked; the end point, or a new one, works; and no message is lost,
// doubled or torn (operations.cpp). --sample takes two errnos of each call of open and close, and
// one of other calls, where each kind of call is taken a few times. --n counts from 0 the calls
// that can be made to fail, and --list with --op shows them. A failure prints the arguments that
// repeat it.

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "addresses.hpp"
#include "injector.hpp"
#include "judge.hpp"
#include "operations.hpp"
#include "rules.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace {

using namespace hawser;
using namespace hawser::faults;

constexpr std::size_t any = SIZE_MAX;

struct settings {
    std::string scheme;
    std::string op;
    std::size_t n = any;
    int error = 0;
    bool lasting = false;
    bool sample = false;
    bool list = false;

    // The sample, and a replay without --lasting, have each fault once only.
    [[nodiscard]] bool one_or_few() const noexcept { return sample || n != any; }
};

struct injection {
    std::size_t n;
    int error;
    bool lasting;
};

// A call of an operation that can be made to fail.
struct target {
    long number;
    std::string name;
    std::vector<int> errors;
    bool performed;
    bool matters;
    std::size_t place; // among all calls
    int own_error = 0; // what it says without a fault
};

struct tally {
    std::size_t calls = 0;
    std::size_t injections = 0;
    std::size_t unreached = 0; // the run had another call there, or fewer of them
    std::size_t failures = 0;
};

// One operation of one scheme, again and again.
class trial {
  public:
    trial(const spelling& how, const operation& op) : how_(how), op_(op) {}

    // Without a fault. What is wrong, or nothing; then targets() is known.
    std::string learn() {
        targets_.clear();
        std::string unknown;
        std::size_t place = 0;
        const auto choose = [&](const seen_call& call) {
            const rule* known = rule_for(call);
            ++place;
            if (known == nullptr)
                unknown = "system call " + std::to_string(call.number) +
                          " is not in the table of tests/faults/rules.cpp";
            else if (!known->errors.empty())
                targets_.push_back({call.number, known->name, errors_for(*known, call),
                                    known->performed, matters(*known), place - 1});
            return fault{};
        };
        std::string bad = run(choose, false);
        for (target& one : targets_)
            if (one.place < results_.size() && results_[one.place] < 0)
                one.own_error = static_cast<int>(-results_[one.place]);
        if (bad.empty() && said_->failed && said_->code != said_->expected)
            bad = std::string("without any fault: ") + said_->described.data();
        return bad.empty() ? unknown : bad;
    }
    [[nodiscard]] const std::vector<target>& targets() const noexcept { return targets_; }

    // With one; lasting: all later calls of the same kind fail as well. What is wrong, or nothing.
    // `reached` says whether there was such a call.
    std::string inject(std::size_t n, int error, bool lasting, bool& reached) {
        reached = false;
        std::size_t at = 0;
        std::vector<long> later;
        const auto choose = [&](const seen_call& call) {
            const rule* known = rule_for(call);
            if (known == nullptr || known->errors.empty()) return fault{};
            if (at > n) later.push_back(call.number);
            if (at++ != n && !(lasting && reached)) return fault{};
            if (call.number != targets_[n].number || known->name != targets_[n].name)
                return fault{};
            reached = true;
            return fault{error, known->performed};
        };
        std::string bad = run(choose, true);
        if (!bad.empty() || !reached) return bad;
        const bool matters = targets_[n].matters && targets_[n].own_error != error &&
                             !(is_repeated(error) && moves_data(targets_[n].number));
        if (!lasting && !said_->failed && matters && as_if_nothing(n, later))
            return "the failure was ignored: the call says ok, and did what it does without it";
        return judge(*said_, error);
    }

    // more: what else it takes to repeat it.
    void print_failure(const std::string& more, const std::string& bad) const {
        std::printf("FAILED --scheme %s --op %s%s: %s\n", how_.label.c_str(), op_.name.c_str(),
                    more.c_str(), bad.c_str());
    }

  private:
    // What is to be done again is done again, or later: the operation looks at its data.
    static bool is_repeated(int error) { return error == EAGAIN || error == EINTR; }
    static bool moves_data(long number) {
        constexpr std::array calls{SYS_sendmsg, SYS_sendto,   SYS_write, SYS_writev,
                                   SYS_recvmsg, SYS_recvfrom, SYS_read,  SYS_readv};
        return std::ranges::find(calls, number) != calls.end();
    }
    // Are the calls after the n-th those of a run without a fault?
    [[nodiscard]] bool as_if_nothing(std::size_t n, const std::vector<long>& later) const {
        const auto rest = targets_.begin() + static_cast<std::ptrdiff_t>(n) + 1;
        return std::equal(later.begin(), later.end(), rest, targets_.end(),
                          [](long number, const target& one) { return number == one.number; });
    }

    std::string run(const chooser& choose, bool faulty) {
        constexpr std::chrono::seconds limit{40}; // above what the library itself may wait
        *said_ = report{};
        said_->faulty = faulty;
        const std::string address = how_.address(test::unique_name("fault"));
        const auto result = run_with_faults([&] { act(address); }, choose, limit);
        results_ = result.results;
        std::string bad = verdict(result);
        if (!bad.empty() && how_.remove != nullptr) how_.remove(address);
        if (!bad.empty()) test::sweep_left_over();
        return bad;
    }

    // In the child.
    void act(const std::string& address) {
        std::string bad;
        try {
            stage own(how_, address, *said_);
            op_.act(own);
            own.check_end();
        } catch (const finding& found) {
            bad = found.what;
        } catch (const std::exception& thrown) {
            bad = std::string("an exception nobody meant: ") + thrown.what();
        }
        std::snprintf(said_->wrong.data(), said_->wrong.size(), "%s", bad.c_str());
        said_->finished = true;
    }

    [[nodiscard]] std::string verdict(const run_result& result) const {
        if (!result.in_time) return "it hung: its alarm clock ended it";
        if (WIFSIGNALED(result.status))
            return "it crashed with signal " + std::to_string(WTERMSIG(result.status));
        if (!said_->finished) return "it ended by itself, status " + std::to_string(result.status);
        std::string bad = said_->wrong.data();
        if (!bad.empty() && said_->failed)
            bad += std::string(" (the call had said: ") + said_->described.data() + ")";
        return bad;
    }

    const spelling& how_;
    const operation& op_;
    test::shared<report> said_;
    std::vector<target> targets_;
    std::vector<long> results_;
};

// Errnos of a call that are tried.
std::vector<int> chosen_errors(const target& call, const operation& op, const settings& chosen) {
    if (chosen.error != 0) return {chosen.error};
    std::vector<int> errors = call.errors;
    const std::size_t most = op.opens_or_closes ? 2 : 1;
    if (chosen.sample && errors.size() > most) errors.resize(most);
    return errors;
}

// One injection, once more if the run had no such call: a run may have a call more or less than
// another one.
void inject_one(trial& one, const injection& what, tally& result) {
    constexpr int tries = 5;
    const target& call = one.targets()[what.n];
    bool reached = false;
    std::string bad;
    for (int i = 0; i < tries && !reached && bad.empty(); ++i)
        bad = one.inject(what.n, what.error, what.lasting, reached);
    ++result.injections;
    if (!reached) ++result.unreached;
    if (bad.empty()) return;
    ++result.failures;
    one.print_failure(" --n " + std::to_string(what.n) + " --errno " + name_of_errno(what.error) +
                          (what.lasting ? " --lasting" : ""),
                      call.name + ": " + bad);
}

// A lack may last; what interrupts, or asks to come again (with more memory), may not, or nobody
// would ever get done. Nor may what says that the other side is not there yet, where a call has no
// deadline and waits for that.
bool may_last(int error, const operation& op) {
    constexpr std::array nobody_yet{ENXIO,       ECONNREFUSED, ECONNABORTED, EPROTO,
                                    ENETUNREACH, EHOSTUNREACH, ETIMEDOUT,    EADDRNOTAVAIL};
    const bool waited_for = std::ranges::find(nobody_yet, error) != nobody_yet.end();
    if (waited_for && op.name == "stream-open") return false;
    return error != EINTR && error != EAGAIN && error != E2BIG;
}

// In the sample, an operation that makes one kind of call again and again has the first few of them
// fail, and the last one.
bool in_sample(const std::vector<target>& all, std::size_t n, const operation& op) {
    constexpr std::ptrdiff_t first_few = 3;
    const auto same = [&](const target& one) { return one.name == all[n].name; };
    const auto here = all.begin() + static_cast<std::ptrdiff_t>(n);
    return op.opens_or_closes || std::count_if(all.begin(), here, same) < first_few ||
           std::none_of(here + 1, all.end(), same);
}

void inject_all(trial& one, const operation& op, const settings& chosen, tally& result) {
    constexpr std::size_t enough = 20; // failures of one operation
    for (std::size_t n = 0; n < one.targets().size(); ++n) {
        if (chosen.n != any && chosen.n != n) continue;
        if (chosen.sample && !in_sample(one.targets(), n, op)) continue;
        for (const int error : chosen_errors(one.targets()[n], op, chosen)) {
            for (const bool lasting : {false, true}) {
                const bool meant = chosen.lasting ? lasting : !(lasting && chosen.one_or_few());
                if (!meant || (lasting && !may_last(error, op))) continue;
                if (result.failures >= enough) return;
                inject_one(one, {n, error, lasting}, result);
            }
        }
    }
}

tally try_operation(const spelling& how, const operation& op, const settings& chosen) {
    trial one(how, op);
    tally result;
    if (const std::string bad = one.learn(); !bad.empty()) {
        ++result.injections;
        ++result.failures;
        one.print_failure("", bad);
        return result;
    }
    result.calls = one.targets().size();
    if (!chosen.list) {
        inject_all(one, op, chosen, result);
        return result;
    }
    for (std::size_t n = 0; n < one.targets().size(); ++n) {
        std::printf("  %3zu %s:", n, one.targets()[n].name.c_str());
        for (const int error : one.targets()[n].errors)
            std::printf(" %s", name_of_errno(error).c_str());
        std::printf("\n");
    }
    return result;
}

void print_row(const std::string& scheme, const std::string& op, const tally& of, double seconds) {
    std::printf("%-16s %-20s %8zu %11zu %10zu %8zu %8.1f\n", scheme.c_str(), op.c_str(), of.calls,
                of.injections, of.unreached, of.failures, seconds);
    std::fflush(stdout);
}

const capabilities& abilities_of(const std::string& scheme) {
    for (const auto& one : transports())
        if (one.scheme == scheme) return one.can;
    std::fprintf(stderr, "faults: this build has no scheme %s\n", scheme.c_str());
    std::exit(1);
}

bool in_build(const std::string& scheme) {
    for (const auto& one : transports())
        if (one.scheme == scheme) return true;
    return false;
}

tally try_scheme(const spelling& how, const settings& chosen) {
    const capabilities& can = abilities_of(how.scheme);
    tally all;
    for (const auto& op : operations()) {
        if (!chosen.op.empty() && chosen.op != op.name) continue;
        if ((how.bytes_only && !op.on_bytes) || !op.applies(how, can)) continue;
        if (::isatty(STDERR_FILENO) != 0)
            std::fprintf(stderr, "\r\033[K%s %s …\r", how.label.c_str(), op.name.c_str());
        if (chosen.list) std::printf("%s %s\n", how.label.c_str(), op.name.c_str());
        if (chosen.list && chosen.op.empty()) continue;
        const auto start = std::chrono::steady_clock::now();
        const tally one = try_operation(how, op, chosen);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        if (!chosen.list) print_row(how.label, op.name, one, took.count());
        all.injections += one.injections;
        all.unreached += one.unreached;
        all.failures += one.failures;
    }
    return all;
}

settings read_arguments(int count, char** words) {
    settings chosen;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto value = [&]() -> std::string {
            if (i + 1 < count) return words[++i];
            std::fprintf(stderr, "faults: %s needs a value\n", word.c_str());
            std::exit(2);
        };
        if (word == "--sample")
            chosen.sample = true;
        else if (word == "--lasting")
            chosen.lasting = true;
        else if (word == "--list")
            chosen.list = true;
        else if (word == "--scheme")
            chosen.scheme = value();
        else if (word == "--op")
            chosen.op = value();
        else if (word == "--n")
            chosen.n = std::strtoull(value().c_str(), nullptr, 10);
        else if (word == "--errno")
            chosen.error = errno_named(value());
        else {
            std::fprintf(stderr, "faults: unknown argument %s\n", word.c_str());
            std::exit(2);
        }
    }
    return chosen;
}

} // namespace

int main(int count, char** words) {
    const settings chosen = read_arguments(count, words);
    test::private_directory();
    tally all;
    if (!chosen.list)
        std::printf("%-16s %-20s %8s %11s %10s %8s %8s\n", "scheme", "operation", "calls",
                    "injections", "unreached", "failed", "seconds");
    for (const auto& how : spellings()) {
        if (!in_build(how.scheme)) continue;
        const bool meant =
            chosen.scheme.empty() || chosen.scheme == how.label || chosen.scheme == how.scheme;
        if (!meant) continue;
        const tally one = try_scheme(how, chosen);
        all.injections += one.injections;
        all.unreached += one.unreached;
        all.failures += one.failures;
    }
    if (chosen.list) return 0;
    if (const std::string missing = not_spelled(); !missing.empty()) {
        std::printf("FAILED: tests/faults/addresses.cpp does not spell %s\n", missing.c_str());
        ++all.injections;
        ++all.failures;
    }
    if (all.injections == 0) std::fprintf(stderr, "faults: no such operation; --list shows them\n");
    for (const auto& name : test::left_over()) {
        std::printf("FAILED: %s was left behind\n", name.c_str());
        ++all.injections;
        ++all.failures;
    }
    std::printf("figure: injected failures of system calls%s%s = %zu\n",
                chosen.scheme.empty() ? "" : ", ", chosen.scheme.c_str(), all.injections);
    std::printf("figure: of these not survived%s%s = %zu (target: 0)\n",
                chosen.scheme.empty() ? "" : ", ", chosen.scheme.c_str(), all.failures);
    std::printf("faults: %zu passed, %zu failed\n", all.injections - all.failures - all.unreached,
                all.failures);
    return all.failures == 0 && all.injections > 0 ? 0 : 1;
}
