// Pipe, FIFO, Unix, TCP and UDP sockets, with read and write. Spinning means O_NONBLOCK and looking
// again; blocking means that the kernel wakes.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peers.hpp"

namespace peers {
namespace {

// Room for several large messages, where the kernel lets us.
int room_for(const lane_plan& plan) {
    return static_cast<int>(std::clamp<std::size_t>(plan.size * 4, 256U << 10U, 4U << 20U));
}

void give_room(int fd, const lane_plan& plan) {
    const int room = room_for(plan);
    for (const int end : {SO_SNDBUFFORCE, SO_RCVBUFFORCE})
        static_cast<void>(::setsockopt(fd, SOL_SOCKET, end, &room, sizeof room)); // root only
    for (const int end : {SO_SNDBUF, SO_RCVBUF})
        static_cast<void>(::setsockopt(fd, SOL_SOCKET, end, &room, sizeof room));
}

class descriptor_lane {
  public:
    explicit descriptor_lane(const lane_plan& plan) : plan_(plan), buffer_(plan.size) {
        ::signal(SIGPIPE, SIG_IGN);
    }
    ~descriptor_lane() {
        ::close(in_);
        if (out_ != in_) ::close(out_);
    }
    descriptor_lane(const descriptor_lane&) = delete;
    descriptor_lane& operator=(const descriptor_lane&) = delete;

    void open_sender() { set_blocking(out_); }
    void open_receiver() { set_blocking(in_); }

    void send(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            const ssize_t done = ::write(out_, bytes.data(), bytes.size());
            if (done > 0) {
                bytes = bytes.subspan(static_cast<std::size_t>(done));
                continue;
            }
            plan_.stopping(true);
            if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) fail("write");
        }
    }

    template <typename See>
    void receive(See&& see) {
        std::size_t have = 0;
        while (have < buffer_.size()) {
            const ssize_t done = ::read(in_, buffer_.data() + have, buffer_.size() - have);
            if (done > 0) {
                have += static_cast<std::size_t>(done);
                continue;
            }
            plan_.stopping(false);
            if (done == 0) plan_.stopping(true);
            if (done == 0) throw std::runtime_error("the other end has gone");
            if (errno != EAGAIN && errno != EINTR) fail("read");
        }
        see(std::span<const std::byte>(buffer_));
    }

  protected:
    void set_blocking(int fd) const {
        const int flags = ::fcntl(fd, F_GETFL);
        const bool waits = plan_.wait == wait_class::block;
        if (::fcntl(fd, F_SETFL, waits ? flags & ~O_NONBLOCK : flags | O_NONBLOCK) != 0)
            fail("fcntl");
    }

    lane_plan plan_;
    std::vector<std::byte> buffer_;
    int in_ = -1;
    int out_ = -1;
};

class pipe_lane : public descriptor_lane {
  public:
    explicit pipe_lane(const lane_plan& plan) : descriptor_lane(plan) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
        in_ = ends[0];
        out_ = ends[1];
        ::fcntl(out_, F_SETPIPE_SZ, std::min(room_for(plan), 1 << 20));
    }
};

class fifo_lane : public descriptor_lane {
  public:
    explicit fifo_lane(const lane_plan& plan)
        : descriptor_lane(plan), path_(path_for(plan.stem)), owner_(::getpid()) {
        if (::mkfifo(path_.c_str(), 0600) != 0) fail("mkfifo");
    }
    ~fifo_lane() {
        if (::getpid() == owner_) ::unlink(path_.c_str());
    }
    fifo_lane(const fifo_lane&) = delete;
    fifo_lane& operator=(const fifo_lane&) = delete;

    // For both ways, so that nobody waits for the other side here and no end comes too early.
    void open_sender() { out_ = open_end(); }
    void open_receiver() { in_ = open_end(); }

  private:
    int open_end() const {
        const int fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
        if (fd < 0) fail("open of a FIFO");
        ::fcntl(fd, F_SETPIPE_SZ, std::min(room_for(plan_), 1 << 20));
        set_blocking(fd);
        return fd;
    }

    std::string path_;
    pid_t owner_;
};

class unix_lane : public descriptor_lane {
  public:
    unix_lane(const lane_plan& plan, int type) : descriptor_lane(plan) {
        int ends[2];
        if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0) fail("socketpair");
        in_ = ends[0];
        out_ = ends[1];
        give_room(in_, plan);
        give_room(out_, plan);
    }
};

sockaddr_in loopback() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// The receiver's socket is there before the members are; the kernel chooses its port.
class internet_lane : public descriptor_lane {
  public:
    internet_lane(const lane_plan& plan, int type) : descriptor_lane(plan), type_(type) {
        in_ = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        if (in_ < 0) fail("socket");
        give_room(in_, plan);
        place_ = loopback();
        socklen_t length = sizeof place_;
        if (::bind(in_, reinterpret_cast<sockaddr*>(&place_), sizeof place_) != 0) fail("bind");
        if (::getsockname(in_, reinterpret_cast<sockaddr*>(&place_), &length) != 0)
            fail("getsockname");
        if (type == SOCK_STREAM && ::listen(in_, 1) != 0) fail("listen");
    }

    void open_sender() {
        out_ = ::socket(AF_INET, type_ | SOCK_CLOEXEC, 0);
        if (out_ < 0) fail("socket");
        give_room(out_, plan_);
        if (::connect(out_, reinterpret_cast<sockaddr*>(&place_), sizeof place_) != 0)
            fail("connect");
        const int yes = 1;
        if (type_ == SOCK_STREAM) ::setsockopt(out_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        descriptor_lane::open_sender();
    }
    void open_receiver() {
        if (type_ == SOCK_STREAM) in_ = ::accept4(in_, nullptr, nullptr, SOCK_CLOEXEC);
        if (in_ < 0) fail("accept");
        descriptor_lane::open_receiver();
    }

  private:
    int type_;
    sockaddr_in place_{};
};

lane_kind kind_of(const char* name, bool many) {
    lane_kind kind;
    kind.name = name;
    kind.family = "kernel";
    kind.waits = {wait_class::spin, wait_class::block};
    kind.many_senders = many;
    kind.many_receivers = many;
    return kind;
}

} // namespace

std::vector<lane_kind> descriptor_lanes() {
    // Many to many only where a message is written and read as a whole.
    std::vector<lane_kind> kinds{
        kind_of("pipe", true),       kind_of("FIFO", true),           kind_of("Unix stream", false),
        kind_of("Unix dgram", true), kind_of("Unix seqpacket", true), kind_of("TCP", false),
        kind_of("UDP", false)};
    kinds[0].make = maker<pipe_lane>();
    kinds[1].make = maker<fifo_lane>();
    kinds[2].make = maker<unix_lane>(SOCK_STREAM);
    kinds[3].make = maker<unix_lane>(SOCK_DGRAM);
    kinds[4].make = maker<unix_lane>(SOCK_SEQPACKET);
    kinds[5].make = maker<internet_lane>(SOCK_STREAM);
    kinds[6].make = maker<internet_lane>(SOCK_DGRAM);
    kinds[6].loses = true;
    kinds[6].most_bytes = 32U << 10U;
    return kinds;
}

} // namespace peers
