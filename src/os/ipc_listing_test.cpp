#include "os/ipc_listing.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <mqueue.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fd.hpp"
#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

constexpr uid_t stranger = 65'534; // nobody: any user but root will do

std::uint32_t self() {
    return static_cast<std::uint32_t>(::getpid());
}

// Runs once the test is over, also after a failure.
template <typename Act>
class at_end {
  public:
    explicit at_end(Act act) : act_(act) {}
    ~at_end() { act_(); }
    at_end(const at_end&) = delete;
    at_end& operator=(const at_end&) = delete;

  private:
    Act act_;
};

template <typename All, typename Is>
auto find(const All& all, Is is) {
    const auto found = std::find_if(all.begin(), all.end(), is);
    return found == all.end() ? nullptr : &*found;
}

// Only root may become somebody else.
void as_stranger(const std::function<void()>& body) {
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(stranger), 0);
        body();
    }).end_well();
}

bool can_be_stranger() {
    return test::can_fork && ::geteuid() == 0;
}

TEST(IpcListing, ASystemVQueueIsAsMsgctlSays) {
    const int id = ::msgget(IPC_PRIVATE, 0620);
    ASSERT_GE(id, 0);
    const at_end remove([&] { ::msgctl(id, IPC_RMID, nullptr); });
    struct {
        long type = 1;
        std::array<char, 5> text{};
    } message;
    ASSERT_EQ(::msgsnd(id, &message, 5, 0), 0);
    ASSERT_EQ(::msgsnd(id, &message, 3, 0), 0);
    ASSERT_EQ(::msgrcv(id, &message, 5, 0, 0), 5);
    msqid_ds raw{};
    ASSERT_EQ(::msgctl(id, IPC_STAT, &raw), 0);
    const auto all = sysv_queues().value();
    const auto* const one = find(all, [&](const auto& each) { return each.id == id; });
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(one->key, 0U);
    EXPECT_EQ(one->access.uid, ::geteuid());
    EXPECT_EQ(one->access.gid, ::getegid());
    EXPECT_EQ(one->access.mode, 0620U);
    EXPECT_EQ(one->messages, 1U);
    EXPECT_EQ(one->bytes, 3U);
    EXPECT_EQ(one->capacity_bytes, raw.msg_qbytes);
    EXPECT_EQ(one->last_sender_pid, self());
    EXPECT_EQ(one->last_receiver_pid, self());
    EXPECT_EQ(one->sent_s, raw.msg_stime);
    EXPECT_EQ(one->received_s, raw.msg_rtime);
    EXPECT_EQ(one->changed_s, raw.msg_ctime);
    EXPECT_GT(one->sent_s, 0);
}

