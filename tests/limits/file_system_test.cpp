// The mailbox directory on a tmpfs that is full, or soon will be: with each number of pages that is
// too little, and each number of files. Nothing is killed by SIGBUS, each refusal comes before the
// commit and says no_space, what was sent comes whole, and with room again all goes on.
#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limits/limits.hpp"
#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t mib = std::uint64_t{1} << 20;

bool mount_over(const std::string& options) {
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("tmpfs", private_directory().c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                   options.c_str()) == 0;
}

bool may_mount() {
    private_directory();
    const pid_t made = ::fork();
    if (made == 0) ::_exit(mount_over("size=1m") ? 0 : 1);
    int status = 0;
    ::waitpid(made, &status, 0);
    return status == 0;
}

std::uint64_t free_pages() {
    struct statvfs raw {};
    EXPECT_EQ(::statvfs(private_directory().c_str(), &raw), 0);
    return raw.f_bfree * raw.f_bsize / page;
}

// A file without a name that takes all but so many pages.
class ballast {
  public:
    explicit ballast(std::uint64_t pages_left)
        : fd_(::open(private_directory().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
        const std::uint64_t pages = free_pages();
        if (pages > pages_left) {
            EXPECT_EQ(::fallocate(fd_, 0, 0, static_cast<off_t>((pages - pages_left) * page)), 0);
        }
    }
    ~ballast() { ::close(fd_); }
    ballast(const ballast&) = delete;
    ballast& operator=(const ballast&) = delete;

  private:
    int fd_;
};

class on_a_small_tmpfs : public every_scheme {
  protected:
    void SetUp() override {
        every_scheme::SetUp();
        if (!may_mount()) GTEST_SKIP() << "needs CAP_SYS_ADMIN (a mount of one's own)";
    }
};

// With so many pages left. True if nothing was short.
bool use_with_pages(const spelling& how, std::uint64_t pages) {
    const std::string address = how.address(unique_name("small"));
    const std::size_t before = descriptors();
    bool all_fits = true;
    {
        auto heavy = std::make_unique<ballast>(pages);
        auto ends = open_both(how, address);
        if (!ends) {
            expect_clear(ends.why(), errc::no_space, "in open");
            all_fits = false;
        } else {
            const auto sent = send_all_that_fits(how, ends->out);
            all_fits = free_pages() > 0;
            expect_all(ends->in, sent);
            // Drained, and still hardly any room: what fitted once fits again.
            const auto again = send_all_that_fits(how, ends->out);
            EXPECT_GE(again.size(), sent.empty() ? 0U : 1U);
            expect_all(ends->in, again);
        }
        heavy.reset();
        if (!ends) ends = open_both(how, address);
        if (!ends) {
            ADD_FAILURE() << "with room again: " << ends.why().describe();
            return false;
        }
        expect_works(*ends);
        const auto rest = send_all_that_fits(how, ends->out);
        if (how.large_bytes != 0) {
            EXPECT_EQ(rest.at(0).size(), how.large_bytes) << "a large one fits again";
        }
        expect_all(ends->in, rest);
    }
    remove_what_stays(how, address);
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(mappings_of_mailboxes(), 0U);
    EXPECT_EQ(left_over(), std::vector<std::string>{});
    return all_fits;
}

TEST_P(on_a_small_tmpfs, every_number_of_free_pages) {
    in_a_process([] {
        ASSERT_TRUE(mount_over("size=1m"));
        const std::uint64_t all = free_pages();
        ASSERT_EQ(all, mib / page);
        // From nothing to where nothing is short any more, and some further.
        constexpr std::uint64_t further = 4;
        std::uint64_t enough = 0;
        for (std::uint64_t pages = 0; pages < all && enough < further; ++pages) {
            SCOPED_TRACE("with " + std::to_string(pages) + " free pages");
            enough = use_with_pages(how(), pages) ? enough + 1 : 0;
            ASSERT_EQ(free_pages(), all) << "memory has leaked";
            if (HasFailure()) return;
        }
    });
}

// A file system can be out of files before it is out of memory.
TEST_P(on_a_small_tmpfs, every_number_of_files) {
    in_a_process([] {
        constexpr unsigned most = 6;
        for (unsigned files = 1; files <= most; ++files) {
            SCOPED_TRACE("with " + std::to_string(files) +
                         " files at most, the directory's own too");
            ASSERT_TRUE(mount_over("size=1m,nr_inodes=" + std::to_string(files)));
            const std::string address = how().address(unique_name("few"));
            const std::size_t before = descriptors();
            {
                auto ends = open_both(how(), address);
                if (ends)
                    expect_works(*ends);
                else
                    expect_clear(ends.why(), errc::no_space, "in open");
            }
            remove_what_stays(how(), address);
            EXPECT_EQ(descriptors(), before);
            EXPECT_EQ(left_over(), std::vector<std::string>{});
        }
    });
}

// As it is, without any ballast: the default mailbox fits in 1 MiB, and takes what it gets.
TEST(a_small_tmpfs, a_default_mailbox_takes_all_there_is_and_gives_it_back) {
    if (!may_mount()) GTEST_SKIP() << "needs CAP_SYS_ADMIN (a mount of one's own)";
    child one("default", [] {
        ASSERT_TRUE(mount_over("size=1m"));
        auto in = receiver::open("shm:default").value();
        auto out = sender::open("shm:default").value();
        for (int round = 0; round < 3; ++round) {
            std::vector<std::string> sent;
            for (const std::size_t size : {100'000U, 10'000U, 100U}) {
                for (;;) {
                    std::string text(size, static_cast<char>('a' + sent.size() % 26));
                    const auto done = out.try_send(text);
                    if (!done) {
                        EXPECT_TRUE(done.is(errc::no_space) || done.is(errc::would_block))
                            << done.why().describe();
                        break;
                    }
                    sent.push_back(std::move(text));
                }
            }
            EXPECT_EQ(sent.size(), 1024U) << "small messages have their memory from the beginning";
            EXPECT_GT(sent[0].size(), 10'000U) << "and there is room for some large ones";
            expect_all(in, sent);
        }
    });
    one.end_well();
}

INSTANTIATE_TEST_SUITE_P(schemes, on_a_small_tmpfs, testing::ValuesIn(schemes_with_messages()),
                         label_of);

} // namespace
} // namespace hawser::test
