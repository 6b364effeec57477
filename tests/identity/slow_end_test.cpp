// The end of a process takes time, and its parent may never ask for it: zombies, a first thread
// that ended before the others, core dumps, a thread in the middle of a long system call.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.hpp"
#include "os/open_files.hpp"
#include "support/asleep.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

class slow_end : public identity {
  protected:
    static std::uint32_t number(pid_t pid) { return static_cast<std::uint32_t>(pid); }
    static bool is_dumping(pid_t pid) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/status");
        for (std::string line; std::getline(file, line);)
            if (line.starts_with("CoreDumping:")) return line.back() == '1';
        return false;
    }
    const beacon holding_;
    const beacon never_;
};

TEST_F(slow_end, a_zombie_is_dead_at_once) {
    const holder_notes notes;
    send({"0"});
    const auto victim = make_holder("0", notes);
    const pid_t pid = victim->pid();
    ::kill(pid, SIGKILL);
    siginfo_t seen{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &seen, WEXITED | WNOWAIT), 0);
    ASSERT_EQ(state_of(pid), 'Z') << "nobody has waited for it";
    ASSERT_EQ(::kill(pid, 0), 0) << "its pid says that it lives";
    EXPECT_FALSE(is_alive(number(pid)));
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    EXPECT_EQ(state_of(pid), 'Z');
    victim->kill();
}

// The first thread ends: /proc calls the process a zombie, and it lives.
TEST_F(slow_end, a_process_without_its_first_thread_is_alive) {
    const holder_notes notes;
    send({"0", "1"});
    child victim("victim", [&] {
        std::thread([&] {
            hold("0", notes);
            std::fflush(nullptr);
            ::_exit(testing::Test::HasFailure() ? 1 : 0);
        }).detach();
        ::syscall(SYS_exit, 0); // this thread only, without unwinding into the test
    });
    notes.holding.wait();
    until([&] { return state_of(victim.pid()) == 'Z'; });
    EXPECT_TRUE(is_alive(number(victim.pid())));
    EXPECT_EQ(os::life_of(number(victim.pid())), os::process_life::alive);
    auto in = receiver::open(address()).value();
    EXPECT_EQ(in.receive().value().text(), "1");
    EXPECT_TRUE(in.try_receive().is(errc::closed) || in.try_receive().is(errc::would_block));
    EXPECT_EQ(seen().held, 1U) << "what it holds is its own";
    notes.go.raise();
    victim.end_well();
}

// While the kernel writes the dump, the process is still there, with all it had.
TEST_F(slow_end, a_core_dump_in_progress_is_not_yet_a_death) {
    const holder_notes notes;
    constexpr std::size_t bytes = std::size_t{192} << 20; // so that the dump takes a while
    const std::string folder = private_directory() + "/" + unique_name("core");
    ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
    send({"0"});
    child victim("victim", [&] {
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        if (::setrlimit(RLIMIT_CORE, &unlimited) != 0 || ::chdir(folder.c_str()) != 0) return;
        void* ballast =
            ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        std::memset(ballast, 1, bytes);
        ::prctl(PR_SET_DUMPABLE, 1);
        hold("0", notes);
    });
    notes.holding.wait();
    auto in = receiver::open(address()).value();
    ::kill(victim.pid(), SIGSEGV);
    int looks = 0;
    while (!has_ended(victim.pidfd())) {
        if (!is_dumping(victim.pid())) continue;
        const bool alive = is_alive(number(victim.pid()));
        const bool came = in.try_receive().has_value();
        if (!is_dumping(victim.pid())) break; // it ended in between
        EXPECT_TRUE(alive);
        EXPECT_FALSE(came);
        ++looks;
    }
    expect_again(in, "0");
    std::filesystem::remove_all(folder);
    if (looks == 0) GTEST_SKIP() << "this system wrote no core dump, or was too quick to be seen";
}

// One thread is inside a system call that goes on copying into a message after the SIGKILL came,
// as long as the kernel takes: nobody may get that memory before. There is only one block for large
// messages, so the survivor's loan is the victim's block.
TEST_F(slow_end, memory_is_not_given_on_before_the_last_thread_has_gone) {
    constexpr std::size_t bytes = std::size_t{1} << 20;
    constexpr int pieces = 1024; // the most that readv takes: 1 GiB by one call
    constexpr int rounds = 3;
    options one_block;
    one_block.max_message = bytes;
    one_block.max_memory = bytes;
    one_block.persist = true;
    { auto made = sender::open(address(), one_block).value(); }
    const std::string path = private_directory() + "/" + unique_name("zeroes");
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::ftruncate(file, static_cast<off_t>(bytes * pieces)), 0); // holes: no memory
    int copying = 0; // rounds in which the kernel was still copying when the SIGKILL came
    for (int round = 0; round < rounds; ++round) {
        const shared<std::atomic<int>> over;
        child victim("victim", [&] {
            auto out = sender::open(address()).value();
            auto lent = out.loan_for(bytes).value();
            std::vector<iovec> all(pieces, iovec{lent.bytes().data(), bytes});
            std::thread reader([&] {
                holding_.raise();
                ::preadv(file, all.data(), pieces, 0);
                *over = 1;
            });
            reader.join();
            never_.wait();
        });
        holding_.wait();
        auto out = sender::open(address()).value();
        EXPECT_TRUE(out.loan_for(bytes, deadline::now()).is(errc::would_block))
            << "it is the victim's";
        ::kill(victim.pid(), SIGKILL);
        auto lent = out.loan_for(bytes).value();
        std::memset(lent.bytes().data(), 0xA5, bytes);
        // A thread of the victim that still copied would write zeroes over this.
        while (!has_ended(victim.pidfd())) {
        }
        const auto intact = std::ranges::count(lent.bytes(), std::byte{0xA5});
        EXPECT_EQ(intact, static_cast<std::ptrdiff_t>(bytes)) << "a dead process wrote";
        copying += *over == 0 ? 1 : 0;
        victim.kill();
    }
    EXPECT_GT(copying, 0) << "the call was always over before the kill";
    ::close(file);
    ::unlink(path.c_str());
    EXPECT_TRUE(remove_mailbox(address()).has_value());
}

} // namespace
} // namespace hawser::test
