// Whatever bytes a peer writes, however they are cut into pieces, a reader of frames answers with
// messages and errors, its memory grows with what has come and not with what is announced, and what
// it accepts could have been written by hawser.
//
// The first byte picks max_message and what the end of the stream means, the second how large the
// pieces are; the rest is the stream.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "wire/frame.hpp"

namespace {

using hawser::errc;

// An assert that is never compiled out.
void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "broken: %s\n", what);
    std::abort();
}

constexpr std::array<std::uint64_t, 4> limits{0, 10, 300'000, 16UL << 20U};

struct session {
    explicit session(std::uint64_t max_message) : max_message_(max_message) {
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds_.data()) ==
                    0,
                "a pair of sockets");
        in_.emplace(hawser::os::stream{hawser::os::fork_guard{hawser::os::unique_fd{fds_[1]}},
                                       hawser::os::stream_kind::socket},
                    max_message, hawser::wire::at_eof::ends);
    }
    ~session() {
        if (fds_[0] >= 0) ::close(fds_[0]);
    }
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    void feed(std::span<const std::byte> bytes) {
        written_ += bytes.size();
        while (!bytes.empty() && !broken_) {
            const ssize_t done = ::send(fds_[0], bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (done > 0) bytes = bytes.subspan(static_cast<std::size_t>(done));
            drain();
        }
    }
    void end() {
        ::close(fds_[0]);
        fds_[0] = -1;
        drain();
        if (!broken_) require(at_end_, "the end is told");
    }

  private:
    // All that can be read now.
    void drain() {
        while (!at_end_ && !broken_) {
            hawser::wire::received into;
            const auto outcome = in_->try_read(into, {});
            if (outcome)
                accept(into);
            else if (outcome.is(errc::would_block))
                return;
            else
                refuse(outcome.why().code());
        }
    }
    void accept(hawser::wire::received& into) {
        require(into.bytes.size() <= max_message_, "a message is at most max_message");
        require(into.descriptors() == 0, "no descriptor came, so none is there");
        require(into.sequence >= next_, "sequences rise");
        next_ = into.sequence + 1;
        accepted_ += into.bytes.size() + hawser::wire::frame_extra_bytes;
        require(accepted_ <= written_, "no byte is there that was not written");
        // Touches all of it, for the sanitizers.
        unsigned sum = 0;
        for (const std::byte one : into.bytes.bytes()) sum += std::to_integer<unsigned>(one);
        require(sum <= 255U * into.bytes.size(), "a sum of bytes");
    }
    void refuse(errc code) {
        switch (code) {
        case errc::too_big:
            return;
        case errc::corrupt:
            require(in_->has_more(), "a broken stream stays readable");
            broken_ = true;
            return;
        case errc::closed:
        case errc::peer_died:
            require(fds_[0] < 0, "no end before the end");
            at_end_ = true;
            return;
        default:
            require(false, "an error that garbage can have");
        }
    }

    std::array<int, 2> fds_{-1, -1};
    std::optional<hawser::wire::frame_reader> in_;
    std::uint64_t max_message_;
    std::uint64_t written_ = 0;
    std::uint64_t accepted_ = 0;
    std::uint64_t next_ = 0;
    bool at_end_ = false;
    bool broken_ = false;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    session one{limits.at(data[0] % limits.size())};
    const std::size_t piece = data[1] == 0 ? size : data[1];
    auto rest = std::as_bytes(std::span(data, size)).subspan(2);
    while (!rest.empty()) {
        const auto now = rest.first(std::min(piece, rest.size()));
        one.feed(now);
        rest = rest.subspan(now.size());
    }
    one.end();
    return 0;
}
