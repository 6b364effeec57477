#include "os/sealed.hpp"

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace hawser::os {

namespace {

// Linux 6.3 and later; they warn about memory that does not say whether it may be executed.
constexpr unsigned never_executable = 8; // MFD_NOEXEC_SEAL

constexpr int sealed_size = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr int future_writes = 0x10; // F_SEAL_FUTURE_WRITE, which old headers do not have

result<unique_fd> open_by_descriptor(int fd, int flags) noexcept {
    std::array<char, 32> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", fd);
    unique_fd opened = above_standard(::open(path.data(), flags | O_CLOEXEC));
    if (!opened) return failure("open", errno);
    return opened;
}

error unfit(const char* why) {
    return error{errc::corrupt, "open"}.because(why);
}

// Before it is opened: to open a device, or a FIFO, does something.
result<void> check_kind(int fd) {
    struct stat status {};
    struct statfs system {};
    if (::fstat(fd, &status) != 0 || ::fstatfs(fd, &system) != 0) return failure("stat", errno);
    if (!S_ISREG(status.st_mode)) return unfit("it is no file.");
    // Pages of another size would not be where the layout has them, and there may be none left.
    if (system.f_type != TMPFS_MAGIC) return unfit("it is a file, but not one in memory (tmpfs).");
    return {};
}

result<void> check_seals(int fd) {
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0) return failure("seals", errno);
    if ((seals & sealed_size) != sealed_size)
        return unfit("its size is not sealed, so whoever has it could cut it short.");
    if ((seals & (F_SEAL_WRITE | future_writes)) != 0)
        return unfit("its content is sealed, so no message can ever be in it.");
    return {};
}

} // namespace

result<unique_fd> make_memory(const char* label) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = ::memfd_create(label, flags | never_executable);
    if (fd < 0 && errno == EINVAL) fd = ::memfd_create(label, flags);
    const unique_fd made = above_standard(fd);
    if (!made) return failure("create", errno);
    // Its first description tells nobody what is done through it (inotify), unlike all others.
    return open_by_descriptor(made.get(), O_RDWR);
}

result<void> seal_size(int fd) noexcept {
    if (::fcntl(fd, F_ADD_SEALS, sealed_size) != 0) return failure("seal", errno);
    return {};
}

result<unique_fd> name_only(int fd) noexcept {
    return open_by_descriptor(fd, O_PATH);
}

result<unique_fd> open_sealed(int fd, access_kind access) noexcept {
    if (auto good = check_kind(fd); !good) return good.why();
    // O_NONBLOCK: its owner may have a lease on it, which would hold us up for most of a minute.
    const int mode = access == access_kind::read_write ? O_RDWR : O_RDONLY;
    auto opened = open_by_descriptor(fd, mode | O_NONBLOCK | O_NOCTTY);
    if (!opened && opened.why().sys() == EAGAIN)
        return unfit("somebody has a lease on it (fcntl(2)), which forbids to open it.");
    if (!opened) return opened.why();
    if (auto good = check_seals(opened->get()); !good) return good.why();
    return opened;
}

} // namespace hawser::os
