// What a fork child finds of the opens that other threads of its parent were in the middle of:
// nothing. It may live on for long, and a FIFO's or a file's last descriptor means something.
#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/bell.hpp"
#include "os/fifo.hpp"
#include "os/file.hpp"
#include "os/made.hpp"
#include "os/pipe.hpp"
#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::os {
namespace {

constexpr int most_descriptors = 256; // the test opens a few

// What each descriptor is, without opening one: a child looks through the same eyes.
std::set<int> open_descriptors() {
    std::set<int> open;
    for (int fd = 0; fd < most_descriptors; ++fd)
        if (::fcntl(fd, F_GETFD) >= 0) open.insert(fd);
    return open;
}

std::string what_is(int fd) {
    std::string name(4096, '\0');
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = ::readlink(link.c_str(), name.data(), name.size());
    name.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return name;
}

// Forks once; what the child has and the parent had not before its threads, or "".
std::string surplus_of_a_child(const std::set<int>& before) {
    const pipe_pair report = make_pipe().value();
    const pid_t child = ::fork();
    if (child == 0) {
        std::string surplus;
        for (const int fd : open_descriptors())
            if (!before.contains(fd) && fd != report.reading && fd != report.writing)
                surplus += what_is(fd) + " ";
        const auto put = ::write(report.writing, surplus.data(), surplus.size());
        ::_exit(put == static_cast<ssize_t>(surplus.size()) ? 0 : 1);
    }
    ::close(report.writing);
    std::string said(4096, '\0');
    const ssize_t size = ::read(report.reading, said.data(), said.size());
    ::close(report.reading);
    said.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    int status = -1;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    return said;
}

// The acts of one thread, over and over, while another one forks.
void expect_no_surplus(const std::function<void()>& act) {
    constexpr int rounds = 400;
    const std::set<int> before = open_descriptors();
    std::atomic<bool> stop = false;
    std::atomic<unsigned> acts = 0;
    std::thread opener([&] {
        while (!stop) {
            act();
            ++acts;
        }
    });
    test::until([&] { return acts > 0; });
    std::set<std::string> found;
    for (int i = 0; i < rounds; ++i) found.insert(surplus_of_a_child(before));
    stop = true;
    opener.join();
    EXPECT_EQ(found, std::set<std::string>{""});
}

class ForkChildren : public testing::Test {
  protected:
    void SetUp() override {
        if (!test::can_fork) GTEST_SKIP() << "not applicable: no fork under ThreadSanitizer";
    }
    ~ForkChildren() override { test::sweep_left_over(); }

    std::string records_ = test::private_directory();
    std::string path_ = records_ + "/" + test::unique_name("fork");
};

TEST_F(ForkChildren, HaveNothingOfAFifoThatIsBeingMadeAndRemoved) {
    expect_no_surplus([&] {
        make_fifo(path_, 0600, no_group, records_).value();
        for (const made_object& one : list_made(records_).value().objects)
            if (one.path == path_) forget_made(records_, one.key);
        remove_fifo(path_, false).value();
    });
}

TEST_F(ForkChildren, HaveNothingOfARecordedObjectThatIsBeingRemoved) {
    expect_no_surplus([&] {
        make_fifo(path_, 0600, no_group, records_).value();
        for (const made_object& one : list_made(records_).value().objects)
            if (one.path == path_) remove_made(records_, one).value();
    });
}

TEST_F(ForkChildren, HaveNothingOfABell) {
    const fork_guard file = fork_guard::of([&] { return make_unnamed(records_); }).value();
    set_size(file.get(), page_bytes()).value();
    const std::set<int> before = open_descriptors();
    const bell lasting = bell::listen(file.get(), bell_tone::touch).value();
    EXPECT_GT(open_descriptors().size(), before.size());
    EXPECT_EQ(surplus_of_a_child(before), "");
    expect_no_surplus([&] {
        const bell brief = bell::listen(file.get(), bell_tone::touch).value();
        EXPECT_GE(brief.fd(), 0);
    });
}

} // namespace
} // namespace hawser::os
