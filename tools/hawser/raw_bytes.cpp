#include "raw_bytes.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <hawser/byte_stream.hpp>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "terminal/signals.hpp"
#include "terminal/terminal.hpp"

namespace tool {
namespace {

using steady = std::chrono::steady_clock;
using hawser::byte_stream;
using hawser::errc;
using hawser::stream_role;

constexpr std::size_t at_once_bytes = std::size_t{1} << 20;
constexpr std::size_t buffer_bytes = std::size_t{256} << 10;

// The sleep in which nothing else is looked at.
int nap_ms() noexcept {
    return static_cast<int>(nap.count());
}

hawser::deadline until(const raw_work& work) {
    return work.timeout ? hawser::deadline::after(*work.timeout) : hawser::deadline::never();
}

// Takes one connection; in naps, since a signal may come just before the sleep.
hawser::result<byte_stream> accept_one(hawser::byte_listener& listening, const raw_work& work) {
    const auto began = steady::now();
    while (stop_signal() == 0) {
        auto taken = listening.accept(hawser::deadline::after(nap));
        if (!taken.is(errc::timed_out) && !taken.is(errc::interrupted)) return taken;
        if (work.timeout && steady::now() - began >= *work.timeout)
            return hawser::error{errc::timed_out, "accept"}
                .at(listening.where().name())
                .because("nobody connected in the time given.");
    }
    return hawser::error{errc::interrupted, "accept"};
}

hawser::result<byte_stream> open_stream(const context& here, const raw_work& work, stream_role role,
                                        bool listens) {
    if (listens) {
        auto listening = hawser::byte_listener::open(work.address, work.wanted);
        if (listening) {
            if (work.verbose)
                fmt::print(stderr, "listening on {}\n", printable(listening->where().name()));
            else
                tell_where(here, "listening on", work.address, listening->where());
            return accept_one(*listening, work);
        }
        // What can't listen – a pipe, a FIFO, a terminal – is opened.
        if (!listening.is(errc::unsupported)) return listening.why();
    }
    auto opened = byte_stream::open(work.address, role, work.wanted, until(work));
    // What has an address of its own only once it is open: a new terminal.
    if (opened && opened->where().scheme == "pty")
        tell_where(here, role == stream_role::writer ? "sending to" : "receiving at", work.address,
                   opened->where());
    return opened;
}

// Bytes from one descriptor to another, either of which may be non-blocking.
class pump {
  public:
    enum class outcome : std::uint8_t { moved, ended, stopped, read_failed, write_failed };

    pump(int from, int to) noexcept : from_(from), to_(to) {}

    outcome step();
    [[nodiscard]] int sys() const noexcept { return sys_; }
    [[nodiscard]] std::uint64_t moved() const noexcept { return moved_; }

  private:
    outcome splice_some();
    outcome copy_some();
    outcome write_rest();
    outcome wait(int fd, short events) noexcept;

