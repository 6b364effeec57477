#include <hawser/system_objects.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
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
#include "os/made.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser {
namespace {

using kind = system_object_kind;

std::uint32_t self() {
    return static_cast<std::uint32_t>(::getpid());
}

// Objects of every kind, of this test alone, which go with it also when it fails.
class SystemObjects : public testing::Test {
  protected:
    ~SystemObjects() override {
        for (const auto& remove : at_end_) remove();
        test::sweep_left_over();
    }

    static system_object_list list(which_sockets sockets = which_sockets::made_by_hawser) {
        return list_system_objects(sockets).value();
    }
    // One without a name stands for "not listed".
    static system_object find(const system_object_list& all, kind of, const std::string& name) {
        const auto found = std::ranges::find_if(all.objects, [&](const system_object& one) {
            return one.kind == of &&
                   (one.name == name || (one.id && std::to_string(*one.id) == name));
        });
        return found == all.objects.end() ? system_object{} : *found;
    }
    static system_object find(kind of, const std::string& name) { return find(list(), of, name); }
    static bool told(const system_object_list& all, const std::string& words) {
        return std::ranges::any_of(all.not_seen,
                                   [&](const auto& one) { return one.find(words) != one.npos; });
    }

    int queue(key_t key = IPC_PRIVATE) {
        const int id = ::msgget(key, IPC_CREAT | IPC_EXCL | 0600);
        EXPECT_GE(id, 0);
        at_end_.push_back([id] { ::msgctl(id, IPC_RMID, nullptr); });
        return id;
    }
    static void send(int id) {
        struct {
            long type = 1;
            std::array<char, 4> text{};
        } message;
        EXPECT_EQ(::msgsnd(id, &message, 4, 0), 0);
    }
    mqd_t posix_queue() {
        const mqd_t opened = ::mq_open(posix_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600, nullptr);
        EXPECT_GE(opened, 0);
        at_end_.push_back([this] { ::mq_unlink(posix_.c_str()); });
        return opened;
    }
    std::string fifo() {
        const std::string path = place_ + "/" + test::unique_name("fifo");
        EXPECT_EQ(::mkfifo(path.c_str(), 0620), 0);
        EXPECT_EQ(::chmod(path.c_str(), 0620), 0);
        at_end_.push_back([path] { ::unlink(path.c_str()); });
        return path;
    }
    os::unique_fd socket_at(const std::string& name, int type = SOCK_STREAM) {
        sockaddr_un to{};
        to.sun_family = AF_UNIX;
        name.copy(to.sun_path, sizeof to.sun_path);
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        os::unique_fd fd{::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)};
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&to), length), 0);
        EXPECT_EQ(type == SOCK_DGRAM ? 0 : ::listen(fd.get(), 8), 0);
        return fd;
    }
    // In a child whose end is over when this returns.
    static void by_a_dead_process(const std::function<void()>& act) {
        test::child("maker", act).end_well();
    }

    std::string place_ = test::private_directory();
    std::string posix_ = "/test-" + std::to_string(::getpid()) + test::unique_name("-o");
    std::vector<std::function<void()>> at_end_;
};

