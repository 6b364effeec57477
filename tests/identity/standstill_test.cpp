// Standing still is not dying: under a debugger's stop and in a frozen cgroup (SIGSTOP: C8.11 of
// the conformance tests). Nothing of such a process is taken, and it goes on as if nothing were.
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "identity/identity.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

class standstill : public identity {
  protected:
    // While the holder of "0" stands still.
    void expect_alive_and_in_nobodys_way(const child& holder) const {
        EXPECT_TRUE(is_alive(static_cast<std::uint32_t>(holder.pid())));
        auto in = receiver::open(address()).value();
        expect_nothing_comes(in);
        auto out = sender::open(address()).value();
        for (int i = 0; i < 5000; ++i) {
            out.send("flows past it").value();
            EXPECT_EQ(in.receive().value().text(), "flows past it");
        }
        EXPECT_EQ(seen().held, 1U);
    }
    // It goes on and releases its message, which comes to nobody else.
    void expect_goes_on(child& holder, const holder_notes& notes) const {
        notes.go.raise();
        holder.end_well();
        auto in = receiver::open(address()).value();
        EXPECT_TRUE(in.try_receive().is(errc::would_block));
        EXPECT_EQ(seen().held, 0U);
    }
};

TEST_F(standstill, a_process_that_a_debugger_has_stopped_is_alive) {
    const holder_notes notes;
    send({"0"});
    const auto holder = make_holder("0", notes);
    if (::ptrace(PTRACE_SEIZE, holder->pid(), nullptr, nullptr) != 0)
        GTEST_SKIP() << "ptrace is not permitted here: errno " << errno;
    ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, holder->pid(), nullptr, nullptr), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(holder->pid(), &status, __WALL), holder->pid());
    ASSERT_TRUE(WIFSTOPPED(status));
    expect_alive_and_in_nobodys_way(*holder);
    ASSERT_EQ(::ptrace(PTRACE_DETACH, holder->pid(), nullptr, nullptr), 0);
    expect_goes_on(*holder, notes);
}

// A control group of the test's own, below the first hierarchy of version 2 that is mounted.
class control_group {
  public:
    control_group() {
        std::ifstream mounts("/proc/self/mounts");
        for (std::string device, at, kind, rest; mounts >> device >> at >> kind;) {
            std::getline(mounts, rest);
            if (kind != "cgroup2") continue;
            path_ = at + "/hawser-test-" + std::to_string(::getpid());
            if (::mkdir(path_.c_str(), 0755) == 0) return;
            path_.clear();
        }
    }
    ~control_group() {
        if (!path_.empty()) ::rmdir(path_.c_str());
    }
    control_group(const control_group&) = delete;
    control_group& operator=(const control_group&) = delete;

    [[nodiscard]] bool usable() const {
        return !path_.empty() && std::filesystem::exists(path_ + "/cgroup.freeze");
    }
    void write(const char* file, const std::string& text) const {
        std::ofstream(path_ + "/" + file) << text << std::flush;
    }
    [[nodiscard]] bool frozen() const {
        std::ifstream events(path_ + "/cgroup.events");
        for (std::string name, value; events >> name >> value;)
            if (name == "frozen") return value == "1";
        return false;
    }
    // Until the kernel has taken the last process out of it, it can't be removed.
    [[nodiscard]] bool empty() const {
        std::ifstream list(path_ + "/cgroup.procs");
        return list.peek() == std::ifstream::traits_type::eof();
    }

  private:
    std::string path_;
};

TEST_F(standstill, a_frozen_process_is_alive) {
    const control_group group;
    if (!group.usable())
        GTEST_SKIP() << "no control group of version 2 in which this user may make one";
    const holder_notes notes;
    send({"0"});
    const auto holder = make_holder("0", notes);
    group.write("cgroup.procs", std::to_string(holder->pid()));
    group.write("cgroup.freeze", "1");
    until([&] { return group.frozen(); });
    expect_alive_and_in_nobodys_way(*holder);
    group.write("cgroup.freeze", "0");
    expect_goes_on(*holder, notes);
    until([&] { return group.empty(); });
}

// Killed while it is frozen, it is dead when the kernel says so: version 2 lets a kill through.
TEST_F(standstill, a_frozen_process_that_is_killed_is_dead) {
    const control_group group;
    if (!group.usable())
        GTEST_SKIP() << "no control group of version 2 in which this user may make one";
    const holder_notes notes;
    send({"0"});
    const auto holder = make_holder("0", notes);
    group.write("cgroup.procs", std::to_string(holder->pid()));
    group.write("cgroup.freeze", "1");
    until([&] { return group.frozen(); });
    holder->kill();
    auto in = receiver::open(address()).value();
    expect_again(in, "0");
    until([&] { return group.empty(); });
}

} // namespace
} // namespace hawser::test
