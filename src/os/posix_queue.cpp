#include "os/posix_queue.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <linux/netlink.h>
#include <mqueue.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hawser::os {

namespace {

// What the kernel sends on a notice_socket: the bytes that were given to it at registration, with
// the last one saying what happened (NOTIFY_COOKIE_LEN, NOTIFY_WOKENUP, NOTIFY_REMOVED in the
// kernel, which has them in no header).
constexpr std::size_t cookie_bytes = 32;
constexpr unsigned char cookie_woken = 1;
constexpr unsigned char cookie_removed = 2;
using cookie = std::array<unsigned char, cookie_bytes>;

int flags_of(queue_access access) noexcept {
    return (access == queue_access::receive ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_CLOEXEC;
}

} // namespace

// ---- the queue ----------------------------------------------------------------------------------

result<posix_queue_end> posix_queue_end::open(const std::string& name,
                                              queue_access access) noexcept {
    auto queue = guard_opened("open", [&] { return ::mq_open(name.c_str(), flags_of(access)); });
    if (!queue) return queue.why();
    return from(std::move(*queue));
}

result<posix_queue_end> posix_queue_end::create(const std::string& name, queue_access access,
                                                std::uint32_t mode,
                                                const posix_queue_shape& shape) noexcept {
    mq_attr wanted{};
    wanted.mq_maxmsg = static_cast<long>(shape.capacity);
    wanted.mq_msgsize = static_cast<long>(shape.max_message);
    auto queue = guard_opened("open", [&] {
        return ::mq_open(name.c_str(), flags_of(access) | O_CREAT | O_EXCL, mode, &wanted);
    });
    if (!queue) return queue.why();
    return from(std::move(*queue));
}

result<posix_queue_end> posix_queue_end::from(fork_guard queue) noexcept {
    posix_queue_end end{std::move(queue)};
    mq_attr given{};
    struct stat raw {};
    if (::mq_getattr(end.fd(), &given) != 0 || ::fstat(end.fd(), &raw) != 0)
        return failure("open", errno);
    end.shape_ = {static_cast<std::uint64_t>(given.mq_maxmsg),
                  static_cast<std::uint64_t>(given.mq_msgsize)};
    end.key_ = {raw.st_dev, raw.st_ino};
    return end;
}

std::uint64_t posix_queue_end::depth() const noexcept {
    mq_attr now{};
    if (::mq_getattr(fd(), &now) != 0) return 0;
    return static_cast<std::uint64_t>(now.mq_curmsgs);
}

int posix_queue_end::send(std::span<const std::byte> bytes, unsigned priority) noexcept {
    static constexpr char nothing = 0; // a span of no bytes may have no address
    const char* const from = bytes.empty() ? &nothing : reinterpret_cast<const char*>(bytes.data());
    int outcome;
    do outcome = ::mq_send(fd(), from, bytes.size(), priority);
    while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? 0 : errno;
}

taken_message posix_queue_end::receive(std::span<std::byte> into) noexcept {
    taken_message taken;
    ssize_t got;
    do got = ::mq_receive(fd(), reinterpret_cast<char*>(into.data()), into.size(), &taken.priority);
    while (got < 0 && errno == EINTR);
    if (got < 0) return {0, 0, errno};
    taken.bytes = static_cast<std::size_t>(got);
    return taken;
}

result<void> unlink_posix_queue(const std::string& name) noexcept {
    if (::mq_unlink(name.c_str()) != 0) return failure("rm", errno);
    return {};
}

// ---- notification -------------------------------------------------------------------------------

result<notice_socket> notice_socket::make() noexcept {
    auto socket = guard_opened("notify", [] {
        // The protocol does not matter: nothing is ever sent to this socket but by mq_notify.
        return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
    });
    if (!socket) return socket.why();
    return notice_socket{std::move(*socket)};
}

notice_socket::notice notice_socket::read() noexcept {
    cookie came{};
    ssize_t got;
    do got = ::recv(fd(), came.data(), came.size(), MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    notice seen;
    if (got != static_cast<ssize_t>(came.size())) return seen;
    std::memcpy(&seen.registration, came.data(), sizeof seen.registration);
    if (came.back() == cookie_woken) seen.what = kind::message;
    if (came.back() == cookie_removed) seen.what = kind::removed;
    return seen;
}

int posix_queue_end::notify_by_signal(int signal) noexcept {
    sigevent how{};
    how.sigev_notify = SIGEV_SIGNAL;
    how.sigev_signo = signal;
    return ::mq_notify(fd(), &how) == 0 ? 0 : errno;
}

int posix_queue_end::notify_through(const notice_socket& socket,
                                    std::uint64_t registration) noexcept {
    cookie given{};
    std::memcpy(given.data(), &registration, sizeof registration);
    sigevent how{};
    how.sigev_notify = SIGEV_THREAD;
    how.sigev_signo = socket.fd();
    how.sigev_value.sival_ptr = given.data();
    // Not by the C library, which would start its own thread.
    return ::syscall(SYS_mq_notify, fd(), &how) == 0 ? 0 : errno;
}

void posix_queue_end::forget_notification() noexcept {
    ::mq_notify(fd(), nullptr);
}

std::uint32_t posix_queue_end::notified_pid() const noexcept {
    // "QSIZE:0 NOTIFY:0 SIGNO:0 NOTIFY_PID:0", as mq_overview(7) shows it for the file.
    std::array<char, 128> text{};
    const ssize_t got = ::pread(fd(), text.data(), text.size(), 0);
    const std::string_view line{text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    constexpr std::string_view label = "NOTIFY_PID:";
    const std::size_t at = line.find(label);
    std::uint32_t pid = 0;
    if (at != std::string_view::npos)
        std::from_chars(line.data() + at + label.size(), line.data() + line.size(), pid);
    return pid;
}

// ---- limits -------------------------------------------------------------------------------------

std::uint64_t queue_memory_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_MSGQUEUE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return ~std::uint64_t{0};
    return limit.rlim_cur;
}

std::uint64_t queue_memory_of(const posix_queue_shape& shape) noexcept {
    // getrlimit(2), RLIMIT_MSGQUEUE: besides the bytes two structures of the kernel's, of 48 bytes
    // each on 64 bits; of the second there is one for each priority at most.
    constexpr std::uint64_t structure_bytes = 48;
    constexpr std::uint64_t priorities = 32'768;
    return shape.capacity * (shape.max_message + structure_bytes) +
           std::min(shape.capacity, priorities) * structure_bytes;
}

bool spare_descriptor() noexcept {
    return static_cast<bool>(unique_fd{::eventfd(0, EFD_CLOEXEC)});
}

// ---- signals ------------------------------------------------------------------------------------

void signal_self(int signal) noexcept {
    ::kill(::getpid(), signal);
}

std::uint32_t own_pid() noexcept {
    return static_cast<std::uint32_t>(::getpid());
}

bool is_signal(int signal) noexcept {
    sigset_t set;
    ::sigemptyset(&set);
    return ::sigaddset(&set, signal) == 0; // refuses also what the C library keeps for itself
}

} // namespace hawser::os