TEST_F(SystemObjects, ASystemVQueueWithAKeyHasAnAddress) {
    const auto key = static_cast<key_t>(0x6861'0000 | (self() & 0xFFFF));
    const int id = queue(key);
    EXPECT_EQ(find(kind::sysv_queue, std::to_string(id)).owner_lives, owner_life::unknown);
    send(id);
    const system_object one = find(kind::sysv_queue, std::to_string(id));
    std::array<char, 16> hex{};
    std::snprintf(hex.data(), hex.size(), "0x%08x", static_cast<unsigned>(key));
    EXPECT_EQ(one.name, std::string(hex.data()) + " (id " + std::to_string(id) + ")");
    EXPECT_EQ(one.address, std::string("sysv-mq:") + hex.data());
    EXPECT_EQ(one.key, static_cast<std::uint32_t>(key));
    EXPECT_EQ(one.uid, ::geteuid());
    EXPECT_EQ(one.gid, ::getegid());
    EXPECT_EQ(one.mode, 0600U);
    EXPECT_EQ(one.depth, 1U);
    EXPECT_EQ(one.bytes, 4U);
    EXPECT_GT(one.capacity_bytes.value_or(0), 0U);
    EXPECT_EQ(one.last_sender_pid, self());
    EXPECT_EQ(one.last_receiver_pid, 0U);
    EXPECT_EQ(one.owner_lives, owner_life::yes);
    EXPECT_FALSE(one.users);
    EXPECT_TRUE(one.used && one.changed);
    EXPECT_EQ(find(kind::sysv_queue, std::to_string(queue())).address, "") << "a private one";
}

TEST_F(SystemObjects, WhatTheDeadUsedLastHasNoLivingOwner) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const int queued = queue();
    const int segment = ::shmget(IPC_PRIVATE, 100, 0600);
    const int set = ::semget(IPC_PRIVATE, 2, 0600);
    at_end_.push_back([=] { ::shmctl(segment, IPC_RMID, nullptr); });
    at_end_.push_back([=] { ::semctl(set, 0, IPC_RMID); });
    EXPECT_EQ(find(kind::sysv_segment, std::to_string(segment)).owner_lives, owner_life::yes);
    EXPECT_EQ(find(kind::sysv_segment, std::to_string(segment)).creator_pid, self());
    EXPECT_EQ(find(kind::sysv_semaphore, std::to_string(set)).owner_lives, owner_life::unknown);
    const test::shared<int> made;
    by_a_dead_process([&] {
        send(queued);
        sembuf up{0, 1, 0};
        EXPECT_EQ(::semop(set, &up, 1), 0);
        *made = ::shmget(IPC_PRIVATE, 100, 0600);
    });
    const int of_the_dead = *made;
    at_end_.push_back([=] { ::shmctl(of_the_dead, IPC_RMID, nullptr); });
    const auto all = list();
    EXPECT_EQ(find(all, kind::sysv_queue, std::to_string(queued)).owner_lives, owner_life::no);
    EXPECT_EQ(find(all, kind::sysv_semaphore, std::to_string(set)).owner_lives, owner_life::no);
    EXPECT_EQ(find(all, kind::sysv_semaphore, std::to_string(set)).members, 2U);
    const auto left = find(all, kind::sysv_segment, std::to_string(of_the_dead));
    EXPECT_EQ(left.owner_lives, owner_life::no);
    EXPECT_EQ(left.users, 0U);
    void* const memory = ::shmat(of_the_dead, nullptr, 0);
    EXPECT_EQ(find(kind::sysv_segment, std::to_string(of_the_dead)).users, 1U);
    EXPECT_EQ(find(kind::sysv_segment, std::to_string(of_the_dead)).owner_lives, owner_life::yes);
    ::shmdt(memory);
}

TEST_F(SystemObjects, APosixQueueIsInUseWhileSomebodyHasItOpen) {
    const mqd_t opened = posix_queue();
    ASSERT_EQ(::mq_send(opened, "abc", 3, 0), 0);
    mq_attr attributes{};
    ASSERT_EQ(::mq_getattr(opened, &attributes), 0);
    const auto all = list();
    if (told(all, "POSIX queues: the mqueue file system is not mounted"))
        GTEST_SKIP() << "the mqueue file system is not mounted, and this user may not mount it";
    const system_object one = find(all, kind::posix_queue, posix_);
    EXPECT_EQ(one.address, "mq:" + posix_);
    EXPECT_EQ(one.mode, 0600U);
    EXPECT_EQ(one.uid, ::geteuid());
    EXPECT_EQ(one.depth, 1U);
    EXPECT_EQ(one.bytes, 3U);
    EXPECT_EQ(one.capacity, static_cast<std::uint64_t>(attributes.mq_maxmsg));
    EXPECT_EQ(one.max_message, static_cast<std::uint64_t>(attributes.mq_msgsize));
    EXPECT_EQ(one.capacity_bytes, *one.capacity * *one.max_message);
    EXPECT_EQ(one.users, 1U);
    EXPECT_EQ(one.owner_lives, owner_life::yes);
    ::mq_close(opened);
    const system_object closed = find(kind::posix_queue, posix_);
    EXPECT_EQ(closed.users, 0U);
    EXPECT_EQ(closed.owner_lives, closed.all_users_seen ? owner_life::no : owner_life::unknown);
}

