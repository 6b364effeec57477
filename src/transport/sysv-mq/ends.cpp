// The two ends of a queue: one system call for each message, types, priorities.
//
// A queue has no descriptor to wait on. Calls without a deadline sleep in the kernel's own call;
// those with one look again every few milliseconds. In both the kernel itself tells of removal: a
// sleeper is woken with EIDRM, and a look finds that the id is nobody's.
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "core/options_check.hpp"
#include "os/fd.hpp"
#include "transport/sysv-mq/opening.hpp"
#include "transport/sysv-mq/sysv_mq.hpp"
#include "wire/ends.hpp"

namespace hawser::sysv_mq {

namespace {

using os::waiting;

// Priority p is the type 32,768 - p: receiving the lowest type first gives the highest priority.
constexpr std::int64_t type_of_lowest_priority = 32'768;
constexpr std::uint32_t highest_priority = 32'767;

constexpr std::int64_t look_again_ns = 2'000'000;
constexpr wire::waiting_point look_again{-1, 0, look_again_ns};

constexpr std::array<std::string_view, 3> honoured{"max_memory", "mode", "group"};

// What an errno of msgsnd, msgrcv or msgctl means for an end that was open.
error failed(const char* operation, int sys) {
    switch (sys) {
    case EAGAIN:
    case ENOMSG:
        return error{errc::would_block, operation, sys};
    case EIDRM:
    case EINVAL: // the id is nobody's any more; everything else was checked before
        return error{errc::closed, operation, sys}.because(
            "the queue was removed. Open it again to start a new one.");
    case EACCES:
        return error{errc::permission, operation, sys}.because(
            "the mode of the queue does not let this user do that (any more).");
    default:
        return os::failure(operation, sys);
    }
}

result<hawser::attributes> attributes_of(const os::sysv_queue_end& queue,
                                         std::optional<std::uint64_t> max_message) {
    const auto now = queue.status();
    if (!now) {
        if (now.why().sys() == EACCES)
            return error{errc::permission, "attributes", EACCES}.because(
                "only those can see them who may receive from the queue.");
        return failed("attributes", now.why().sys());
    }
    hawser::attributes all;
    all.capacity_bytes = now->capacity_bytes;
    all.max_message = max_message;
    all.depth = now->messages;
    all.depth_bytes = now->bytes;
    all.mode = now->mode;
    all.uid = now->uid;
    all.gid = now->gid;
    return all;
}

// What is left of the options when those that can be changed are taken out.
std::string unchangeable(options wanted) {
    wanted.mode.reset();
    wanted.group.reset();
    wanted.max_memory.reset();
    return wanted.to_text();
}

result<void> change_queue(const os::sysv_queue_end& queue, const options& wanted) {
    if (const std::string fixed = unchangeable(wanted); !fixed.empty())
        return error{errc::unsupported, "change"}.because(
            "a System V queue can be given another max_memory, mode or group, but not " + fixed +
            ".");
    const auto changes = changes_in(wanted, "change");
    if (!changes) return changes.why();
    if (const int sys = queue.change(*changes); sys != 0)
        return change_refused("change", sys, *changes);
    return {};
}

// ---- sending ------------------------------------------------------------------------------------

class queue_writer final : public wire::writer {
  public:
    queue_writer(os::sysv_queue_end queue, std::uint64_t max_message)
        : queue_(queue), message_(max_message) {}

    result<void> try_write(std::span<const std::byte> bytes, const envelope& with) override {
        return write(bytes, with, waiting::no);
    }
    std::optional<result<void>> write_blocking(std::span<const std::byte> bytes,
                                               const envelope& with) override {
        return write(bytes, with, waiting::yes);
    }
    [[nodiscard]] wire::waiting_point room() const noexcept override { return look_again; }
    result<hawser::attributes> attributes() override {
        return attributes_of(queue_, std::nullopt); // the sender knows it
    }
    result<void> change(const options& wanted) override { return change_queue(queue_, wanted); }

  private:
    result<void> write(std::span<const std::byte> bytes, const envelope& with, waiting how);
    result<void> no_room(std::size_t size) const;

    os::sysv_queue_end queue_;
    os::typed_buffer message_;
};

result<long> type_in(const envelope& with) {
    const auto wrong = [](const std::string& why) {
        return error{errc::invalid_argument, "send"}.because(why);
    };
    if (!with.descriptors.empty())
        return error{errc::unsupported, "send"}.because(
            "a System V queue carries a type or a priority beside the bytes, but no descriptors; "
            "unix: does.");
    if (with.priority > highest_priority)
        return wrong("the priority is " + std::to_string(with.priority) + ", it may be 0 to " +
                     std::to_string(highest_priority) + ".");
    if (with.type == 0)
        return static_cast<long>(type_of_lowest_priority - std::int64_t{with.priority});
    if (with.priority != 0) return wrong("a message has a type or a priority, not both.");
    if (with.type < 0 || with.type > LONG_MAX)
        return wrong("the type is " + std::to_string(with.type) + ", types begin at 1.");
    return static_cast<long>(with.type);
}

result<void> queue_writer::write(std::span<const std::byte> bytes, const envelope& with,
                                 waiting how) {
    const auto type = type_in(with);
    if (!type) return type.why();
    message_.make_room(bytes.size());
    message_.type() = *type;
    if (!bytes.empty()) std::memcpy(message_.room().data(), bytes.data(), bytes.size());
    const int sys = queue_.send(message_, bytes.size(), how);
    if (sys == 0) return {};
    if (sys == EAGAIN) return no_room(bytes.size());
    if (sys == EINVAL) {
        const auto limits = os::limits_of_sysv_queues();
        if (limits && bytes.size() > limits->max_message) // lowered since the queue was opened
            return error{errc::too_big, "send", sys}.because(
                "the message has " + std::to_string(bytes.size()) + " bytes, and " +
                shown_limit("kernel.msgmax", &os::sysv_queue_limits::max_message) + ".");
    }
    return failed("send", sys);
}

// A message that is larger than the whole queue would wait for ever.
result<void> queue_writer::no_room(std::size_t size) const {
    const auto now = queue_.status();
    if (now && size > now->capacity_bytes)
        return error{errc::too_big, "send", EAGAIN}.because(
            "the message has " + std::to_string(size) + " bytes, and all messages of the queue " +
            "together may have " + std::to_string(now->capacity_bytes) +
            " (max_memory, which change() can set).");
    return error{errc::would_block, "send", EAGAIN};
}

// ---- receiving ----------------------------------------------------------------------------------

class queue_reader final : public wire::reader {
  public:
    queue_reader(os::sysv_queue_end queue, std::uint64_t max_message)
        : queue_(queue), message_(max_message) {}

