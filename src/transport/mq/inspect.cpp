// Looking at a queue from outside, and removing it.
//
// Who has a queue open the kernel does not count for others to see; /proc tells it, of this user's
// processes, and of all to root.
#include <cerrno>
#include <string>
#include <vector>

#include "os/file.hpp"
#include "os/ipc_listing.hpp"
#include "os/open_files.hpp"
#include "transport/mq/mq.hpp"
#include "transport/mq/notifier.hpp"
#include "transport/mq/opening.hpp"

namespace hawser::mq {

namespace {

// With whatever right there is.
result<os::posix_queue_end> open_to_look(const std::string& name) {
    auto queue = os::posix_queue_end::open(name, os::queue_access::receive);
    if (queue || queue.why().sys() != EACCES) return queue;
    return os::posix_queue_end::open(name, os::queue_access::send);
}

// Processes that have the queue open.
std::vector<std::uint32_t> users_of(const os::file_key& queue) {
    os::open_files_request wanted;
    wanted.keys = {queue};
    auto found = os::look_for_users(wanted);
    return std::move(found.users[queue]);
}

error lacking(const char* operation, const std::string& name, const error& why) {
    if (why.sys() == ENOENT)
        return error{errc::not_found, operation, ENOENT}.because(
            "there is no queue " + name + ". hawser ls shows those that exist.");
    if (why.sys() == EACCES)
        return error{errc::permission, operation, EACCES}.because(
            "the mode of the queue does not let this user look whether it is used.");
    return why;
}

error in_use(const std::string& name, const std::vector<std::uint32_t>& pids) {
    std::string who;
    constexpr std::size_t most = 5;
    for (std::size_t i = 0; i < pids.size() && i < most; ++i)
        who += (i == 0 ? "" : ", ") + std::to_string(pids[i]);
    if (pids.size() > most) who += ", …";
    return error{errc::already_exists, "rm"}.because(
        "process " + who + " has it open. hawser rm --force mq:" + name +
        " removes the name all the same; those go on with a queue that nobody else can open.");
}

} // namespace

result<mailbox_info> inspect(const address& where) {
    const std::string& name = where.rest;
    if (auto good = check_name(name); !good) return good.why();
    mailbox_info info;
    info.address = address{where.scheme, name, {}}.to_text();
    auto queue = open_to_look(name);
    if (!queue && queue.why().sys() == EACCES) {
        info.state = mailbox_state::unreadable;
        info.problem = "its mode does not let this user look";
        return info;
    }
    if (!queue) return lacking("info", name, queue.why());
    const auto status = os::status_of(queue->fd());
    info.mode = status ? status->mode : 0;
    info.uid = status ? status->uid : 0;
    info.gid = status ? status->gid : 0;
    info.geometry.capacity = queue->shape().capacity;
    info.geometry.max_message = queue->shape().max_message;
    info.geometry.mode = info.mode;
    info.geometry.group = std::to_string(info.gid);
    info.geometry.persist = true;
    info.depth = queue->depth();
    info.memory_bytes = os::queue_memory_of(queue->shape());
    const os::file_key key = queue->key();
    close_queue(*queue); // so that this process is not seen as a user for looking
    info.state = users_of(key).empty() ? mailbox_state::idle : mailbox_state::in_use;
    return info;
}

result<void> remove(const address& where, removal how) {
    const std::string& name = where.rest;
    if (auto good = check_name(name); !good) return good;
    if (how == removal::if_unused) {
        auto queue = open_to_look(name);
        if (!queue) return lacking("rm", name, queue.why());
        const os::file_key key = queue->key();
        close_queue(*queue);
        if (const auto pids = users_of(key); !pids.empty()) return in_use(name, pids);
    }
    if (auto gone = os::unlink_posix_queue(name); !gone) {
        if (gone.is(errc::permission))
            return error{errc::permission, "rm", gone.why().sys()}.because(
                "only the owner of a queue and root may remove it.");
        return lacking("rm", name, gone.why());
    }
    return {};
}

} // namespace hawser::mq