TEST_F(SystemObjects, SegmentsAndSemaphoresOfPosixAreToldApart) {
    at_end_.push_back([&] { ::shm_unlink(posix_.c_str()), ::sem_unlink(posix_.c_str()); });
    os::unique_fd fd{::shm_open(posix_.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600)};
    ASSERT_EQ(::ftruncate(fd.get(), 4096), 0);
    void* const memory = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd.get(), 0);
    fd.reset(); // mapped only, as most are
    sem_t* const semaphore = ::sem_open(posix_.c_str(), O_CREAT | O_EXCL, 0600, 3);
    ASSERT_NE(semaphore, SEM_FAILED);
    const auto all = list();
    const system_object segment = find(all, kind::posix_segment, posix_);
    EXPECT_EQ(segment.bytes, 4096U);
    EXPECT_EQ(segment.users, 1U);
    EXPECT_EQ(segment.owner_lives, owner_life::yes);
    EXPECT_FALSE(segment.depth);
    EXPECT_EQ(segment.address, "");
    const system_object counter = find(all, kind::posix_semaphore, posix_);
    EXPECT_EQ(counter.depth, 3U);
    EXPECT_EQ(counter.users, 1U);
    EXPECT_EQ(counter.mode, 0600U);
    ::munmap(memory, 4096);
    ::sem_close(semaphore);
    EXPECT_EQ(find(kind::posix_segment, posix_).users, 0U);
    EXPECT_EQ(find(kind::posix_semaphore, posix_).users, 0U);
}

TEST_F(SystemObjects, MailboxesAndRecordsAreNoSegments) {
    // Where they are in the default directory, their names are what tells them.
    const std::string mailbox = "/hawser." + posix_.substr(1);
    const std::string record = "/hawser-made.ffff-" + std::to_string(::getpid());
    at_end_.push_back([=] { ::shm_unlink(mailbox.c_str()), ::shm_unlink(record.c_str()); });
    for (const auto& name : {mailbox, record})
        ::close(::shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR, 0600));
    for (const auto& one : list().objects) {
        EXPECT_NE(one.name, mailbox);
        EXPECT_NE(one.name, record);
    }
}

TEST_F(SystemObjects, OnlyFifosThatHawserMadeAreListed) {
    const std::string path = fifo();
    EXPECT_EQ(find(kind::fifo, path).name, "");
    ASSERT_TRUE(os::note_made(place_, path));
    const system_object made = find(kind::fifo, path);
    EXPECT_EQ(made.address, "fifo:" + path);
    EXPECT_TRUE(made.made_by_hawser);
    EXPECT_EQ(made.mode, 0620U);
    EXPECT_EQ(made.uid, ::geteuid());
    EXPECT_EQ(made.creator_pid, self());
    EXPECT_EQ(made.users, 0U);
    EXPECT_EQ(made.owner_lives, owner_life::yes) << "its maker lives";
    const os::unique_fd open{::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    EXPECT_EQ(find(kind::fifo, path).users, 1U);
}

TEST_F(SystemObjects, SocketsOfOthersAreListedOnRequest) {
    const std::string path = place_ + "/" + test::unique_name("socket");
    const std::string abstract = "test-" + std::to_string(::getpid());
    const os::unique_fd listener = socket_at(path);
    const os::unique_fd nameless = socket_at(std::string(1, '\0') + abstract, SOCK_DGRAM);
    EXPECT_EQ(find(kind::unix_socket, path).name, "");
    const auto all = list(which_sockets::all);
    const system_object other = find(all, kind::unix_socket, "@" + abstract);
    EXPECT_EQ(other.address, "unix-dgram:@" + abstract);
    EXPECT_EQ(other.owner_lives, owner_life::yes);
    EXPECT_FALSE(other.uid);
    EXPECT_FALSE(other.made_by_hawser);
    EXPECT_EQ(find(all, kind::unix_socket, path).uid, ::geteuid());
    EXPECT_EQ(find(all, kind::unix_socket, path).users, 1U);
    ASSERT_TRUE(os::note_made(place_, path));
    const system_object made = find(kind::unix_socket, path);
    EXPECT_EQ(made.address, "unix:" + path);
    EXPECT_TRUE(made.made_by_hawser);
    EXPECT_EQ(made.users, 1U);
    EXPECT_EQ(made.connections, 0U);
    const auto twice = list(which_sockets::all).objects;
    EXPECT_EQ(std::ranges::count(twice, path, &system_object::name), 1);
}

TEST_F(SystemObjects, ASocketThatWasBoundByARelativePathIsFound) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    test::child("elsewhere", [&] {
        const std::string name = test::unique_name("relative-" + std::to_string(::getpid()));
        ASSERT_EQ(::chdir(place_.c_str()), 0);
        const os::unique_fd bound = socket_at(name, SOCK_DGRAM);
        ASSERT_TRUE(os::note_made(place_, name));
        const system_object one = find(kind::unix_socket, place_ + "/" + name);
        EXPECT_EQ(one.address, "unix-dgram:" + place_ + "/" + name);
        EXPECT_EQ(one.users, 1U);
        const auto all = list(which_sockets::all).objects;
        EXPECT_EQ(std::ranges::count(all, name, &system_object::name), 0) << "listed twice";
    }).end_well();
}

