#include "segment/segment.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/lock.hpp"
#include "support/place.hpp"

namespace hawser::segment {
namespace {

constexpr std::optional<errc> no_error;

// What a header says with all that follows it cut away: a sparse file of the right size.
class Header : public testing::Test {
  protected:
    Header() {
        options small;
        small.capacity = 4;
        small.participants = 3;
        small.max_message = 5000;
        const auto made = open_segment(test::unique_name("header"), small).value();
        shape_ = made.memory->shape();
        total_ = made.memory->plan().total_bytes;
        os::read_start(made.fd.get(), bytes_.data(), bytes_.size()).value();
    }
    static std::string directory_of_test() { return test::private_directory(); }

    // The answer to these bytes at the head of a file of so many.
    result<geometry> read(const std::vector<char>& bytes, std::uint64_t size) const {
        EXPECT_TRUE(os::set_size(fd_.get(), 0));
        EXPECT_EQ(::pwrite(fd_.get(), bytes.data(), std::min<std::size_t>(bytes.size(), size), 0),
                  static_cast<ssize_t>(std::min<std::size_t>(bytes.size(), size)));
        EXPECT_TRUE(os::set_size(fd_.get(), size));
        return read_geometry(fd_.get(), *os::status_of(fd_.get()));
    }
    // As docs/formats describes it: FNV-1a of all before it.
    static void seal(std::vector<char>& bytes) {
        std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
        for (std::size_t i = 0; i < offsetof(header, checksum); ++i)
            hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100'0000'01b3ULL;
        std::memcpy(bytes.data() + offsetof(header, checksum), &hash, sizeof hash);
    }
    template <typename T>
    std::vector<char> with(std::size_t offset, T value) const {
        std::vector<char> changed = bytes_;
        std::memcpy(changed.data() + offset, &value, sizeof value);
        seal(changed);
        return changed;
    }

    std::string directory_ = directory_of_test();
    os::unique_fd fd_ = os::make_unnamed(directory_).value();
    std::vector<char> bytes_ = std::vector<char>(sizeof(header));
    geometry shape_;
    std::uint64_t total_ = 0;
};

TEST_F(Header, AWholeOneIsRead) {
    const auto shape = read(bytes_, total_);
    ASSERT_TRUE(shape) << shape.why().describe();
    EXPECT_EQ(*shape, shape_);
    std::vector<char> sealed = bytes_;
    seal(sealed);
    EXPECT_EQ(sealed, bytes_) << "the checksum is as documented";
}

TEST_F(Header, WhatWasCutShortOrAddedToIsCorrupt) {
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{255}, std::uint64_t{4095},
          std::uint64_t{4096}, total_ - 4096, total_ - 1, total_ + 1, 2 * total_})
        EXPECT_TRUE(read(bytes_, size).is(errc::corrupt)) << size;
}

TEST_F(Header, WhatNeverWasAMailboxIsCorrupt) {
    EXPECT_TRUE(read(std::vector<char>(sizeof(header)), total_).is(errc::corrupt));
    EXPECT_TRUE(read(std::vector<char>(sizeof(header), '\xff'), total_).is(errc::corrupt));
    EXPECT_TRUE(read(with(0, std::uint64_t{0x7f454c46}), total_).is(errc::corrupt));
}

TEST_F(Header, AnotherVersionOrAnUnknownFeatureIsUnsupportedNotCorrupt) {
    const auto version = offsetof(header, layout_version);
    for (const std::uint32_t other : {0U, layout_version + 1, ~0U})
        EXPECT_TRUE(read(with(version, other), total_).is(errc::unsupported)) << other;
    EXPECT_TRUE(read(with(offsetof(header, features), std::uint64_t{1} << 63), total_)
                    .is(errc::unsupported));
}

TEST_F(Header, EveryFlippedBitOfTheFixedPartIsRefused) {
    for (std::size_t bit = 0; bit < 8 * offsetof(header, bell); ++bit) {
        std::vector<char> flipped = bytes_;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        const auto shape = read(flipped, total_);
        ASSERT_FALSE(shape) << "bit " << bit;
        ASSERT_TRUE(shape.is(errc::corrupt) || shape.is(errc::unsupported)) << "bit " << bit;
    }
    for (std::size_t bit = 8 * offsetof(header, bell); bit < 8 * 704; ++bit) {
        std::vector<char> flipped = bytes_;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        const auto shape = read(flipped, total_);
        ASSERT_TRUE(shape) << "bit " << bit << " says nothing about the geometry";
        ASSERT_EQ(*shape, shape_);
    }
}