    result<void> try_read(wire::received& into, const selection& which) override {
        return read(into, which, waiting::no);
    }
    std::optional<result<void>> read_blocking(wire::received& into,
                                              const selection& which) override {
        return read(into, which, waiting::yes);
    }
    [[nodiscard]] wire::waiting_point arrival() const noexcept override { return look_again; }
    result<hawser::attributes> attributes() override;
    result<void> change(const options& wanted) override { return change_queue(queue_, wanted); }

  private:
    result<void> read(wire::received& into, const selection& which, waiting how);
    bool make_room();

    os::sysv_queue_end queue_;
    os::typed_buffer message_;
};

result<os::type_choice> choice_of(const selection& which) {
    using rule = selection::rule;
    if (which.by == rule::by_priority) return os::type_choice{-LONG_MAX, false};
    if (which.by == rule::in_order) return os::type_choice{0, false};
    if (which.type < 1 || which.type > LONG_MAX)
        return error{errc::invalid_argument, "receive"}.because(
            "the type to select by is " + std::to_string(which.type) + ", types begin at 1.");
    const auto type = static_cast<long>(which.type);
    if (which.by == rule::up_to) return os::type_choice{-type, false};
    return os::type_choice{type, which.by == rule::not_this};
}

result<void> queue_reader::read(wire::received& into, const selection& which, waiting how) {
    const auto choice = choice_of(which);
    if (!choice) return choice.why();
    into.clear();
    for (;;) {
        const auto taken = queue_.receive(message_, *choice, how);
        if (taken.sys == E2BIG && make_room()) continue;
        if (taken.sys != 0) return failed("receive", taken.sys);
        into.bytes.append(message_.room().first(taken.bytes));
        into.type = message_.type();
        if (into.type < type_of_lowest_priority)
            into.priority = static_cast<std::uint32_t>(type_of_lowest_priority - into.type);
        return {};
    }
}

// A message came that is larger than kernel.msgmax was when the queue was opened. It is no larger
// than all that is queued.
bool queue_reader::make_room() {
    const auto now = queue_.status();
    const std::size_t before = message_.room().size();
    message_.make_room(now ? now->bytes : before * 2);
    // Somebody else took it: another look costs nothing.
    return message_.room().size() > before || now.has_value();
}

result<hawser::attributes> queue_reader::attributes() {
    const auto limits = os::limits_of_sysv_queues();
    if (!limits) return limits.why();
    return attributes_of(queue_, limits->max_message);
}

// ---- opening ------------------------------------------------------------------------------------

struct opened {
    os::sysv_queue_end queue;
    std::uint64_t max_message;
    bool is_private;
};

result<opened> open_queue(const address& where, const options& wanted, std::uint32_t rights) {
    const auto name = parse_name(where.rest);
    if (!name) return name.why();
    if (auto good = wire::refuse_others(wanted, honoured, where.scheme); !good) return good.why();
    const auto limits = os::limits_of_sysv_queues();
    if (!limits) return limits.why();
    if (wanted.max_message.value_or(0) > limits->max_message)
        return error{errc::no_space, "open"}.because(
            hawser::detail::option_text(wanted, "max_message") +
            " is more than any message may "
            "have: " +
            shown_limit("kernel.msgmax", &os::sysv_queue_limits::max_message) +
            ". Ask for less, or raise it (sysctl -w).");
    auto queue = obtain(*name, rights, wanted);
    if (!queue) return queue.why();
    return opened{*queue, limits->max_message, name->what == queue_name::kind::private_one};
}

// A queue without key is found again by its id.
template <typename End>
result<std::unique_ptr<End>> reachable(result<std::unique_ptr<End>> end, const opened& one,
                                       const address& where) {
    if (end && one.is_private)
        (*end)->where = address{where.scheme, "id=" + std::to_string(one.queue.id()), where.wanted};
    return end;
}

} // namespace

result<std::unique_ptr<hawser::detail::sending_end>> open_sender(const address& where,
                                                                 const options& wanted) {
    const auto one = open_queue(where, wanted, os::sysv_queue_end::may_send);
    if (!one) return one.why();
    auto to = std::make_unique<queue_writer>(one->queue, one->max_message);
    return reachable(wire::sender_end::make(std::move(to), wanted, one->max_message), *one, where);
}

result<std::unique_ptr<hawser::detail::receiving_end>> open_receiver(const address& where,
                                                                     const options& wanted) {
    const auto one = open_queue(where, wanted, os::sysv_queue_end::may_receive);
    if (!one) return one.why();
    auto from = std::make_unique<queue_reader>(one->queue, one->max_message);
    return reachable(wire::receiver_end::make(std::move(from), wanted), *one, where);
}

} // namespace hawser::sysv_mq
