// ZeroMQ: PUSH to PULL over ipc://, a context with its one thread for each process.
#include <cerrno>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/crew.hpp"
#include "peers.hpp"

namespace peers {
namespace {

void check(bool well, const char* what) {
    if (!well) throw std::runtime_error(fmt::format("{}: {}", what, zmq_strerror(zmq_errno())));
}

class zeromq_lane_ {
  public:
    explicit zeromq_lane_(const lane_plan& plan)
        : plan_(plan), path_(path_for(plan.stem)), owner_(::getpid()),
          flags_(plan.wait == wait_class::spin ? ZMQ_DONTWAIT : 0) {}
    ~zeromq_lane_() {
        if (::getpid() == owner_) ::unlink(path_.c_str());
    }
    zeromq_lane_(const zeromq_lane_&) = delete;
    zeromq_lane_& operator=(const zeromq_lane_&) = delete;

    void open_sender() {
        // Who connects before the other one has bound tries again only after a while.
        while (::access(path_.c_str(), F_OK) != 0) tool::bench::rest(std::chrono::milliseconds(1));
        check(zmq_connect(socket(ZMQ_PUSH), where().c_str()) == 0, "connect");
    }
    void open_receiver() { check(zmq_bind(socket(ZMQ_PULL), where().c_str()) == 0, "bind"); }

    void send(std::span<const std::byte> bytes) {
        while (zmq_send(socket_, bytes.data(), bytes.size(), flags_) < 0) {
            plan_.stopping(true);
            check(zmq_errno() == EAGAIN || zmq_errno() == EINTR, "zmq_send");
        }
    }

    template <typename See>
    void receive(See&& see) {
        zmq_msg_t got;
        zmq_msg_init(&got);
        while (zmq_msg_recv(&got, socket_, flags_) < 0) {
            plan_.stopping(false);
            check(zmq_errno() == EAGAIN || zmq_errno() == EINTR, "zmq_msg_recv");
        }
        see(std::span(static_cast<const std::byte*>(zmq_msg_data(&got)), zmq_msg_size(&got)));
        zmq_msg_close(&got);
    }

  private:
    [[nodiscard]] std::string where() const { return "ipc://" + path_; }
    void* socket(int type) {
        void* const context = zmq_ctx_new();
        check(context != nullptr, "zmq_ctx_new");
        socket_ = zmq_socket(context, type);
        check(socket_ != nullptr, "zmq_socket");
        return socket_;
    }

    lane_plan plan_;
    std::string path_;
    pid_t owner_;
    int flags_;
    void* socket_ = nullptr;
};

} // namespace

lane_kind zeromq_lane() {
    lane_kind kind;
    kind.name = "ZeroMQ";
    kind.family = "library";
    kind.waits = {wait_class::block, wait_class::spin}; // spinning starves its threads
    kind.many_senders = true;
    kind.make = maker<zeromq_lane_>();
    return kind;
}

} // namespace peers
