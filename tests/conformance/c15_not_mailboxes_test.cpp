// C15: files that have the name of a mailbox and are none.
#include <cstring>
#include <fstream>
#include <iterator>

#include <sys/stat.h>
#include <unistd.h>

#include "conformance/contract.hpp"

namespace hawser::test {

class not_mailboxes : public contract {
  protected:
    // The header begins with the magic (8 bytes) and the layout version (4 bytes); its first 80
    // bytes never change.
    static constexpr std::size_t version_at = 8;
    static constexpr std::size_t header_bytes = 80;

    void SetUp() override {
        contract::SetUp();
        if (IsSkipped()) return;
        HAWSER_NEEDS(can().lives == lifetime_kind::file, "lives");
        path_ = path_of(address());
    }
    void TearDown() override {
        sweep_left_over();
        contract::TearDown();
    }

    // An empty, persisting mailbox of a small geometry.
    void make_mailbox() const {
        options wanted;
        wanted.persist = true;
        wanted.capacity = 4;
        wanted.participants = 2;
        wanted.max_message = 4096;
        wanted.max_memory = 65536;
        open_sender(wanted).close();
    }
    [[nodiscard]] std::string content() const {
        std::ifstream file(path_, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void put(const std::string& bytes) const {
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
    }

    // Opening says `code`, an observer sees `state`, and the file stays as it was.
    void expect_refused(errc code, mailbox_state state, bool is_file = true) const {
        struct stat before {};
        ASSERT_EQ(::lstat(path_.c_str(), &before), 0);
        const std::string bytes = is_file ? content() : "";
        EXPECT_TRUE(fails_with(sender::open(address()), code));
        EXPECT_TRUE(fails_with(receiver::open(address()), code));
        const auto looked = inspect_mailbox(address());
        ASSERT_TRUE(succeeds(looked));
        EXPECT_EQ(looked->state, state) << name_of(looked->state) << ": " << looked->problem;
        EXPECT_FALSE(looked->problem.empty());
        EXPECT_TRUE(succeeds(list_mailboxes()));
        for (const auto& one : collect_garbage().value()) EXPECT_FALSE(one.removed) << one.path;
        struct stat after {};
        ASSERT_EQ(::lstat(path_.c_str(), &after), 0);
        EXPECT_EQ(after.st_ino, before.st_ino);
        EXPECT_EQ(after.st_size, before.st_size);
        EXPECT_EQ(after.st_mode, before.st_mode);
        EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
        EXPECT_TRUE(!is_file || content() == bytes) << "the file was written to";
    }

    std::string path_;
};
HAWSER_CONTRACT(not_mailboxes, in_each_order());

TEST_P(not_mailboxes, c15_1_a_truncated_mailbox_is_corrupt) {
    make_mailbox();
    const std::string whole = content();
    for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{4096}}) {
        put(whole.substr(0, size));
        expect_refused(errc::corrupt, mailbox_state::damaged);
    }
}

TEST_P(not_mailboxes, c15_2_zeroes_are_corrupt) {
    put(std::string(1U << 20U, '\0'));
    expect_refused(errc::corrupt, mailbox_state::not_mailbox);
}

TEST_P(not_mailboxes, c15_3_a_file_of_something_else_is_corrupt) {
    make_mailbox();
    std::string bytes = content();
    bytes.replace(0, 8, "NOTHAWSR");
    put(bytes);
    expect_refused(errc::corrupt, mailbox_state::not_mailbox);
    for (const char* text : {"", "x", "a text of somebody else"}) {
        put(text);
        expect_refused(errc::corrupt, mailbox_state::not_mailbox);
    }
}

TEST_P(not_mailboxes, c15_4_another_layout_version_is_unsupported) {
    make_mailbox();
    std::string bytes = content();
    const std::uint32_t later = 1000;
    std::memcpy(bytes.data() + version_at, &later, sizeof later);
    put(bytes);
    expect_refused(errc::unsupported, mailbox_state::other_version);
    const auto refused = sender::open(address());
    EXPECT_NE(refused.why().detail().find("1000"), std::string_view::npos)
        << refused.why().describe();
}

TEST_P(not_mailboxes, c15_5_no_altered_header_is_believed) {
    make_mailbox();
    const std::string whole = content();
    for (std::size_t at = 0; at < header_bytes; ++at) {
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ 0x11);
        put(bytes);
        for (const char* option : {"", "?create=create"}) {
            const auto opened = sender::open(address() + option);
            ASSERT_FALSE(opened) << "byte " << at << " was altered and believed";
            const errc code = opened.why().code();
            EXPECT_TRUE(code == errc::corrupt || code == errc::unsupported ||
                        (code == errc::already_exists && *option != '\0'))
                << at << ": " << opened.why().describe();
        }
        EXPECT_TRUE(content() == bytes) << at;
    }
}

TEST_P(not_mailboxes, c15_6_a_symbolic_link_is_corrupt) {
    const std::string other = address("-other");
    options wanted;
    wanted.persist = true;
    sender::open(other, as_variant(wanted)).value().close();
    ASSERT_EQ(::symlink(path_of(other).c_str(), path_.c_str()), 0);
    expect_refused(errc::corrupt, mailbox_state::not_mailbox, false);
    EXPECT_EQ(inspect_mailbox(other).value().state, mailbox_state::idle);
    ::unlink(path_.c_str());
    ASSERT_EQ(::symlink("nowhere", path_.c_str()), 0);
    expect_refused(errc::corrupt, mailbox_state::not_mailbox, false);
}

TEST_P(not_mailboxes, c15_7_a_directory_is_corrupt) {
    ASSERT_EQ(::mkdir(path_.c_str(), 0755), 0);
    expect_refused(errc::corrupt, mailbox_state::not_mailbox, false);
}

TEST_P(not_mailboxes, c15_8_a_fifo_is_corrupt_and_not_waited_for) {
    ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
    expect_refused(errc::corrupt, mailbox_state::not_mailbox, false);
}

TEST_P(not_mailboxes, c15_9_only_force_removes_what_is_no_mailbox) {
    put("a text of somebody else");
    EXPECT_TRUE(fails_with(remove_mailbox(address()), errc::corrupt));
    EXPECT_EQ(content(), "a text of somebody else");
    EXPECT_TRUE(succeeds(remove_mailbox(address(), removal::by_force)));
    EXPECT_TRUE(fails_with(inspect_mailbox(address()), errc::not_found));
    make_mailbox();
    put(content().substr(0, 5000));
    EXPECT_TRUE(fails_with(remove_mailbox(address()), errc::corrupt));
    EXPECT_TRUE(succeeds(remove_mailbox(address(), removal::by_force)));
    EXPECT_TRUE(fails_with(inspect_mailbox(address()), errc::not_found));
    EXPECT_TRUE(succeeds(sender::open(address())));
}

} // namespace hawser::test
