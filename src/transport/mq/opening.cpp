#include "transport/mq/opening.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string_view>

#include "core/options_check.hpp"
#include "core/text.hpp"
#include "os/file.hpp"
#include "os/ipc_listing.hpp"

namespace hawser::mq {

namespace {

using os::posix_queue_end;
using os::posix_queue_shape;

constexpr std::size_t longest_name = 255; // NAME_MAX, without the slash
constexpr std::uint32_t default_mode = 0600;
constexpr std::uint32_t owner_bits = 0700;

// What the kernel is built with; a container may hide the settings.
constexpr posix_queue_shape built_in{10, 8192};

std::optional<std::uint64_t> setting(std::string_view name) {
    for (const os::ipc_limit& one : os::ipc_limits())
        if (one.name == name) return one.value;
    return std::nullopt;
}

// "fs.mqueue.queues_max is 256 (sysctl fs.mqueue.queues_max=…)"
std::string shown(const std::string& name) {
    const auto value = setting(name);
    return name + " is " + (value ? std::to_string(*value) : "not to be read here");
}

posix_queue_shape default_shape() {
    const auto limited = [](const char* preset, const char* most, std::uint64_t otherwise) {
        const std::uint64_t value = setting(preset).value_or(otherwise);
        return std::min(value, setting(most).value_or(value));
    };
    return {limited("fs.mqueue.msg_default", "fs.mqueue.msg_max", built_in.capacity),
            limited("fs.mqueue.msgsize_default", "fs.mqueue.msgsize_max", built_in.max_message)};
}

posix_queue_shape wanted_shape(const options& wanted) {
    posix_queue_shape shape;
    if (!wanted.capacity || !wanted.max_message) shape = default_shape();
    shape.capacity = wanted.capacity.value_or(shape.capacity);
    shape.max_message = wanted.max_message.value_or(shape.max_message);
    return shape;
}

std::string text_of(const posix_queue_shape& shape) {
    options all;
    all.capacity = shape.capacity;
    all.max_message = shape.max_message;
    return all.to_text();
}

error no_space(int sys, const std::string& why) {
    return error{errc::no_space, "open", sys}.because(why);
}

// EMFILE: of two limits, one.
error out_of_files(const posix_queue_shape& shape) {
    if (!os::spare_descriptor())
        return no_space(EMFILE, "this process has no descriptor left. Close some, or raise "
                                "RLIMIT_NOFILE (ulimit -n).");
    const std::uint64_t limit = os::queue_memory_limit();
    return no_space(EMFILE, "the queue would take " + std::to_string(os::queue_memory_of(shape)) +
                                " bytes of RLIMIT_MSGQUEUE, which is " + std::to_string(limit) +
                                " for all queues of this user together. Remove queues (hawser "
                                "ls), ask for a smaller capacity or max_message, or raise it "
                                "(ulimit -q, limits.conf msgqueue).");
}

error too_large(const posix_queue_shape& shape, int sys) {
    return no_space(sys, "the kernel makes no queue of " + text_of(shape) + ": " +
                             shown("fs.mqueue.msg_max") + " and " + shown("fs.mqueue.msgsize_max") +
                             ", with CAP_SYS_RESOURCE 65536 and 16777216. Ask for less, or raise "
                             "them (sysctl -w).");
}

// What mq_open says, for somebody who has to do something about it.
error explained(const error& why, const posix_queue_shape& shape) {
    switch (why.sys()) {
    case ENOENT:
        return error{errc::not_found, "open", ENOENT}.because(
            "there is no such queue. Open it without create=open to make it; hawser ls shows "
            "those that exist.");
    case EEXIST:
        return error{errc::already_exists, "open", EEXIST}.because(
            "the queue exists, and create=create asks for a new one. Remove it with hawser rm, or "
            "open it without create=create.");
    case EACCES:
        return error{errc::permission, "open", EACCES}.because(
            "the mode of the queue does not let this user in. hawser ls shows its owner and "
            "mode.");
    case EMFILE:
        return out_of_files(shape);
    case ENFILE:
        return no_space(ENFILE, "the system has no open file left; fs.file-max limits them.");
    case ENOSPC:
        return no_space(ENOSPC,
                        "there are as many queues as may be: " + shown("fs.mqueue.queues_max") +
                            ". Remove some (hawser ls), or raise it (sysctl -w).");
    case EINVAL:
    case EOVERFLOW:
        return too_large(shape, why.sys());
    case ENOMEM:
        return no_space(ENOMEM, "the kernel has no memory for a queue of " + text_of(shape) + ".");
    case ENOSYS:
        return error{errc::unsupported, "open", ENOSYS}.because(
            "this kernel has no POSIX message queues (CONFIG_POSIX_MQUEUE).");
    default:
        return why;
    }
}

// A queue that exists is what was asked for, or another.
result<posix_queue_end> fitting(posix_queue_end there, const options& wanted) {
    const posix_queue_shape& shape = there.shape();
    if (wanted.capacity.value_or(shape.capacity) == shape.capacity &&
        wanted.max_message.value_or(shape.max_message) == shape.max_message)
        return there;
    options asked;
    asked.capacity = wanted.capacity;
    asked.max_message = wanted.max_message;
    return error{errc::already_exists, "open"}.because(
        "asked for " + asked.to_text() + ", but the queue has " + text_of(shape) +
        ". Leave the options out to take it as it is, or remove it with hawser rm.");
}

// Until it is finished only its owner may open it: nobody comes in by a mode or group that is not
// meant.
result<posix_queue_end> make(const std::string& name, os::queue_access access,
                             const options& wanted) {
    const auto gid = wanted_group(wanted);
    if (!gid) return gid.why();
    const std::uint32_t mode = wanted.mode.value_or(default_mode);
    const posix_queue_shape shape = wanted_shape(wanted);
    auto made = posix_queue_end::create(name, access, mode & owner_bits, shape);
    if (!made) return explained(made.why(), shape);
    if (const auto set = os::set_access(made->fd(), mode, *gid); !set) {
        // Only if the name is still this queue's.
        const auto status = os::status_of(made->fd());
        if (status && status->links > 0) static_cast<void>(os::unlink_posix_queue(name));
        return error{set.why().code(), "open", set.why().sys()}.because(
            "the queue can't be given " +
            hawser::detail::option_text(wanted, wanted.group ? "group" : "mode") +
            "; only root, or a member of the group, may. It was not made.");
    }
    return made;
}

} // namespace

result<void> check_name(const std::string& name) {
    const auto wrong = [](const std::string& why) {
        return error{errc::invalid_argument, "open"}.because(why);
    };
    if (name.empty() || name.front() != '/') {
        const std::string meant = name.empty() ? "orders" : hawser::detail::printable(name);
        return wrong("the name of a POSIX queue begins with a slash; write mq:/" +
                     std::string(hawser::detail::cut(meant, longest_name)) + ".");
    }
    const std::string_view rest = std::string_view(name).substr(1);
    if (rest.empty() || rest == "." || rest == "..")
        return wrong("a name is expected after the slash; write it like mq:/orders.");
    if (rest.find('/') != std::string_view::npos)
        return wrong("the name of a POSIX queue has one slash, at its beginning; write it like "
                     "mq:/orders.");
    if (rest.find('\0') != std::string_view::npos) return wrong("a name holds no NUL.");
    if (rest.size() > longest_name)
        return wrong("the name of a POSIX queue has at most " + std::to_string(longest_name) +
                     " bytes after the slash, this one has " + std::to_string(rest.size()) + ".");
    return {};
}

result<std::uint32_t> wanted_group(const options& wanted) {
    if (!wanted.group) return os::no_group;
    auto gid = os::group_id(*wanted.group);
    if (gid) return gid;
    return error{errc::invalid_argument, "open"}.because(
        "there is no group " + hawser::detail::in_quotes(*wanted.group) +
        "; group= takes a name from getent group, or a number.");
}

result<posix_queue_end> obtain(const std::string& name, os::queue_access access,
                               const options& wanted) {
    const create_policy policy = wanted.create.value_or(create_policy::open_or_create);
    // Again when somebody removed or made it between the two steps.
    constexpr int tries = 1000;
    for (int i = 0; i < tries; ++i) {
        if (policy != create_policy::create) {
            auto there = posix_queue_end::open(name, access);
            if (there) return fitting(std::move(*there), wanted);
            if (!there.is(errc::not_found) || policy == create_policy::open)
                return explained(there.why(), {});
        }
        auto made = make(name, access, wanted);
        if (made || !made.is(errc::already_exists) || policy == create_policy::create) return made;
    }
    return error{errc::timed_out, "open"}.because(
        "the queue comes and goes all the time: others make and remove it at this moment.");
}

} // namespace hawser::mq
