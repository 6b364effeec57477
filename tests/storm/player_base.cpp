#include "player_base.hpp"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hawser::storm {

namespace {

constexpr std::uint64_t record_mark = 0x5354'4f52'4d21'2121;

std::uint64_t mixed(std::uint64_t value) noexcept {
    value = (value ^ (value >> 31)) * 0x9E37'79B9'7F4A'7C15ULL;
    return value ^ (value >> 29);
}

// The bytes behind the record, eight at a time.
template <typename Visit>
void each_word(std::size_t size, std::uint32_t number, Visit&& visit) {
    std::uint64_t word = mixed(number + 1);
    for (std::size_t at = sizeof(record); at < size; at += sizeof word) {
        if (!visit(at, std::min(sizeof word, size - at), word)) return;
        word += 0x1234'5677'89AB'CDEFULL;
    }
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

} // namespace

void let_pass(std::int64_t ns) noexcept {
    const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
    ::ppoll(nullptr, 0, &wait, nullptr);
}

void write_message(std::span<std::byte> into, std::uint32_t number, std::uint32_t sender) noexcept {
    const record head{record_mark, number, sender, into.size()};
    std::memcpy(into.data(), &head, sizeof head);
    each_word(into.size(), number, [&](std::size_t at, std::size_t bytes, std::uint64_t word) {
        std::memcpy(into.data() + at, &word, bytes);
        return true;
    });
}

std::string read_message(std::span<const std::byte> from, record& out) {
    if (from.size() < sizeof out) return "a message of " + std::to_string(from.size()) + " bytes";
    std::memcpy(&out, from.data(), sizeof out);
    if (out.mark != record_mark || out.number >= most_messages || out.sender >= most_lives)
        return "a message that nobody sent";
    if (out.size != from.size())
        return "a message of " + std::to_string(out.size) + " bytes that came with " +
               std::to_string(from.size());
    std::string wrong;
    each_word(from.size(), out.number, [&](std::size_t at, std::size_t bytes, std::uint64_t word) {
        if (std::memcmp(from.data() + at, &word, bytes) == 0) return true;
        wrong = "a message that is torn at byte " + std::to_string(at) + " of " +
                std::to_string(from.size());
        return false;
    });
    return wrong;
}

player::player(const stage& where, std::uint32_t me)
    : where_(where), me_(me), self_((*where.notes)->lives[me]),
      kind_(all_kinds()[(*where.notes)->kind.load()]), survivor_(self_.survivor.load()),
      random_((*where.notes)->seed.load() * most_lives + me) {}

void player::run() {
    while (!leaving() && open()) {
        bool again = true;
        while (!leaving() && (again = step())) obey();
        if (!again) break;
    }
    now(doing::closing);
    close();
    now(doing::over);
}

void player::now(doing what) noexcept {
    self_.at.store(what);
    self_.since_ns.store(now_ns());
}

void player::complain(const std::string& what) const {
    notes().complain("life " + std::to_string(me_) + ", pid " + std::to_string(self_.pid.load()) +
                     (self_.as.load() == role::sender ? ", sender: " : ", receiver: ") + what);
}

std::int64_t player::some_ns(std::int64_t most) {
    const double share = static_cast<double>(chance(1000)) / 1000;
    return static_cast<std::int64_t>(static_cast<double>(most) * share * share * share);
}

options player::wanted() {
    options how;
    const std::uint64_t drawn = chance(20);
    if (!survivor_ && drawn < 7) how.wait = wait_mode::block;
    if (!survivor_ && drawn == 19) how.wait = wait_mode::spin;
    return how;
}

// Slots are all taken for a moment when many have died; a socket's name is while its last
// receiver's death is not complete.
bool player::may_come_later(const error& why) const {
    const errc code = why.code();
    if (kind_.shared_memory() && code == errc::no_space) return true;
    if (!kind_.many_receivers && code == errc::already_exists) return true;
    complain("open: " + why.describe());
    return false;
}

// --- orders ------------------------------------------------------------------------------------

void player::obey() {
    const order told = self_.told.load();
    if (told == order::none || told == order::leave) return;
    self_.told.store(order::none);
    now(doing::nothing);
    switch (told) {
    case order::fork_idle:
        return fork_idle();
    case order::fork_holding:
        return fork_holding();
    case order::fork_user:
        return fork_user();
    case order::fork_opening:
        return fork_opening();
    case order::exec:
        return become_another();
    case order::none:
    case order::leave:
        return;
    }
}

void player::fork_idle() {
    const std::int64_t time_ns = some_ns(300'000'000);
    if (::fork() != 0) return;
    let_pass(time_ns);
    ::_exit(0);
}

// No fork handler runs: the child keeps the file descriptions and with them the locks of its
// parent, which therefore seems alive until the child has gone. It touches nothing of hawser.
void player::fork_holding() {
    const std::int64_t time_ns = some_ns(400'000'000);
    if (::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr) != 0) return;
    const timespec wait{0, time_ns};
    ::syscall(SYS_ppoll, nullptr, 0, &wait, nullptr, 0);
    ::syscall(SYS_exit_group, 0);
}