TEST(IpcListing, ASystemVSegmentIsAsShmctlSays) {
    const int id = ::shmget(IPC_PRIVATE, 10'000, 0640);
    ASSERT_GE(id, 0);
    const at_end remove([&] { ::shmctl(id, IPC_RMID, nullptr); });
    const auto look = [&] {
        const auto all = sysv_segments().value();
        const auto* const one = find(all, [&](const auto& each) { return each.id == id; });
        return one == nullptr ? sysv_segment{} : *one;
    };
    EXPECT_EQ(look().attached, 0U);
    EXPECT_EQ(look().last_pid, 0U);
    void* const memory = ::shmat(id, nullptr, 0);
    ASSERT_NE(memory, reinterpret_cast<void*>(-1));
    shmid_ds raw{};
    EXPECT_EQ(::shmctl(id, IPC_STAT, &raw), 0);
    const sysv_segment one = look();
    EXPECT_EQ(one.bytes, 10'000U);
    EXPECT_EQ(one.access.mode, 0640U);
    EXPECT_EQ(one.access.uid, ::geteuid());
    EXPECT_EQ(one.attached, 1U);
    EXPECT_EQ(one.creator_pid, self());
    EXPECT_EQ(one.last_pid, self());
    EXPECT_EQ(one.attached_s, raw.shm_atime);
    EXPECT_EQ(one.changed_s, raw.shm_ctime);
    EXPECT_EQ(one.detached_s, 0);
    ::shmdt(memory);
    EXPECT_EQ(look().attached, 0U);
    EXPECT_GT(look().detached_s, 0);
}

TEST(IpcListing, ASystemVSetOfSemaphoresIsAsSemctlSays) {
    const int id = ::semget(IPC_PRIVATE, 3, 0600);
    ASSERT_GE(id, 0);
    const at_end remove([&] { ::semctl(id, 0, IPC_RMID); });
    const auto look = [&] {
        const auto all = sysv_semaphore_sets().value();
        const auto* const one = find(all, [&](const auto& each) { return each.id == id; });
        return one == nullptr ? sysv_semaphore_set{} : *one;
    };
    EXPECT_EQ(look().members, 3U);
    EXPECT_EQ(look().access.mode, 0600U);
    EXPECT_TRUE(look().readable);
    EXPECT_TRUE(look().last_pids.empty());
    EXPECT_EQ(look().used_s, 0);
    std::array<sembuf, 2> up{{{0, 1, 0}, {2, 1, 0}}};
    ASSERT_EQ(::semop(id, up.data(), up.size()), 0);
    EXPECT_EQ(look().last_pids, std::vector<std::uint32_t>{self()});
    EXPECT_GT(look().used_s, 0);
    if (!can_be_stranger()) GTEST_SKIP() << "only root can look as another user";
    as_stranger([&] {
        EXPECT_EQ(look().members, 3U);
        EXPECT_FALSE(look().readable);
        EXPECT_TRUE(look().last_pids.empty());
    });
}

TEST(IpcListing, ManySystemVQueuesAreAllListedWhoeverLooks) {
    std::vector<int> ids(100);
    const at_end remove([&] {
        for (const int id : ids) ::msgctl(id, IPC_RMID, nullptr);
    });
    for (int& id : ids) id = ::msgget(IPC_PRIVATE, 0600);
    for (std::size_t i = 0; i < ids.size(); i += 3) ::msgctl(ids[i], IPC_RMID, nullptr); // gaps
    const auto look = [&] {
        const auto all = sysv_queues().value();
        for (std::size_t i = 0; i < ids.size(); ++i)
            EXPECT_EQ(find(all, [&](const auto& one) { return one.id == ids[i]; }) != nullptr,
                      i % 3 != 0);
    };
    look();
    if (can_be_stranger()) as_stranger(look);
}

// Root in a container often may not.
bool can_mount() {
    if (!can_be_stranger()) return false;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::unshare(CLONE_NEWNS) == 0 ? 0 : 1);
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
}

void unmount(const std::string& place) {
    if (place.empty()) return;
    EXPECT_EQ(::umount2(place.c_str(), MNT_DETACH), 0);
}

class PosixQueue : public testing::Test {
  protected:
    PosixQueue() {
        mq_attr wanted{};
        wanted.mq_maxmsg = 5;
        wanted.mq_msgsize = 100;
        queue_ = ::mq_open(name_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &wanted);
    }
    ~PosixQueue() override {
        ::mq_close(queue_);
        ::mq_unlink(name_.c_str());
    }
    void check(const posix_queue_listing& listing) const {
        const auto* const one =
            find(listing.queues, [&](const auto& each) { return each.name == name_; });
        ASSERT_NE(one, nullptr);
        struct stat raw {};
        ASSERT_EQ(::fstat(queue_, &raw), 0);
        EXPECT_EQ(one->key, (file_key{raw.st_dev, raw.st_ino}));
        EXPECT_EQ(one->access.uid, raw.st_uid);
        EXPECT_EQ(one->access.gid, raw.st_gid);
        EXPECT_EQ(one->access.mode, 0600U);
        EXPECT_EQ(one->used_s, raw.st_mtim.tv_sec);
        ASSERT_TRUE(one->state);
        EXPECT_EQ(one->state->messages, 2U);
        EXPECT_EQ(one->state->bytes, 7U);
        EXPECT_EQ(one->state->capacity, 5U);
        EXPECT_EQ(one->state->max_message, 100U);
        EXPECT_EQ(one->state->notified_pid, notified_);
    }
    void send_two() const {
        ASSERT_EQ(::mq_send(queue_, "abc", 3, 0), 0);
        ASSERT_EQ(::mq_send(queue_, "abcd", 4, 9), 0);
    }

    std::string name_ = "/hawser-" + std::to_string(::getpid()) + test::unique_name("-queue");
    mqd_t queue_ = -1;
    std::uint32_t notified_ = 0;
};

TEST_F(PosixQueue, IsAsMqGetattrSays) {
    ASSERT_GE(queue_, 0);
    send_two();
    struct stat before {};
    ASSERT_EQ(::fstat(queue_, &before), 0);
    const auto listing = posix_queues();
    if (listing.is(errc::not_found))
        GTEST_SKIP() << "the mqueue file system is not mounted, and this user may not mount it";
    check(listing.value());
    mq_attr after{};
    ASSERT_EQ(::mq_getattr(queue_, &after), 0);
    EXPECT_EQ(after.mq_curmsgs, 2) << "looking takes no message";
    struct stat now {};
    ASSERT_EQ(::fstat(queue_, &now), 0);
    EXPECT_EQ(now.st_mtim.tv_sec, before.st_mtim.tv_sec);
    EXPECT_EQ(now.st_mtim.tv_nsec, before.st_mtim.tv_nsec) << "a look counts as use";
}

TEST_F(PosixQueue, TellsWhoIsNotified) {
    ASSERT_GE(queue_, 0);
    sigevent silently{};
    silently.sigev_notify = SIGEV_NONE;
    ASSERT_EQ(::mq_notify(queue_, &silently), 0);
    notified_ = self();
    sigevent* const nobody = nullptr;
    const auto listing = posix_queues();
    if (listing.is(errc::not_found))
        GTEST_SKIP() << "the mqueue file system is not mounted, and this user may not mount it";
    const auto* const one =
        find(listing->queues, [&](const auto& each) { return each.name == name_; });
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(one->state->notified_pid, notified_);
    ::mq_notify(queue_, nobody);
}

TEST_F(PosixQueue, IsFoundWhereverTheFileSystemIsMounted) {
    ASSERT_GE(queue_, 0);
    if (!can_mount()) GTEST_SKIP() << "this user may not have a private mount namespace";
    send_two();
    const std::string place = test::private_directory() + "/" + test::unique_name("a place\\");
    ASSERT_EQ(::mkdir(place.c_str(), 0700), 0);
    const at_end remove([&] { ::rmdir(place.c_str()); });
    const std::string mounted = posix_queues().value().mounted_at;
    test::child("mounts", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        unmount(mounted);
        EXPECT_EQ(posix_queues().value().mounted_at, "");
        ASSERT_EQ(::mount("none", place.c_str(), "mqueue", 0, nullptr), 0);
        const auto listing = posix_queues().value();
        EXPECT_EQ(listing.mounted_at, place);
        check(listing);
    }).end_well();
}