    int from_;
    int to_;
    int sys_ = 0;
    std::uint64_t moved_ = 0;
    bool splices_ = true; // until the kernel says that it can't
    std::vector<char> buffer_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

// moved: it is ready. While it waits for bytes, whoever was to get them may go.
pump::outcome pump::wait(int fd, short events) noexcept {
    while (stop_signal() == 0) {
        pollfd one{fd, events, 0};
        if (poll(&one, 1, nap_ms()) > 0) return outcome::moved;
        pollfd other{to_, 0, 0};
        if (poll(&other, 1, 0) == 1 && (other.revents & POLLERR) != 0) {
            sys_ = EPIPE;
            return outcome::write_failed;
        }
    }
    return outcome::stopped;
}

pump::outcome pump::step() {
    if (stop_signal() != 0) return outcome::stopped;
    return splices_ ? splice_some() : copy_some();
}

pump::outcome pump::splice_some() {
    const ssize_t moved =
        splice(from_, nullptr, to_, nullptr, at_once_bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved > 0) {
        moved_ += static_cast<std::uint64_t>(moved);
        return outcome::moved;
    }
    if (moved == 0) return outcome::ended;
    if (errno == EINTR) return outcome::moved;
    if (errno == EAGAIN) {
        // It does not say whether bytes or room are missing.
        const outcome bytes = wait(from_, POLLIN);
        return bytes == outcome::moved ? wait(to_, POLLOUT) : bytes;
    }
    sys_ = errno;
    if (sys_ == EPIPE) return outcome::write_failed;
    if (sys_ == ECONNRESET) return outcome::read_failed;
    splices_ = false; // whatever it is, read and write say which side it is about
    return outcome::moved;
}

pump::outcome pump::copy_some() {
    if (begin_ < end_) return write_rest();
    buffer_.resize(buffer_bytes);
    const ssize_t got = read(from_, buffer_.data(), buffer_.size());
    if (got == 0) return outcome::ended;
    if (got > 0) {
        begin_ = 0;
        end_ = static_cast<std::size_t>(got);
        return write_rest();
    }
    if (errno == EINTR) return outcome::moved;
    if (errno == EAGAIN) return wait(from_, POLLIN);
    sys_ = errno;
    return sys_ == EIO ? outcome::ended : outcome::read_failed; // a terminal that was hung up
}

pump::outcome pump::write_rest() {
    const ssize_t put = write(to_, buffer_.data() + begin_, end_ - begin_);
    if (put >= 0) {
        begin_ += static_cast<std::size_t>(put);
        moved_ += static_cast<std::uint64_t>(put);
        return outcome::moved;
    }
    if (errno == EINTR) return outcome::moved;
    if (errno == EAGAIN) return wait(to_, POLLOUT);
    sys_ = errno;
    return outcome::write_failed;
}

hawser::error failure_of(const byte_stream& stream, const char* operation, int sys,
                         std::uint64_t moved) {
    const errc code = sys == EPIPE        ? errc::closed
                      : sys == ECONNRESET ? errc::peer_died
                                          : errc::system;
    const std::string why = code == errc::closed ? "the other side reads no more"
                            : code == errc::peer_died
                                ? "the connection was reset"
                                : fmt::format("the system said: {}", std::strerror(sys));
    return hawser::error{code, operation, sys}
        .at(stream.where().name())
        .because(fmt::format("{}, after {}.", why, human_size(moved)));
}

void say(const raw_work& work, std::string_view did, std::uint64_t bytes,
         steady::time_point began) {
    const bool stopped = stop_signal() != 0 && is_terminal(stream::err);
    if (work.verbose || stopped)
        fmt::print(stderr, "{} {} in {}\n", did, human_size(bytes),
                   human_duration(steady::now() - began));
}

// ---- sending ------------------------------------------------------------------------------------

class sending_raw {
  public:
    sending_raw(const context& here, const raw_work& work, byte_stream out)
        : here_(here), work_(work), out_(std::move(out)), progress_(!is_terminal(stream::in)) {}

    int run();

  private:
    int send_text(const std::string& text);
    int send_file(const std::string& path);
    int send_from(int fd, const std::string& name);
    int finish(int status);

    const context& here_;
    const raw_work& work_;
    byte_stream out_;
    progress progress_;
    std::uint64_t bytes_ = 0;
    const steady::time_point began_ = steady::now();
};

int sending_raw::run() {
    int status = exit_ok;
    for (const std::string& text : work_.texts)
        if (status == exit_ok) status = send_text(text);
    for (const std::string& path : work_.files)
        if (status == exit_ok) status = send_file(path);
    if (status == exit_ok && work_.texts.empty() && work_.files.empty())
        status = send_from(STDIN_FILENO, "stdin");
    return finish(status);
}

int sending_raw::send_text(const std::string& text) {
    const auto sent = out_.write_all(std::string_view(text));
    if (!sent) return sent.is(errc::interrupted) ? stop_status() : fail(here_, sent.why());
    bytes_ += text.size();
    return exit_ok;
}

int sending_raw::send_file(const std::string& path) {
    if (path == "-") return send_from(STDIN_FILENO, "stdin");
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_file(here_, "read", path, errno);
    const int status = send_from(fd, path);
    close(fd);
    return status;
}

int sending_raw::send_from(int fd, const std::string& name) {
    pump moving(fd, out_.fd().value());
    const std::uint64_t before = bytes_;
    for (;;) {
        const auto outcome = moving.step();
        bytes_ = before + moving.moved();
        progress_.show_bytes(bytes_);
        switch (outcome) {
        case pump::outcome::moved:
            break;
        case pump::outcome::ended:
            return exit_ok;
        case pump::outcome::stopped:
            return stop_status();
        case pump::outcome::read_failed:
            return fail_file(here_, "read", name, moving.sys());
        case pump::outcome::write_failed:
            progress_.clear();
            return fail(here_, failure_of(out_, "send", moving.sys(), bytes_));
        }
    }
}

int sending_raw::finish(int status) {
    progress_.clear();
    if (status == exit_ok) {
        const auto finished = out_.finish_writing();
        if (!finished) status = fail(here_, finished.why());
    }
    // What nobody will read is taken: closing over it would reset a connection, and with it what is
    // on its way to the other side.
    std::array<std::byte, 4096> unwanted{};
    while (status == exit_ok && out_.read_some(unwanted, hawser::deadline::now())) {
    }
    const std::string name = out_.where().name();
    out_.close();
    if (here_.json && status == exit_ok) {
        json document = envelope("send");
        document["address"] = text(name);
        document["bytes"] = bytes_;
        if (!print_document(document)) return fail_file(here_, "write", "stdout", errno);
    }
    say(work_, "sent", bytes_, began_);
    return status;
}

// ---- receiving ----------------------------------------------------------------------------------

// Has the other side really ended? A FIFO that nobody has written to yet reads like one that was
// closed. Gives what it read instead, if there was something.
hawser::result<std::size_t> look_at_end(byte_stream& in, std::span<std::byte> into) {
    return in.read_some(into, hawser::deadline::now());
}

bool write_out(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (put > 0) bytes = bytes.subspan(static_cast<std::size_t>(put));
        if (put >= 0 || errno == EINTR) continue;
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        if (errno != EAGAIN) return false;
        poll(&ready, 1, nap_ms());
    }
    return true;
}

// The stream is left first: what was made for it goes, whatever becomes of this process.
int fail_stdout(const context& here, byte_stream& in, int sys) {
    in.close();
    if (sys == EPIPE) die_of_broken_pipe();
    return fail_file(here, "write", "stdout", sys);
}

class receiving_raw {
  public:
    receiving_raw(const context& here, const raw_work& work, byte_stream in)
        : here_(here), work_(work), in_(std::move(in)), moving_(in_.fd().value(), STDOUT_FILENO),
          progress_(!is_terminal(stream::out)) {}

