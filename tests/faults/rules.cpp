#include "rules.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

namespace hawser::faults {

namespace {

// ---- which of the calls of one number -------------------------------------------------------

bool is_anonymous(const seen_call& call) {
    return (call.arguments[3] & MAP_ANONYMOUS) != 0;
}
bool creates(const seen_call& call) {
    const std::uint64_t flags = call.arguments[call.number == SYS_openat ? 2 : 1];
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}
template <int Command>
bool is_command(const seen_call& call) {
    return static_cast<int>(call.arguments[1]) == Command;
}
bool sets_lock(const seen_call& call) {
    const int command = static_cast<int>(call.arguments[1]);
    return command == F_OFD_SETLK || command == F_SETLK;
}
bool gets_lock(const seen_call& call) {
    const int command = static_cast<int>(call.arguments[1]);
    return command == F_OFD_GETLK || command == F_GETLK;
}
bool duplicates(const seen_call& call) {
    const int command = static_cast<int>(call.arguments[1]);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}
bool sleeps(const seen_call& call) {
    const int operation = static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK;
    return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
}
bool is_socket(const seen_call& call) {
    return call.about.starts_with("socket:");
}
bool is_pipe(const seen_call& call) {
    return call.about.starts_with("pipe:");
}
bool is_terminal(const seen_call& call) {
    return call.about.starts_with("/dev/pt");
}
bool is_event(const seen_call& call) {
    return call.about.starts_with("anon_inode:");
}

// ---- the table ------------------------------------------------------------------------------

constexpr const char* cant_fail = "its manual page knows no error, or only wrong arguments";
constexpr const char* own_heap =
    "anonymous memory is the C++ heap's or a thread's stack: running out of it is std::bad_alloc's "
    "business, and not of any end point";
constexpr const char* undoes = "it only gives back, and fails only for wrong arguments";
constexpr const char* runtime = "made by the C library for itself";

std::vector<rule> file_rules() {
    const std::vector<int> opening{EACCES, EMFILE, ENOENT, ENFILE,  ENOMEM, EINTR, EPERM,
                                   ELOOP,  EROFS,  ENXIO,  ENOTDIR, EISDIR, EIO};
    std::vector<int> creating = opening;
    creating.insert(creating.begin() + 2, {ENOSPC, EDQUOT, EOPNOTSUPP});
    const std::vector<int> naming{EACCES, ENOSPC, EEXIST, ENOENT, EPERM, EROFS,
                                  ENOMEM, EDQUOT, EIO,    EMLINK, EXDEV, ENOTDIR};
    const std::vector<int> removing{EACCES, EPERM, EBUSY, EROFS, ENOENT, ENOMEM, EIO};
    const std::vector<int> looking{EACCES, ENOENT, ENOMEM, ENOTDIR, EIO};
    const std::vector<int> allocating{ENOSPC, EINTR, ENOMEM, EIO, EFBIG, EDQUOT, EOPNOTSUPP, EPERM};
    return {
        {SYS_openat, "openat", creating, "", false, creates},
        {SYS_openat, "openat", opening},
        {SYS_open, "open", creating, "", false, creates},
        {SYS_open, "open", opening},
        {SYS_close, "close", {EINTR, EIO, ENOSPC, EDQUOT}, "", true},
        {SYS_ftruncate, "ftruncate", {ENOSPC, EINTR, EFBIG, EIO, EPERM, EACCES}},
        {SYS_fallocate, "fallocate", allocating},
        {SYS_linkat, "linkat", naming},
        {SYS_link, "link", naming},
        {SYS_rename, "rename", naming},
        {SYS_renameat2, "renameat2", naming},
        {SYS_mknod, "mknod", naming},
        {SYS_mknodat, "mknodat", naming},
        {SYS_mkdir, "mkdir", naming},
        {SYS_unlink, "unlink", removing},
        {SYS_unlinkat, "unlinkat", removing},
        {SYS_fchmod, "fchmod", {EPERM, EROFS, EIO}},
        {SYS_chmod, "chmod", {EPERM, EACCES, EROFS, ENOENT, ENOMEM, EIO}},
        {SYS_fchmodat, "fchmodat", {EPERM, EACCES, EROFS, ENOENT, ENOMEM, EIO}},
        {SYS_fchown, "fchown", {EPERM, EROFS, EIO}},
        {SYS_chown, "chown", {EPERM, EACCES, EROFS, ENOENT, ENOMEM, EIO}},
        {SYS_fchownat, "fchownat", {EPERM, EACCES, EROFS, ENOENT, ENOMEM, EIO}},
        {SYS_fstat, "fstat", {ENOMEM, EIO}},
        {SYS_newfstatat, "newfstatat", looking},
        {SYS_stat, "stat", looking},
        {SYS_lstat, "lstat", looking},
        {SYS_statx, "statx", looking},
        {SYS_statfs, "statfs", looking},
        {SYS_fstatfs, "fstatfs", {EINTR, ENOMEM, EIO}},
        {SYS_access, "access", looking},
        {SYS_faccessat, "faccessat", looking},
        {SYS_readlink, "readlink", looking},
        {SYS_readlinkat, "readlinkat", looking},
        {SYS_getdents64, "getdents64", {ENOENT, EIO}},
        {SYS_utimensat, "utimensat", {EACCES, EPERM, EROFS}},
        {SYS_lseek, "lseek", {ESPIPE}},
        {SYS_flock, "flock", {EWOULDBLOCK, EINTR, ENOLCK}},
        {SYS_fcntl, "fcntl(SETLK)", {ENOLCK, EAGAIN, EINTR}, "", false, sets_lock},
        {SYS_fcntl, "fcntl(GETLK)", {ENOLCK, EINTR}, "", false, gets_lock},
        {SYS_fcntl, "fcntl(DUPFD)", {EMFILE}, "", false, duplicates},
        {SYS_fcntl,
         "fcntl(SETPIPE_SZ)",
         {EPERM, ENOMEM, EBUSY},
         "",
         false,
         is_command<F_SETPIPE_SZ>},
        {SYS_fcntl, "fcntl", {}, "getting and setting flags fails only for wrong arguments"},
    };
}

std::vector<rule> data_rules() {
    const std::vector<int> reading{EINTR, EAGAIN, EIO};
    const std::vector<int> writing{EINTR, EAGAIN, ENOSPC, EIO, EPIPE, EDQUOT, EFBIG, EPERM};
    const std::vector<int> writing_pipe{EPIPE, EINTR, EAGAIN};
    const std::vector<int> receiving{ECONNRESET, EINTR, EAGAIN, ENOMEM, ECONNREFUSED, ETIMEDOUT};
    const std::vector<int> sending{EPIPE,  ECONNRESET, EINTR,        EAGAIN,      ENOBUFS,
                                   ENOMEM, EMSGSIZE,   ECONNREFUSED, EHOSTUNREACH};
    std::vector<rule> made;
    const auto family = [&](long number, const char* name, const std::vector<int>& plain,
                            const std::vector<int>& pipe, const std::vector<int>& socket) {
        made.push_back({number, name, socket, "", false, is_socket});
        made.push_back({number, name, pipe, "", false, is_pipe});
        // EAGAIN of an event counter says that it counts as much as it can: not without cause.
        made.push_back({number, name, {EINTR}, "", false, is_event});
        made.push_back({number, name, plain});
    };
    family(SYS_read, "read", reading, {EINTR, EAGAIN}, receiving);
    family(SYS_readv, "readv", reading, {EINTR, EAGAIN}, receiving);
    made.push_back({SYS_pread64, "pread64", {EINTR, EIO}});
    family(SYS_write, "write", writing, writing_pipe, sending);
    family(SYS_writev, "writev", writing, writing_pipe, sending);
    made.push_back({SYS_pwrite64, "pwrite64", {EINTR, ENOSPC, EIO, EDQUOT, EFBIG}});
    made.push_back({SYS_splice, "splice", {EAGAIN, ENOMEM, EINTR}});
    made.push_back({SYS_tee, "tee", {EAGAIN, ENOMEM, EINTR}});
    made.push_back({SYS_vmsplice, "vmsplice", {EAGAIN, ENOMEM, EINTR}});
    made.push_back({SYS_recvmsg, "recvmsg", receiving});
    made.push_back({SYS_recvmmsg, "recvmmsg", receiving});
    made.push_back({SYS_recvfrom, "recvfrom", receiving});
    made.push_back({SYS_sendmsg, "sendmsg", sending});
    made.push_back({SYS_sendmmsg, "sendmmsg", sending});
    made.push_back({SYS_sendto, "sendto", sending});
    return made;
}

std::vector<rule> socket_rules() {
    return {
        {SYS_socket, "socket", {EMFILE, ENFILE, EACCES, ENOBUFS, ENOMEM, EAFNOSUPPORT}},
        {SYS_socketpair, "socketpair", {EMFILE, ENFILE, EAFNOSUPPORT}},
        {SYS_bind,
         "bind",
         {EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOENT, ENOMEM, EROFS, ELOOP, ENOTDIR}},
        {SYS_listen, "listen", {EADDRINUSE}},
        {SYS_accept4,
         "accept4",
         {EMFILE, EAGAIN, ECONNABORTED, EINTR, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO}},
        {SYS_accept,
         "accept",
         {EMFILE, EAGAIN, ECONNABORTED, EINTR, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO}},
        {SYS_connect,
         "connect",
         {ECONNREFUSED, EACCES, EINTR, EAGAIN, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL, EPERM,
          EHOSTUNREACH}},
        {SYS_getsockopt, "getsockopt", {ENOPROTOOPT}},
        {SYS_setsockopt, "setsockopt", {ENOPROTOOPT, ENOMEM, EPERM}},
        {SYS_getsockname, "getsockname", {ENOBUFS}},
        {SYS_getpeername, "getpeername", {ENOTCONN, ENOBUFS}},
        {SYS_shutdown, "shutdown", {ENOTCONN}},
    };
}

std::vector<rule> queue_rules() {
    return {
        {SYS_mq_open, "mq_open", {EACCES, ENOENT, EMFILE, ENOSPC, EEXIST, ENFILE, ENOMEM}},
        {SYS_mq_timedsend, "mq_timedsend", {EAGAIN, EINTR, ETIMEDOUT, EMSGSIZE, ENOMEM}},
        {SYS_mq_timedreceive, "mq_timedreceive", {EAGAIN, EINTR, ETIMEDOUT, EMSGSIZE}},
        {SYS_mq_notify, "mq_notify", {EBUSY, ENOMEM}},
        {SYS_mq_getsetattr, "mq_getsetattr", {}, cant_fail},
        {SYS_mq_unlink, "mq_unlink", {EACCES, ENOENT}},
        {SYS_msgget, "msgget", {EACCES, ENOENT, ENOSPC, ENOMEM, EEXIST}},
        {SYS_msgsnd, "msgsnd", {EAGAIN, EINTR, EIDRM, ENOMEM, EACCES}},
        {SYS_msgrcv, "msgrcv", {ENOMSG, EINTR, EIDRM, EACCES, E2BIG}},
        {SYS_msgctl, "msgctl", {EACCES, EIDRM, EPERM}},
    };
}

std::vector<rule> waiting_rules() {
    return {
        {SYS_pipe2, "pipe2", {EMFILE, ENFILE}},
        {SYS_pipe, "pipe", {EMFILE, ENFILE}},
        {SYS_dup, "dup", {EMFILE}},
        {SYS_dup2, "dup2", {EMFILE, EINTR, EBUSY}},
        {SYS_dup3, "dup3", {EMFILE, EINTR, EBUSY}},
        {SYS_eventfd2, "eventfd2", {EMFILE, ENFILE, ENODEV, ENOMEM}},
        {SYS_epoll_create1, "epoll_create1", {EMFILE, ENFILE, ENOMEM}},
        {SYS_epoll_ctl, "epoll_ctl", {ENOMEM, ENOSPC}},
        {SYS_epoll_wait, "epoll_wait", {EINTR}},
        {SYS_epoll_pwait, "epoll_pwait", {EINTR}},
        {SYS_epoll_pwait2, "epoll_pwait2", {EINTR}},
        {SYS_inotify_init1, "inotify_init1", {EMFILE, ENFILE, ENOMEM}},
        {SYS_inotify_add_watch, "inotify_add_watch", {ENOSPC, EACCES, ENOENT, ENOMEM}},
        {SYS_inotify_rm_watch, "inotify_rm_watch", {}, cant_fail},
        {SYS_timerfd_create, "timerfd_create", {EMFILE, ENFILE, ENODEV, ENOMEM, EPERM}},
        {SYS_timerfd_settime, "timerfd_settime", {}, cant_fail},
        {SYS_signalfd4, "signalfd4", {EMFILE, ENFILE, ENODEV, ENOMEM}},
        {SYS_pidfd_open, "pidfd_open", {EMFILE, ENFILE, ENODEV, ENOMEM, ESRCH}},
        {SYS_poll, "poll", {EINTR, ENOMEM}},
        {SYS_ppoll, "ppoll", {EINTR, ENOMEM}},
        {SYS_select, "select", {EINTR, ENOMEM}},
        {SYS_pselect6, "pselect6", {EINTR, ENOMEM}},
        {SYS_nanosleep, "nanosleep", {EINTR}},
        {SYS_clock_nanosleep, "clock_nanosleep", {EINTR}},
        {SYS_futex, "futex(WAIT)", {EINTR, EAGAIN}, "", false, sleeps},
        {SYS_futex, "futex", {}, "waking fails only for wrong arguments"},
        {SYS_ioctl, "ioctl", {EIO, EACCES, EINTR}, "", false, is_terminal},
        {SYS_ioctl, "ioctl", {}, cant_fail},
        {SYS_memfd_create, "memfd_create", {EMFILE, ENFILE, ENOMEM}},
    };
}

std::vector<rule> process_rules() {
    return {
        {SYS_mmap, "mmap", {}, own_heap, false, is_anonymous},
        {SYS_mmap, "mmap", {ENOMEM, EAGAIN, ENFILE, EACCES, EPERM, ENODEV}},
        {SYS_madvise, "madvise", {EAGAIN, ENOMEM, EIO}},
        {SYS_mprotect, "mprotect", {}, own_heap},
        {SYS_mremap, "mremap", {}, own_heap},
        {SYS_brk, "brk", {}, own_heap},
        {SYS_munmap, "munmap", {}, undoes},
        {SYS_getpid, "getpid", {}, cant_fail},
        {SYS_gettid, "gettid", {}, cant_fail},
        {SYS_getppid, "getppid", {}, cant_fail},
        {SYS_getuid, "getuid", {}, cant_fail},
        {SYS_geteuid, "geteuid", {}, cant_fail},
        {SYS_getgid, "getgid", {}, cant_fail},
        {SYS_getegid, "getegid", {}, cant_fail},
        {SYS_umask, "umask", {}, cant_fail},
        {SYS_prctl, "prctl", {}, cant_fail},
        {SYS_uname, "uname", {}, cant_fail},
        {SYS_sysinfo, "sysinfo", {}, cant_fail},
        {SYS_getrandom, "getrandom", {EINTR, EAGAIN}},
        {SYS_sched_yield, "sched_yield", {}, cant_fail},
        {SYS_sched_getaffinity, "sched_getaffinity", {}, cant_fail},
        {SYS_clock_gettime, "clock_gettime", {}, cant_fail},
        {SYS_prlimit64, "prlimit64", {}, cant_fail},
        {SYS_membarrier, "membarrier", {}, cant_fail},
        {SYS_rseq, "rseq", {}, runtime},
        {SYS_set_robust_list, "set_robust_list", {}, runtime},
        {SYS_rt_sigaction, "rt_sigaction", {}, cant_fail},
        {SYS_rt_sigprocmask, "rt_sigprocmask", {}, cant_fail},
        {SYS_rt_sigpending, "rt_sigpending", {}, cant_fail},
        {SYS_rt_sigreturn, "rt_sigreturn", {}, "it does not return"},
        {SYS_rt_sigtimedwait, "rt_sigtimedwait", {EINTR, EAGAIN}},
        {SYS_clone, "clone", {}, "a thread or process that can't be made is std::thread's error"},
        {SYS_clone3, "clone3", {}, "a thread or process that can't be made is std::thread's error"},
        {SYS_exit_group, "exit_group", {}, "it does not return"},
        {SYS_tgkill, "tgkill", {}, cant_fail},
        {SYS_kill, "kill", {}, cant_fail},
        {SYS_wait4, "wait4", {EINTR}},
        {SYS_waitid, "waitid", {EINTR}},
    };
}

} // namespace

const std::vector<rule>& rules() {
    static const std::vector<rule> all = [] {
        std::vector<rule> made;
        for (const auto& part : {file_rules(), data_rules(), socket_rules(), queue_rules(),
                                 waiting_rules(), process_rules()})
            made.insert(made.end(), part.begin(), part.end());
        return made;
    }();
    return all;
}

const rule* rule_for(const seen_call& call) {
    const auto found = std::ranges::find_if(rules(), [&](const rule& one) {
        return one.number == call.number && (one.only == nullptr || one.only(call));
    });
    return found == rules().end() ? nullptr : &*found;
}

std::vector<int> errors_for(const rule& that, const seen_call& call) {
    std::vector<int> errors = that.errors;
    // Memory, locks, names and queues say EAGAIN without any flag; data does only where it is asked
    // not to wait, by the descriptor or in the flags of the call.
    const bool socket_call = call.number == SYS_recvmsg || call.number == SYS_sendmsg;
    const bool to_or_from = call.number == SYS_recvfrom || call.number == SYS_sendto;
    const std::uint64_t flags = socket_call ? call.arguments[2] : call.arguments[3];
    const bool asked = (socket_call || to_or_from) && (flags & MSG_DONTWAIT) != 0;
    const bool data = socket_call || to_or_from || call.number == SYS_read ||
                      call.number == SYS_readv || call.number == SYS_write ||
                      call.number == SYS_writev || call.number == SYS_accept4;
    if (data && !asked && !call.nonblocking) std::erase(errors, EAGAIN);
    return errors;
}

bool matters(const rule& that) {
    static const std::vector<long> numbers{
        SYS_ftruncate,      SYS_fallocate, SYS_fchmod,        SYS_fchown,
        SYS_chmod,          SYS_chown,     SYS_mmap,          SYS_madvise,
        SYS_linkat,         SYS_mknod,     SYS_mknodat,       SYS_rename,
        SYS_socket,         SYS_bind,      SYS_listen,        SYS_connect,
        SYS_accept4,        SYS_pipe2,     SYS_socketpair,    SYS_eventfd2,
        SYS_epoll_create1,  SYS_epoll_ctl, SYS_inotify_init1, SYS_inotify_add_watch,
        SYS_timerfd_create, SYS_mq_open,   SYS_mq_timedsend,  SYS_mq_timedreceive,
        SYS_msgget,         SYS_msgsnd,    SYS_msgrcv,        SYS_write,
        SYS_writev,         SYS_pwrite64,  SYS_sendmsg,       SYS_sendto,
        SYS_recvmsg,        SYS_recvfrom,  SYS_utimensat,
    };
    return std::ranges::find(numbers, that.number) != numbers.end();
}

std::string name_of_errno(int error) {
    const char* name = ::strerrorname_np(error);
    return name == nullptr ? std::to_string(error) : name;
}

int errno_named(const std::string& name) {
    constexpr int last = 133;
    for (int error = 1; error <= last; ++error)
        if (name == name_of_errno(error)) return error;
    return 0;
}

} // namespace hawser::faults
