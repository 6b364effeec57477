#include "os/open_files.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.hpp"
#include "os/file.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

std::uint32_t self() {
    return static_cast<std::uint32_t>(::getpid());
}

std::uint32_t number_of(const test::child& of) {
    return static_cast<std::uint32_t>(of.pid());
}

class OpenFiles : public testing::Test {
  protected:
    ~OpenFiles() override { test::sweep_left_over(); }

    std::string path_ = test::private_directory() + "/" + test::unique_name("file");

    file_key key() const {
        const file_status file = status_of(path_).value();
        return {file.device, file.inode};
    }
    static std::vector<std::uint32_t> users(const file_key& key, bool mapped = false) {
        open_files_request request;
        (mapped ? request.mapped : request.keys).push_back(key);
        auto seen = look_for_users(request);
        auto found = seen.users[key];
        std::ranges::sort(found);
        return found;
    }
    unique_fd bound(int type) const {
        sockaddr_un name{};
        name.sun_family = AF_UNIX;
        path_.copy(name.sun_path, sizeof name.sun_path - 1);
        unique_fd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
        return fd;
    }
};

TEST_F(OpenFiles, EachProcessThatHasAFifoOpenIsFoundOnce) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_TRUE(users(key()).empty());
    const unique_fd one{::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    const unique_fd again{::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    EXPECT_EQ(users(key()), std::vector<std::uint32_t>{self()});
    const test::beacon ready;
    test::child other("other", [&] { // inherits both
        ready.raise();
        ::pause();
    });
    ready.wait();
    std::vector<std::uint32_t> both{self(), number_of(other)};
    std::ranges::sort(both);
    EXPECT_EQ(users(key()), both);
    other.kill();
    EXPECT_EQ(users(key()), std::vector<std::uint32_t>{self()});
}

TEST_F(OpenFiles, AMappingIsAUseWithoutADescriptor) {
    unique_fd fd{::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
    void* const memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
    ASSERT_NE(memory, MAP_FAILED);
    fd.reset();
    EXPECT_TRUE(users(key()).empty()) << "mappings were not asked for";
    EXPECT_EQ(users(key(), true), std::vector<std::uint32_t>{self()});
    ::munmap(memory, 4096);
    EXPECT_TRUE(users(key(), true).empty());
}

TEST_F(OpenFiles, ASocketIsFoundByItsNumber) {
    const unique_fd fd = bound(SOCK_STREAM);
    struct stat raw {};
    ASSERT_EQ(::fstat(fd.get(), &raw), 0);
    EXPECT_EQ(users(socket_key(raw.st_ino)), std::vector<std::uint32_t>{self()});
}

TEST_F(OpenFiles, AProcessThatSleepsInOpeningIsFound) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    const test::child waiting("waits for a writer",
                              [&] { ::close(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)); });
    open_files_request request;
    request.opening = true;
    test::until([&] {
        const auto seen = look_for_users(request);
        return std::ranges::count(seen.opening, number_of(waiting)) == 1;
    });
    EXPECT_TRUE(users(key()).empty()) << "it has no descriptor yet";
}

TEST_F(OpenFiles, WhoMayNotLookEverywhereIsTold) {
    if (!test::can_fork || ::geteuid() != 0) GTEST_SKIP() << "only root can look as another user";
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(65'534), 0);
        open_files_request request;
        request.keys.push_back({1, 2});
        EXPECT_FALSE(look_for_users(request).complete); // its own parent is root's
    }).end_well();
}

TEST_F(OpenFiles, LifeAndDeathOfAProcess) {
    EXPECT_EQ(life_of(self()), process_life::alive);
    EXPECT_EQ(life_of(0), process_life::unknown);
    EXPECT_EQ(life_of(~0U), process_life::unknown);
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(0);
    siginfo_t ended{};
    EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(life_of(static_cast<std::uint32_t>(child)), process_life::dead) << "a zombie";
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);
    EXPECT_EQ(life_of(static_cast<std::uint32_t>(child)), process_life::dead);
}

// /proc calls it a zombie and shows what its first thread has: nothing any more.
TEST_F(OpenFiles, AProcessWithoutItsFirstThreadLivesAndHasItsFilesOpen) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const test::beacon never;
    test::child other("other", [&] {
        const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        ASSERT_GE(fd, 0);
        std::thread([&] { never.wait(); }).detach();
        ::syscall(SYS_exit, 0); // this thread only, without unwinding into the test
    });
    const std::string stat = "/proc/" + std::to_string(other.pid()) + "/stat";
    test::until([&] {
        std::ifstream file(stat);
        std::string line;
        std::getline(file, line);
        return line.find(") Z") != std::string::npos;
    });
    EXPECT_EQ(life_of(number_of(other)), process_life::alive);
    EXPECT_EQ(users(key()), std::vector<std::uint32_t>{number_of(other)});
    EXPECT_EQ(users(key(), true), std::vector<std::uint32_t>{number_of(other)});
    other.kill();
    EXPECT_TRUE(users(key()).empty());
    ASSERT_EQ(::unlink(path_.c_str()), 0);
}

TEST_F(OpenFiles, TheKernelTellsWhetherASocketFileIsUsedAndTheOwnerNoticesNothing) {
    EXPECT_EQ(binding_of(path_), binding::unknown) << "not there";
    for (const int type : {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM}) {
        unique_fd fd = bound(type);
        EXPECT_EQ(binding_of(path_), binding::bound) << "bound, and not listening yet";
        if (type != SOCK_DGRAM) {
            ASSERT_EQ(::listen(fd.get(), 4), 0);
            EXPECT_EQ(binding_of(path_), binding::bound);
        }
        pollfd event{fd.get(), POLLIN, 0};
        EXPECT_EQ(::poll(&event, 1, 0), 0) << "the owner was disturbed";
        fd.reset();
        EXPECT_EQ(binding_of(path_), binding::unbound);
        ASSERT_EQ(::unlink(path_.c_str()), 0);
    }
    EXPECT_EQ(binding_of(std::string(200, 'x')), binding::unknown) << "too long for a socket";
}

} // namespace
} // namespace hawser::os
