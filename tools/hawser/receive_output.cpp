#include "receive_output.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "output/error.hpp"
#include "output/human.hpp"
#include "output/json.hpp"
#include "terminal/signals.hpp"

namespace tool {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;
// From this size on, a write of its own is cheaper than a copy.
constexpr std::size_t large_bytes = std::size_t{64} << 10;

constexpr std::string_view hex_digits = "0123456789abcdef";

void append_hex(std::string& into, std::string_view bytes) {
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        into += hex_digits[byte >> 4];
        into += hex_digits[byte & 15];
    }
}

// Every byte that is not plain ASCII as \xNN, so that it can be told from every other.
void append_quoted(std::string& into, std::string_view bytes) {
    into += '"';
    for (const char c : bytes) {
        if (c == '"' || c == '\\') {
            (into += '\\') += c;
        } else if (c >= ' ' && c <= '~') {
            into += c;
        } else {
            into += "\\x";
            append_hex(into, {&c, 1});
        }
    }
    into += '"';
}

void append_frame_header(std::string& into, std::uint64_t length) {
    for (unsigned shift = 0; shift < 64; shift += 8)
        into += static_cast<char>(length >> shift & 255);
}

bool is_copied_as_is(format as) noexcept {
    return as == format::raw || as == format::text || as == format::nul || as == format::frame;
}

} // namespace

message_output::message_output(const context& here, format as, release_when when,
                               std::function<void()> leave)
    : here_(here), as_(as), when_(when), leave_(std::move(leave)) {
    buffer_.reserve(buffer_bytes + large_bytes);
}

void message_output::add(hawser::message&& taken) {
    if (taken.size() >= large_bytes && is_copied_as_is(as_)) return put_large(std::move(taken));
    put(taken);
    if (when_ == release_when::written)
        held_.push_back({std::move(taken), buffer_.size()});
    else
        taken.release();
    if (buffer_.size() >= buffer_bytes) flush();
}

void message_output::put(const hawser::message& taken) {
    const std::string_view bytes = taken.text();
    switch (as_) {
    case format::raw:
        buffer_ += bytes;
        return;
    case format::text:
        (buffer_ += bytes) += '\n';
        return;
    case format::nul:
        (buffer_ += bytes) += '\0';
        return;
    case format::frame:
        append_frame_header(buffer_, bytes.size());
        buffer_ += bytes;
        return;
    case format::quoted:
        append_quoted(buffer_, bytes);
        break;
    case format::hex:
        append_hex(buffer_, bytes);
        break;
    case format::json:
        put_json(taken);
        break;
    case format::terminal:
        buffer_ += printable(bytes);
        break;
    }
    buffer_ += '\n';
}

void message_output::put_json(const hawser::message& taken) {
    json line = envelope("message");
    line["sequence"] = taken.sequence();
    line["redelivered"] = taken.redelivered();
    line["bytes"] = taken.size();
    if (taken.priority() != 0) line["priority"] = taken.priority();
    if (taken.type() != 0) line["type"] = taken.type();
    if (const auto from = taken.sender())
        line["sender"] = {{"pid", from->pid}, {"uid", from->uid}, {"gid", from->gid}};
    if (is_utf8(taken.text()))
        line["text"] = taken.text();
    else
        line["base64"] = base64(taken.text());
    buffer_ += line.dump();
}

// Straight from the mailbox's memory.
void message_output::put_large(hawser::message&& taken) {
    if (as_ == format::frame) append_frame_header(buffer_, taken.size());
    flush();
    const hawser::message keep = std::move(taken);
    write_all(keep.text());
    if (as_ == format::text) write_all("\n");
    if (as_ == format::nul) write_all({"\0", 1});
}

void message_output::flush() {
    write_all(buffer_);
    buffer_.clear();
    held_.clear();
}

void message_output::notice_lost_reader() {
    pollfd pipe{STDOUT_FILENO, 0, 0};
    if (poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0) give_up(EPIPE);
}

void message_output::write_all(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = write(STDOUT_FILENO, bytes.data(), bytes.size());
        if (put >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
            continue;
        }
        if (errno == EINTR) continue; // a second Ctrl-C ends the process
        // Whoever shares this descriptor made it non-blocking.
        pollfd ready{STDOUT_FILENO, POLLOUT, 0};
        if (errno == EAGAIN && (poll(&ready, 1, -1) >= 0 || errno == EINTR)) continue;
        give_up(errno);
    }
}

void message_output::give_up(int sys) {
    leave_();
    if (sys == EPIPE) die_of_broken_pipe();
    const exit_code status = fail_file(here_, "write", "stdout", sys);
    std::fflush(stderr);
    std::_Exit(status); // no destructors: what was not written is not released
}

} // namespace tool
