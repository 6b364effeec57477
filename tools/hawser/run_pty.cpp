#include "run_pty.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>

#include <hawser/terminal.hpp>

#include "terminal/signals.hpp"
#include "terminal/terminal.hpp"

namespace tool::pipeline {
namespace {

constexpr int exit_no_terminal = 1;
constexpr hawser::window_size usual_size{24, 80};

hawser::window_size our_size() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (const auto size = hawser::window_size_of(fd); size && size->rows > 0) return *size;
    return usual_size;
}

// The signals come by a descriptor while this is there.
class watched_signals {
  public:
    watched_signals() {
        sigset_t wanted;
        sigemptyset(&wanted);
        for (const int signal : {SIGCHLD, SIGWINCH, SIGTERM, SIGHUP, SIGINT, SIGQUIT})
            sigaddset(&wanted, signal);
        ::sigprocmask(SIG_BLOCK, &wanted, &before_);
        fd_ = descriptor(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
        std::signal(SIGPIPE, SIG_IGN);
    }
    ~watched_signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
    watched_signals(const watched_signals&) = delete;
    watched_signals& operator=(const watched_signals&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    // The next one that came, or 0.
    [[nodiscard]] int next() const noexcept {
        signalfd_siginfo info{};
        return ::read(fd_.get(), &info, sizeof info) == sizeof info
                   ? static_cast<int>(info.ssi_signo)
                   : 0;
    }

  private:
    sigset_t before_{};
    descriptor fd_;
};

refusal no_terminal(int sys) {
    return {exit_no_terminal,
            fmt::format("there is no terminal to be had: {}. The sysctl kernel.pty.max limits how "
                        "many there are",
                        std::generic_category().message(sys)),
            "sysctl kernel.pty"};
}

// Bytes on their way to the program.
class waiting_input {
  public:
    [[nodiscard]] bool empty() const noexcept { return begin_ == text_.size(); }
    void add(std::string_view more) {
        if (empty()) {
            text_.clear();
            begin_ = 0;
        }
        text_ += more;
    }
    void write_to(int fd) {
        const ssize_t put = ::write(fd, text_.data() + begin_, text_.size() - begin_);
        if (put > 0) begin_ += static_cast<std::size_t>(put);
        if (put < 0 && errno != EAGAIN && errno != EINTR) begin_ = text_.size(); // hung up
    }

  private:
    std::string text_;
    std::size_t begin_ = 0;
};

class session {
  public:
    explicit session(stage& program) : program_(program), typed_(is_terminal(tool::stream::in)) {}

    std::optional<refusal> begin();
    int run();

  private:
    std::optional<refusal> set_up(std::string& path);
    void step();
    void take_input();
    void end_input();
    bool show_output();
    void handle_signals();

    stage& program_;
    watched_signals signals_;
    descriptor master_;
    std::optional<hawser::raw_terminal> raw_;
    waiting_input input_;
    char last_typed_ = '\n';
    int hung_up_by_ = 0; // a signal
    bool typed_;         // our standard input is a terminal
    bool input_open_ = true;
    bool output_open_ = true;
};

std::optional<refusal> session::set_up(std::string& path) {
    master_ = descriptor(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    std::array<char, 64> slave{};
    if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0 ||
        ::ptsname_r(master_.get(), slave.data(), slave.size()) != 0)
        return no_terminal(errno);
    path = slave.data();
    termios settings{};
    if (::tcgetattr(typed_ ? STDIN_FILENO : master_.get(), &settings) != 0)
        return no_terminal(errno);
    if (!typed_) settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (::tcsetattr(master_.get(), TCSANOW, &settings) != 0) return no_terminal(errno);
    static_cast<void>(hawser::set_window_size(master_.get(), our_size()));
    return std::nullopt;
}

std::optional<refusal> session::begin() {
    std::string path;
    if (auto failed = set_up(path)) return failed;
    if (auto failed = start(program_, {.terminal = path})) return failed;
    if (!typed_) return std::nullopt;
    if (auto raw = hawser::raw_terminal::enter(STDIN_FILENO)) raw_.emplace(std::move(*raw));
    return std::nullopt;
}

int session::run() {
    while (program_.running) {
        step();
        int stopped_by = 0;
        static_cast<void>(look_at(program_, stopped_by));
    }
    // What it showed last; others that it left on the terminal are not waited for.
    while (output_open_ && show_output()) {
    }
    raw_.reset();
    return hung_up_by_ != 0 ? 128 + hung_up_by_ : shell_status(program_);
}

void session::step() {
    const bool wants_input = input_open_ && input_.empty();
    const short master_events =
        static_cast<short>(POLLIN | (input_.empty() ? 0 : static_cast<int>(POLLOUT)));
    std::array<pollfd, 3> all{{{output_open_ ? master_.get() : -1, master_events, 0},
                               {wants_input ? STDIN_FILENO : -1, POLLIN, 0},
                               {signals_.fd(), POLLIN, 0}}};
    if (::poll(all.data(), all.size(), static_cast<int>(nap.count())) <= 0) return;
    if ((all[2].revents & POLLIN) != 0) handle_signals();
    if ((all[0].revents & POLLOUT) != 0) input_.write_to(master_.get());
    if ((all[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) show_output();
    if (all[1].revents != 0) take_input();
}

void session::take_input() {
    std::array<char, 4096> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got > 0) {
        last_typed_ = bytes.at(static_cast<std::size_t>(got) - 1);
        input_.add({bytes.data(), static_cast<std::size_t>(got)});
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        end_input();
    }
}

// The end-of-file key ends a line first, if one was begun, and only then the input.
void session::end_input() {
    input_open_ = false;
    termios settings{};
    if (::tcgetattr(master_.get(), &settings) != 0) return;
    if ((settings.c_lflag & static_cast<tcflag_t>(ICANON)) == 0) return;
    const char key = static_cast<char>(settings.c_cc[VEOF]);
    input_.add(std::string(last_typed_ == '\n' ? 1 : 2, key));
}

// False when there is nothing to show now.
bool session::show_output() {
    std::array<char, 16384> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t got = ::read(master_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) return true;
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) { // EIO: nobody has the terminal open any more
        output_open_ = false;
        return false;
    }
    std::string_view rest(bytes.data(), static_cast<std::size_t>(got));
    while (!rest.empty()) {
        const ssize_t put = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (put > 0) rest.remove_prefix(static_cast<std::size_t>(put));
        if (put >= 0 || errno == EINTR) continue;
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        if (errno == EAGAIN && ::poll(&ready, 1, -1) >= 0) continue;
        hung_up_by_ = SIGPIPE; // nobody looks any more
        output_open_ = false;
        master_.close(); // hangs up
        return false;
    }
    return true;
}

void session::handle_signals() {
    while (const int signal = signals_.next()) {
        if (signal == SIGCHLD) continue;
        if (signal == SIGWINCH) {
            static_cast<void>(hawser::set_window_size(master_.get(), our_size()));
            continue;
        }
        // SIGINT comes from outside here: the key is the program's own affair.
        // The second time it is final.
        const int polite = signal == SIGTERM ? SIGHUP : signal;
        ::kill(-program_.pid, hung_up_by_ == 0 ? polite : SIGKILL);
        hung_up_by_ = signal;
        ::kill(-program_.pid, SIGCONT);
    }
}

} // namespace

std::variant<int, refusal> run_on_terminal(stage& program) {
    session work(program);
    if (const auto failed = work.begin()) return *failed;
    return work.run();
}

} // namespace tool::pipeline
