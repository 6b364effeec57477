// Looking at a queue from outside, and removing it.
//
// A queue has no users that the kernel could count, only a last sender and a last receiver; while
// one of them lives, the queue counts as used. So `hawser ls` judges, too.
#include <algorithm>
#include <cerrno>
#include <string>

#include "os/fd.hpp"
#include "os/open_files.hpp"
#include "os/process.hpp"
#include "transport/sysv-mq/opening.hpp"
#include "transport/sysv-mq/sysv_mq.hpp"

namespace hawser::sysv_mq {

namespace {

// A process that was the last to send or receive, and lives; 0: none.
std::uint32_t living_user(const os::sysv_queue_status& now) {
    for (const std::uint32_t pid : {now.last_sender_pid, now.last_receiver_pid})
        if (pid != 0 && os::life_of(pid) == os::process_life::alive) return pid;
    return 0;
}

result<os::sysv_queue_end> named(const address& where, const char* operation) {
    const auto name = parse_name(where.rest);
    if (!name)
        return error{name.why().code(), operation, name.why().sys()}.because(name.why().detail());
    return find(*name, operation);
}

result<void> refuse_if_used(const os::sysv_queue_end& queue, const address& where) {
    const auto now = queue.status();
    if (!now) {
        if (now.why().sys() != EACCES) return {}; // gone: removing says so
        return error{errc::permission, "rm", EACCES}.because(
            "the mode of the queue does not let this user look whether it is used. hawser rm "
            "--force does not look.");
    }
    const std::uint32_t pid = living_user(*now);
    if (pid == 0 || pid == os::own_identity().pid) return {}; // the caller knows of itself
    return error{errc::already_exists, "rm"}.because(
        "process " + std::to_string(pid) +
        " was the last to use it, and lives. hawser rm --force " + where.scheme + ":" + where.rest +
        " removes it all the same; whoever waits there gets `closed`.");
}

} // namespace

result<mailbox_info> inspect(const address& where) {
    const auto queue = named(where, "info");
    if (!queue) return queue.why();
    mailbox_info info;
    info.address = address{where.scheme, where.rest, {}}.to_text();
    const auto now = queue->status();
    if (!now && now.why().sys() == EACCES) {
        info.state = mailbox_state::unreadable;
        info.problem = "its mode does not let this user look";
        return info;
    }
    if (!now)
        return error{errc::not_found, "info", now.why().sys()}.because(
            "the queue was removed at this moment.");
    const auto limits = os::limits_of_sysv_queues();
    info.state = living_user(*now) != 0 ? mailbox_state::in_use : mailbox_state::idle;
    info.mode = now->mode;
    info.uid = now->uid;
    info.gid = now->gid;
    if (limits) info.geometry.max_message = std::min(limits->max_message, now->capacity_bytes);
    info.geometry.max_memory = now->capacity_bytes;
    info.geometry.mode = now->mode;
    info.geometry.group = std::to_string(now->gid);
    info.geometry.persist = true;
    info.depth = now->messages;
    info.memory_bytes = now->bytes;
    return info;
}

result<void> remove(const address& where, removal how) {
    const auto queue = named(where, "rm");
    if (!queue) return queue.why();
    if (how == removal::if_unused)
        if (auto good = refuse_if_used(*queue, where); !good) return good;
    switch (const int sys = queue->remove()) {
    case 0:
        return {};
    case EPERM:
        return error{errc::permission, "rm", sys}.because(
            "only the owner of a queue, its creator and root may remove it.");
    case EIDRM:
    case EINVAL:
        return error{errc::not_found, "rm", sys}.because("somebody else has removed it already.");
    default:
        return os::failure("rm", sys);
    }
}

} // namespace hawser::sysv_mq
