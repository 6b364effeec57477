#include "wire/frame.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <poll.h>

namespace hawser::wire {

namespace {

constexpr std::size_t buffer_bytes = 16UL * 1024;
constexpr std::byte magic[2] = {std::byte{'h'}, std::byte{'w'}};

constexpr std::byte as_byte(frame_mark mark) noexcept {
    return static_cast<std::byte>(mark);
}

} // namespace

std::array<std::byte, frame_header_bytes> encode(const frame_header& header) noexcept {
    std::array<std::byte, frame_header_bytes> bytes{magic[0], magic[1], std::byte{frame_version},
                                                    std::byte{header.descriptors}};
    for (std::size_t i = 0; i < 4; ++i)
        bytes[4 + i] = static_cast<std::byte>(header.length >> (8 * i));
    return bytes;
}

std::optional<frame_header> decode(std::span<const std::byte, frame_header_bytes> bytes) noexcept {
    if (bytes[0] != magic[0] || bytes[1] != magic[1] || bytes[2] != std::byte{frame_version})
        return std::nullopt;
    frame_header header{std::to_integer<std::uint8_t>(bytes[3]), 0};
    for (std::size_t i = 0; i < 4; ++i)
        header.length |= std::to_integer<std::uint32_t>(bytes[4 + i]) << (8 * i);
    if (header.length > longest_frame) return std::nullopt;
    return header;
}

error descriptors_cut(const char* operation) {
    return error{errc::no_space, operation, EMFILE}.because(
        "a message came with descriptors, and this process may not have more open; the message is "
        "lost. Close some, or raise the limit (ulimit -n).");
}

error stream_failure(const char* operation, int sys) {
    switch (sys) {
    case EPIPE:
        return error{errc::closed, operation, sys}.because("nobody reads there any more.");
    case ECONNRESET:
    case ECONNABORTED:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENETDOWN:
        return error{errc::peer_died, operation, sys}.because(
            "the connection broke. What was sent last may not have arrived.");
    case ECONNREFUSED:
    case ENOENT:
        return error{errc::not_found, operation, sys}.because("nobody listens there.");
    default:
        return os::failure(operation, sys).because(os::reason_for(sys));
    }
}

// ---- writing ------------------------------------------------------------------------------------

namespace {

std::vector<std::byte> void_frame() {
    const auto header = encode({});
    std::vector<std::byte> bytes{header.begin(), header.end()};
    bytes.push_back(as_byte(frame_mark::is_void));
    return bytes;
}

} // namespace

frame_writer::frame_writer(os::stream to) : to_(std::move(to)) {
    if (to_.kind() != os::stream_kind::socket) return;
    owed_ = void_frame();
    const auto greeted = flush_owed();
    lost_ = !greeted && !greeted.is(errc::would_block); // then it goes with the first message
}

result<void> frame_writer::try_write(std::span<const std::byte> bytes, const envelope& with) {
    if (with.priority != 0 || with.type != 0)
        return error{errc::unsupported, "send"}.because(
            "a stream has no priorities and no types; mq: and sysv-mq: have.");
    if (!with.descriptors.empty() && to_.kind() != os::stream_kind::socket)
        return error{errc::unsupported, "send"}.because(
            "descriptors go along on Unix sockets only.");
    if (with.descriptors.size() > os::passed_descriptors::limit)
        return error{errc::too_big, "send"}.because("at most 253 descriptors go with a message.");
    if (auto flushed = flush_owed(); !flushed) return flushed;
    current_ = bytes;
    for (;;) {
        const auto left = bytes.subspan(frames_done_bytes_);
        const auto payload = left.first(std::min(left.size(), longest_frame));
        const bool last = payload.size() == left.size();
        const bool first = frames_done_bytes_ == 0;
        auto written =
            write_frame(payload, last, first ? with.descriptors : std::span<const int>{});
        if (!written) return written;
        frames_done_bytes_ += payload.size();
        frame_written_ = 0;
        if (last) break;
    }
    frames_done_bytes_ = 0;
    return {};
}

// Goes on where it stopped. The frame is header, payload and mark, as one sequence of bytes.
result<void> frame_writer::write_frame(std::span<const std::byte> payload, bool last,
                                       std::span<const int> descriptors) {
    const auto header = encode({static_cast<std::uint8_t>(descriptors.size()),
                                static_cast<std::uint32_t>(payload.size())});
    const std::byte mark = as_byte(last ? frame_mark::end : frame_mark::more);
    const std::size_t all = payload.size() + frame_extra_bytes;
    while (frame_written_ < all) {
        std::size_t skip = frame_written_;
        const auto rest_of = [&skip](std::span<const std::byte> part) {
            const std::size_t gone = std::min(skip, part.size());
            skip -= gone;
            return part.subspan(gone);
        };
        std::array<os::stream::part, 3> parts;
        parts[0] = rest_of(header);
        parts[1] = rest_of(payload);
        parts[2] = rest_of({&mark, 1});
        const auto done =
            to_.write(parts, frame_written_ == 0 ? descriptors : std::span<const int>{});
        if (done.would_block()) return error{errc::would_block, "send"};
        if (done.sys == EBADF && !descriptors.empty())
            return error{errc::invalid_argument, "send", done.sys}.because(
                "one of the descriptors that were to go along is not open.");
        if (done.sys != 0) return stream_failure("send", done.sys);
        frame_written_ += done.bytes;
    }
    return {};
}

// A frame that was begun has to be finished, for the next one to be found. Its message is void.
void frame_writer::abandon() noexcept {
    if (frames_done_bytes_ == 0 && frame_written_ == 0) return;
    const auto left = current_.subspan(frames_done_bytes_);
    const auto payload = left.first(std::min(left.size(), longest_frame));
    if (frame_written_ == 0) {
        // Between two frames: an empty void one takes the message back.
        owed_ = void_frame();
    } else {
        const auto header = encode({0, static_cast<std::uint32_t>(payload.size())});
        owed_.clear();
        if (frame_written_ < header.size())
            owed_.assign(header.begin() + static_cast<std::ptrdiff_t>(frame_written_),
                         header.end());
        const std::size_t payload_written =
            frame_written_ > header.size() ? frame_written_ - header.size() : 0;
        const auto rest = payload.subspan(std::min(payload_written, payload.size()));
        owed_.insert(owed_.end(), rest.begin(), rest.end());
        owed_.push_back(as_byte(frame_mark::is_void));
    }
    owed_written_ = 0;
    frames_done_bytes_ = 0;
    frame_written_ = 0;
    static_cast<void>(flush_owed());
}

result<void> frame_writer::flush_owed() {
    while (owed_written_ < owed_.size()) {
        const os::stream::part rest = std::span(owed_).subspan(owed_written_);
        const auto done = to_.write({&rest, 1});
        if (done.would_block()) return error{errc::would_block, "send"};
        if (done.sys != 0) return stream_failure("send", done.sys);
        owed_written_ += done.bytes;
    }
    owed_.clear();
    owed_written_ = 0;
    return {};
}

waiting_point frame_writer::room() const noexcept {
    return {to_.fd(), POLLOUT, 0};
}

// ---- reading ------------------------------------------------------------------------------------

frame_reader::frame_reader(os::stream from, std::uint64_t max_message, at_eof eof,
                           std::optional<credentials> peer)
    : from_(std::move(from)), max_message_(max_message), peer_(peer), eof_(eof) {}

waiting_point frame_reader::arrival() const noexcept {
    return {from_.fd(), POLLIN, 0};
}

result<void> frame_reader::try_read(received& into, const selection& which) {
    if (which.by != selection::rule::by_priority && which.by != selection::rule::in_order)
        return error{errc::unsupported, "receive"}.because(
            "messages of a stream come in their order; sysv-mq: can select.");
    if (broken_) return give_up(errc::corrupt, "the stream held bytes that are no frame before.");
    // Void frames without end, or a message that grows as fast as it is read, must not keep a call
    // from its deadline: what is left is still in the kernel then.
    constexpr unsigned most_fills = 64;
    for (unsigned fills = 0;; ++fills) {
        switch (parse(into)) {
        case step::message:
            return {};
        case step::corrupt:
            return give_up(errc::corrupt,
                           "the stream holds bytes that are no frame of hawser's. If the other "
                           "side speaks raw bytes, use a byte_stream (--raw).");
        case step::too_big:
            return error{errc::too_big, "receive"}.because(
                "the other side sent a message of more than " + std::to_string(max_message_) +
                " bytes; it was skipped. Open the receiver with a larger max_message=.");
        case step::descriptors_cut:
            return descriptors_cut("receive");
        case step::need_bytes:
            break;
        }
        if (fills == most_fills) return error{errc::would_block, "receive"};
        if (auto filled = fill(); !filled) return filled;
    }
}

// Looks at what is buffered, up to the end of one message.
frame_reader::step frame_reader::parse(received& into) {
    for (;;) {
        if (!frame_) {
            if (end_ - begin_ < frame_header_bytes) return step::need_bytes;
            if (begin_frame() == step::corrupt) return step::corrupt;
        }
        if (const step now = take_payload(); now != step::message) return now;
        if (begin_ == end_) return step::need_bytes;
        if (const step now = take_mark(into); now != step::need_bytes) return now;
    }
}

// The descriptors of a frame are there before its header is.
frame_reader::step frame_reader::begin_frame() {
    frame_ = decode(buffered().first<frame_header_bytes>());
    if (!frame_) return step::corrupt;
    heard_ = true;
    begin_ += frame_header_bytes;
    frame_read_ = 0;
    if (frame_->descriptors > 0) {
        const bool all = passed_.size() >= frame_->descriptors;
        if (continued_ || (!all && !passed_cut_)) return step::corrupt;
        mine_.take(passed_, frame_->descriptors);
        message_cut_ = !all;
        skipping_ = message_cut_;
        passed_cut_ = false;
    }
    if (message_.size() + frame_->length > max_message_) {
        skipping_ = true;
        message_.clear();
    }
    return step::need_bytes;
}

// step::message: all of the frame's bytes are there.
frame_reader::step frame_reader::take_payload() {
    const std::size_t missing = frame_->length - frame_read_;
    const auto here = buffered().first(std::min(missing, end_ - begin_));
    if (!skipping_) message_.append(here);
    begin_ += here.size();
    frame_read_ += here.size();
    return frame_read_ == frame_->length ? step::message : step::need_bytes;
}

// step::need_bytes: the message goes on, or was void.
frame_reader::step frame_reader::take_mark(received& into) {
    const auto mark = static_cast<frame_mark>(buffer_[begin_]);
    ++begin_;
    frame_.reset();
    switch (mark) {
    case frame_mark::more:
        continued_ = true;
        return step::need_bytes;
    case frame_mark::is_void:
        forget_message();
        return step::need_bytes;
    case frame_mark::end:
        break;
    default:
        return step::corrupt;
    }
    const std::uint64_t sequence = sequence_++;
    if (skipping_) {
        const step why = message_cut_ ? step::descriptors_cut : step::too_big;
        forget_message();
        return why;
    }
    into.passed.take(mine_, mine_.size());
    std::swap(into.bytes, message_);
    into.sequence = sequence;
    into.has_sender = peer_.has_value();
    if (peer_) into.sender = *peer_;
    forget_message();
    return step::message;
}

void frame_reader::forget_message() noexcept {
    message_.clear();
    mine_.close_all();
    frame_.reset();
    skipping_ = false;
    continued_ = false;
    message_cut_ = false;
}

void frame_reader::drop_unannounced() noexcept {
    passed_.close_all();
    passed_cut_ = false;
}

// Reads once. Large payloads go where they belong without a stop in the buffer.
result<void> frame_reader::fill() {
    if (buffer_.empty()) buffer_.resize(buffer_bytes);
    if (begin_ == end_) begin_ = end_ = 0;
    // What came is for the frame that begins in those bytes at the latest: nobody announced these.
    if (frame_ || begin_ == end_) drop_unannounced();
    const std::size_t missing = frame_ ? frame_->length - frame_read_ : 0;
    const bool direct = missing >= buffer_bytes && begin_ == end_ && !skipping_;
    std::span<std::byte> into;
    const std::size_t before = message_.size();
    if (direct) {
        message_.resize(before + missing);
        into = message_.bytes().subspan(before);
    } else {
        if (begin_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
            end_ -= begin_;
            begin_ = 0;
        }
        into = std::span(buffer_).subspan(end_);
    }
    const auto done = from_.read(into, &passed_);
    passed_cut_ = passed_cut_ || done.descriptors_cut;
    if (direct) {
        message_.resize(before + done.bytes);
        frame_read_ += done.bytes;
    } else {
        end_ += done.bytes;
    }
    if (done.moved()) return {};
    if (done.would_block()) return error{errc::would_block, "receive"};
    if (done.ended()) return at_end();
    auto failed = stream_failure("receive", done.sys);
    // What the kernel had no memory for is still there, and goes on where it stopped.
    if (failed.code() != errc::no_space) forget_message();
    return failed;
}

result<void> frame_reader::at_end() {
    // A FIFO that nobody has written to yet looks like one whose writers have gone, but for this.
    if (eof_ == at_eof::reopens && (os::events_now(from_.fd(), POLLIN) & POLLHUP) == 0)
        return error{errc::would_block, "receive"};
    const bool in_the_middle = frame_ || begin_ != end_ || message_.size() > 0;
    forget_message();
    drop_unannounced();
    begin_ = end_ = 0;
    if (in_the_middle)
        return error{errc::peer_died, "receive"}.because(
            "the sender went in the middle of a message; that one is lost.");
    return error{errc::closed, "receive"};
}

result<void> frame_reader::give_up(errc code, std::string_view why) {
    forget_message();
    drop_unannounced();
    begin_ = end_ = 0;
    broken_ = eof_ == at_eof::ends;
    return error{code, "receive"}.because(why);
}

// A message that is whole, or the beginning of what is none.
bool frame_reader::has_more() const noexcept {
    if (broken_) return true;
    std::span<const std::byte> rest = buffered();
    std::size_t missing = frame_ ? frame_->length - frame_read_ : 0;
    bool header = !frame_;
    for (;;) {
        if (header) {
            if (rest.size() < frame_header_bytes) return false;
            const auto next = decode(rest.first<frame_header_bytes>());
            if (!next) return true;
            rest = rest.subspan(frame_header_bytes);
            missing = next->length;
        }
        if (rest.size() < missing + 1) return false;
        const auto mark = static_cast<frame_mark>(rest[missing]);
        if (mark != frame_mark::more && mark != frame_mark::is_void) return true;
        rest = rest.subspan(missing + 1);
        header = true;
    }
}

} // namespace hawser::wire