    int run();

  private:
    std::optional<int> at_end(); // the exit code, or nothing: it was no end

    const context& here_;
    const raw_work& work_;
    byte_stream in_;
    pump moving_;
    progress progress_;
    std::uint64_t extra_ = 0; // bytes that did not come through the pump
    const steady::time_point began_ = steady::now();
};

int receiving_raw::run() {
    std::optional<int> status;
    while (!status) {
        switch (moving_.step()) {
        case pump::outcome::moved:
            break;
        case pump::outcome::ended:
            status = at_end();
            break;
        case pump::outcome::stopped:
            status = stop_status();
            break;
        case pump::outcome::read_failed:
            progress_.clear();
            status =
                fail(here_, failure_of(in_, "receive", moving_.sys(), moving_.moved() + extra_));
            break;
        case pump::outcome::write_failed:
            progress_.clear();
            status = fail_stdout(here_, in_, moving_.sys());
            break;
        }
        progress_.show_bytes(moving_.moved() + extra_);
    }
    in_.close();
    progress_.clear();
    say(work_, "received", moving_.moved() + extra_, began_);
    return *status;
}

std::optional<int> receiving_raw::at_end() {
    std::array<std::byte, 4096> bytes; // NOLINT(cppcoreguidelines-pro-type-member-init)
    const auto more = look_at_end(in_, bytes);
    if (more) {
        extra_ += *more;
        if (!write_out(std::span(bytes).first(*more))) return fail_stdout(here_, in_, errno);
        return std::nullopt;
    }
    if (more.is(errc::closed)) return exit_ok;
    if (!more.is(errc::would_block)) return fail(here_, more.why());
    pollfd arrival{in_.fd().value(), POLLIN, 0};
    poll(&arrival, 1, nap_ms());
    return std::nullopt;
}

} // namespace

CLI::Option* add_raw(CLI::App* verb, raw_flags& into, const std::string& help) {
    CLI::Option* const raw = verb->add_flag("--raw", into.on, help);
    CLI::Option* const listen =
        verb->add_flag("--listen", into.listen,
                       "with --raw on a socket: wait for one connection (what receive does)");
    CLI::Option* const connect = verb->add_flag(
        "--connect", into.connect, "with --raw on a socket: connect to it (what send does)");
    listen->needs(raw);
    connect->needs(raw);
    listen->excludes(connect);
    return raw;
}

int send_raw(const context& here, const raw_work& work) {
    catch_signals();
    auto out = open_stream(here, work, stream_role::writer, work.flags.listen);
    if (!out) return stop_signal() != 0 ? stop_status() : fail(here, out.why());
    return sending_raw(here, work, std::move(*out)).run();
}

int receive_raw(const context& here, const raw_work& work) {
    catch_signals();
    auto in = open_stream(here, work, stream_role::reader, !work.flags.connect);
    if (!in) return stop_signal() != 0 ? stop_status() : fail(here, in.why());
    return receiving_raw(here, work, std::move(*in)).run();
}

} // namespace tool
