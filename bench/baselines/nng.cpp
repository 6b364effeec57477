// nng: push to pull over ipc://.
#include <stdexcept>

#include <fmt/format.h>
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <unistd.h>

#include "bench/crew.hpp"
#include "peers.hpp"

namespace peers {
namespace {

void check(int outcome, const char* what) {
    if (outcome != 0) throw std::runtime_error(fmt::format("{}: {}", what, nng_strerror(outcome)));
}

class nng_lane_ {
  public:
    explicit nng_lane_(const lane_plan& plan)
        : plan_(plan), path_(path_for(plan.stem)), owner_(::getpid()),
          flags_(plan.wait == wait_class::spin ? NNG_FLAG_NONBLOCK : 0) {}
    ~nng_lane_() {
        if (::getpid() == owner_) ::unlink(path_.c_str());
    }
    nng_lane_(const nng_lane_&) = delete;
    nng_lane_& operator=(const nng_lane_&) = delete;

    void open_sender() {
        check(nng_push0_open(&socket_), "nng_push0_open");
        // The listener comes at about the same time.
        int outcome = nng_dial(socket_, where().c_str(), nullptr, 0);
        for (int tries = 0; outcome != 0 && tries < 5000; ++tries) {
            tool::bench::rest(std::chrono::milliseconds(1));
            outcome = nng_dial(socket_, where().c_str(), nullptr, 0);
        }
        check(outcome, "nng_dial");
    }
    void open_receiver() {
        check(nng_pull0_open(&socket_), "nng_pull0_open");
        check(nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0), "nng: no limit"); // else 1 MiB
        check(nng_listen(socket_, where().c_str(), nullptr, 0), "nng_listen");
    }

    void send(std::span<const std::byte> bytes) {
        nng_msg* message = nullptr;
        check(nng_msg_alloc(&message, bytes.size()), "nng_msg_alloc");
        std::memcpy(nng_msg_body(message), bytes.data(), bytes.size());
        for (int outcome = nng_sendmsg(socket_, message, flags_); outcome != 0;
             outcome = nng_sendmsg(socket_, message, flags_)) {
            plan_.stopping(true);
            if (outcome != NNG_EAGAIN) check(outcome, "nng_sendmsg");
        }
    }

    template <typename See>
    void receive(See&& see) {
        nng_msg* message = nullptr;
        for (int outcome = nng_recvmsg(socket_, &message, flags_); outcome != 0;
             outcome = nng_recvmsg(socket_, &message, flags_)) {
            plan_.stopping(false);
            if (outcome != NNG_EAGAIN) check(outcome, "nng_recvmsg");
        }
        see(std::span(static_cast<const std::byte*>(nng_msg_body(message)), nng_msg_len(message)));
        nng_msg_free(message);
    }

  private:
    [[nodiscard]] std::string where() const { return "ipc://" + path_; }

    lane_plan plan_;
    std::string path_;
    pid_t owner_;
    int flags_;
    nng_socket socket_{};
};

} // namespace

lane_kind nng_lane() {
    lane_kind kind;
    kind.name = "nng";
    kind.family = "library";
    kind.waits = {wait_class::block, wait_class::spin}; // spinning starves its threads
    kind.many_senders = true;
    kind.make = maker<nng_lane_>();
    return kind;
}

} // namespace peers