TEST_F(Header, ASealedLieIsCorruptUnlessItIsConsistent) {
    EXPECT_TRUE(read(with(offsetof(header, capacity), 0U), total_).is(errc::corrupt));
    EXPECT_TRUE(
        read(with(offsetof(header, capacity), shape_.capacity + 1000), total_).is(errc::corrupt))
        << "the size would be another";
    EXPECT_TRUE(read(with(offsetof(header, participants), ~0U), total_).is(errc::corrupt));
    EXPECT_TRUE(read(with(offsetof(header, loans), 33U), total_).is(errc::corrupt));
    EXPECT_TRUE(
        read(with(offsetof(header, max_memory), ~std::uint64_t{0}), total_).is(errc::corrupt));
    EXPECT_TRUE(read(with(offsetof(header, order), std::uint8_t{2}), total_).is(errc::corrupt));
    EXPECT_TRUE(
        read(with(offsetof(header, total_bytes), total_ + 4096), total_ + 4096).is(errc::corrupt));
}

TEST_F(Header, SealedRandomNumbersGiveASoundGeometryOrNone) {
    const char* const given = std::getenv("HAWSER_TEST_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("HAWSER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    for (int round = 0; round < 3000; ++round) {
        std::vector<char> forged = bytes_;
        for (auto changes = 1 + random() % 3; changes > 0; --changes) {
            const auto at =
                offsetof(header, total_bytes) +
                random() % (offsetof(header, created_ns) - offsetof(header, total_bytes));
            forged[at] = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
        }
        seal(forged);
        const auto shape = read(forged, total_);
        if (!shape) {
            ASSERT_TRUE(shape.is(errc::corrupt)) << shape.why().describe();
            continue;
        }
        ASSERT_TRUE(shape->check());
        ASSERT_EQ(layout::of(*shape)->total_bytes, total_) << "never beyond the file";
    }
}

// --- names -------------------------------------------------------------------------------------

TEST(Names, ArePartOfAFileNameInTheMailboxDirectory) {
    const std::string& place = test::private_directory();
    EXPECT_EQ(path_of("a").value(), place + "/hawser.a");
    EXPECT_EQ(path_of("..").value(), place + "/hawser...");
    EXPECT_EQ(path_of("a b\n%").value(), place + "/hawser.a b\n%");
    EXPECT_TRUE(path_of(std::string(248, 'x')));
    for (const std::string& bad : {std::string(), std::string("a/b"), std::string("/"),
                                   std::string("a\0b", 3), std::string(249, 'x')})
        EXPECT_TRUE(path_of(bad).is(errc::invalid_argument)) << bad;
}

TEST(Names, TheLongestCanBeMade) {
    test::private_directory();
    const std::string path = path_of(std::string(248, 'x')).value();
    const auto fd = os::make_unnamed(directory()).value();
    EXPECT_TRUE(os::give_name(fd.get(), path));
    EXPECT_TRUE(os::remove_name(path));
}

// --- opening -----------------------------------------------------------------------------------

class Opening : public testing::Test {
  protected:
    ~Opening() override { ::remove(path_.c_str()); }

    static options policy(create_policy how) {
        options wanted;
        wanted.create = how;
        return wanted;
    }
    // Makes the mailbox, and leaves it with nobody in it.
    opened make(const options& wanted = {}) {
        opened made = open_segment(name_, wanted).value();
        EXPECT_TRUE(publish(made.fd.get(), *made.memory, path_));
        return made;
    }
    std::optional<errc> code_of_open(const options& wanted = {}) {
        const auto tried = open_segment(name_, wanted);
        if (tried) return no_error;
        EXPECT_FALSE(tried.why().detail().empty()) << "says what to do";
        return tried.why().code();
    }

    std::string place_ = test::private_directory();
    std::string name_ = test::unique_name("opening");
    std::string path_ = path_of(name_).value();
};

TEST_F(Opening, ANewOneHasNoNameUntilItIsPublished) {
    EXPECT_EQ(code_of_open(policy(create_policy::open)), errc::not_found);
    const opened made = open_segment(name_, {}).value();
    EXPECT_TRUE(made.created);
    EXPECT_TRUE(os::status_of(path_).is(errc::not_found));
    EXPECT_TRUE(publish(made.fd.get(), *made.memory, path_));
    EXPECT_TRUE(os::status_of(path_));
    EXPECT_EQ(os::status_of(path_)->mode, 0600U);
    EXPECT_EQ(os::status_of(path_)->bytes, made.memory->plan().total_bytes);
    const opened second = open_segment(name_, policy(create_policy::create)).value();
    EXPECT_TRUE(publish(second.fd.get(), *second.memory, path_).is(errc::already_exists));
}

TEST_F(Opening, AnExistingOneComesWithTheDoorHeldAndTheSameMemory) {
    const opened first = make();
    const opened second = open_segment(name_, policy(create_policy::open)).value();
    EXPECT_FALSE(second.created);
    EXPECT_EQ(second.memory, first.memory) << "one mapping for a process";
    EXPECT_FALSE(shut_door(first.fd.get(), moment_ns));
    leave_door(second.fd.get());
    EXPECT_TRUE(shut_door(first.fd.get(), moment_ns));
    leave_door(first.fd.get());
}

TEST_F(Opening, AnyGeometryThatWasNotAskedForWillDo) {
    options small;
    small.capacity = 5;
    make(small);
    EXPECT_EQ(code_of_open(), no_error);
    EXPECT_EQ(code_of_open(small), no_error);
    small.capacity = 6;
    EXPECT_EQ(code_of_open(small), errc::already_exists);
    const opened late = open_segment(name_, {}).value();
    leave_door(late.fd.get());
    EXPECT_TRUE(shut_door(late.fd.get(), moment_ns)) << "whoever was refused is not in the door";
}

TEST_F(Opening, AFreshMailboxHasEachChunkOnce) {
    options wanted;
    wanted.capacity = 9;
    const opened made = make(wanted);
    EXPECT_EQ(made.memory->depth(), 0U);
    EXPECT_EQ(made.memory->slots_used(), 0U);
    const auto ring = made.memory->ring(0);
    for (std::uint32_t i = 0; i < 9; ++i) {
        const auto word = sync::slot_word::unpack(ring.slots[i].word.load());
        EXPECT_EQ(word.chunk, i);
        EXPECT_EQ(word.owner, sync::no_owner);
        EXPECT_EQ(word.turn, 0U);
        EXPECT_FALSE(word.full);
    }
}

TEST_F(Opening, WhatIsNoMailboxIsNeverOpened) {
    ASSERT_EQ(::symlink("/dev/null", path_.c_str()), 0);
    EXPECT_EQ(code_of_open(), errc::corrupt);
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    EXPECT_EQ(code_of_open(), errc::corrupt);
    ASSERT_EQ(::unlink(path_.c_str()), 0);
    ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
    EXPECT_EQ(code_of_open(), errc::corrupt);
    ASSERT_EQ(::rmdir(path_.c_str()), 0);
    std::FILE* const text = std::fopen(path_.c_str(), "w");
    std::fputs("some text", text);
    std::fclose(text);
    EXPECT_EQ(code_of_open(), errc::corrupt);
    EXPECT_TRUE(os::status_of(path_)) << "and it is left alone";
}

TEST_F(Opening, ANameIsRemovedOnlyIfItLeadsHereAndNobodyIsInside) {
    const opened made = make();
    const int fd = made.fd.get();
    const os::unique_fd other = os::open_again(fd, os::access_kind::read_write).value();
    ASSERT_TRUE(os::try_lock(other.get(), lock_base + 3, os::lock_kind::exclusive).value());
    EXPECT_FALSE(remove_if_unused(fd, *made.memory, path_)) << "someone is inside";
    os::unlock(other.get(), lock_base + 3);
    ASSERT_TRUE(os::try_lock(other.get(), door_byte, os::lock_kind::shared).value());
    EXPECT_FALSE(remove_if_unused(fd, *made.memory, path_)) << "someone is in the door";
    os::unlock(other.get(), door_byte);
    auto& slot = made.memory->ring(0).slots[0].word;
    slot.store(sync::slot_word{0, 0, 1, true}.pack());
    EXPECT_FALSE(remove_if_unused(fd, *made.memory, path_)) << "a message waits";
    slot.store(sync::slot_word{0, 0, 1, false}.pack());
    ASSERT_TRUE(os::remove_name(path_));
    const opened successor = make();
    EXPECT_FALSE(remove_if_unused(fd, *made.memory, path_)) << "the name is another's by now";
    EXPECT_TRUE(os::status_of(path_));
    EXPECT_TRUE(remove_if_unused(successor.fd.get(), *successor.memory, path_));
    EXPECT_TRUE(os::status_of(path_).is(errc::not_found));
    EXPECT_TRUE(shut_door(successor.fd.get(), moment_ns)) << "the door is open again";
}

} // namespace
} // namespace hawser::segment
