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

TEST_F(examples, bounded_buffers_lose_nothing) {
    for (const char* name : {"07_bounded_buffer", "08_bounded_buffer_by_hand"})
        EXPECT_EQ(program(name).lines(), strings{"1000 items, sum 500500"}) << name;
}

TEST_F(examples, shared_memory_says_hello) {
    EXPECT_EQ(program("09_shared_memory_hello").lines(), strings{"Hello, World!"});
}

TEST_F(examples, a_pipe_ends_when_its_writer_does) {
    EXPECT_EQ(program("10_pipe_parent_child").lines(),
              (strings{"child got: Greetings", "child got: and farewell", "child: that was all"}));
}

TEST_F(examples, two_producers_share_a_fifo) {
    auto lines = program("11_fifo").lines();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (strings{"ann 0", "ann 1", "ann 2", "bob 0", "bob 1", "bob 2"}));
}

TEST_F(examples, a_posix_queue_keeps_priorities) {
    EXPECT_EQ(program("12_posix_queue").lines(),
              (strings{"3 of 4 messages wait", "10 put out the fire", " 5 answer the phone",
                       " 0 sweep the floor"}));
}

TEST_F(examples, a_sysv_queue_serves_by_type) {
    EXPECT_EQ(program("13_sysv_queue").lines(), (strings{"served 100", "served 200"}));
}

TEST_F(examples, a_stream_socket_echoes) {
    EXPECT_EQ(program("14_stream_socket").lines(), strings{"echo: ahoy"});
}

TEST_F(examples, datagrams_are_heard) {
    EXPECT_EQ(program("15_datagram_socket").lines(),
              (strings{"unix: reading 0, from the sensor", "unix: reading 1, from the sensor",
                       "unix: reading 2, from the sensor", "udp: all three"}));
}

TEST_F(examples, no_notification_is_missed) {
    EXPECT_EQ(program("16_notification").lines(), strings{"10 events, none missed"});
}

TEST_F(examples, a_poller_hears_mailboxes_timers_and_signals) {
    auto lines = program("17_poller").lines();
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (strings{"left 0", "left 1", "left 2", "right 0", "right 1", "right 2"}));
}

TEST_F(examples, coroutines_ask_and_answer) {
    EXPECT_EQ(program("18_coroutines").lines(),
              (strings{"client: you said ahoy", "client: you said avast", "client: no more answers",
                       "service: nobody asks any more"}));
}

TEST_F(examples, asio_awaits_a_mailbox) {
    if (!std::filesystem::exists(std::string(examples_dir) + "/19_asio")) {
        RecordProperty("not_applicable", "no Asio when this was built");
        GTEST_SKIP() << "not applicable: no Asio (libasio-dev) when this was built";
    }
    EXPECT_EQ(program("19_asio").lines(), (strings{"received 0", "received 1", "received 2"}));
}

// A program that no test here knows would be an example that nobody runs.
TEST_F(examples, all_are_run) {
    strings names;
    for (const auto& entry : std::filesystem::directory_iterator(HAWSER_SOURCE_DIR "/examples"))
        if (entry.path().extension() == ".cpp") names.push_back(entry.path().stem());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (strings{"01_hello_producer", "02_hello_consumer", "03_work_queue",
                              "04_loan_zero_copy", "05_epoll", "06_inspect", "07_bounded_buffer",
                              "08_bounded_buffer_by_hand", "09_shared_memory_hello",
                              "10_pipe_parent_child", "11_fifo", "12_posix_queue", "13_sysv_queue",
                              "14_stream_socket", "15_datagram_socket", "16_notification",
                              "17_poller", "18_coroutines", "19_asio"}));
}

} // namespace hawser::test
