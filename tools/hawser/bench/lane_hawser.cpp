#include "lane_hawser.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "crew.hpp"

namespace tool::bench {
namespace {

// As everybody gets it, with the options of the case; send() copies, or fills a loan.
class mailbox_lane {
  public:
    mailbox_lane(const lane_plan& plan, const std::string& options)
        : plan_(plan), address_(mailbox_address(plan.stem, options_with_wait(options, plan))),
          owner_(::getpid()) {}
    ~mailbox_lane() {
        if (::getpid() == owner_)
            static_cast<void>(hawser::remove_mailbox(address_, hawser::removal::by_force));
    }
    mailbox_lane(const mailbox_lane&) = delete;
    mailbox_lane& operator=(const mailbox_lane&) = delete;

    void open_sender() { out_.emplace(hawser::sender::open(address_).value()); }
    void open_receiver() { in_.emplace(hawser::receiver::open(address_).value()); }

    void send(std::span<const std::byte> bytes) {
        if (plan_.what != payload::loaned) {
            out_->send(bytes).value();
            return;
        }
        hawser::loan place = out_->loan_for(bytes.size()).value();
        std::memcpy(place.bytes().data(), bytes.data(), sizeof(std::uint64_t));
        out_->send(std::move(place)).value();
    }

    template <typename See>
    void receive(See&& see) {
        const auto got = in_->receive();
        if (!got) end_of(got.why());
        see(got->bytes());
    }

    void close() {
        out_.reset();
        in_.reset();
    }

  protected:
    // Who measures a rate ends the senders first, and then there is an end to receive.
    [[noreturn]] void end_of(const hawser::error& why) const {
        if (why.code() == hawser::errc::closed) plan_.stopping(true);
        throw hawser::exception(why);
    }

    static std::string options_with_wait(const std::string& options, const lane_plan& plan) {
        // Room for all ends of the case and what looks on; the default is 64.
        const unsigned ends = plan.senders + plan.receivers;
        std::string all = fmt::format("?wait={}", name_of(plan.wait));
        if (!options.empty()) all += "&" + options;
        if (ends > 60) all += fmt::format("&participants={}", ends + 4);
        return all;
    }

    lane_plan plan_;
    std::string address_;
    pid_t owner_;
    std::optional<hawser::sender> out_;
    std::optional<hawser::receiver> in_;
};

// The receiver waits in epoll for its fd(), as part of an event loop does.
class epoll_lane : public mailbox_lane {
  public:
    using mailbox_lane::mailbox_lane;

    void open_receiver() {
        mailbox_lane::open_receiver();
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event wanted{};
        wanted.events = EPOLLIN;
        if (epoll_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, in_->fd().value(), &wanted) != 0)
            throw std::runtime_error("epoll does not take the descriptor of a mailbox");
    }

    template <typename See>
    void receive(See&& see) {
        for (;;) {
            epoll_event happened{};
            if (::epoll_wait(epoll_, &happened, 1, -1) != 1) continue;
            const auto got = in_->try_receive();
            if (!got && got.is(hawser::errc::would_block)) continue;
            if (!got) end_of(got.why());
            see(got->bytes());
            return;
        }
    }

  private:
    int epoll_ = -1;
};

lane_kind mailbox_kind(const std::string& name, const std::string& options) {
    lane_kind kind;
    kind.name = name;
    kind.family = "hawser";
    kind.waits = {wait_class::spin, wait_class::adaptive, wait_class::block};
    kind.many_senders = true;
    kind.many_receivers = true;
    kind.loans = true;
    kind.make = hawser_maker(options);
    return kind;
}

} // namespace

std::function<std::unique_ptr<flow>(const lane_plan&)> hawser_maker(const std::string& options) {
    return maker<mailbox_lane>(options);
}

std::string mailbox_address(const std::string& stem, const std::string& options) {
    return fmt::format("shm:bench-{}-{}{}", ::getpid(), stem, options);
}

std::vector<lane_kind> hawser_lanes() {
    std::vector<lane_kind> kinds{mailbox_kind("hawser", ""),
                                 mailbox_kind("hawser order=sender", "order=sender"),
                                 mailbox_kind("hawser sharing=pair", "sharing=pair")};
    kinds.back().many_senders = false;
    kinds.back().many_receivers = false;
    lane_kind event_loop = mailbox_kind("hawser fd() in epoll", "");
    event_loop.waits = {wait_class::block};
    event_loop.make = maker<epoll_lane>(std::string{});
    kinds.push_back(std::move(event_loop));
    return kinds;
}

} // namespace tool::bench