TEST_F(PosixQueue, OfAnotherUserShowsNoState) {
    ASSERT_GE(queue_, 0);
    if (!can_mount()) GTEST_SKIP() << "this user may not have a private mount namespace";
    const std::string place = test::private_directory() + "/" + test::unique_name("place");
    ASSERT_EQ(::mkdir(place.c_str(), 0755), 0);
    const at_end remove([&] { ::rmdir(place.c_str()); });
    test::child("stranger", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        const std::string mounted = posix_queues().value().mounted_at;
        unmount(mounted);
        ASSERT_EQ(::seteuid(stranger), 0);
        EXPECT_TRUE(posix_queues().is(errc::not_found)) << "neither mounted nor privileged";
        ASSERT_EQ(::seteuid(0), 0);
        ASSERT_EQ(::mount("none", place.c_str(), "mqueue", 0, nullptr), 0);
        ASSERT_EQ(::seteuid(stranger), 0);
        const auto listing = posix_queues().value();
        const auto* const one =
            find(listing.queues, [&](const auto& each) { return each.name == name_; });
        ASSERT_NE(one, nullptr);
        EXPECT_EQ(one->access.mode, 0600U);
        EXPECT_FALSE(one->state);
    }).end_well();
}

TEST(IpcListing, SegmentsAndSemaphoresAreFilesInMemory) {
    const std::string name = "hawser-test-" + std::to_string(::getpid()) + test::unique_name("-f");
    const std::string posix = "/" + name;
    const std::string odd = "/dev/shm/sem." + name + "-odd";
    const at_end remove([&] {
        ::shm_unlink(posix.c_str());
        ::sem_unlink(posix.c_str());
        ::unlink(odd.c_str());
    });
    const unique_fd segment{::shm_open(posix.c_str(), O_CREAT | O_EXCL | O_RDWR, 0640)};
    ASSERT_TRUE(segment);
    ASSERT_EQ(::ftruncate(segment.get(), 12'345), 0);
    sem_t* const semaphore = ::sem_open(posix.c_str(), O_CREAT | O_EXCL, 0600, 7);
    ASSERT_NE(semaphore, SEM_FAILED);
    ::sem_close(semaphore);
    std::ofstream(odd) << "too short";
    const auto all = shared_files().value();
    const auto named = [&](const std::string& wanted) {
        return find(all, [&](const auto& each) { return each.name == wanted; });
    };
    ASSERT_NE(named(name), nullptr);
    struct stat raw {};
    ASSERT_EQ(::fstat(segment.get(), &raw), 0);
    EXPECT_EQ(named(name)->key, (file_key{raw.st_dev, raw.st_ino}));
    EXPECT_EQ(named(name)->bytes, 12'345U);
    EXPECT_EQ(named(name)->access.mode, raw.st_mode & 07777);
    EXPECT_EQ(named(name)->access.uid, raw.st_uid);
    EXPECT_EQ(named(name)->changed_s, raw.st_ctim.tv_sec);
    EXPECT_FALSE(named(name)->semaphore_value);
    ASSERT_NE(named("sem." + name), nullptr);
    EXPECT_EQ(named("sem." + name)->semaphore_value, 7U);
    ASSERT_NE(named("sem." + name + "-odd"), nullptr);
    EXPECT_FALSE(named("sem." + name + "-odd")->semaphore_value);
}

TEST(IpcListing, LinesOfTheTableOfSockets) {
    const auto listening =
        parse_unix_socket("000000007f3a: 00000002 00000000 00010000 0001 01 23456 /run/a socket ");
    ASSERT_TRUE(listening);
    EXPECT_EQ(listening->name, "/run/a socket ");
    EXPECT_EQ(listening->inode, 23'456U);
    EXPECT_EQ(listening->type, socket_type::stream);
    EXPECT_TRUE(listening->listening);
    EXPECT_FALSE(listening->connected);
    const auto accepted =
        parse_unix_socket("0000000000000000: 00000003 00000000 00000000 0005 03 7 @a");
    ASSERT_TRUE(accepted);
    EXPECT_EQ(accepted->type, socket_type::seqpacket);
    EXPECT_TRUE(accepted->connected);
    EXPECT_FALSE(accepted->listening);
    for (const char* line :
         {"", "Num       RefCount Protocol Flags    Type St Inode Path",
          "0000000000000000: 00000003 00000000 00000000 0001 03 16987", "/run/a path's second line",
          "0000000000000000: 00000003 00000000 0000000x 0001 03 16987 /a"})
        EXPECT_FALSE(parse_unix_socket(line)) << line;
}

TEST(IpcListing, SocketsWithANameAreInTheTable) {
    const std::string path = test::private_directory() + "/" + test::unique_name("two\nlines");
    const at_end remove([&] { ::unlink(path.c_str()); });
    const auto bound = [](int type, const std::string& name) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        name.copy(to.sun_path, sizeof to.sun_path);
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        unique_fd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&to), length), 0);
        return fd;
    };
    const std::string abstract = "hawser-" + std::to_string(::getpid());
    const unique_fd listener = bound(SOCK_STREAM, path);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const unique_fd datagrams = bound(SOCK_DGRAM, std::string(1, '\0') + abstract);
    const auto all = unix_sockets().value();
    const auto* const one = find(all, [&](const auto& each) { return each.name == path; });
    ASSERT_NE(one, nullptr);
    EXPECT_TRUE(one->listening);
    struct stat raw {};
    ASSERT_EQ(::fstat(listener.get(), &raw), 0);
    EXPECT_EQ(one->inode, raw.st_ino);
    const auto* const other =
        find(all, [&](const auto& each) { return each.name == "@" + abstract; });
    ASSERT_NE(other, nullptr);
    EXPECT_EQ(other->type, socket_type::datagram);
    const auto file = socket_file_at(path);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->access.uid, ::geteuid());
    EXPECT_FALSE(socket_file_at("/dev/null"));
    EXPECT_FALSE(socket_file_at(path + "-not-there"));
}

TEST(IpcListing, LimitsAreThoseOfSysctl) {
    const auto all = ipc_limits();
    const auto value = [&](const std::string& name) {
        const auto* const one = find(all, [&](const auto& each) { return each.name == name; });
        return one == nullptr ? 0 : one->value;
    };
    std::uint64_t told = 0;
    std::ifstream("/proc/sys/kernel/msgmni") >> told;
    EXPECT_EQ(value("kernel.msgmni"), told);
    EXPECT_GT(told, 0U);
    std::uint64_t semmsl = 0;
    std::uint64_t rest = 0;
    std::uint64_t semmni = 0;
    std::ifstream("/proc/sys/kernel/sem") >> semmsl >> rest >> rest >> semmni;
    EXPECT_EQ(value("kernel.sem.semmsl"), semmsl);
    EXPECT_EQ(value("kernel.sem.semmni"), semmni);
    std::ifstream("/proc/sys/fs/mqueue/queues_max") >> told;
    EXPECT_EQ(value("fs.mqueue.queues_max"), told);
}

} // namespace
} // namespace hawser::os
