#include "run_pipeline.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>

#include <fmt/format.h>

namespace tool::pipeline {
namespace {

// Two pipes and a third process between two programs mean more switching than one pipe does; pipes
// of four times the usual size make up for it. Only where they are few: a user has 64 MiB of pipes
// in all before Linux makes the next ones smaller than usual.
constexpr int roomy_bytes = 256 * 1024;
constexpr std::size_t most_roomy = 16; // stages

struct two_ends {
    descriptor read;
    descriptor write;
};

// 0 or the errno.
int make_pipe(two_ends& ends, bool roomy) {
    std::array<int, 2> fds{};
    if (::pipe2(fds.data(), O_CLOEXEC) != 0) return errno;
    if (roomy) static_cast<void>(::fcntl(fds[0], F_SETPIPE_SZ, roomy_bytes)); // a wish, no more
    ends.read = descriptor(fds[0]);
    ends.write = descriptor(fds[1]);
    return 0;
}

refusal refuse_pipe(int sys) {
    return {1,
            fmt::format("no pipe for it: {}. Each program but the last takes two descriptors",
                        std::generic_category().message(sys)),
            "ulimit -n"};
}

bool is_ignored(int signal) {
    struct sigaction now {};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

} // namespace

line::~line() {
    for (stage& one : stages_) kill_and_wait(one);
}

// Signals wait in a descriptor, so that none can come between a look and the next sleep.
void line::take_signals() {
    std::signal(SIGCHLD, SIG_DFL); // ignored by our parent, the ends of children would be lost
    std::signal(SIGPIPE, SIG_IGN); // splice(2) answers EPIPE instead
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    for (const int signal : {SIGINT, SIGQUIT, SIGTERM, SIGHUP})
        if (!is_ignored(signal)) sigaddset(&wanted, signal);
    ::sigprocmask(SIG_BLOCK, &wanted, &mask_before_);
    signals_ = descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
}

// What comes from now on ends hawser at once: only the report is left to do, and it may block.
void line::give_signals_back() {
    signals_.close();
    ::sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

// in is what the program before it left as its input, and becomes that of the program after it.
// All ends that are not hawser's are closed on return.
std::optional<refusal> line::start_one(std::size_t i, descriptor& in) {
    if (i + 1 == stages_.size()) return pipeline::start(stages_[i], {.in = in.get()});
    two_ends from;
    two_ends to;
    for (two_ends* ends : {&from, &to})
        if (const int sys = make_pipe(*ends, stages_.size() <= most_roomy); sys != 0)
            return refuse_pipe(sys);
    auto refused = pipeline::start(stages_[i], {.in = in.get(), .out = from.write.get()});
    if (refused) return refused;
    joints_.emplace_back(std::move(from.read), std::move(to.write));
    in = std::move(to.read);
    return std::nullopt;
}

std::optional<line::failed_start> line::start() {
    take_signals();
    if (!signals_) return failed_start{0, refuse_pipe(errno)};
    joints_.reserve(stages_.size());
    began_ = steady::now();
    descriptor in;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        auto refused = start_one(i, in);
        if (!refused) continue;
        for (stage& one : stages_) kill_and_wait(one);
        return failed_start{i, std::move(*refused)};
    }
    return std::nullopt;
}

void line::run(const watcher& who) {
    std::vector<pollfd> waits;
    while (!is_done()) {
        waits.assign(1, {signals_.get(), POLLIN, 0});
        for (const joint& each : joints_) {
            waits.push_back(each.wanted_in());
            waits.push_back(each.wanted_out());
        }
        const int ready = ::poll(waits.data(), waits.size(), static_cast<int>(who.every.count()));
        if (ready > 0) {
            for (std::size_t i = 0; i < joints_.size(); ++i)
                joints_[i].go_on(waits[1 + 2 * i].revents, waits[2 + 2 * i].revents);
            if (waits[0].revents != 0) read_signals(who);
        }
        if (who.look) who.look();
    }
    give_signals_back();
}

// Programs may leave others behind that still write or read (a daemon does): as long as both sides
// of a joint live, only hawser carries their bytes. Not after somebody has asked for the end.
bool line::is_done() const {
    if (std::ranges::any_of(stages_, &stage::running)) return false;
    return stop_signal_ != 0 || std::ranges::none_of(joints_, &joint::is_open);
}

void line::read_signals(const watcher& who) {
    signalfd_siginfo came{};
    while (::read(signals_.get(), &came, sizeof came) == static_cast<ssize_t>(sizeof came)) {
        const int signal = static_cast<int>(came.ssi_signo);
        if (signal == SIGCHLD) {
            look_at_all(who);
            continue;
        }
        if (stop_signal_ == 0) stop_signal_ = signal;
        if (signal == SIGTERM || signal == SIGHUP) pass_on(signal);
    }
}

// A stopped program takes note of it only when it goes on.
void line::pass_on(int signal) {
    for (const stage& one : stages_) {
        if (!one.running) continue;
        ::kill(one.pid, signal);
        ::kill(one.pid, SIGCONT);
    }
}

// One SIGCHLD may stand for several children.
void line::look_at_all(const watcher& who) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
        int signal = 0;
        if (stages_[i].running && look_at(stages_[i], signal) == change::stopped && who.on_stop)
            who.on_stop(i, signal);
    }
}

int line::shell_status() const {
    for (auto one = stages_.rbegin(); one != stages_.rend(); ++one)
        if (const int status = pipeline::shell_status(*one); status != 0) return status;
    return 0;
}

} // namespace tool::pipeline
