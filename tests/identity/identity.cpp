#include "identity/identity.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/place.hpp"

namespace hawser::test {

namespace {

// The end of a process that the test's children made: their failures go the way of their maker's.
[[noreturn]] void act_and_end(const std::function<void()>& body) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        body();
    } catch (const std::exception& problem) {
        ADD_FAILURE() << "an exception left the body: " << problem.what();
    }
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
}

void wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    EXPECT_EQ(status, 0) << "process " << pid << " did not end well";
}

// Those that a test has left as orphans: it is their reaper.
void end_children() {
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream list(thread.path() / "children");
        for (pid_t pid = 0; list >> pid;) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }
}

} // namespace

pid_t fork_as(pid_t wanted) {
    std::fflush(nullptr);
    clone_args how{};
    how.exit_signal = SIGCHLD;
    how.set_tid = reinterpret_cast<std::uint64_t>(&wanted);
    how.set_tid_size = 1;
    return static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
}

bool may_choose_pids() {
    const pid_t free = ::fork();
    if (free == 0) ::_exit(0);
    ::waitpid(free, nullptr, 0);
    const pid_t made = fork_as(free);
    if (made == 0) ::_exit(0);
    if (made > 0) ::waitpid(made, nullptr, 0);
    return made == free;
}

pid_t fork_without_handlers() {
    return static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

void run_as(pid_t wanted, const std::function<void()>& body) {
    const pid_t made = fork_as(wanted);
    if (made == 0) act_and_end(body);
    ASSERT_EQ(made, wanted) << "clone3: errno " << errno;
    wait_for(made);
}

void run_in_new_namespace(const std::function<void()>& body) {
    ASSERT_EQ(::unshare(CLONE_NEWPID), 0) << "errno " << errno;
    const pid_t made = ::fork();
    if (made == 0) act_and_end(body);
    ASSERT_GT(made, 0) << "errno " << errno;
    int status = 0;
    while (::waitpid(made, &status, 0) < 0 && errno == EINTR) {
    }
    const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    EXPECT_TRUE(status == 0 || killed) << "status " << status;
}

bool may_make_namespaces() {
    const pid_t made = ::fork();
    if (made == 0) ::_exit(::unshare(CLONE_NEWPID) == 0 ? 0 : 1);
    int status = 0;
    ::waitpid(made, &status, 0);
    return status == 0;
}

pid_t outer_pid() {
    char text[32]{};
    if (::readlink("/proc/self", text, sizeof text - 1) <= 0) return -1;
    return static_cast<pid_t>(std::atol(text));
}

void kill_and_wait(pid_t pid) {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    ASSERT_GE(pidfd, 0) << "errno " << errno;
    ::kill(pid, SIGKILL);
    pollfd one{pidfd, POLLIN, 0};
    while (::poll(&one, 1, -1) < 0 && errno == EINTR) {
    }
    ::close(pidfd);
}

bool has_ended(int pidfd) {
    pollfd one{pidfd, POLLIN, 0};
    return ::poll(&one, 1, 0) == 1;
}

std::optional<collected_object> what_gc_says_of(const std::string& path, bool dry_run) {
    for (const auto& one : collect_system_objects(dry_run).value())
        if (one.name == path) return one;
    return std::nullopt;
}

void identity::SetUp() {
    private_directory();
    address_ = "shm:" + unique_name("identity");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

void identity::TearDown() {
    end_children();
    EXPECT_TRUE(collect_garbage().has_value());
    EXPECT_EQ(left_over(), std::vector<std::string>{}) << "the test left this behind";
    sweep_left_over();
}

void identity::send(const std::vector<std::string>& texts) const {
    child producer("producer", [&] {
        auto out = sender::open(address_).value();
        for (const auto& text : texts) out.send(text).value();
    });
    producer.end_well();
}

void identity::hold(const std::string& text, const holder_notes& notes) const {
    auto in = receiver::open(address_).value();
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), text);
    notes.holding.raise();
    notes.go.wait();
}

std::unique_ptr<child> identity::make_holder(const std::string& text,
                                             const holder_notes& notes) const {
    auto made = std::make_unique<child>("holder", [&, text] { hold(text, notes); });
    notes.holding.wait();
    return made;
}

std::vector<participant_info> identity::participants(std::uint32_t pid) const {
    std::vector<participant_info> those;
    for (const auto& one : seen().participants)
        if (one.pid == pid) those.push_back(one);
    return those;
}

bool identity::is_alive(std::uint32_t pid) const {
    for (const auto& one : participants(pid))
        if (one.alive) return true;
    return false;
}

mailbox_info identity::seen() const {
    return inspect_mailbox(address_).value();
}

void identity::expect_again(receiver& in, const std::string& text) {
    const auto got = in.receive().value();
    EXPECT_EQ(got.text(), text);
    EXPECT_TRUE(got.redelivered());
}

void identity::expect_nothing_comes(receiver& in) {
    // Twice the time after which a waiting call looks for the dead. The end of the stream is none:
    // it is told as long as nobody sends and nothing waits.
    const auto got = in.receive_for(std::chrono::milliseconds(100));
    EXPECT_TRUE(got.is(errc::timed_out) || got.is(errc::closed))
        << (got ? "a message: " + std::string(got->text()) : got.why().describe());
    EXPECT_TRUE(collect_garbage().has_value()); // another one who looks for the dead
    EXPECT_FALSE(in.try_receive());
}

} // namespace hawser::test
