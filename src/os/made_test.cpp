#include "os/made.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/file.hpp"
#include "os/process.hpp"
#include "support/child.hpp"
#include "support/meeting.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

constexpr unsigned stranger = 65'534; // nobody: any user but root will do

class Made : public testing::Test {
  protected:
    Made() {
        EXPECT_EQ(::mkdir(place_.c_str(), 01777), 0);
        ::chmod(place_.c_str(), 01777);
    }
    ~Made() override { test::sweep_left_over(); }

    std::string fifo(const std::string& name) const {
        std::string path = place_ + "/" + name;
        EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
        return path;
    }
    std::string record_of(const file_key& key) const {
        std::string hex(64, '\0');
        hex.resize(static_cast<std::size_t>(std::snprintf(
            hex.data(), hex.size(), "%llx-%llx", static_cast<unsigned long long>(key.device),
            static_cast<unsigned long long>(key.inode))));
        return records_ + "/hawser-made." + hex;
    }
    std::vector<made_object> listed() const { return list_made(records_).value().objects; }

    std::string records_ = test::private_directory();
    std::string place_ = records_ + "/" + test::unique_name("place");
};

TEST_F(Made, ARecordSaysWhatWasMadeWhereAndByWhom) {
    const std::string path = fifo("one");
    const file_key key = note_made(records_, path).value();
    const file_status file = status_of(path).value();
    EXPECT_EQ(key, (file_key{file.device, file.inode}));
    EXPECT_EQ(status_of(record_of(key)).value().mode, 0600U);
    const auto all = listed();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].key, key);
    EXPECT_EQ(all[0].path, path);
    EXPECT_EQ(all[0].kind, made_kind::fifo);
    EXPECT_EQ(all[0].maker_pid, own_identity().pid);
    EXPECT_EQ(all[0].maker_pid_namespace, own_identity().pid_namespace);
    EXPECT_EQ(all[0].mode, 0600U);
    EXPECT_EQ(all[0].uid, ::geteuid());
    EXPECT_FALSE(all[0].stale);
    EXPECT_EQ(::unlink(path.c_str()), 0);
    forget_made(records_, key);
    EXPECT_TRUE(status_of(record_of(key)).is(errc::not_found));
}

TEST_F(Made, ASocketFileIsNotedAsOne) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string path = place_ + "/socket";
    path.copy(name.sun_path, sizeof name.sun_path - 1);
    const unique_fd bound{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    ASSERT_EQ(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    EXPECT_TRUE(note_made(records_, path));
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_EQ(listed()[0].kind, made_kind::socket);
}

TEST_F(Made, WhatIsNeitherFifoNorSocketIsRefused) {
    const std::string path = place_ + "/file";
    std::ofstream(path) << "x";
    EXPECT_TRUE(note_made(records_, path).is(errc::invalid_argument));
    EXPECT_TRUE(note_made(records_, path + "-not-there").is(errc::not_found));
    EXPECT_TRUE(note_made(records_ + "/not-there", fifo("one")).is(errc::not_found));
    EXPECT_TRUE(listed().empty());
}

TEST_F(Made, APathCountsFromTheCurrentDirectory) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    test::child("elsewhere", [&] {
        ASSERT_EQ(::chdir(place_.c_str()), 0);
        ASSERT_EQ(::mkfifo("relative", 0600), 0);
        EXPECT_TRUE(note_made(records_, "./relative"));
    }).end_well();
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_EQ(listed()[0].path, place_ + "/relative");
}

TEST_F(Made, APathMayHoldAnyByte) {
    const std::string path = fifo("two\nlines \xff 12 13");
    ASSERT_TRUE(note_made(records_, path));
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_EQ(listed()[0].path, path);
}

TEST_F(Made, NotingAgainChangesNothing) {
    const std::string path = fifo("one");
    const file_key key = note_made(records_, path).value();
    const auto before = status_of(record_of(key)).value();
    EXPECT_EQ(note_made(records_, path).value(), key);
    EXPECT_TRUE(status_of(record_of(key)).value().same_file_as(before));
}

