// The kernel's message queues: POSIX mq and System V.
#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/crew.hpp"
#include "peers.hpp"

namespace peers {
namespace {

// As deep as we may: what the defaults allow is 10 messages.
class posix_lane {
  public:
    explicit posix_lane(const lane_plan& plan)
        : plan_(plan), buffer_(plan.size),
          name_(fmt::format("/hawser-bench-{}-{}", ::getpid(), plan.stem)), owner_(::getpid()) {
        const rlimit limit{RLIM_INFINITY, RLIM_INFINITY};
        static_cast<void>(::setrlimit(RLIMIT_MSGQUEUE, &limit)); // root only
        for (const long depth : {256L, 64L, 10L}) {
            mq_attr wanted{};
            wanted.mq_maxmsg = depth;
            wanted.mq_msgsize = static_cast<long>(plan.size);
            queue_ = ::mq_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600, &wanted);
            if (queue_ >= 0) return;
        }
        throw tool::bench::unsupported(fmt::format(
            "no POSIX queue for messages of {} bytes; see fs.mqueue.msgsize_max", plan.size));
    }
    ~posix_lane() {
        ::mq_close(queue_);
        if (::getpid() == owner_) ::mq_unlink(name_.c_str());
    }
    posix_lane(const posix_lane&) = delete;
    posix_lane& operator=(const posix_lane&) = delete;

    void open_sender() { open(); }
    void open_receiver() { open(); }

    void send(std::span<const std::byte> bytes) {
        const char* data = reinterpret_cast<const char*>(bytes.data());
        while (::mq_send(queue_, data, bytes.size(), 0) != 0) {
            plan_.stopping(true);
            if (errno != EAGAIN && errno != EINTR) fail("mq_send");
        }
    }

    template <typename See>
    void receive(See&& see) {
        char* data = reinterpret_cast<char*>(buffer_.data());
        while (::mq_receive(queue_, data, buffer_.size(), nullptr) < 0) {
            plan_.stopping(false);
            if (errno != EAGAIN && errno != EINTR) fail("mq_receive");
        }
        see(std::span<const std::byte>(buffer_));
    }

  private:
    void open() {
        const int flags = plan_.wait == wait_class::spin ? O_RDWR | O_NONBLOCK : O_RDWR;
        queue_ = ::mq_open(name_.c_str(), flags);
        if (queue_ < 0) fail("mq_open");
    }

    lane_plan plan_;
    std::vector<std::byte> buffer_;
    std::string name_;
    pid_t owner_;
    mqd_t queue_ = -1;
};

class system_v_lane {
  public:
    explicit system_v_lane(const lane_plan& plan)
        : plan_(plan), buffer_(sizeof(long) + plan.size), owner_(::getpid()),
          queue_(::msgget(IPC_PRIVATE, 0600)) {
        if (queue_ < 0) fail("msgget");
        msqid_ds settings{};
        ::msgctl(queue_, IPC_STAT, &settings);
        settings.msg_qbytes = 1U << 20U;
        static_cast<void>(::msgctl(queue_, IPC_SET, &settings)); // root only
        const long type = 1;
        std::memcpy(buffer_.data(), &type, sizeof type);
    }
    ~system_v_lane() {
        if (::getpid() == owner_) ::msgctl(queue_, IPC_RMID, nullptr);
    }
    system_v_lane(const system_v_lane&) = delete;
    system_v_lane& operator=(const system_v_lane&) = delete;

    void open_sender() const {}
    void open_receiver() const {}

    void send(std::span<const std::byte> bytes) {
        std::memcpy(buffer_.data() + sizeof(long), bytes.data(), bytes.size());
        while (::msgsnd(queue_, buffer_.data(), bytes.size(), flags()) != 0) {
            plan_.stopping(true);
            if (errno != EAGAIN && errno != EINTR) fail("msgsnd");
        }
    }

    template <typename See>
    void receive(See&& see) {
        while (::msgrcv(queue_, buffer_.data(), plan_.size, 0, flags()) < 0) {
            plan_.stopping(false);
            if (errno != ENOMSG && errno != EINTR) fail("msgrcv");
        }
        see(std::span<const std::byte>(buffer_).subspan(sizeof(long)));
    }

  private:
    [[nodiscard]] int flags() const { return plan_.wait == wait_class::spin ? IPC_NOWAIT : 0; }

    lane_plan plan_;
    std::vector<std::byte> buffer_; // the type, then the bytes
    pid_t owner_;
    int queue_;
};

lane_kind kind_of(const char* name) {
    lane_kind kind;
    kind.name = name;
    kind.family = "kernel";
    kind.waits = {wait_class::spin, wait_class::block};
    kind.many_senders = true;
    kind.many_receivers = true;
    return kind;
}

} // namespace

std::vector<lane_kind> queue_lanes() {
    std::vector<lane_kind> kinds{kind_of("POSIX mq"), kind_of("System V mq")};
    kinds[0].make = maker<posix_lane>();
    kinds[1].make = maker<system_v_lane>();
    kinds[1].most_bytes = 8192; // kernel.msgmax
    return kinds;
}

} // namespace peers
