#include "os/ipc_listing.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <linux/mount.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/file.hpp"

namespace hawser::os {

namespace {

ipc_access access_of(const ipc_perm& from) noexcept {
    return {from.uid, from.gid, from.mode & 0777U};
}

ipc_access access_of(const struct stat& from) noexcept {
    return {from.st_uid, from.st_gid, from.st_mode & 07777U};
}

std::int64_t used_at(const struct stat& from) noexcept {
    return std::max(from.st_atim.tv_sec, from.st_mtim.tv_sec);
}

std::uint32_t pid_of(pid_t from) noexcept {
    return from > 0 ? static_cast<std::uint32_t>(from) : 0;
}

error failed_look(int sys) noexcept {
    return sys == ENOSYS ? error{errc::unsupported, "ls", sys} : failure("ls", sys);
}

// Walks through one of the kernel's tables of System V objects, whoever owns them: at(index, raw)
// describes one and gives its id, or -1 where the table has a gap.
template <typename Raw, typename At, typename Take>
result<void> walk(int highest, At at, Take take) {
    if (highest < 0) return failed_look(errno);
    for (int index = 0; index <= highest; ++index) {
        Raw raw{};
        if (const int id = at(index, raw); id >= 0) take(id, raw);
    }
    return {};
}

// semctl() wants it from its callers.
union semaphore_argument {
    int value;
    semid_ds* status;
    seminfo* info;
};

// Who used the members last. A set may have 32,000 members; most have a few.
void ask_for_users(sysv_semaphore_set& set) {
    constexpr std::uint64_t most_asked = 1'024;
    set.readable = true;
    for (std::uint64_t i = 0; i < std::min(set.members, most_asked) && set.readable; ++i) {
        const int pid = ::semctl(set.id, static_cast<int>(i), GETPID, semaphore_argument{});
        set.readable = pid >= 0;
        if (pid > 0) set.last_pids.push_back(pid_of(pid));
    }
    std::ranges::sort(set.last_pids);
    set.last_pids.erase(std::unique(set.last_pids.begin(), set.last_pids.end()),
                        set.last_pids.end());
}

} // namespace

result<std::vector<sysv_queue>> sysv_queues() {
    msginfo info{};
    const int highest = ::msgctl(0, MSG_INFO, reinterpret_cast<msqid_ds*>(&info));
    std::vector<sysv_queue> all;
    const auto walked = walk<msqid_ds>(
        highest, [](int index, msqid_ds& raw) { return ::msgctl(index, MSG_STAT_ANY, &raw); },
        [&](int id, const msqid_ds& raw) {
            all.push_back({id, static_cast<std::uint32_t>(raw.msg_perm.__key),
                           access_of(raw.msg_perm), raw.msg_qnum, raw.__msg_cbytes, raw.msg_qbytes,
                           pid_of(raw.msg_lspid), pid_of(raw.msg_lrpid), raw.msg_stime,
                           raw.msg_rtime, raw.msg_ctime});
        });
    if (!walked) return walked.why();
    return all;
}

result<std::vector<sysv_segment>> sysv_segments() {
    shm_info info{};
    const int highest = ::shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&info));
    std::vector<sysv_segment> all;
    const auto walked = walk<shmid_ds>(
        highest, [](int index, shmid_ds& raw) { return ::shmctl(index, SHM_STAT_ANY, &raw); },
        [&](int id, const shmid_ds& raw) {
            all.push_back({id, static_cast<std::uint32_t>(raw.shm_perm.__key),
                           access_of(raw.shm_perm), raw.shm_segsz, raw.shm_nattch,
                           pid_of(raw.shm_cpid), pid_of(raw.shm_lpid), raw.shm_atime, raw.shm_dtime,
                           raw.shm_ctime});
        });
    if (!walked) return walked.why();
    return all;
}

result<std::vector<sysv_semaphore_set>> sysv_semaphore_sets() {
    seminfo info{};
    semaphore_argument argument{};
    argument.info = &info;
    const int highest = ::semctl(0, 0, SEM_INFO, argument);
    std::vector<sysv_semaphore_set> all;
    const auto walked = walk<semid_ds>(
        highest,
        [&](int index, semid_ds& raw) {
            argument.status = &raw;
            return ::semctl(index, 0, SEM_STAT_ANY, argument);
        },
        [&](int id, const semid_ds& raw) {
            sysv_semaphore_set& set = all.emplace_back();
            set.id = id;
            set.key = static_cast<std::uint32_t>(raw.sem_perm.__key);
            set.access = access_of(raw.sem_perm);
            set.members = raw.sem_nsems;
            set.used_s = raw.sem_otime;
            set.changed_s = raw.sem_ctime;
            ask_for_users(set);
        });
    if (!walked) return walked.why();
    return all;
}

