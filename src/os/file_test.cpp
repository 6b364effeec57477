#include "os/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

std::string fresh_path(std::string_view stem) {
    return test::private_directory() + "/" + test::unique_name(stem);
}

// A file with a name that goes with the test.
class File : public testing::Test {
  protected:
    ~File() override { ::unlink(path_.c_str()); }

    std::string path_ = fresh_path("file");
    unique_fd fd_ = make_unnamed(test::private_directory()).value();
};

TEST_F(File, AnUnnamedFileHasNoNameUntilItIsGiven) {
    EXPECT_EQ(status_of(fd_.get())->links, 0U);
    EXPECT_EQ(status_of(fd_.get())->mode, 0U);
    EXPECT_EQ(::fcntl(fd_.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    ASSERT_TRUE(give_name(fd_.get(), path_));
    EXPECT_EQ(status_of(fd_.get())->links, 1U);
    const auto named = status_of(path_);
    ASSERT_TRUE(named);
    EXPECT_TRUE(named->same_file_as(*status_of(fd_.get())));
    EXPECT_TRUE(named->regular);
    ASSERT_TRUE(remove_name(path_));
    EXPECT_TRUE(status_of(path_).is(errc::not_found));
    EXPECT_TRUE(remove_name(path_).is(errc::not_found));
    EXPECT_EQ(status_of(fd_.get())->links, 0U);
}

TEST_F(File, ATakenNameIsNotReplaced) {
    ASSERT_TRUE(give_name(fd_.get(), path_));
    const unique_fd other = make_unnamed(test::private_directory()).value();
    EXPECT_FALSE(status_of(other.get())->same_file_as(*status_of(fd_.get())));
    const auto refused = give_name(other.get(), path_);
    EXPECT_TRUE(refused.is(errc::already_exists));
    EXPECT_EQ(refused.why().sys(), EEXIST);
    EXPECT_TRUE(status_of(path_)->same_file_as(*status_of(fd_.get())));
}

TEST_F(File, ASymbolicLinkIsNotFollowed) {
    ASSERT_TRUE(set_access(fd_.get(), 0600, no_group));
    ASSERT_TRUE(give_name(fd_.get(), path_));
    const std::string link = fresh_path("link");
    ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
    const auto refused = open_existing(link, access_kind::read_write);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.why().sys(), ELOOP);
    EXPECT_FALSE(status_of(link)->regular) << "of the link itself";
    EXPECT_TRUE(
        give_name(make_unnamed(test::private_directory())->get(), link).is(errc::already_exists));
    ::unlink(link.c_str());
}

TEST_F(File, AFifoIsOpenedWithoutWaitingAndSeenToBeNone) {
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    const auto opened = open_existing(path_, access_kind::read_only);
    ASSERT_TRUE(opened);
    EXPECT_FALSE(status_of(opened->get())->regular);
}

// Where a program has closed its standard descriptors, what it prints must not land in a mailbox.
TEST_F(File, IsNeverAStandardDescriptor) {
    ASSERT_TRUE(give_name(fd_.get(), path_));
    test::child closed("closed", [&] {
        for (const int fd : {0, 1, 2}) ::close(fd);
        const unique_fd made = make_unnamed(test::private_directory()).value();
        const unique_fd opened = open_existing(path_, access_kind::read_write).value();
        const unique_fd again = open_again(opened.get(), access_kind::read_only).value();
        EXPECT_GT(made.get(), 2);
        EXPECT_GT(opened.get(), 2);
        EXPECT_GT(again.get(), 2);
    });
    EXPECT_TRUE(closed.end_well());
}

TEST_F(File, ErrorsKeepTheErrno) {
    EXPECT_TRUE(open_existing(path_, access_kind::read_only).is(errc::not_found));
    EXPECT_EQ(make_unnamed(path_).why().sys(), ENOENT);
    EXPECT_TRUE(names_in(path_).is(errc::not_found));
    EXPECT_EQ(status_of(-1).why().sys(), EBADF);
    EXPECT_EQ(failure("x", EDQUOT).code(), errc::no_space);
    EXPECT_EQ(failure("x", EACCES).code(), errc::permission);
    EXPECT_EQ(failure("x", EINTR).code(), errc::interrupted);
    EXPECT_EQ(failure("x", EIO).code(), errc::system);
}

TEST_F(File, TheModeIsExactWhateverTheUmask) {
    const mode_t before = ::umask(077);
    EXPECT_TRUE(set_access(fd_.get(), 0664, ::getegid()));
    ::umask(before);
    EXPECT_EQ(status_of(fd_.get())->mode, 0664U);
    EXPECT_EQ(status_of(fd_.get())->gid, ::getegid());
}

TEST_F(File, GroupsGoByNameOrNumber) {
    EXPECT_EQ(group_id("root").value(), 0U);
    EXPECT_EQ(group_id("12345").value(), 12345U);
    EXPECT_TRUE(group_id("no-such-group-anywhere").is(errc::not_found));
    EXPECT_TRUE(group_id("12345x").is(errc::not_found));
    EXPECT_TRUE(group_id("").is(errc::not_found));
}

TEST_F(File, AllocateGivesMemoryAndAHoleTakesItBack) {
    const std::uint64_t page = page_bytes();
    ASSERT_TRUE(set_size(fd_.get(), 16 * page));
    EXPECT_EQ(status_of(fd_.get())->bytes, 16 * page);
    EXPECT_EQ(status_of(fd_.get())->memory_bytes, 0U);
    ASSERT_TRUE(allocate(fd_.get(), 4 * page, 4 * page));
    EXPECT_EQ(status_of(fd_.get())->memory_bytes, 4 * page);
    auto mapped = mapping::of(fd_.get(), 16 * page, access_kind::read_write).value();
    mapped.data()[4 * page] = std::byte{7};
    mapped.data()[6 * page] = std::byte{8};
    ASSERT_TRUE(allocate(fd_.get(), 4 * page, 4 * page)) << "again: the content stays";
    EXPECT_EQ(mapped.data()[4 * page], std::byte{7});
    punch_hole(fd_.get(), 4 * page, 2 * page);
    EXPECT_EQ(status_of(fd_.get())->memory_bytes, 2 * page);
    EXPECT_EQ(status_of(fd_.get())->bytes, 16 * page);
    EXPECT_EQ(mapped.data()[4 * page], std::byte{0});
    EXPECT_EQ(mapped.data()[6 * page], std::byte{8});
}

TEST_F(File, OpenAgainIsAnotherDescription) {
    const auto again = open_again(fd_.get(), access_kind::read_only);
    ASSERT_TRUE(again);
    EXPECT_TRUE(status_of(again->get())->same_file_as(*status_of(fd_.get())));
    EXPECT_FALSE(set_size(again->get(), 1)) << "only for reading";
    ASSERT_EQ(::write(fd_.get(), "hawser", 6), 6);
    EXPECT_EQ(::lseek(again->get(), 0, SEEK_CUR), 0) << "its place is its own";
    std::array<char, 16> text{};
    EXPECT_EQ(read_start(again->get(), text.data(), text.size()).value(), 6U);
    EXPECT_STREQ(text.data(), "hawser");
}

TEST_F(File, NamesInListsThem) {
    ASSERT_TRUE(give_name(fd_.get(), path_));
    const auto names = names_in(test::private_directory());
    ASSERT_TRUE(names);
    const std::string name = path_.substr(path_.rfind('/') + 1);
    EXPECT_EQ(std::count(names->begin(), names->end(), name), 1);
}

TEST(UniqueFd, ClosesWhatItHad) {
    unique_fd one = make_unnamed(test::private_directory()).value();
    unique_fd two = make_unnamed(test::private_directory()).value();
    const int first = one.get();
    const int second = two.get();
    one = std::move(two);
    EXPECT_EQ(one.get(), second);
    EXPECT_FALSE(two);
    EXPECT_EQ(::fcntl(first, F_GETFD), -1);
    EXPECT_NE(::fcntl(second, F_GETFD), -1);
    unique_fd& same = one;
    one = std::move(same);
    EXPECT_EQ(one.get(), second);
    one.reset();
    EXPECT_EQ(::fcntl(second, F_GETFD), -1);
}

// --- mapping -----------------------------------------------------------------------------------

bool is_mapped(const void* address) {
    unsigned char there = 0;
    return ::mincore(const_cast<void*>(address), 1, &there) == 0;
}

class Mapping : public testing::Test {
  protected:
    Mapping() { set_size(fd_.get(), page_bytes()).value(); }
    mapping map(access_kind access = access_kind::read_write) const {
        return mapping::of(fd_.get(), page_bytes(), access).value();
    }
    unique_fd fd_ = make_unnamed(test::private_directory()).value();
};

TEST_F(Mapping, IsSharedWithEveryOtherOfTheFile) {
    const mapping one = map();
    const mapping two = map(access_kind::read_only);
    EXPECT_NE(one.data(), two.data());
    EXPECT_EQ(one.size(), page_bytes());
    one.data()[3] = std::byte{42};
    EXPECT_EQ(two.data()[3], std::byte{42});
}

TEST_F(Mapping, MovesAndUnmapsOnce) {
    mapping one = map();
    mapping two = map();
    std::byte* const first = one.data();
    std::byte* const second = two.data();
    mapping three = std::move(one);
    EXPECT_EQ(one.data(), nullptr);
    EXPECT_EQ(one.size(), 0U);
    EXPECT_EQ(three.data(), first);
    three = std::move(two);
    EXPECT_EQ(three.data(), second);
    EXPECT_EQ(three.size(), page_bytes());
    three.data()[0] = std::byte{1};
}

TEST_F(Mapping, AbandoningLeavesTheMemoryAlone) {
    std::byte* place = nullptr;
    {
        mapping one = map();
        place = one.data();
        one.abandon();
        EXPECT_EQ(one.data(), nullptr);
    }
    EXPECT_TRUE(is_mapped(place));
    ::munmap(place, page_bytes());
}

TEST_F(Mapping, AChildDoesNotInheritIt) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const mapping one = map();
    test::child("child", [&] { EXPECT_FALSE(is_mapped(one.data())); }).end_well();
    EXPECT_TRUE(is_mapped(one.data()));
}

TEST_F(Mapping, OfAFileThatMayOnlyBeReadCannotBeWritten) {
    const unique_fd reading = open_again(fd_.get(), access_kind::read_only).value();
    EXPECT_TRUE(
        mapping::of(reading.get(), page_bytes(), access_kind::read_write).is(errc::permission));
    EXPECT_TRUE(mapping::of(reading.get(), page_bytes(), access_kind::read_only));
}

} // namespace
} // namespace hawser::os
