// Many peers at once, each with whatever bytes it likes, who come and go as they like: the one end
// that reads them all answers with messages and errors. What one of them does to its connection
// loses no message of another, no call goes on for ever, and when all have gone the end is told.
//
// The input is a list of acts: which peer (2 bits), what (3 bits), and how many bytes it takes.
// Peer 0 is well-behaved: it only ever writes whole frames of hawser's.
#include <array>
#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <string>

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "require.hpp"
#include "wire/crowd.hpp"
#include "wire/frame.hpp"

namespace {

using namespace hawser;
using fuzz::require;

constexpr std::size_t peers = 4;
constexpr std::uint64_t max_message = 5000;

class meeting {
  public:
    // An eventfd stands for the listening socket: ready as long as somebody waits to be accepted.
    meeting() : door_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        fds_.fill(-1);
        in_ = wire::crowd::make(door_, [this] { return accept(); }).value();
    }
    ~meeting() {
        in_.reset();
        for (const int fd : fds_)
            if (fd >= 0) ::close(fd);
        for (const int fd : waiting_) ::close(fd);
        ::close(door_);
    }
    meeting(const meeting&) = delete;
    meeting& operator=(const meeting&) = delete;

    void act(std::size_t peer, unsigned what, fuzz::source& from) {
        switch (what) {
        case 0:
            connect(peer);
            break;
        case 1:
            leave(peer);
            break;
        case 2:
            read_all();
            break;
        case 3:
            full_ = !full_; // no descriptor is left for who comes
            break;
        default:
            speak(peer, from);
        }
    }
    void end() {
        full_ = false;
        for (std::size_t i = 0; i < peers; ++i) leave(i);
        read_all();
        require(due_.empty(), "each message of the well-behaved one came");
        wire::received into;
        const auto last = in_->try_read(into, {});
        require(last.is(errc::closed) || last.is(errc::would_block), "the end is told");
    }

  private:
    void connect(std::size_t peer) {
        if (fds_[peer] >= 0) return;
        std::array<int, 2> pair{};
        require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()) ==
                    0,
                "a pair of sockets");
        fds_[peer] = pair[0];
        waiting_.push_back(pair[1]);
        ::eventfd_write(door_, 1);
    }
    result<std::unique_ptr<wire::reader>> accept() {
        if (waiting_.empty()) {
            eventfd_t count = 0;
            ::eventfd_read(door_, &count);
            return error{errc::would_block, "receive"};
        }
        if (full_) return error{errc::no_space, "receive", EMFILE};
        const int fd = waiting_.front();
        waiting_.pop_front();
        return std::unique_ptr<wire::reader>(std::make_unique<wire::frame_reader>(
            os::stream{os::fork_guard{os::unique_fd{fd}}, os::stream_kind::socket}, max_message,
            wire::at_eof::ends));
    }
    void leave(std::size_t peer) {
        if (fds_[peer] < 0) return;
        ::close(fds_[peer]);
        fds_[peer] = -1;
    }
    void speak(std::size_t peer, fuzz::source& from) {
        const auto bytes = from.take(from.number<std::uint8_t>());
        if (fds_[peer] < 0) return;
        if (peer != 0) {
            static_cast<void>(::send(fds_[peer], bytes.data(), bytes.size(), MSG_NOSIGNAL));
            return;
        }
        // '=' makes it known from what others may forge.
        std::string text = "=" + std::to_string(next_++);
        text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        std::string frame{"hw\x01\0", 4};
        for (unsigned i = 0; i < 4; ++i) frame += static_cast<char>(text.size() >> (8 * i) & 0xFFU);
        frame += text + '\x01';
        const auto sent = ::send(fds_[0], frame.data(), frame.size(), MSG_NOSIGNAL);
        if (sent == static_cast<ssize_t>(frame.size())) due_.push_back(std::move(text));
        if (sent > 0 && sent != static_cast<ssize_t>(frame.size())) leave(0);
    }
    // Until it says would_block, or the end. Each read takes something away, so there is a bound.
    void read_all() {
        for (unsigned calls = 0;; ++calls) {
            require(calls < 100'000, "reading comes to an end");
            wire::received into;
            const auto got = in_->try_read(into, {});
            if (got)
                accept_message(into);
            else if (got.is(errc::would_block) || got.is(errc::closed))
                return;
            else if (full_ && got.is(errc::no_space))
                return; // told again and again as long as nobody is connected
            else
                require(got.is(errc::corrupt) || got.is(errc::too_big) || got.is(errc::peer_died),
                        "an error that garbage can have");
        }
    }
    void accept_message(wire::received& into) {
        require(into.bytes.size() <= max_message, "a message is at most max_message");
        const auto bytes = into.bytes.bytes();
        const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (!due_.empty() && text == due_.front()) due_.pop_front();
    }

    int door_;
    std::array<int, peers> fds_{};
    std::deque<int> waiting_;
    std::deque<std::string> due_; // of the well-behaved one, in order
    unsigned next_ = 0;
    bool full_ = false;
    std::unique_ptr<wire::reader> in_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source from(data, size);
    meeting one;
    constexpr unsigned most_acts = 400;
    for (unsigned acts = 0; !from.empty() && acts < most_acts; ++acts) {
        const auto word = from.number<std::uint8_t>();
        one.act(word & 3U, word >> 2 & 7U, from);
    }
    one.end();
    return 0;
}
