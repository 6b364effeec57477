// Each program of examples/ runs, ends with 0, and prints what it says it does.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::test {

namespace {

#if defined(HAWSER_EXAMPLES_DIR)
constexpr const char* examples_dir = HAWSER_EXAMPLES_DIR;
#else
constexpr const char* examples_dir = nullptr;
#endif

class examples : public testing::Test {
  protected:
    void SetUp() override {
        private_directory();
        if (examples_dir != nullptr) return;
        RecordProperty("not_applicable", "this tree builds no examples");
        GTEST_SKIP() << "not applicable: this tree builds no examples";
    }
    void TearDown() override {
        EXPECT_EQ(left_over(), std::vector<std::string>{});
        sweep_left_over();
    }
};

// A program whose standard output goes to a pipe.
struct program {
    explicit program(const std::string& name) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
        const std::string path = std::string(examples_dir) + "/" + name;
        pid = ::fork();
        if (pid == 0) {
            ::dup2(ends[1], STDOUT_FILENO);
            ::execl(path.c_str(), name.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        output_end = ends[0];
    }
    // Its lines, once it has ended with 0.
    std::vector<std::string> lines() {
        std::string text;
        char part[4096];
        for (ssize_t got; (got = ::read(output_end, part, sizeof part)) > 0;)
            text.append(part, static_cast<std::size_t>(got));
        ::close(output_end);
        int status = 0;
        ::waitpid(pid, &status, 0);
        EXPECT_EQ(status, 0);
        std::vector<std::string> all;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) all.push_back(line);
        return all;
    }

    pid_t pid = -1;
    int output_end = -1;
};

using strings = std::vector<std::string>;

} // namespace

TEST_F(examples, hello_producer_first) {
    EXPECT_EQ(program("01_hello_producer").lines(), strings{"sent: hello"});
    EXPECT_EQ(program("02_hello_consumer").lines(), strings{"received: hello"});
}

TEST_F(examples, hello_consumer_first) {
    program consumer("02_hello_consumer");
    until_waiting("shm:hello", participant_role::receiver);
    EXPECT_EQ(program("01_hello_producer").lines(), strings{"sent: hello"});
    EXPECT_EQ(consumer.lines(), strings{"received: hello"});
}

TEST_F(examples, work_queue_survives_a_worker) {
    EXPECT_EQ(program("03_work_queue").lines(), strings{"20 jobs done, sum 210, redelivered 1"});
}

TEST_F(examples, loans_arrive_whole) {
    EXPECT_EQ(program("04_loan_zero_copy").lines(),
              (strings{"frame 0: 8388608 bytes good", "frame 1: 8388608 bytes good",
                       "frame 2: 8388608 bytes good"}));
}

TEST_F(examples, epoll_hears_both) {
    auto lines = program("05_epoll").lines();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (strings{"shm:epoll-left 0", "shm:epoll-left 1", "shm:epoll-left 2",
                              "shm:epoll-right 0", "shm:epoll-right 1", "shm:epoll-right 2"}));
}

TEST_F(examples, inspect_sees_all) {
    const auto lines = program("06_inspect").lines();
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0], "shm:inspected: in_use, 2 queued, 1 held");
    EXPECT_NE(lines[1].find("capacity=16"), std::string::npos) << lines[1];
    EXPECT_EQ(lines[2], "receiver: sent 0, received 1");
    EXPECT_EQ(lines[3], "sender: sent 3, received 0");
}

// A program that no test here knows would be an example that nobody runs.
TEST_F(examples, all_are_run) {
    strings names;
    for (const auto& entry : std::filesystem::directory_iterator(HAWSER_SOURCE_DIR "/examples"))
        if (entry.path().extension() == ".cpp") names.push_back(entry.path().stem());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (strings{"01_hello_producer", "02_hello_consumer", "03_work_queue",
                              "04_loan_zero_copy", "05_epoll", "06_inspect"}));
}

} // namespace hawser::test