void player::fork_user() {
    if (::fork() != 0) return;
    const errc said = touch_as_child();
    if (said == errc::invalid_argument)
        notes().count(tally::forks_refused);
    else
        complain("a fork child was told " + std::string(name_of(said)) + " by its parent's end");
    abandon();
    ::_exit(0);
}

// A grandchild, which is the conductor's as soon as the child between them has gone: from then on
// its pid can't be another's without the conductor knowing.
void player::fork_opening() {
    if (where_.link != nullptr) return;
    const auto as = chance(2) == 0 && kind_.many_receivers ? role::receiver : role::sender;
    if (::fork() != 0) return;
    if (::fork() != 0) ::_exit(0);
    for (int tries = 0; ::getppid() != where_.conductor; ++tries) {
        if (tries == 2000 || notes().senders_stop.load()) ::_exit(0);
        let_pass(1'000'000);
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const std::uint32_t born = notes().be_born(as, false);
    if (born == 0) ::_exit(0);
    notes().lives[born].pid.store(::getpid());
    notes().lives[born].adopted.store(true);
    play(where_, born);
}

void player::become_another() {
    if (where_.link != nullptr) return;
    const std::uint32_t next = notes().be_born(self_.as.load(), false);
    if (next == 0) return;
    notes().lives[next].pid.store(::getpid());
    self_.left.store(true);
    now(doing::over);
    const std::string fd = std::to_string(where_.notes->fd());
    const std::string life = std::to_string(next);
    const std::string conductor = std::to_string(where_.conductor);
    const char* const words[] = {"hawser_storm", "--play",          fd.c_str(),
                                 life.c_str(),   conductor.c_str(), nullptr};
    ::execv("/proc/self/exe", const_cast<char* const*>(words));
    complain("exec failed");
    ::_exit(1);
}

// --- a whole life ------------------------------------------------------------------------------

void play(const stage& where, std::uint32_t me) {
    std::signal(SIGCHLD, SIG_IGN); // children that only pass time need nobody who waits for them
    book& notes = **where.notes;
    life& self = notes.lives[me];
    const std::size_t open_before = open_descriptors();
    try {
        auto one =
            self.as.load() == role::sender ? make_sender(where, me) : make_receiver(where, me);
        one->run();
        one.reset();
        const std::size_t open_after = open_descriptors();
        if (where.link == nullptr && open_after != open_before)
            notes.complain("life " + std::to_string(me) + ": " + std::to_string(open_before) +
                           " descriptors before, " + std::to_string(open_after) + " after");
    } catch (const std::exception& why) {
        notes.complain("life " + std::to_string(me) + ": " + why.what());
    }
    ::_exit(0);
}

void play_after_exec(char** words) {
    ledger notes(static_cast<int>(std::strtol(words[0], nullptr, 10)));
    const stage where{&notes, nullptr, static_cast<pid_t>(std::strtol(words[2], nullptr, 10))};
    play(where, static_cast<std::uint32_t>(std::strtoul(words[1], nullptr, 10)));
}

} // namespace hawser::storm