namespace {

// A path as /proc/mounts writes it: space, tab, newline and backslash as \ooo.
std::string unescaped(std::string_view text) {
    std::string plain;
    while (!text.empty()) {
        int code = 0;
        if (text.size() >= 4 && text[0] == '\\' &&
            std::from_chars(&text[1], &text[1] + 3, code, 8).ptr == &text[1] + 3) {
            plain += static_cast<char>(code);
            text.remove_prefix(4);
        } else {
            plain += text.front();
            text.remove_prefix(1);
        }
    }
    return plain;
}

// Empty if it is mounted nowhere.
std::string mount_point_of(std::string_view type) {
    std::ifstream mounts("/proc/self/mounts");
    std::string line;
    while (std::getline(mounts, line)) {
        const std::size_t path = line.find(' ') + 1;
        const std::size_t kind = line.find(' ', path) + 1;
        if (path == 0 || kind == 0) continue;
        const std::size_t end = line.find(' ', kind);
        if (std::string_view(line).substr(kind, end - kind) == type)
            return unescaped(std::string_view(line).substr(path, kind - path - 1));
    }
    return {};
}

// The mqueue file system, mounted nowhere but in this descriptor.
unique_fd mount_unseen() {
    const unique_fd context{static_cast<int>(::syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC))};
    if (!context) return {};
    if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
        return {};
    return unique_fd{static_cast<int>(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0))};
}

