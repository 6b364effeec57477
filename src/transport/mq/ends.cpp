// The two ends of a queue: one system call for each message, priorities, notification.
#include <array>
#include <cerrno>
#include <string>

#include <poll.h>

#include "core/options_check.hpp"
#include "os/file.hpp"
#include "transport/mq/mq.hpp"
#include "transport/mq/notifier.hpp"
#include "transport/mq/opening.hpp"
#include "wire/ends.hpp"

namespace hawser::mq {

namespace {

constexpr std::uint32_t highest_priority = 32'767; // MQ_PRIO_MAX - 1

constexpr std::array<std::string_view, 3> honoured{"capacity", "mode", "group"};

result<hawser::attributes> attributes_of(const os::posix_queue_end& queue) {
    const auto status = os::status_of(queue.fd());
    if (!status) return error{status.why().code(), "attributes", status.why().sys()};
    hawser::attributes all;
    all.capacity = queue.shape().capacity;
    all.max_message = queue.shape().max_message;
    all.depth = queue.depth();
    all.mode = status->mode;
    all.uid = status->uid;
    all.gid = status->gid;
    return all;
}

// What is left of the options when those that can be changed are taken out.
std::string unchangeable(options wanted) {
    wanted.mode.reset();
    wanted.group.reset();
    return wanted.to_text();
}

result<void> change_access(const os::posix_queue_end& queue, const options& wanted) {
    if (const std::string fixed = unchangeable(wanted); !fixed.empty())
        return error{errc::unsupported, "change"}.because(
            "a POSIX queue can be given another mode or group, but not " + fixed +
            ": what it holds is fixed when it is made. Remove it and make a new one.");
    const auto gid = wanted_group(wanted);
    if (!gid) return error{gid.why().code(), "change"}.because(gid.why().detail());
    const auto now = os::status_of(queue.fd());
    if (!now) return error{now.why().code(), "change", now.why().sys()};
    const auto set = os::set_access(queue.fd(), wanted.mode.value_or(now->mode), *gid);
    if (set) return {};
    return error{set.why().code(), "change", set.why().sys()}.because(
        "only the owner of the queue and root may change its mode, and its group only to one that "
        "they are in.");
}

class queue_writer final : public wire::writer {
  public:
    explicit queue_writer(os::posix_queue_end queue) noexcept : queue_(std::move(queue)) {}
    ~queue_writer() override { close_queue(queue_); }
    queue_writer(const queue_writer&) = delete;
    queue_writer& operator=(const queue_writer&) = delete;

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override;
    [[nodiscard]] wire::waiting_point room() const noexcept override {
        return {queue_.fd(), POLLOUT, 0};
    }
    result<hawser::attributes> attributes() override { return attributes_of(queue_); }
    result<void> change(const options& wanted) override { return change_access(queue_, wanted); }

  private:
    os::posix_queue_end queue_;
};

result<void> check_envelope(const envelope& with) {
    if (with.type != 0 || !with.descriptors.empty())
        return error{errc::unsupported, "send"}.because(
            "a POSIX queue carries a priority beside the bytes, but no type (sysv-mq: does) and "
            "no descriptors (unix: does).");
    if (with.priority > highest_priority)
        return error{errc::invalid_argument, "send"}.because(
            "the priority is " + std::to_string(with.priority) + ", it may be 0 to " +
            std::to_string(highest_priority) + ".");
    return {};
}

result<void> queue_writer::try_write(std::span<const std::byte> bytes, const envelope& with) {
    if (!with.empty())
        if (auto good = check_envelope(with); !good) return good;
    const int sys = queue_.send(bytes, with.priority);
    if (sys == 0) return {};
    if (sys == EMSGSIZE)
        return error{errc::too_big, "send", sys}.because(
            "the largest message of this queue has " + std::to_string(queue_.shape().max_message) +
            " bytes.");
    return os::failure("send", sys); // EAGAIN: would_block
}

class queue_reader final : public wire::reader {
  public:
    explicit queue_reader(os::posix_queue_end queue)
        : queue_(std::make_shared<os::posix_queue_end>(std::move(queue))) {}
    ~queue_reader() override;
    queue_reader(const queue_reader&) = delete;
    queue_reader& operator=(const queue_reader&) = delete;

    result<void> try_read(wire::received& into, const selection& which) override;
    [[nodiscard]] wire::waiting_point arrival() const noexcept override {
        return {queue_->fd(), POLLIN, 0};
    }
    result<void> notify(const notification& how) override;
    result<void> stop_notifying() override;
    result<hawser::attributes> attributes() override { return attributes_of(*queue_); }
    result<void> change(const options& wanted) override { return change_access(*queue_, wanted); }

  private:
    std::shared_ptr<os::posix_queue_end> queue_;
    std::unique_ptr<notifier> notifier_;
};

queue_reader::~queue_reader() {
    notifier_.reset();
    close_queue(*queue_);
}

result<void> queue_reader::try_read(wire::received& into, const selection& which) {
    if (which.by != selection::rule::by_priority)
        return error{errc::unsupported, "receive"}.because(
            "a POSIX queue gives the highest priority first and can't select; sysv-mq: can.");
    into.clear();
    into.bytes.resize(queue_->shape().max_message);
    const auto taken = queue_->receive(into.bytes.bytes());
    if (taken.sys != 0) return os::failure("receive", taken.sys); // EAGAIN: would_block
    into.bytes.resize(taken.bytes);
    into.priority = taken.priority;
    return {};
}

result<void> queue_reader::notify(const notification& how) {
    notifier_.reset(); // one for each end point: the last one counts
    auto started = notifier::start(queue_, how);
    if (!started) return started.why();
    notifier_ = std::move(*started);
    if (auto begun = notifier_->begin(); !begun) {
        notifier_.reset();
        return begun;
    }
    return {};
}

result<void> queue_reader::stop_notifying() {
    notifier_.reset();
    return {};
}

result<os::posix_queue_end> open_queue(const address& where, const options& wanted,
                                       os::queue_access access) {
    if (auto good = check_name(where.rest); !good) return good.why();
    if (auto good = wire::refuse_others(wanted, honoured, where.scheme); !good) return good.why();
    return obtain(where.rest, access, wanted);
}

} // namespace

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    auto queue = open_queue(where, wanted, os::queue_access::send);
    if (!queue) return queue.why();
    const std::uint64_t max_message = queue->shape().max_message;
    return wire::sender_end::make(std::make_unique<queue_writer>(std::move(*queue)), wanted,
                                  max_message);
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    auto queue = open_queue(where, wanted, os::queue_access::receive);
    if (!queue) return queue.why();
    return wire::receiver_end::make(std::make_unique<queue_reader>(std::move(*queue)), wanted);
}

} // namespace hawser::mq
