#include "os/sysv_queue.hpp"

#include <cerrno>

#include <sys/ipc.h>
#include <sys/msg.h>

#include "os/fd.hpp"

namespace hawser::os {

namespace {

int flags_of(waiting how) noexcept {
    return how == waiting::yes ? 0 : IPC_NOWAIT;
}

result<sysv_queue_end> got(int id) noexcept {
    if (id < 0) return failure("open", errno);
    return sysv_queue_end{id};
}

constexpr unsigned permission_bits = 0777;

} // namespace

result<sysv_queue_end> sysv_queue_end::open(std::uint32_t key, std::uint32_t rights) noexcept {
    return got(::msgget(static_cast<key_t>(key), static_cast<int>(rights)));
}

result<sysv_queue_end> sysv_queue_end::create(std::uint32_t key, std::uint32_t mode) noexcept {
    return got(::msgget(static_cast<key_t>(key), IPC_CREAT | IPC_EXCL | static_cast<int>(mode)));
}

result<sysv_queue_end> sysv_queue_end::create_private(std::uint32_t mode) noexcept {
    return got(::msgget(IPC_PRIVATE, IPC_CREAT | static_cast<int>(mode)));
}

result<sysv_queue_status> sysv_queue_end::status() const noexcept {
    msqid_ds now{};
    if (::msgctl(id_, IPC_STAT, &now) != 0) return failure("attributes", errno);
    sysv_queue_status all;
    all.messages = now.msg_qnum;
    all.bytes = now.__msg_cbytes;
    all.capacity_bytes = now.msg_qbytes;
    all.mode = now.msg_perm.mode & permission_bits;
    all.uid = now.msg_perm.uid;
    all.gid = now.msg_perm.gid;
    all.last_sender_pid = static_cast<std::uint32_t>(now.msg_lspid);
    all.last_receiver_pid = static_cast<std::uint32_t>(now.msg_lrpid);
    return all;
}

int sysv_queue_end::change(const sysv_queue_change& wanted) const noexcept {
    msqid_ds all{};
    if (::msgctl(id_, IPC_STAT, &all) != 0) return errno;
    if (wanted.mode) all.msg_perm.mode = static_cast<decltype(all.msg_perm.mode)>(*wanted.mode);
    if (wanted.gid) all.msg_perm.gid = *wanted.gid;
    if (wanted.capacity_bytes) all.msg_qbytes = *wanted.capacity_bytes;
    return ::msgctl(id_, IPC_SET, &all) == 0 ? 0 : errno;
}

int sysv_queue_end::remove() const noexcept {
    return ::msgctl(id_, IPC_RMID, nullptr) == 0 ? 0 : errno;
}

int sysv_queue_end::send(typed_buffer& from, std::size_t size, waiting how) const noexcept {
    return ::msgsnd(id_, from.raw(), size, flags_of(how)) == 0 ? 0 : errno;
}

taken_typed sysv_queue_end::receive(typed_buffer& into, type_choice which,
                                    waiting how) const noexcept {
    const int flags = flags_of(how) | (which.except ? MSG_EXCEPT : 0);
    const ssize_t bytes = ::msgrcv(id_, into.raw(), into.room().size(), which.type, flags);
    if (bytes < 0) return {0, errno};
    return {static_cast<std::size_t>(bytes), 0};
}

result<std::uint32_t> key_of_path(const std::string& path, unsigned char id) noexcept {
    errno = 0;
    const key_t key = ::ftok(path.c_str(), id);
    if (key == -1 && errno != 0) return failure("open", errno); // -1 is also a possible key
    return static_cast<std::uint32_t>(key);
}

result<sysv_queue_limits> limits_of_sysv_queues() noexcept {
    msginfo all{};
    // The call that ipcs(1) makes; it needs no right, and no /proc.
    if (::msgctl(0, IPC_INFO, reinterpret_cast<msqid_ds*>(&all)) < 0)
        return error{errno == ENOSYS ? errc::unsupported : errc::system, "open", errno}.because(
            "this kernel has no System V message queues (CONFIG_SYSVIPC).");
    return sysv_queue_limits{static_cast<std::uint64_t>(all.msgmax),
                             static_cast<std::uint64_t>(all.msgmnb),
                             static_cast<std::uint64_t>(all.msgmni)};
}

} // namespace hawser::os