// "QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260"
std::uint64_t number_after(std::string_view text, std::string_view label) {
    std::uint64_t number = 0;
    const std::size_t at = text.find(label);
    if (at == text.npos) return 0;
    text.remove_prefix(at + label.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::optional<posix_queue_state> state_of(int directory, const char* name) {
    const unique_fd fd{::openat(directory, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)};
    mq_attr attributes{};
    if (!fd || ::mq_getattr(fd.get(), &attributes) != 0) return std::nullopt;
    std::array<char, 128> text{};
    const ssize_t got = ::read(fd.get(), text.data(), text.size());
    const std::string_view line{text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
    return posix_queue_state{static_cast<std::uint64_t>(attributes.mq_curmsgs),
                             number_after(line, "QSIZE:"),
                             static_cast<std::uint64_t>(attributes.mq_maxmsg),
                             static_cast<std::uint64_t>(attributes.mq_msgsize),
                             static_cast<std::uint32_t>(number_after(line, "NOTIFY_PID:"))};
}

std::vector<posix_queue> queues_in(int directory, const std::vector<std::string>& names) {
    std::vector<posix_queue> all;
    for (const auto& name : names) {
        struct stat raw {};
        if (::fstatat(directory, name.c_str(), &raw, AT_SYMLINK_NOFOLLOW) != 0) continue;
        if (!S_ISREG(raw.st_mode)) continue;
        all.push_back({"/" + name,
                       {raw.st_dev, raw.st_ino},
                       access_of(raw),
                       raw.st_mtim.tv_sec,
                       state_of(directory, name.c_str())});
    }
    return all;
}

} // namespace

result<posix_queue_listing> posix_queues() {
    posix_queue_listing listing;
    listing.mounted_at = mount_point_of("mqueue");
    const bool mounted = !listing.mounted_at.empty();
    const unique_fd directory =
        mounted ? unique_fd{::open(listing.mounted_at.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}
                : mount_unseen();
    if (!directory && !mounted)
        return error{errno == ENODEV ? errc::unsupported : errc::not_found, "ls", errno};
    if (!directory) return failed_look(errno);
    const auto names = names_in("/proc/self/fd/" + std::to_string(directory.get()));
    if (!names) return names.why();
    listing.queues = queues_in(directory.get(), *names);
    return listing;
}

namespace {

// From a copy: the file may be cut short at any time, and is anybody's.
std::optional<std::uint64_t> semaphore_value(const std::string& path) {
    const auto fd = open_existing(path, access_kind::read_only);
    if (!fd) return std::nullopt;
    sem_t copy{};
    const auto got = read_start(fd->get(), &copy, sizeof copy);
    int value = 0;
    if (!got || *got != sizeof copy || ::sem_getvalue(&copy, &value) != 0 || value < 0)
        return std::nullopt;
    return static_cast<std::uint64_t>(value);
}

} // namespace

result<std::vector<shared_file>> shared_files() {
    const std::string directory = std::string(shared_file_directory) + "/";
    const auto names = names_in(directory);
    if (!names) return names.why();
    std::vector<shared_file> all;
    for (const auto& name : *names) {
        const std::string path = directory + name;
        struct stat raw {};
        if (::lstat(path.c_str(), &raw) != 0 || !S_ISREG(raw.st_mode)) continue;
        shared_file& file = all.emplace_back();
        file.name = name;
        file.key = {raw.st_dev, raw.st_ino};
        file.access = access_of(raw);
        file.bytes = static_cast<std::uint64_t>(raw.st_size);
        file.changed_s = raw.st_ctim.tv_sec;
        file.used_s = used_at(raw);
        if (name.starts_with(semaphore_prefix) && raw.st_size == sizeof(sem_t))
            file.semaphore_value = semaphore_value(path);
    }
    return all;
}

namespace {

// The next word of a line; empty at its end.
std::string_view next_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

bool parse(std::string_view word, std::uint64_t& into, int base) {
    const auto [stop, bad] = std::from_chars(word.data(), word.data() + word.size(), into, base);
    return bad == std::errc{} && stop == word.data() + word.size();
}

} // namespace

// "0000000000000000: 00000002 00000000 00010000 0001 01 23456 /run/socket"
std::optional<unix_socket> parse_unix_socket(std::string_view line) {
    std::uint64_t flags = 0;
    std::uint64_t type = 0;
    std::uint64_t state = 0;
    unix_socket one;
    if (!next_word(line).ends_with(':')) return std::nullopt;
    next_word(line); // references
    next_word(line); // protocol
    if (!parse(next_word(line), flags, 16) || !parse(next_word(line), type, 16) ||
        !parse(next_word(line), state, 16) || !parse(next_word(line), one.inode, 10))
        return std::nullopt;
    if (line.size() < 2) return std::nullopt;
    one.name = line.substr(1); // after one space; a name may begin with others
    constexpr std::uint64_t accepts = 0x10000;
    constexpr std::uint64_t connected = 3;
    if (type == SOCK_DGRAM) one.type = socket_type::datagram;
    if (type == SOCK_SEQPACKET) one.type = socket_type::seqpacket;
    one.listening = (flags & accepts) != 0;
    // A datagram socket that somebody has connected to is in this state as well.
    one.connected = state == connected && one.type != socket_type::datagram;
    return one;
}

result<std::vector<unix_socket>> unix_sockets() {
    errno = 0;
    std::ifstream table("/proc/net/unix");
    std::string line;
    if (!std::getline(table, line)) return failure("ls", errno != 0 ? errno : ENOENT);
    std::vector<unix_socket> all;
    bool last_has_name = false;
    while (std::getline(table, line)) {
        auto one = parse_unix_socket(line);
        const bool begins = line.find(": ") == 16;
        // The kernel writes a name as it is; a line that begins no socket goes on with a name.
        if (!begins && last_has_name) all.back().name += "\n" + line;
        if (!begins) continue;
        last_has_name = one.has_value();
        if (one) all.push_back(std::move(*one));
    }
    return all;
}

std::optional<socket_file> socket_file_at(const std::string& path) {
    struct stat raw {};
    if (::lstat(path.c_str(), &raw) != 0 || !S_ISSOCK(raw.st_mode)) return std::nullopt;
    return socket_file{access_of(raw), raw.st_ctim.tv_sec, used_at(raw)};
}

namespace {

void add_limits(std::vector<ipc_limit>& to, const std::string& path,
                const std::vector<std::string>& names) {
    std::ifstream file(path);
    for (const auto& name : names) {
        std::uint64_t value = 0;
        if (file >> value) to.push_back({name, value});
    }
}

} // namespace

std::vector<ipc_limit> ipc_limits() {
    std::vector<ipc_limit> all;
    for (const char* name :
         {"queues_max", "msg_max", "msgsize_max", "msg_default", "msgsize_default"})
        add_limits(all, std::string("/proc/sys/fs/mqueue/") + name,
                   {std::string("fs.mqueue.") + name});
    for (const char* name : {"msgmni", "msgmax", "msgmnb", "shmmni", "shmmax"})
        add_limits(all, std::string("/proc/sys/kernel/") + name, {std::string("kernel.") + name});
    add_limits(
        all, "/proc/sys/kernel/sem",
        {"kernel.sem.semmsl", "kernel.sem.semmns", "kernel.sem.semopm", "kernel.sem.semmni"});
    return all;
}

} // namespace hawser::os
