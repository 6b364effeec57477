#include "os/open_files.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/fd.hpp"

namespace hawser::os {

namespace {

struct close_directory {
    void operator()(DIR* open) const noexcept { ::closedir(open); }
};
using directory = std::unique_ptr<DIR, close_directory>;

directory open_directory(int at, const char* path) {
    const int fd = ::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory open{fd < 0 ? nullptr : ::fdopendir(fd)};
    if (!open && fd >= 0) ::close(fd);
    return open;
}

const char* next_name(const directory& in) {
    const dirent* const entry = ::readdir(in.get()); // NOLINT(concurrency-mt-unsafe)
    return entry == nullptr ? nullptr : entry->d_name;
}

bool is_number(const char* name) {
    return name[0] >= '1' && name[0] <= '9';
}

// Files of /proc tell no size.
bool read_text(int at, const char* path, std::string& into) {
    const unique_fd fd{::openat(at, path, O_RDONLY | O_CLOEXEC)};
    into.clear();
    if (!fd) return false;
    std::array<char, 65'536> block;
    for (;;) {
        const ssize_t got = ::read(fd.get(), block.data(), block.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        into.append(block.data(), static_cast<std::size_t>(got));
    }
}

template <typename Number>
bool take(std::string_view& text, Number& into, int base) {
    const std::size_t start = text.find_first_not_of(" \t");
    if (start == text.npos) return false;
    text.remove_prefix(start);
    const auto [stop, bad] = std::from_chars(text.data(), text.data() + text.size(), into, base);
    if (bad != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return true;
}

void skip_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    text.remove_prefix(std::min(text.find(' '), text.size()));
}

// One look through /proc.
class looker {
  public:
    explicit looker(const open_files_request& wanted)
        : keys_(wanted.keys.begin(), wanted.keys.end()),
          mapped_(wanted.mapped.begin(), wanted.mapped.end()), opening_(wanted.opening) {
        keys_.insert(mapped_.begin(), mapped_.end());
        files_ = std::ranges::any_of(keys_, [](const file_key& key) { return key.device != 0; });
    }

    open_files look() {
        const directory all = open_directory(AT_FDCWD, "/proc");
        if (!all) seen_.complete = false;
        while (const char* name = all ? next_name(all) : nullptr) {
            if (!is_number(name)) continue;
            const unique_fd process{
                ::openat(::dirfd(all.get()), name, O_PATH | O_DIRECTORY | O_CLOEXEC)};
            pid_ = static_cast<std::uint32_t>(std::strtoul(name, nullptr, 10));
            if (process) look_at(process.get());
        }
        return std::move(seen_);
    }

  private:
    // It is no gap in the picture if the process has gone meanwhile.
    void note_failure() {
        if (errno != ENOENT && errno != ESRCH) seen_.complete = false;
    }

    void look_at(int process) {
        if (!look_at_holdings(process)) look_at_threads(process);
        if (opening_) look_at_calls(process);
    }

    // Of a process, or of one of its threads. False if it has none.
    bool look_at_holdings(int of) {
        const bool some = keys_.empty() || look_at_descriptors(of);
        return (mapped_.empty() || look_at_mappings(of)) && some;
    }

    // A process is shown with what its first thread has. When that one has ended before the others,
    // it has nothing, and they have all.
    void look_at_threads(int process) {
        const directory threads = open_directory(process, "task");
        if (!threads) return note_failure();
        while (const char* name = next_name(threads)) {
            if (!is_number(name)) continue;
            const unique_fd thread{
                ::openat(::dirfd(threads.get()), name, O_PATH | O_DIRECTORY | O_CLOEXEC)};
            if (thread) look_at_holdings(thread.get());
        }
    }

    bool look_at_descriptors(int process) {
        const directory open = open_directory(process, "fd");
        if (!open) {
            note_failure();
            return true;
        }
        bool some = false;
        const int at = ::dirfd(open.get());
        while (const char* name = next_name(open)) {
            if (name[0] == '.') continue;
            some = true;
            look_at_descriptor(at, name);
        }
        return some;
    }

    void look_at_descriptor(int at, const char* name) {
        std::array<char, 64> target; // of a path, only the first letter counts
        const ssize_t length = ::readlinkat(at, name, target.data(), target.size());
        if (length < 0) return note_failure();
        std::string_view text{target.data(), static_cast<std::size_t>(length)};
        if (text.starts_with("socket:[")) {
            std::uint64_t inode = 0;
            text.remove_prefix(8);
            if (take(text, inode, 10)) note_user(socket_key(inode));
            return;
        }
        struct stat raw {};
        if (!files_ || !text.starts_with('/')) return;
        if (::fstatat(at, name, &raw, 0) == 0) note_user({raw.st_dev, raw.st_ino});
    }

    // "7f0000000000-7f0000001000 rw-s 00000000 00:1a 5  /dev/shm/name"
    bool look_at_mappings(int process) {
        if (!read_text(process, "maps", text_)) {
            note_failure();
            return true;
        }
        const bool some = !text_.empty();
        std::string_view rest = text_;
        while (!rest.empty()) {
            std::string_view line = rest.substr(0, rest.find('\n'));
            rest.remove_prefix(std::min(line.size() + 1, rest.size()));
            for (int word = 0; word < 3; ++word) skip_word(line);
            unsigned major = 0;
            unsigned minor = 0;
            std::uint64_t inode = 0;
            if (!take(line, major, 16) || !line.starts_with(':')) continue;
            line.remove_prefix(1);
            if (take(line, minor, 16) && take(line, inode, 10) && inode != 0)
                note_user({makedev(major, minor), inode});
        }
        return some;
    }

    // A process that sleeps in open() has no descriptor yet. "257 0x3 …" is the number of the call
    // and its arguments; "running" is said of one that doesn't sleep.
    void look_at_calls(int process) {
        const directory threads = open_directory(process, "task");
        if (!threads) return note_failure();
        while (const char* name = next_name(threads)) {
            if (!is_number(name)) continue;
            const bool read =
                read_text(::dirfd(threads.get()), (std::string(name) + "/syscall").c_str(), text_);
            if (!read) {
                note_failure();
                continue;
            }
            std::string_view text = text_;
            long number = -1;
            if (!take(text, number, 10)) continue;
#ifdef SYS_open
            if (number == SYS_open) number = SYS_openat;
#endif
            if (number != SYS_openat && number != SYS_openat2) continue;
            if (seen_.opening.empty() || seen_.opening.back() != pid_)
                seen_.opening.push_back(pid_);
        }
    }

    void note_user(const file_key& key) {
        if (!keys_.contains(key)) return;
        auto& users = seen_.users[key];
        if (users.empty() || users.back() != pid_) users.push_back(pid_);
    }

    std::set<file_key> keys_;
    std::set<file_key> mapped_;
    bool opening_;
    bool files_ = false; // some of the keys are no sockets
    std::uint32_t pid_ = 0;
    std::string text_;
    open_files seen_;
};

} // namespace

namespace {

// A line of /proc/PID/stat: "1 (command) S …", where the command may hold anything. What is called
// a zombie while it has threads is a process whose first thread ended before the others.
bool has_ended(std::string_view line) {
    const std::size_t end = line.rfind(')');
    if (end == line.npos || end + 2 >= line.size()) return false;
    line.remove_prefix(end + 2);
    if (line.front() == 'X') return true;
    if (line.front() != 'Z') return false;
    constexpr int words_before = 17; // the state is the third, the number of threads the twentieth
    for (int word = 0; word < words_before; ++word) skip_word(line);
    unsigned threads = 0;
    return !take(line, threads, 10) || threads <= 1;
}

} // namespace

open_files look_for_users(const open_files_request& wanted) {
    return looker(wanted).look();
}

process_life life_of(std::uint32_t pid) noexcept {
    const auto number = static_cast<pid_t>(pid);
    if (number <= 0) return process_life::unknown;
    if (::kill(number, 0) != 0 && errno == ESRCH) return process_life::dead;
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/%d/stat", number);
    const unique_fd fd{::open(path.data(), O_RDONLY | O_CLOEXEC)};
    std::array<char, 512> text;
    const ssize_t got = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
    if (got <= 0) return process_life::alive; // as kill() said; /proc is not for everyone
    return has_ended({text.data(), static_cast<std::size_t>(got)}) ? process_life::dead
                                                                   : process_life::alive;
}

binding binding_of(const std::string& path) noexcept {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) return binding::unknown;
    path.copy(name.sun_path, path.size());
    // A datagram socket: to connect it to one of its kind only notes an address in ours, and a
    // stream is refused as the wrong type. The owner sees neither.
    const unique_fd asking{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!asking) return binding::unknown;
    const auto* address = reinterpret_cast<const sockaddr*>(&name);
    const int outcome = ::connect(asking.get(), address, sizeof name);
    if (outcome == 0 || errno == EPROTOTYPE || errno == EPERM) return binding::bound;
    return errno == ECONNREFUSED ? binding::unbound : binding::unknown;
}

} // namespace hawser::os
