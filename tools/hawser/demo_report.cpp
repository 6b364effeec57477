#include "demo_report.hpp"

#include <chrono>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "output/human.hpp"
#include "output/json.hpp"
#include "terminal/terminal.hpp"

namespace tool::demo {

namespace {

constexpr std::string_view stall_definition =
    "longest time between two messages of a process neither killed nor a successor";
constexpr std::string_view latency_definition =
    "from before send to after receive, queueing included; without redelivered messages";
constexpr std::size_t most_shown = 10; // files in a list of the summary

struct counts {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t redelivered = 0;
    std::uint64_t duplicates = 0;
    std::uint64_t held_back_ns = 0;
};

counts count(const ledger& notes) {
    counts sum;
    const std::size_t producers = notes.header().producers;
    for (const worker_record& record : notes.workers().first(producers)) {
        sum.sent += record.messages;
        sum.held_back_ns += record.held_back_ns;
    }
    for (const worker_record& record : notes.workers().subspan(producers)) {
        sum.received += record.messages;
        sum.redelivered += record.redelivered;
        sum.duplicates += record.duplicates;
    }
    return sum;
}

latency_sum latencies(const ledger& notes) {
    latency_sum sum;
    for (const worker_record& record : notes.workers().subspan(notes.header().producers))
        sum.add(record.latency);
    return sum;
}

double seconds_of(const report& of) {
    return static_cast<double>(of.run.ended_ns - of.run.began_ns) / 1e9;
}

std::string time_text(std::uint64_t ns) {
    return human_duration(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

// What became of the message that a killed consumer held.
struct comeback {
    std::uint64_t after_ns = 0;
    std::string to;
};

std::optional<comeback> find_comeback(const ledger& notes, const killing& of) {
    const ledger_header& head = notes.header();
    for (std::uint32_t i = 0; i < head.consumers; ++i) {
        const worker_record& record = notes.worker(worker_role::consumer, i);
        if (record.redelivered_chunk != of.chunk || record.redelivered_ns < of.killed_ns) continue;
        std::string to = name_of(worker_role::consumer, i);
        if (i == of.index) to = "its successor";
        return comeback{record.redelivered_ns - of.killed_ns, to};
    }
    return {};
}

// How long its place was empty, or nothing if the successor had nothing left to do.
std::optional<std::uint64_t> resumed_after(const ledger& notes, const killing& of) {
    const std::uint64_t resumed = notes.worker(of.role, of.index).resumed_ns;
    if (resumed < of.killed_ns) return {};
    return resumed - of.killed_ns;
}

std::string describe(const report& of, const killing& each) {
    const std::uint64_t percent = each.messages_before * 100 / of.notes.header().chunks;
    return fmt::format("{} (pid {}) by SIGKILL at {} %, while it {}",
                       name_of(each.role, each.index), each.pid, percent, describe(each.doing));
}

std::string describe_after(const report& of, const killing& each) {
    std::string text;
    if (const auto back = find_comeback(of.notes, each); back)
        text = fmt::format("that message came again to {} {} later; ", back->to,
                           time_text(back->after_ns));
    const auto resumed = resumed_after(of.notes, each);
    text += resumed ? fmt::format("successor (pid {}) at work after {}", each.successor,
                                  time_text(*resumed))
                    : fmt::format("successor (pid {}) found nothing left to do", each.successor);
    return text;
}

class printer {
  public:
    printer(const context& here, const report& of) : here_(here), of_(of) {}

    std::string text() {
        heading();
        files();
        messages();
        kills();
        survivors();
        speed();
        rest();
        ending();
        return std::move(text_);
    }

  private:
    void line(std::string_view label, const std::string& value) {
        const std::string name = fmt::format("{:<13}", label);
        text_ += fmt::format("  {}{}\n", paint(here_, stream::out, ink::bold, name), value);
    }
    std::string dim(std::string_view value) const {
        return paint(here_, stream::out, ink::dim, value);
    }
    std::string judged(bool good, const std::string& value) const {
        return paint(here_, stream::out, good ? ink::green : ink::red, value);
    }

    void heading() {
        const ledger_header& head = of_.notes.header();
        text_ += fmt::format("{} -> {} -> {}, seed {}\n\n",
                             human_plural(head.producers, "producer"), head.address.data(),
                             human_plural(head.consumers, "consumer"), of_.wanted.seed);
    }

    void files() {
        const std::uint64_t all = of_.work.files.size();
        const bool good =
            of_.files.different == 0 && of_.files.identical + of_.files.changed == all;
        line("files",
             judged(good, fmt::format("{} of {} identical (SHA-256)",
                                      human_count(of_.files.identical), human_count(all))) +
                 fmt::format(", {}; results in {}", megabytes(of_.work.bytes),
                             printable(of_.place)));
        if (of_.files.changed > 0)
            line("",
                 fmt::format("{} changed while they were read, which is no fault of the messages",
                             human_plural(of_.files.changed, "source")));
        list("differs", verdict::different);
        list("changed", verdict::changed);
    }

    void list(std::string_view word, verdict which) {
        std::size_t shown = 0;
        for (const planned_file& file : of_.work.files) {
            if (file.found != which || ++shown > most_shown) continue;
            line("", fmt::format("{}: {}", word, printable(file.path)));
        }
        if (shown > most_shown)
            line("", fmt::format("... and {} more", human_count(shown - most_shown)));
    }

    void messages() {
        const counts sum = count(of_.notes);
        const std::uint64_t lost = of_.notes.header().chunks - of_.run.delivered;
        line("messages",
             fmt::format("{} sent, {} received: {} redelivered, {}, {}", human_count(sum.sent),
                         human_count(sum.received), human_count(sum.redelivered),
                         human_plural(sum.duplicates, "duplicate") + " suppressed",
                         judged(lost == 0, fmt::format("{} lost", human_count(lost)))));
    }

    void kills() {
        if (of_.run.kills.empty()) line("killed", "nobody");
        std::string_view label = "killed";
        for (const killing& each : of_.run.kills) {
            line(label, describe(of_, each));
            line("", "  " + describe_after(of_, each));
            label = "";
        }
    }

    void survivors() {
        const stall& gap = of_.run.longest_gap;
        if (gap.who.empty()) {
            line("survivors", "none that had two messages: there is no stall to measure");
            return;
        }
        line("survivors",
             fmt::format("longest stall {} ({}); longest wait inside hawser {}", time_text(gap.ns),
                         gap.who, time_text(of_.run.longest_call.ns)));
        line("", dim(fmt::format("stall: {}", stall_definition)));
        if (const std::uint64_t held = count(of_.notes).held_back_ns; held > 0)
            line("",
                 dim(fmt::format("the demo held producers back for {} in all, so that the kills "
                                 "hit the middle of the work",
                                 time_text(held))));
    }

    void speed() {
        const latency_sum sum = latencies(of_.notes);
        line("latency",
             fmt::format("p50 {}, p99 {}, p99.9 {}", time_text(sum.percentile_ns(0.5)),
                         time_text(sum.percentile_ns(0.99)), time_text(sum.percentile_ns(0.999))));
        line("", dim(latency_definition));
        const double seconds = seconds_of(of_);
        if (seconds <= 0) return;
        const auto rate = [&](double amount) { return amount / seconds; };
        line("throughput",
             fmt::format("{:.0f} MB/s, {} messages/s: {:.2f} s from file to file ({:.1f} s with "
                         "checking)",
                         rate(static_cast<double>(of_.work.bytes) / 1e6),
                         human_count(static_cast<std::uint64_t>(
                             rate(static_cast<double>(of_.run.delivered)))),
                         seconds, static_cast<double>(of_.total_ns) / 1e9));
    }

    void rest() {
        if (of_.left_behind.empty())
            line("left behind", of_.kept.empty()
                                    ? "no process, no mailbox, no file"
                                    : fmt::format("no process, no mailbox; the results in {}",
                                                  printable(of_.kept)));
        for (const std::string& each : of_.left_behind)
            line("left behind", judged(false, printable(each)));
    }

    void ending() {
        const std::uint64_t differing = of_.files.different;
        text_ += '\n';
        if (of_.passed())
            text_ += judged(true, "ok: every byte arrived, and none differs") + '\n';
        else if (differing > 0)
            text_ +=
                judged(false, fmt::format("FAILED: {} not what was sent",
                                          differing == 1 ? "1 file is"
                                                         : human_count(differing) + " files are")) +
                '\n';
        else
            text_ += judged(false, "FAILED") + '\n';
    }

    const context& here_;
    const report& of_;
    std::string text_;
};

json kill_to_json(const report& of, const killing& each) {
    json shown{{"role", name_of(each.role)},
               {"worker", each.index + 1},
               {"pid", each.pid},
               {"signal", "SIGKILL"},
               {"while_it", describe(each.doing)},
               {"messages_before", each.messages_before},
               {"successor_pid", each.successor}};
    if (const auto back = find_comeback(of.notes, each); back)
        shown["redelivered_after_ns"] = back->after_ns;
    if (const auto resumed = resumed_after(of.notes, each); resumed)
        shown["resumed_after_ns"] = *resumed;
    return shown;
}

std::string_view name_of(verdict value) {
    switch (value) {
    case verdict::identical:
        return "identical";
    case verdict::different:
        return "different";
    case verdict::changed:
        return "source_changed";
    case verdict::unknown:
        break;
    }
    return "unknown";
}

json file_to_json(const planned_file& file) {
    return {{"path", text(file.path)},
            {"bytes", file.bytes},
            {"verdict", name_of(file.found)},
            {"source_sha256", to_hex(file.source)},
            {"result_sha256", to_hex(file.result)}};
}

json files_to_json(const report& of) {
    json shown{{"total", of.work.files.size()},
               {"bytes", of.work.bytes},
               {"identical", of.files.identical},
               {"different", of.files.different},
               {"source_changed", of.files.changed},
               {"unreadable", json::array()},
               {"left_out_for_space", of.work.beyond_limit}};
    for (const left_out& each : of.work.unreadable) shown["unreadable"].push_back(text(each.path));
    shown["list"] = json::array();
    for (const planned_file& file : of.work.files)
        if (of.wanted.verbose || file.found != verdict::identical)
            shown["list"].push_back(file_to_json(file));
    return shown;
}

json messages_to_json(const report& of) {
    const counts sum = count(of.notes);
    return {{"planned", of.notes.header().chunks},
            {"sent", sum.sent},
            {"received", sum.received},
            {"redelivered", sum.redelivered},
            {"duplicates_suppressed", sum.duplicates},
            {"delivered", of.run.delivered},
            {"lost", of.notes.header().chunks - of.run.delivered}};
}

json times_to_json(const report& of) {
    const latency_sum sum = latencies(of.notes);
    const double seconds = seconds_of(of);
    json shown;
    shown["survivors"] = {{"longest_stall_ns", of.run.longest_gap.ns},
                          {"worker", of.run.longest_gap.who},
                          {"longest_call_ns", of.run.longest_call.ns},
                          {"stall_is", stall_definition},
                          {"producers_held_back_ns", count(of.notes).held_back_ns}};
    shown["latency"] = {{"p50_ns", sum.percentile_ns(0.5)},
                        {"p99_ns", sum.percentile_ns(0.99)},
                        {"p999_ns", sum.percentile_ns(0.999)},
                        {"samples", sum.total()},
                        {"latency_is", latency_definition}};
    shown["throughput"] = {
        {"seconds", seconds},
        {"bytes_per_second", seconds > 0 ? static_cast<double>(of.work.bytes) / seconds : 0.0},
        {"messages_per_second",
         seconds > 0 ? static_cast<double>(of.run.delivered) / seconds : 0.0},
        {"total_seconds", static_cast<double>(of.total_ns) / 1e9}};
    return shown;
}

} // namespace

std::string megabytes(std::uint64_t bytes) {
    const double value = static_cast<double>(bytes) / 1e6;
    return fmt::format("{:.{}f} MB", value, value < 10 ? 2 : value < 100 ? 1 : 0);
}

bool report::passed() const {
    return run.problems.empty() && files.different == 0 && left_behind.empty() &&
           files.identical + files.changed == work.files.size();
}

bool print_summary(const context& here, const report& of) {
    std::string shown;
    if (of.wanted.verbose)
        for (const planned_file& file : of.work.files)
            shown += fmt::format("{:<14}  {}  {}  {}\n", name_of(file.found), to_hex(file.source),
                                 to_hex(file.result), printable(file.path));
    shown += printer(here, of).text();
    return std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size() &&
           std::fflush(stdout) == 0;
}

bool print_json(const report& of) {
    const ledger_header& head = of.notes.header();
    json document = envelope("demo");
    document["ok"] = of.passed();
    document["seed"] = of.wanted.seed;
    document["address"] = head.address.data();
    document["producers"] = head.producers;
    document["consumers"] = head.consumers;
    document["files"] = files_to_json(of);
    document["messages"] = messages_to_json(of);
    document["kills"] = json::array();
    for (const killing& each : of.run.kills) document["kills"].push_back(kill_to_json(of, each));
    document.update(times_to_json(of));
    if (of.run.mailbox) document["mailbox"] = to_json(*of.run.mailbox);
    document["problems"] = json::array();
    for (const std::string& each : of.run.problems) document["problems"].push_back(text(each));
    document["left_behind"] = json::array();
    for (const std::string& each : of.left_behind) document["left_behind"].push_back(text(each));
    document["place"] = text(of.place);
    if (!of.kept.empty()) document["results"] = text(of.kept);
    return print_document(document);
}

} // namespace tool::demo
