#include "run_report.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <fmt/format.h>

#include "output/human.hpp"
#include "output/table.hpp"
#include "terminal/terminal.hpp"

namespace tool::pipeline {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr milliseconds first_after{1000};
constexpr milliseconds then_every{200};
constexpr std::size_t program_width = 40;

std::size_t terminal_columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// Cut to that many characters. Bytes that continue a character go with it.
std::string fitted(const std::string& text, std::size_t most) {
    const auto is_head = [](char c) { return (c & 0xC0) != 0x80; };
    const auto characters = static_cast<std::size_t>(std::ranges::count_if(text, is_head));
    if (characters <= most) return text;
    std::size_t kept = 0;
    std::size_t heads = 0;
    while (kept < text.size() && !(is_head(text[kept]) && ++heads > most - 3)) ++kept;
    return text.substr(0, kept) + "...";
}

nanoseconds wall(const stage& one) {
    return one.ended - one.began;
}

nanoseconds duration_of(const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

bool was_killed(const stage& one) {
    return WIFSIGNALED(one.status);
}

// "stage 2 (grep)".
std::string name_of(const line& work, std::size_t i) {
    return fmt::format("stage {} ({})", i + 1, printable(short_name(work.stages()[i])));
}

// Which stage the exit status comes from.
std::string explain(const line& work, int status) {
    if (work.stop_signal() != 0)
        return fmt::format("exit {}: hawser got {}", status, signal_name(work.stop_signal()));
    for (std::size_t i = work.stages().size(); i-- > 0;)
        if (shell_status(work.stages()[i]) != 0)
            return fmt::format("exit {}, of {}", status, name_of(work, i));
    return fmt::format("exit {}", status);
}

} // namespace

milliseconds progress_line::every() const noexcept {
    return shown_ ? then_every : milliseconds(-1);
}

void progress_line::clear() noexcept {
    if (dirty_) std::fputs("\r\033[K", stderr);
    dirty_ = false;
}

void progress_line::show() {
    if (!shown_) return;
    const auto now = steady::now();
    if (now < std::max(next_, work_.began() + first_after)) return;
    next_ = now + then_every;
    std::string text =
        human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - work_.began()));
    for (std::size_t i = 0; i < work_.joints().size(); ++i) {
        const stage& one = work_.stages()[i];
        const auto bytes = work_.joints()[i].bytes();
        const auto until = one.running ? now : one.ended;
        const double seconds = std::chrono::duration<double>(until - one.began).count();
        text +=
            fmt::format("  {} {} {}, {}/s", i + 1, printable(short_name(one)), human_size(bytes),
                        human_size(static_cast<std::uint64_t>(static_cast<double>(bytes) /
                                                              std::max(seconds, 1e-6))));
    }
    fmt::print(stderr, "\r\033[K{}", fitted(text, terminal_columns() - 1));
    std::fflush(stderr);
    dirty_ = true;
}

void print_report(const context& here, const line& work, int status) {
    table rows({{"STAGE", align::right},
                {"PROGRAM"},
                {"BYTES OUT", align::right},
                {"TIME", align::right},
                {"USER", align::right},
                {"SYSTEM", align::right},
                {"ENDED"}});
    for (std::size_t i = 0; i < work.stages().size(); ++i) {
        const stage& one = work.stages()[i];
        const bool last = i == work.joints().size();
        rows.add({std::to_string(i + 1),
                  fitted(printable(fmt::format("{}", fmt::join(one.words, " "))), program_width),
                  last ? "-" : human_size(work.joints()[i].bytes()), human_duration(wall(one)),
                  human_duration(duration_of(one.used.ru_utime)),
                  human_duration(duration_of(one.used.ru_stime)), describe_end(one)});
    }
    static_cast<void>(rows.print(here, stream::err)); // nobody is left to tell
    if (status != 0) fmt::print(stderr, "{}\n", explain(work, status));
}

void print_kills(const context& here, const line& work) {
    for (std::size_t i = 0; i < work.stages().size(); ++i) {
        const stage& one = work.stages()[i];
        if (!was_killed(one)) continue;
        const int signal = WTERMSIG(one.status);
        if (signal == SIGPIPE || signal == work.stop_signal()) continue;
        fmt::print(stderr, "{} {} was ended by {}\n",
                   paint(here, stream::err, ink::yellow, "hawser:"), name_of(work, i),
                   describe_end(one));
    }
}

json report_document(const line& work, int status) {
    json document = envelope("run");
    document["exit"] = status;
    document["stop_signal"] =
        work.stop_signal() == 0 ? json(nullptr) : json(signal_name(work.stop_signal()));
    document["stages"] = json::array();
    steady::time_point end = work.began();
    for (std::size_t i = 0; i < work.stages().size(); ++i) {
        const stage& one = work.stages()[i];
        const bool killed = was_killed(one);
        json words = json::array();
        for (const std::string& word : one.words) words.push_back(text(word));
        end = std::max(end, one.ended);
        document["stages"].push_back(
            {{"stage", i + 1},
             {"words", std::move(words)},
             {"path", text(one.path)},
             {"pid", one.pid},
             {"bytes_out",
              i < work.joints().size() ? json(work.joints()[i].bytes()) : json(nullptr)},
             {"wall_ns", wall(one).count()},
             {"user_ns", duration_of(one.used.ru_utime).count()},
             {"system_ns", duration_of(one.used.ru_stime).count()},
             {"status", shell_status(one)},
             {"exit", killed ? json(nullptr) : json(WEXITSTATUS(one.status))},
             {"signal", killed ? json(signal_name(WTERMSIG(one.status))) : json(nullptr)},
             {"core_dumped", killed && WCOREDUMP(one.status)}});
    }
    document["wall_ns"] = nanoseconds(end - work.began()).count();
    return document;
}

} // namespace tool::pipeline