TEST_F(SystemObjects, UsersOfAllSocketsWithOneNameAreCounted) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const std::string path = place_ + "/" + test::unique_name("socket");
    const test::beacon bound;
    const test::child first("first", [&] {
        const os::unique_fd held = socket_at(path);
        bound.raise();
        ::pause();
    });
    bound.wait();
    ASSERT_EQ(::unlink(path.c_str()), 0); // its socket keeps the name
    const os::unique_fd second = socket_at(path);
    ASSERT_TRUE(os::note_made(place_, path));
    EXPECT_EQ(find(kind::unix_socket, path).users, 2U);
}

TEST_F(SystemObjects, ConnectionsOfAListenerAreCounted) {
    const std::string path = place_ + "/" + test::unique_name("socket");
    const os::unique_fd listener = socket_at(path, SOCK_SEQPACKET);
    ASSERT_TRUE(os::note_made(place_, path));
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    const os::unique_fd client{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const os::unique_fd accepted{::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    ASSERT_TRUE(accepted);
    const system_object one = find(kind::unix_socket, path);
    EXPECT_EQ(one.connections, 1U);
    EXPECT_EQ(one.address, "unix-seqpacket:" + path);
}

TEST_F(SystemObjects, TheListIsSortedByKindThenByName) {
    for (int i = 0; i < 5; ++i) queue();
    EXPECT_TRUE(os::note_made(place_, fifo()));
    EXPECT_TRUE(os::note_made(place_, fifo()));
    const auto all = list(which_sockets::all).objects;
    EXPECT_TRUE(std::ranges::is_sorted(all, [](const auto& a, const auto& b) {
        return a.kind != b.kind ? a.kind < b.kind : a.name < b.name;
    }));
    EXPECT_GE(all.size(), 7U);
}

TEST_F(SystemObjects, LimitsSayHowMuchOfThemIsUsed) {
    queue();
    const auto all = list();
    const auto found = std::ranges::find(all.limits, "kernel.msgmni", &system_limit::name);
    ASSERT_NE(found, all.limits.end());
    EXPECT_EQ(found->used, static_cast<std::uint64_t>(std::ranges::count(
                               all.objects, kind::sysv_queue, &system_object::kind)));
    EXPECT_GT(found->value, 0U);
}

TEST_F(SystemObjects, WhatAStrangerCanNotSeeIsSaid) {
    if (!test::can_fork || ::geteuid() != 0) GTEST_SKIP() << "only root can look as another user";
    const mqd_t opened = posix_queue();
    const int set = ::semget(IPC_PRIVATE, 1, 0600);
    at_end_.push_back([=] { ::semctl(set, 0, IPC_RMID); });
    ASSERT_TRUE(os::note_made(place_, fifo()));
    std::ifstream file("/proc/self/mounts");
    const std::string mounts{std::istreambuf_iterator<char>(file), {}};
    const bool mounted = mounts.find(" mqueue ") != std::string::npos;
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(65'534), 0);
        const auto all = list();
        EXPECT_TRUE(told(all, mounted ? "the depth of" : "mount -t mqueue none /dev/mqueue"));
        EXPECT_TRUE(told(all, "who used "));
        EXPECT_TRUE(told(all, "that hawser made for other users"));
        EXPECT_EQ(find(all, kind::sysv_semaphore, std::to_string(set)).members, 1U);
        const auto limit =
            std::ranges::find(all.limits, "fs.mqueue.queues_max", &system_limit::name);
        EXPECT_EQ(limit->used.has_value(), mounted) << "0 of 256 would be a lie";
    }).end_well();
    ::mq_close(opened);
}

// ---- clearing away ----------------------------------------------------------------------------

collected_object outcome(const std::vector<collected_object>& all, const std::string& name) {
    const auto found = std::ranges::find(all, name, &collected_object::name);
    return found == all.end() ? collected_object{kind::fifo, {}, {}, false, "not listed", {}}
                              : *found;
}

// Runs it as the only process of a PID namespace, so that all processes may be looked at. False
// if that may not be had.
bool alone(const std::function<void()>& body) {
    if (!test::can_fork || ::geteuid() != 0) return false;
    const pid_t probe = ::fork();
    if (probe == 0) ::_exit(::unshare(CLONE_NEWPID | CLONE_NEWNS) == 0 ? 0 : 1);
    int status = -1;
    if (::waitpid(probe, &status, 0) != probe || status != 0) return false;
    test::child("outside", [&] {
        ASSERT_EQ(::unshare(CLONE_NEWPID | CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        test::child("inside", [&] {
            ASSERT_EQ(::mount("proc", "/proc", "proc", 0, nullptr), 0);
            body();
        }).end_well();
    }).end_well();
    return true;
}

TEST_F(SystemObjects, AFifoThatADeadMakerLeftGoes) {
    const bool done = alone([&] {
        const std::string mine = fifo();
        ASSERT_TRUE(os::note_made(place_, mine));
        const std::string path = fifo();
        by_a_dead_process([&] { EXPECT_TRUE(os::note_made(place_, path)); });
        const std::string open = fifo();
        by_a_dead_process([&] { EXPECT_TRUE(os::note_made(place_, open)); });
        const std::string strangers = fifo();
        const os::unique_fd held{::open(open.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)};

        EXPECT_EQ(find(kind::fifo, path).owner_lives, owner_life::no);
        const auto plan = collect_system_objects(true).value();
        EXPECT_TRUE(outcome(plan, path).removed);
        EXPECT_EQ(::access(path.c_str(), F_OK), 0) << "a plan removes nothing";

        const auto done_with = collect_system_objects().value();
        EXPECT_TRUE(outcome(done_with, path).removed) << outcome(done_with, path).reason;
        EXPECT_NE(::access(path.c_str(), F_OK), 0);
        EXPECT_FALSE(outcome(done_with, open).removed);
        EXPECT_NE(outcome(done_with, open).reason.find("has it open"), std::string::npos);
        EXPECT_NE(outcome(done_with, mine).reason.find("lives"), std::string::npos);
        EXPECT_EQ(outcome(done_with, strangers).reason, "not listed");
        for (const auto& stays : {open, mine, strangers})
            EXPECT_EQ(::access(stays.c_str(), F_OK), 0) << stays;
    });
    if (!done) GTEST_SKIP() << "this user may not have a private PID namespace";
}

TEST_F(SystemObjects, AFifoThatSomebodyWaitsAtStays) {
    const bool done = alone([&] {
        const std::string path = fifo();
        by_a_dead_process([&] { EXPECT_TRUE(os::note_made(place_, path)); });
        const test::child waiting("waits for a reader",
                                  [&] { ::close(::open(path.c_str(), O_WRONLY | O_CLOEXEC)); });
        test::until([&] {
            const auto plan = outcome(collect_system_objects(true).value(), path);
            return plan.reason.find("waits in opening") != std::string::npos;
        });
        EXPECT_FALSE(outcome(collect_system_objects().value(), path).removed);
        EXPECT_EQ(::access(path.c_str(), F_OK), 0);
    });
    if (!done) GTEST_SKIP() << "this user may not have a private PID namespace";
}

TEST_F(SystemObjects, AFifoStaysWhereNotAllProcessesMayBeLookedAt) {
    if (!test::can_fork || ::geteuid() != 0) GTEST_SKIP() << "only root can look as another user";
    const std::string place = place_ + "/" + test::unique_name("place");
    ASSERT_EQ(::mkdir(place.c_str(), 0777), 0);
    ASSERT_EQ(::chmod(place.c_str(), 0777), 0);
    const std::string path = place + "/fifo";
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(65'534), 0);
        by_a_dead_process([&] {
            ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
            EXPECT_TRUE(os::note_made(place_, path));
        });
        const auto one = outcome(collect_system_objects().value(), path);
        EXPECT_FALSE(one.removed);
        EXPECT_NE(one.reason.find("sudo hawser gc"), std::string::npos) << one.reason;
        EXPECT_EQ(find(kind::fifo, path).owner_lives, owner_life::unknown);
    }).end_well();
    EXPECT_EQ(::access(path.c_str(), F_OK), 0);
}

TEST_F(SystemObjects, ASocketFileThatNobodyIsBoundToGoes) {
    const std::string path = place_ + "/" + test::unique_name("socket");
    const std::string strangers = place_ + "/" + test::unique_name("socket");
    os::unique_fd bound = socket_at(path);
    socket_at(strangers).reset();
    ASSERT_TRUE(os::note_made(place_, path));
    EXPECT_EQ(outcome(collect_system_objects().value(), path).reason, "in use");
    bound.reset();
    EXPECT_EQ(find(kind::unix_socket, path).owner_lives, owner_life::no);
    EXPECT_EQ(find(kind::unix_socket, path).users, 0U);
    EXPECT_TRUE(outcome(collect_system_objects(true).value(), path).removed);
    EXPECT_TRUE(outcome(collect_system_objects().value(), path).removed);
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
    EXPECT_EQ(::access(strangers.c_str(), F_OK), 0);
    EXPECT_EQ(::unlink(strangers.c_str()), 0);
    EXPECT_TRUE(test::left_over().empty()) << "the record stayed";
}

TEST_F(SystemObjects, StaleRecordsGoWithoutAWord) {
    const std::string path = fifo();
    ASSERT_TRUE(os::note_made(place_, path));
    ASSERT_EQ(::unlink(path.c_str()), 0);
    EXPECT_EQ(find(kind::fifo, path).name, "");
    EXPECT_EQ(outcome(collect_system_objects(true).value(), path).reason, "not listed");
    EXPECT_EQ(test::left_over().size(), 1U) << "a plan removes nothing";
    EXPECT_EQ(outcome(collect_system_objects().value(), path).reason, "not listed");
    EXPECT_TRUE(test::left_over().empty());
}

TEST_F(SystemObjects, QueuesThatAreLeftOverAreToldNotRemoved) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const int left = queue();
    const int used = queue();
    by_a_dead_process([&] { send(left); });
    send(used);
    const std::string name = find(kind::sysv_queue, std::to_string(left)).name;
    const auto all = collect_system_objects().value();
    EXPECT_FALSE(outcome(all, name).removed);
    EXPECT_EQ(outcome(all, name).command, "ipcrm -q " + std::to_string(left));
    EXPECT_NE(outcome(all, name).reason.find("1 message waits"), std::string::npos);
    EXPECT_EQ(outcome(all, find(kind::sysv_queue, std::to_string(used)).name).reason, "not listed");
    msqid_ds raw{};
    EXPECT_EQ(::msgctl(left, IPC_STAT, &raw), 0) << "it was removed";
}

TEST_F(SystemObjects, APosixQueueThatNobodyHasOpenIsToldWithACommandThatRemovesIt) {
    posix_ += "it's";
    ::mq_close(posix_queue());
    const bool done = alone([&] {
        const auto one = outcome(collect_system_objects().value(), posix_);
        EXPECT_FALSE(one.removed);
        EXPECT_EQ(one.reason, "nobody has it open");
        std::string quoted = posix_;
        quoted.insert(quoted.size() - 2, "'\\'");
        EXPECT_EQ(one.command, "hawser rm 'mq:" + quoted + "'");
        EXPECT_EQ(outcome(collect_system_objects().value(), posix_).command, one.command);
    });
    if (!done) GTEST_SKIP() << "this user may not have a private PID namespace";
}

TEST_F(SystemObjects, EveryKindHasAWord) {
    EXPECT_EQ(name_of(kind::posix_queue), "posix_queue");
    EXPECT_EQ(name_of(kind::unix_socket), "unix_socket");
    EXPECT_EQ(name_of(owner_life::unknown), "unknown");
    EXPECT_EQ(name_of(owner_life::yes), "yes");
    EXPECT_EQ(name_of(static_cast<kind>(99)), "unknown");
}

} // namespace
} // namespace hawser
