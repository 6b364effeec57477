#include "demo_screen.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <hawser/inspect.hpp>

#include "output/human.hpp"
#include "terminal/terminal.hpp"

namespace tool::demo {

namespace {

constexpr std::uint64_t redraw_ns = 100'000'000;
constexpr std::uint64_t bar_width = 32;
constexpr std::size_t cell_width = 38;
constexpr std::size_t most_worker_lines = 12;

bool terminal_speaks_utf8() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        const std::string_view locale(value);
        return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
    }
    return false;
}

std::size_t terminal_columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

// What fits into one row: a wrapped line would be drawn over by the wrong one. Escapes have no
// width, and a continuation byte of UTF-8 belongs to the character before it.
std::string fitted(std::string_view line, std::size_t columns) {
    std::string kept;
    std::size_t used = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (line[i] == '\033') {
            const std::size_t end = std::min(line.find('m', i), line.size() - 1);
            kept += line.substr(i, end - i + 1);
            i = end;
            continue;
        }
        const bool continues = (static_cast<unsigned char>(line[i]) & 0xC0) == 0x80;
        if (!continues && ++used > columns) return kept + "\033[0m";
        kept += line[i];
    }
    return kept;
}

// A stderr that takes nothing is no reason to end a run.
void write(const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

std::string padded(std::string text, std::size_t shown, std::size_t width) {
    if (shown < width) text.append(width - shown, ' ');
    return text;
}

} // namespace

screen::screen(const context& here, bool quiet)
    : here_(here), terminal_(is_terminal(stream::err)), quiet_(quiet),
      utf8_(terminal_speaks_utf8()) {}

screen::~screen() {
    clear();
}

void screen::phase(const std::string& what) {
    phase_ = what;
    next_ns_ = 0;
    began_ns_ = now_ns();
    if (terminal_)
        draw({fmt::format("  {} ...", what)});
    else if (!quiet_)
        say(fmt::format("demo: {}", what));
}

void screen::say(const std::string& line) {
    clear();
    write(line + '\n');
}

bool screen::due() {
    if (!terminal_) return false;
    const std::uint64_t now = now_ns();
    if (now < next_ns_) return false;
    next_ns_ = now + redraw_ns;
    return true;
}

void screen::counted(std::uint64_t done, std::uint64_t total) {
    if (!due()) return;
    draw({fmt::format("  {}", phase_),
          fmt::format("  {}  {} of {}", bar(done, total), human_count(done), human_count(total))});
}

void screen::streaming(const ledger& notes, const crew& workers, const std::vector<killing>& kills,
                       bool last) {
    if (!(last ? terminal_ : due())) return;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    for (const worker_record& record : notes.workers().subspan(notes.header().producers)) {
        messages += record.messages;
        bytes += record.bytes;
    }
    const double seconds = static_cast<double>(now_ns() - began_ns_) / 1e9;
    const auto mailbox = hawser::inspect_mailbox(notes.header().address.data());
    const std::uint64_t all = notes.header().chunks;

    std::vector<std::string> lines;
    lines.push_back(fmt::format("  {}", phase_));
    lines.push_back(fmt::format("  {}  {} of {} messages   {:.0f} MB/s   depth {}   {:.1f} s",
                                bar(messages, all), human_count(std::min(messages, all)),
                                human_count(all), static_cast<double>(bytes) / 1e6 / seconds,
                                mailbox ? mailbox->depth : 0, seconds));
    const auto& members = workers.members();
    const std::size_t producers = notes.header().producers;
    const std::size_t rows = std::max(producers, members.size() - producers);
    for (std::size_t row = 0; row < std::min(rows, most_worker_lines); ++row) {
        std::string line = "  ";
        line += row < producers ? worker_cell(notes, members[row]) : std::string(cell_width, ' ');
        if (producers + row < members.size()) line += worker_cell(notes, members[producers + row]);
        lines.push_back(std::move(line));
    }
    for (const killing& each : kills)
        lines.push_back(fmt::format("  kill -9 {}  {} while it {}; successor {}", each.pid,
                                    name_of(each.role, each.index), describe(each.doing),
                                    each.successor));
    if (last) lines.emplace_back();
    draw(lines);
    if (last) drawn_ = 0;
}

std::string screen::worker_cell(const ledger& notes, const crew_member& member) const {
    const worker_record& record = notes.worker(member.role, member.index);
    const auto doing = static_cast<activity>(record.doing.load());
    std::string_view state = member.generation > 0 ? "replaced" : "alive";
    ink color = member.generation > 0 ? ink::yellow : ink::green;
    if (!member.running) {
        state = doing == activity::done ? "done" : "dead";
        color = doing == activity::done ? ink::dim : ink::red;
    }
    const std::string count = human_count(record.messages);
    const std::size_t shown = 12 + 10 + std::max<std::size_t>(count.size(), 9);
    std::string text =
        fmt::format("{:<12}{}{:>9}", name_of(member.role, member.index),
                    paint(here_, stream::err, color, fmt::format("{:<10}", state)), count);
    return padded(std::move(text), shown, cell_width);
}

std::string screen::bar(std::uint64_t done, std::uint64_t total) const {
    const std::uint64_t filled = total == 0 ? 0 : std::min(done, total) * bar_width / total;
    std::string text;
    for (std::uint64_t i = 0; i < bar_width; ++i)
        text += i < filled ? (utf8_ ? "█" : "#") : (utf8_ ? "░" : ".");
    return text;
}

void screen::draw(const std::vector<std::string>& lines) {
    // One write, from the first line of the block on: less would flicker.
    std::string block = drawn_ > 0 ? fmt::format("\033[{}A\r", drawn_) : "";
    const std::size_t columns = terminal_columns();
    for (const std::string& line : lines) block += fitted(line, columns) + "\033[K\n";
    block += "\033[J";
    drawn_ = lines.size();
    write(block);
}

void screen::clear() {
    if (drawn_ > 0) write(fmt::format("\033[{}A\r\033[J", drawn_));
    drawn_ = 0;
}

} // namespace tool::demo
