#include "os/sealed.hpp"

#include <cerrno>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "os/file.hpp"
#include "os/lock.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

constexpr std::uint64_t bytes = 65'536;

unique_fd sealed_memory() {
    unique_fd made = make_memory("hawser-test").value();
    EXPECT_TRUE(set_size(made.get(), bytes));
    EXPECT_TRUE(seal_size(made.get()));
    return made;
}

TEST(sealed, nobody_changes_the_size_or_the_seals_again) {
    const unique_fd made = sealed_memory();
    const unique_fd other = open_sealed(made.get(), access_kind::read_write).value();
    for (const int fd : {made.get(), other.get()}) {
        EXPECT_EQ(::ftruncate(fd, 0), -1);
        EXPECT_EQ(errno, EPERM);
        EXPECT_EQ(::ftruncate(fd, 2 * bytes), -1);
        EXPECT_EQ(::fallocate(fd, 0, 0, 2 * bytes), -1);
        EXPECT_EQ(::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
        EXPECT_EQ(::pwrite(fd, "x", 1, bytes), -1) << "behind its end";
        EXPECT_EQ(::pwrite(fd, "x", 1, bytes - 1), 1);
    }
    EXPECT_EQ(status_of(other.get())->bytes, bytes);
}

TEST(sealed, a_name_is_good_for_opening_and_for_nothing_else) {
    const unique_fd made = sealed_memory();
    const unique_fd name = name_only(made.get()).value();
    char byte = 0;
    EXPECT_EQ(::read(name.get(), &byte, 1), -1);
    EXPECT_EQ(::write(name.get(), &byte, 1), -1);
    EXPECT_EQ(::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, name.get(), 0), MAP_FAILED);
    EXPECT_EQ(::ftruncate(name.get(), 0), -1);
    EXPECT_FALSE(try_lock(name.get(), 7, lock_kind::exclusive));
    // What is opened by it has locks of its own.
    const unique_fd first = open_sealed(name.get(), access_kind::read_write).value();
    const unique_fd second = open_sealed(name.get(), access_kind::read_write).value();
    EXPECT_TRUE(try_lock(first.get(), 7, lock_kind::exclusive).value());
    EXPECT_FALSE(try_lock(second.get(), 7, lock_kind::exclusive).value());
    EXPECT_FALSE(try_lock(made.get(), 7, lock_kind::exclusive).value());
}

TEST(sealed, the_mode_says_who_may_open_it) {
    if (::geteuid() == 0) GTEST_SKIP() << "not applicable: root may open anything";
    const unique_fd made = sealed_memory();
    const unique_fd name = name_only(made.get()).value();
    EXPECT_TRUE(set_access(made.get(), 0400, no_group));
    EXPECT_TRUE(open_sealed(name.get(), access_kind::read_write).is(errc::permission));
    EXPECT_TRUE(open_sealed(name.get(), access_kind::read_only));
}

TEST(sealed, a_description_that_only_reads_can_not_write) {
    const unique_fd made = sealed_memory();
    const unique_fd name = name_only(made.get()).value();
    const unique_fd reader = open_sealed(name.get(), access_kind::read_only).value();
    EXPECT_EQ(::pwrite(reader.get(), "x", 1, 0), -1);
    EXPECT_EQ(::mmap(nullptr, bytes, PROT_WRITE, MAP_SHARED, reader.get(), 0), MAP_FAILED);
}

struct impostor {
    const char* what;
    unique_fd fd;
};

unique_fd memory_with(unsigned flags, int seals) {
    unique_fd made{::memfd_create("impostor", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags)};
    constexpr off_t huge_page = 1 << 21;
    EXPECT_EQ(::ftruncate(made.get(), (flags & MFD_HUGETLB) != 0 ? huge_page : bytes), 0);
    EXPECT_EQ(::fcntl(made.get(), F_ADD_SEALS, seals), 0);
    return made;
}

std::vector<impostor> impostors() {
    constexpr int size = F_SEAL_SHRINK | F_SEAL_GROW;
    std::vector<impostor> all;
    all.push_back({"no seals", memory_with(0, 0)});
    all.push_back({"it may shrink", memory_with(0, F_SEAL_GROW | F_SEAL_SEAL)});
    all.push_back({"it may grow", memory_with(0, F_SEAL_SHRINK | F_SEAL_SEAL)});
    all.push_back({"more seals may come", memory_with(0, size)});
    all.push_back({"nobody may write", memory_with(0, size | F_SEAL_SEAL | F_SEAL_WRITE)});
    all.push_back({"nobody may map it", memory_with(0, size | F_SEAL_SEAL | 0x10)});
    const unique_fd huge{::memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING)};
    if (huge) // not every kernel has such pages; none need be free to make the file
        all.push_back({"huge pages", memory_with(MFD_HUGETLB, size | F_SEAL_SEAL)});
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    all.push_back({"a pipe", unique_fd{ends[0]}});
    all.push_back({"a pipe, to write", unique_fd{ends[1]}});
    all.push_back({"a device", unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)}});
    all.push_back({"a directory", unique_fd{::open("/", O_PATH | O_CLOEXEC)}});
    all.push_back({"a socket", unique_fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}});
    const std::string directory = test::private_directory();
    all.push_back({"a file in memory", make_unnamed(directory).value()});
    EXPECT_TRUE(set_access(all.back().fd.get(), 0600, no_group));
    const std::string fifo = directory + "/" + test::unique_name("impostor");
    EXPECT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    // To open one waits for the other side.
    all.push_back({"a FIFO that nobody has", unique_fd{::open(fifo.c_str(), O_PATH | O_CLOEXEC)}});
    EXPECT_EQ(::unlink(fifo.c_str()), 0);
    return all;
}

TEST(sealed, what_is_no_sealed_memory_is_told_and_never_waited_for) {
    for (const impostor& one : impostors()) {
        ASSERT_TRUE(one.fd) << one.what;
        const auto opened = open_sealed(one.fd.get(), access_kind::read_write);
        ASSERT_FALSE(opened) << one.what;
        EXPECT_TRUE(opened.is(errc::corrupt)) << one.what << ": " << opened.why().describe();
        EXPECT_FALSE(opened.why().detail().empty()) << one.what;
    }
}

// The kernel would let an open wait for the holder of a lease, 45 s by default.
TEST(sealed, a_lease_holds_nobody_up) {
    unique_fd made = sealed_memory();
    const unique_fd name = name_only(made.get()).value();
    const unique_fd leased = open_sealed(name.get(), access_kind::read_only).value();
    made.reset(); // a read lease needs that nobody writes
    struct sigaction ignore {};
    ignore.sa_handler = SIG_IGN;
    struct sigaction before {};
    ::sigaction(SIGIO, &ignore, &before);
    ASSERT_EQ(::fcntl(leased.get(), F_SETLEASE, F_RDLCK), 0) << errno;
    EXPECT_TRUE(open_sealed(name.get(), access_kind::read_write).is(errc::corrupt));
    ::fcntl(leased.get(), F_SETLEASE, F_UNLCK);
    ::sigaction(SIGIO, &before, nullptr);
    EXPECT_TRUE(open_sealed(name.get(), access_kind::read_write));
}

} // namespace
} // namespace hawser::os
