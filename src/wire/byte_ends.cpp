#include "wire/byte_ends.hpp"

#include <poll.h>

#include "wire/frame.hpp"
#include "wire/waiting.hpp"

namespace hawser::wire {

namespace {

constexpr std::int64_t look_again_ns = 5'000'000;

result<void> same_process(unsigned born, const char* operation) {
    if (os::fork_generation() == born) return {};
    return error{errc::invalid_argument, operation}.because(
        "it was opened before fork, and belongs to the parent. Open one in the child.");
}

error wrong_direction(const char* operation, const char* role) {
    return error{errc::invalid_argument, operation}.because(
        std::string("this stream was opened as stream_role::") + role + ", for the other way.");
}

} // namespace

byte_end::byte_end(os::stream open, stream_role role, std::optional<credentials> peer,
                   at_eof eof) noexcept
    : stream_(std::move(open)), peer_(peer), role_(role), eof_(eof), born_(os::fork_generation()) {}

result<void> byte_end::admit(const char* operation) const {
    return same_process(born_, operation);
}

// A FIFO that nobody has written to yet reads like one whose writers have gone.
bool byte_end::at_end() const noexcept {
    return eof_ == at_eof::ends || (os::events_now(stream_.fd(), POLLIN) & POLLHUP) != 0;
}

result<std::size_t> byte_end::read(std::span<std::byte> into, deadline until) {
    if (auto may = admit("read"); !may) return may.why();
    if (role_ == stream_role::writer) return wrong_direction("read", "writer");
    if (into.empty())
        return error{errc::invalid_argument, "read"}.because("there is no room to read into.");
    os::io done;
    const auto attempt = [&]() -> result<void> {
        done = stream_.read(into);
        if (done.moved()) return {};
        if (done.would_block() || (done.ended() && !at_end()))
            return error{errc::would_block, "read"};
        if (done.ended()) return error{errc::closed, "read"};
        return stream_failure("read", done.sys);
    };
    const auto outcome =
        repeat_until(until, wait_mode::block, "read", reads_slept_, attempt, [this] {
            return waiting_point{stream_.fd(), POLLIN, 0};
        });
    if (!outcome) return outcome.why();
    return done.bytes;
}

result<std::size_t> byte_end::write(std::span<const std::byte> bytes, deadline until) {
    if (auto may = admit("write"); !may) return may.why();
    if (role_ == stream_role::reader) return wrong_direction("write", "reader");
    if (!stream_.is_open()) return error{errc::closed, "write"}.because("writing was finished.");
    if (bytes.empty()) return std::size_t{0};
    os::io done;
    const auto attempt = [&]() -> result<void> {
        done = stream_.write({&bytes, 1});
        if (done.sys == 0) return {};
        if (done.would_block()) return error{errc::would_block, "write"};
        return stream_failure("write", done.sys);
    };
    const auto outcome =
        repeat_until(until, wait_mode::block, "write", writes_slept_, attempt, [this] {
            return waiting_point{stream_.fd(), POLLOUT, 0};
        });
    if (!outcome) return outcome.why();
    return done.bytes;
}

result<void> byte_end::finish_writing() {
    if (auto may = admit("finish_writing"); !may) return may;
    if (role_ == stream_role::reader) return wrong_direction("finish_writing", "reader");
    stream_.finish_writing();
    return {};
}

result<int> byte_end::fd() const {
    if (auto may = admit("fd"); !may) return may.why();
    if (!stream_.is_open()) return error{errc::closed, "fd"}.because("writing was finished.");
    return stream_.fd();
}

listening_end::listening_end(int listening_fd, stream_acceptor accept) noexcept
    : accept_(std::move(accept)), listening_fd_(listening_fd), born_(os::fork_generation()) {}

result<void> listening_end::admit(const char* operation) const {
    return same_process(born_, operation);
}

result<std::unique_ptr<hawser::detail::stream_end>> listening_end::accept(deadline until) {
    if (auto may = admit("accept"); !may) return may.why();
    std::unique_ptr<hawser::detail::stream_end> taken;
    const auto attempt = [&]() -> result<void> {
        auto one = accept_();
        if (!one) return one.why();
        taken = std::move(*one);
        return {};
    };
    std::uint64_t slept = 0;
    const auto outcome = repeat_until(until, wait_mode::block, "accept", slept, attempt, [this] {
        return waiting_point{listening_fd_, POLLIN, 0};
    });
    if (!outcome) return outcome.why();
    return taken;
}

result<int> listening_end::fd() const {
    if (auto may = admit("fd"); !may) return may.why();
    return listening_fd_;
}

result<std::unique_ptr<hawser::detail::stream_end>> open_until(deadline until,
                                                               const stream_acceptor& open) {
    std::unique_ptr<hawser::detail::stream_end> made;
    const auto attempt = [&]() -> result<void> {
        auto one = open();
        if (!one) return one.why();
        made = std::move(*one);
        return {};
    };
    std::uint64_t slept = 0;
    const auto outcome = repeat_until(until, wait_mode::block, "open", slept, attempt, [] {
        return waiting_point{-1, 0, look_again_ns};
    });
    if (!outcome) return outcome.why();
    return made;
}

} // namespace hawser::wire
