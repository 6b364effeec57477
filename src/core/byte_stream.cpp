#include <hawser/byte_stream.hpp>

#include <cassert>
#include <utility>

#include "core/located.hpp"
#include "core/open.hpp"

namespace hawser {
inline namespace v1 {

namespace {

error no_bytes(const detail::opening& ready, const char* what) {
    std::string able;
    for (const transport_info& other : transports()) {
        if (!other.can.byte_stream) continue;
        if (!able.empty()) able += ", ";
        able += other.scheme;
    }
    return detail::located(error{errc::unsupported, "open"}.because(ready.where.scheme + what +
                                                                    " Byte streams: " + able + "."),
                           ready.where);
}

} // namespace

byte_stream::byte_stream(std::unique_ptr<detail::stream_end> end) noexcept : end_(std::move(end)) {}
byte_stream::byte_stream(byte_stream&&) noexcept = default;
byte_stream& byte_stream::operator=(byte_stream&& other) noexcept {
    if (this != &other) {
        close();
        end_ = std::move(other.end_);
    }
    return *this;
}
byte_stream::~byte_stream() {
    close();
}

result<byte_stream> byte_stream::open(std::string_view text, stream_role role,
                                      const options& wanted, deadline until) {
    const auto where = address::parse(text);
    if (!where) return where.why();
    auto ready = detail::prepare_open(*where, wanted);
    if (!ready) return ready.why();
    if (ready->by->open_stream == nullptr)
        return no_bytes(*ready, " carries messages, not a stream of bytes.");
    auto end = ready->by->open_stream(ready->where, ready->where.wanted, role, until);
    if (!end) return detail::located(end.why(), ready->where);
    assert(*end != nullptr);
    if ((*end)->where.scheme.empty()) (*end)->where = std::move(ready->where);
    return byte_stream{std::move(*end)};
}

result<std::size_t> byte_stream::read_some(std::span<std::byte> into, deadline until) {
    auto outcome = end_ ? end_->read(into, until) : detail::used_after_close("read");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<std::size_t> byte_stream::write_some(std::span<const std::byte> bytes, deadline until) {
    auto outcome = end_ ? end_->write(bytes, until) : detail::used_after_close("write");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<void> byte_stream::write_all(std::span<const std::byte> bytes, deadline until) {
    while (!bytes.empty()) {
        const auto written = write_some(bytes, until);
        if (!written) return written.why();
        bytes = bytes.subspan(*written);
    }
    return {};
}

result<void> byte_stream::write_all(std::string_view text, deadline until) {
    return write_all(std::as_bytes(std::span(text.data(), text.size())), until);
}

result<void> byte_stream::finish_writing() {
    auto outcome = end_ ? end_->finish_writing() : detail::used_after_close("finish_writing");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<int> byte_stream::fd() const {
    auto outcome = end_ ? end_->fd() : detail::used_after_close("fd");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

std::optional<credentials> byte_stream::peer() const {
    return end_ ? end_->peer() : std::nullopt;
}

const address& byte_stream::where() const noexcept {
    return end_ ? end_->where : detail::nowhere();
}

void byte_stream::close() noexcept {
    if (end_) end_->member_of.reset();
    end_.reset();
}

byte_listener::byte_listener(std::unique_ptr<detail::listening_end> end) noexcept
    : end_(std::move(end)) {}
byte_listener::byte_listener(byte_listener&&) noexcept = default;
byte_listener& byte_listener::operator=(byte_listener&& other) noexcept {
    if (this != &other) {
        close();
        end_ = std::move(other.end_);
    }
    return *this;
}
byte_listener::~byte_listener() {
    close();
}

result<byte_listener> byte_listener::open(std::string_view text, const options& wanted) {
    const auto where = address::parse(text);
    if (!where) return where.why();
    auto ready = detail::prepare_open(*where, wanted);
    if (!ready) return ready.why();
    if (ready->by->open_listener == nullptr)
        return no_bytes(*ready, " has nothing that others could connect to.");
    auto end = ready->by->open_listener(ready->where, ready->where.wanted);
    if (!end) return detail::located(end.why(), ready->where);
    assert(*end != nullptr);
    if ((*end)->where.scheme.empty()) (*end)->where = std::move(ready->where);
    return byte_listener{std::move(*end)};
}

result<byte_stream> byte_listener::accept(deadline until) {
    if (!end_) return detail::used_after_close("accept");
    auto taken = end_->accept(until);
    if (!taken) return detail::located(taken.why(), end_->where);
    if ((*taken)->where.scheme.empty()) (*taken)->where = end_->where;
    return byte_stream{std::move(*taken)};
}

result<int> byte_listener::fd() const {
    auto outcome = end_ ? end_->fd() : detail::used_after_close("fd");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

const address& byte_listener::where() const noexcept {
    return end_ ? end_->where : detail::nowhere();
}

void byte_listener::close() noexcept {
    if (end_) end_->member_of.reset();
    end_.reset();
}

} // namespace v1
} // namespace hawser
