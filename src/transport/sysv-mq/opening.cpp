#include "transport/sysv-mq/opening.hpp"

#include <cerrno>
#include <string_view>

#include "core/options_check.hpp"
#include "core/text.hpp"
#include "os/file.hpp"

namespace hawser::sysv_mq {

namespace {

using hawser::detail::parse_count;
using os::sysv_queue_end;
using kind = queue_name::kind;

constexpr std::uint32_t default_mode = 0600;
constexpr std::uint32_t owner_mode = 0600;
constexpr std::uint64_t largest_key = 0xFFFF'FFFF;
constexpr std::uint64_t largest_id = 0x7FFF'FFFF;
constexpr std::uint64_t largest_path_id = 255;

error misspelled(const std::string& why) {
    return error{errc::invalid_argument, "open"}.because(
        why + " Write sysv-mq:42 or sysv-mq:0x2a (a key), sysv-mq:/PATH#7 (the key that ftok makes "
              "of a file), sysv-mq:private (a new queue without key) or sysv-mq:id=3.");
}

std::optional<std::uint64_t> number_in(std::string_view text) noexcept {
    if (text.starts_with("0x") || text.starts_with("0X")) return parse_count(text.substr(2), 16);
    return parse_count(text);
}

// A number of one byte, or one character.
std::optional<unsigned char> path_id(std::string_view text) noexcept {
    if (const auto number = number_in(text)) {
        if (*number == 0 || *number > largest_path_id) return std::nullopt;
        return static_cast<unsigned char>(*number);
    }
    if (text.size() == 1) return static_cast<unsigned char>(text.front());
    return std::nullopt;
}

result<queue_name> name_of_path(const std::string& rest, std::size_t hash) {
    const auto id = path_id(std::string_view(rest).substr(hash + 1));
    if (hash == 0 || !id)
        return misspelled("A path, '#', and an id of one byte are expected: a number from 1 to "
                          "255, or one character.");
    const std::string path = rest.substr(0, hash);
    const auto key = os::key_of_path(path, *id);
    if (key && *key != 0) return queue_name{kind::key, *key};
    if (key) return misspelled("This file and id make the key 0, which no queue can have.");
    const error& why = key.why();
    if (why.sys() == ENOENT || why.sys() == ENOTDIR)
        return error{errc::not_found, "open", why.sys()}.because(
            "the key is made of the file " + hawser::detail::in_quotes(path) +
            ", which is not there. Make the file first; the key changes when it is made anew.");
    return error{why.code(), "open", why.sys()}.because("the key is made of the file " +
                                                        hawser::detail::in_quotes(path) +
                                                        ", which can't be looked at.");
}

error no_space(int sys, const std::string& why) {
    return error{errc::no_space, "open", sys}.because(why);
}

// What msgget says, for somebody who has to do something about it.
error explained(const error& why) {
    switch (why.sys()) {
    case ENOENT:
        return error{errc::not_found, "open", ENOENT}.because(
            "there is no such queue. Open it without create=open to make it; hawser ls shows "
            "those that exist.");
    case EEXIST:
        return error{errc::already_exists, "open", EEXIST}.because(
            "a queue with that key exists, and create=create asks for a new one. Remove it with "
            "hawser rm, or open it without create=create.");
    case EACCES:
        return error{errc::permission, "open", EACCES}.because(
            "the mode of the queue does not let this user in. hawser ls shows its owner and mode.");
    case ENOSPC:
        return no_space(ENOSPC, "there are as many queues as may be: " +
                                    shown_limit("kernel.msgmni", &os::sysv_queue_limits::queues) +
                                    ". Remove some (hawser ls), or raise it (sysctl -w).");
    case ENOMEM:
        return no_space(ENOMEM, "the kernel has no memory for another queue.");
    case ENOSYS:
        return error{errc::unsupported, "open", ENOSYS}.because(
            "this kernel has no System V message queues (CONFIG_SYSVIPC).");
    default:
        return why;
    }
}

// A queue that exists is what was asked for, or another.
result<sysv_queue_end> fitting(sysv_queue_end there, const options& wanted) {
    if (!wanted.max_memory) return there;
    const auto now = there.status();
    if (!now)
        return error{now.why().code(), "open", now.why().sys()}.because(
            "whether the queue has max_memory as asked for only those can see who may receive "
            "from it. Leave max_memory out.");
    if (now->capacity_bytes == *wanted.max_memory) return there;
    options existing;
    existing.max_memory = now->capacity_bytes;
    return error{errc::already_exists, "open"}.because(
        "asked for " + hawser::detail::option_text(wanted, "max_memory") + ", but the queue has " +
        existing.to_text() +
        ". Leave the option out to take it as it is, set it with change(), or remove the queue "
        "with hawser rm.");
}

// With a mode alone the queue is finished at once. Otherwise only its owner may open it until it
// is: nobody comes in by a group that is not meant.
result<sysv_queue_end> make(const queue_name& name, const options& wanted) {
    auto changes = changes_in(wanted, "open");
    if (!changes) return changes.why();
    const bool at_once = !changes->gid && !changes->capacity_bytes;
    const std::uint32_t mode = wanted.mode.value_or(default_mode);
    changes->mode = mode;
    const std::uint32_t first_mode = at_once ? mode : owner_mode;
    auto made = name.what == kind::key ? sysv_queue_end::create(name.number, first_mode)
                                       : sysv_queue_end::create_private(first_mode);
    if (!made) return explained(made.why());
    if (at_once) return made;
    if (const int sys = made->change(*changes); sys != 0) {
        made->remove();
        return change_refused("open", sys, *changes);
    }
    return made;
}

result<sysv_queue_end> obtain_by_key(const queue_name& name, std::uint32_t rights,
                                     const options& wanted) {
    const create_policy policy = wanted.create.value_or(create_policy::open_or_create);
    // Again when somebody removed or made it between the two steps.
    constexpr int tries = 1000;
    for (int i = 0; i < tries; ++i) {
        if (policy != create_policy::create) {
            auto there = sysv_queue_end::open(name.number, rights);
            if (there) return fitting(*there, wanted);
            if (!there.is(errc::not_found) || policy == create_policy::open)
                return explained(there.why());
        }
        auto made = make(name, wanted);
        if (made || !made.is(errc::already_exists) || policy == create_policy::create) return made;
    }
    return error{errc::timed_out, "open"}.because(
        "the queue comes and goes all the time: others make and remove it at this moment.");
}

result<sysv_queue_end> obtain_private(const queue_name& name, const options& wanted) {
    if (wanted.create == create_policy::open)
        return error{errc::invalid_argument, "open"}.because(
            "sysv-mq:private always makes a new queue; open one that exists by its key or by the "
            "id=N that where() of its maker tells.");
    return make(name, wanted);
}

result<sysv_queue_end> obtain_by_id(const queue_name& name, const options& wanted) {
    if (wanted.create == create_policy::create)
        return error{errc::invalid_argument, "open"}.because(
            "the kernel chooses the id of a new queue; make one with sysv-mq:private or a key.");
    auto there = find(name, "open");
    if (!there) return there;
    return fitting(*there, wanted);
}

} // namespace

std::string shown_limit(const char* name, std::uint64_t os::sysv_queue_limits::*value) {
    const auto limits = os::limits_of_sysv_queues();
    return std::string(name) + " is " +
           (limits ? std::to_string(*limits.*value) : "not to be read here");
}

result<queue_name> parse_name(const std::string& rest) {
    const std::string_view text = rest;
    if (text.find('\0') != std::string_view::npos) return misspelled("A key holds no NUL.");
    if (text == "private") return queue_name{kind::private_one, 0};
    if (text.starts_with("id=")) {
        const auto id = parse_count(text.substr(3));
        if (!id || *id > largest_id) return misspelled("A queue's id is expected after id=.");
        return queue_name{kind::id, static_cast<std::uint32_t>(*id)};
    }
    if (const std::size_t hash = text.rfind('#'); hash != std::string_view::npos)
        return name_of_path(rest, hash);
    const auto key = number_in(text);
    if (!key) return misspelled(hawser::detail::in_quotes(text) + " is no key.");
    if (*key == 0) return misspelled("The key 0 stands for a new queue each time (IPC_PRIVATE).");
    if (*key > largest_key) return misspelled("A key has 32 bits.");
    return queue_name{kind::key, static_cast<std::uint32_t>(*key)};
}

result<sysv_queue_end> obtain(const queue_name& name, std::uint32_t rights, const options& wanted) {
    switch (name.what) {
    case kind::private_one:
        return obtain_private(name, wanted);
    case kind::id:
        return obtain_by_id(name, wanted);
    case kind::key:
        break;
    }
    return obtain_by_key(name, rights, wanted);
}

result<sysv_queue_end> find(const queue_name& name, const char* operation) {
    const auto missing = [operation](int sys) {
        return error{errc::not_found, operation, sys}.because(
            "there is no such queue. hawser ls shows those that exist.");
    };
    if (name.what == kind::private_one)
        return error{errc::invalid_argument, operation}.because(
            "sysv-mq:private makes a new queue; name one that exists by its id=N (hawser ls).");
    if (name.what == kind::id) {
        const sysv_queue_end there{static_cast<int>(name.number)};
        const auto now = there.status();
        if (now || now.why().sys() == EACCES) return there;
        return missing(now.why().sys());
    }
    auto there = sysv_queue_end::open(name.number, 0);
    if (there) return there;
    if (there.why().sys() == ENOENT) return missing(ENOENT);
    return explained(there.why());
}

result<os::sysv_queue_change> changes_in(const options& wanted, const char* operation) {
    os::sysv_queue_change all;
    all.mode = wanted.mode;
    all.capacity_bytes = wanted.max_memory;
    if (!wanted.group) return all;
    const auto gid = os::group_id(*wanted.group);
    if (!gid)
        return error{errc::invalid_argument, operation}.because(
            "there is no group " + hawser::detail::in_quotes(*wanted.group) +
            "; group= takes a name from getent group, or a number.");
    all.gid = *gid;
    return all;
}

error change_refused(const char* operation, int sys, const os::sysv_queue_change& wanted) {
    if (sys == EIDRM || sys == EINVAL)
        return error{errc::closed, operation, sys}.because("the queue was removed.");
    if (sys != EPERM) return os::failure(operation, sys);
    const auto limits = os::limits_of_sysv_queues();
    if (limits && wanted.capacity_bytes.value_or(0) > limits->capacity_bytes)
        return error{errc::permission, operation, sys}.because(
            "max_memory may be at most kernel.msgmnb without CAP_SYS_RESOURCE: " +
            shown_limit("kernel.msgmnb", &os::sysv_queue_limits::capacity_bytes) +
            ". Ask for less, or raise it (sysctl -w).");
    return error{errc::permission, operation, sys}.because(
        "only the owner of the queue, its creator and root may change its mode, group and "
        "max_memory.");
}

} // namespace hawser::sysv_mq