TEST_F(Made, TwoProcessesMayNoteTheSameObject) {
    if (!test::can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    const std::string path = fifo("one");
    const test::barrier together(2);
    const auto act = [&] {
        together.arrive();
        for (int i = 0; i < 200; ++i) {
            const auto key = note_made(records_, path);
            EXPECT_TRUE(key) << key.why().describe();
            if (key) forget_made(records_, *key);
        }
        EXPECT_TRUE(note_made(records_, path));
    };
    test::child one("one", act);
    test::child other("other", act);
    one.end_well();
    other.end_well();
    // The last forget of one may come after the last note of the other, but then its own follows.
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_EQ(listed()[0].path, path);
}

TEST_F(Made, ARecordIsStaleOnceThePathIsNotThatObject) {
    const std::string gone = fifo("gone");
    const file_key key = note_made(records_, gone).value();
    const unique_fd held{::open(gone.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)}; // keeps its inode
    ASSERT_EQ(::unlink(gone.c_str()), 0);
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_TRUE(listed()[0].stale);
    fifo("gone"); // another one at the same path
    EXPECT_TRUE(listed()[0].stale);
    EXPECT_FALSE(remove_made(records_, listed()[0]).value());
    EXPECT_TRUE(status_of(gone)) << "the object of somebody else was removed";
    forget_made(records_, gone);
    EXPECT_TRUE(status_of(record_of(key)).is(errc::not_found));
}

TEST_F(Made, WhatChangedSinceItWasListedStays) {
    const std::string path = fifo("one");
    ASSERT_TRUE(note_made(records_, path));
    const auto before = listed();
    ASSERT_EQ(before.size(), 1U);
    // As if the inode were used again: the times tell. They may be coarse.
    test::until([&] {
        EXPECT_EQ(::chmod(path.c_str(), 0640), 0);
        return listed()[0].changed_ns != before[0].changed_ns;
    });
    EXPECT_FALSE(remove_made(records_, before[0]).value());
    EXPECT_TRUE(status_of(path));
    EXPECT_EQ(listed().size(), 1U);
}

TEST_F(Made, AnInodeThatIsUsedAgainGetsItsNewPath) {
    const std::string path = fifo("new");
    const file_status file = status_of(path).value();
    const std::string record = record_of({file.device, file.inode});
    std::ofstream(record) << "1 2\n" << place_ << "/old";
    ASSERT_TRUE(note_made(records_, path));
    ASSERT_EQ(listed().size(), 1U);
    EXPECT_EQ(listed()[0].path, path);
    EXPECT_FALSE(listed()[0].stale);
}

TEST_F(Made, ForgettingByPathTakesOnlyWhatIsGone) {
    const std::string path = fifo("one");
    const file_key kept = note_made(records_, fifo("kept")).value();
    const file_key key = note_made(records_, path).value();
    forget_made(records_, path);
    EXPECT_EQ(listed().size(), 2U) << "the object is still there";
    ASSERT_EQ(::unlink(path.c_str()), 0);
    forget_made(records_, path);
    EXPECT_TRUE(status_of(record_of(key)).is(errc::not_found));
    EXPECT_TRUE(status_of(record_of(kept)));
}

TEST_F(Made, ARemovedObjectGoesWithItsRecord) {
    ASSERT_TRUE(note_made(records_, fifo("one")));
    const auto all = listed();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(remove_made(records_, all[0]).value());
    EXPECT_TRUE(status_of(all[0].path).is(errc::not_found));
    EXPECT_TRUE(listed().empty());
    EXPECT_TRUE(remove_made(records_, all[0]).value()) << "gone is gone, whoever did it";
}

// Its maker was killed between renaming it and noting its last name.
TEST_F(Made, ARecordOfTheFirstNameLeadsToTheLastOne) {
    const std::string first = fifo(".hawser-fifo.7-7-1,last, with a mark");
    const file_key key = note_made(records_, first).value();
    const std::string last = place_ + "/last, with a mark";
    ASSERT_EQ(::rename(first.c_str(), last.c_str()), 0);
    const auto all = listed();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].path, last);
    EXPECT_FALSE(all[0].stale);
    EXPECT_TRUE(remove_made(records_, all[0]).value());
    EXPECT_TRUE(status_of(last).is(errc::not_found));
    EXPECT_TRUE(status_of(record_of(key)).is(errc::not_found));
}

TEST_F(Made, TheLastNameOfARecordMayBeAnotherObjects) {
    const std::string first = fifo(".hawser-fifo.7-7-2,taken");
    const std::string taken = fifo("taken");
    ASSERT_TRUE(note_made(records_, first));
    auto all = listed();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].path, first) << "not renamed yet";
    ASSERT_EQ(::unlink(first.c_str()), 0);
    all = listed();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_TRUE(all[0].stale);
    EXPECT_TRUE(status_of(taken)) << "a stranger's";
}

TEST_F(Made, NonsenseIsNoRecord) {
    const std::string path = fifo("one");
    const file_status file = status_of(path).value();
    const std::string record = record_of({file.device, file.inode});
    const std::vector<std::string> contents{"",
                                            "1",
                                            "1 2",
                                            "1 2\n",
                                            "1 2\nrelative",
                                            "x 2\n" + path,
                                            "1 y\n" + path,
                                            path,
                                            "-1 2\n" + path,
                                            "1 2\n" + path + std::string("\0x", 2)};
    for (const auto& content : contents) {
        std::ofstream(record) << content;
        EXPECT_TRUE(listed().empty()) << content;
    }
    ASSERT_EQ(::unlink(record.c_str()), 0);
    ASSERT_EQ(::symlink("/proc/self/environ", record.c_str()), 0);
    EXPECT_TRUE(listed().empty());
    ASSERT_EQ(::unlink(record.c_str()), 0);
    ASSERT_EQ(::mkfifo(record.c_str(), 0600), 0); // must not be waited for
    EXPECT_TRUE(listed().empty());
    ASSERT_EQ(::unlink(record.c_str()), 0);
    for (const char* name : {"hawser-made.", "hawser-made.1", "hawser-made.1-", "hawser-made.1-2x"})
        std::ofstream(records_ + "/" + name) << "1 2\n" << path;
    EXPECT_TRUE(listed().empty());
}

TEST_F(Made, NobodySpeaksForTheObjectOfAnother) {
    if (!test::can_fork || ::geteuid() != 0)
        GTEST_SKIP() << "only root can make files of two users";
    const std::string path = fifo("of-root");
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(stranger), 0);
        EXPECT_TRUE(note_made(records_, path)); // harmless: it says nothing to others
    }).end_well();
    EXPECT_TRUE(listed().empty());
    // The owner gets the place of a record that is not its own, as it owns the directory here.
    EXPECT_TRUE(note_made(records_, path));
    EXPECT_EQ(listed().size(), 1U);
}

TEST_F(Made, RecordsOfOthersAreCountedWhereTheyCanNotBeRead) {
    if (!test::can_fork || ::geteuid() != 0)
        GTEST_SKIP() << "only root can make files of two users";
    ASSERT_TRUE(note_made(records_, fifo("of-root")));
    test::child("stranger", [&] {
        ASSERT_EQ(::seteuid(stranger), 0);
        const auto all = list_made(records_).value();
        EXPECT_TRUE(all.objects.empty());
        EXPECT_EQ(all.unreadable, 1U);
    }).end_well();
}

} // namespace
} // namespace hawser::os
