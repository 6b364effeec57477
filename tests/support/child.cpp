#include "support/child.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hawser::test {

namespace {

// A pipe holds 64 KiB; a child that has this much to say has said enough.
constexpr std::size_t most_report_bytes = 32768;

// Sends each failed expectation to the parent at once, so that a later crash does not lose it.
class reporter : public testing::EmptyTestEventListener {
  public:
    explicit reporter(int report_end) : report_end_(report_end) {}

    void OnTestPartResult(const testing::TestPartResult& part) override {
        if (!part.failed()) return;
        failed_ = true;
        const char* file = part.file_name() != nullptr ? part.file_name() : "?";
        std::string text = std::string(file) + ":" + std::to_string(part.line_number()) + ": ";
        text += part.message();
        text += "\n";
        if (written_ + text.size() > most_report_bytes) return;
        written_ += text.size();
        if (::write(report_end_, text.data(), text.size()) < 0) std::perror("report");
    }
    [[nodiscard]] bool failed() const { return failed_; }

  private:
    int report_end_;
    std::size_t written_ = 0;
    bool failed_ = false;
};

} // namespace

child::child(std::string name, const std::function<void()>& body) : name_(std::move(name)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("child: pipe2 failed");
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("child: fork failed");
    if (pid_ == 0) {
        ::close(ends[0]);
        run(body, ends[1]);
    }
    ::close(ends[1]);
    report_ = ends[0];
    pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    if (pidfd_ < 0) throw std::runtime_error("child: pidfd_open failed");
}

child::~child() {
    if (!ended_) {
        ::kill(pid_, SIGKILL);
        wait_for_end();
        pass_on_failures();
    }
    ::close(report_);
    ::close(pidfd_);
}

void child::run(const std::function<void()>& body, int report_end) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    auto* report = new reporter(report_end); // belongs to gtest from here on
    listeners.Append(report);
    try {
        body();
    } catch (const std::exception& problem) {
        ADD_FAILURE() << "an exception left the body: " << problem.what();
    }
    std::fflush(nullptr);
    ::_exit(report->failed() ? 1 : 0);
}

int child::wait_for_end() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    ended_ = true;
    return status;
}

void child::pass_on_failures() {
    // A grandchild may still have the other end: take what is there, don't wait for the end of it.
    ::fcntl(report_, F_SETFL, O_NONBLOCK);
    std::string text;
    char part[4096];
    for (ssize_t got; (got = ::read(report_, part, sizeof part)) > 0;)
        text.append(part, static_cast<std::size_t>(got));
    if (!text.empty()) ADD_FAILURE() << "in process '" << name_ << "':\n" << text;
}

bool child::end_well() {
    const int status = wait_for_end();
    pass_on_failures();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    if (WIFSIGNALED(status))
        ADD_FAILURE() << "process '" << name_ << "' died of signal " << WTERMSIG(status);
    else
        ADD_FAILURE() << "process '" << name_ << "' ended with " << WEXITSTATUS(status);
    return false;
}

void child::kill() {
    ::kill(pid_, SIGKILL);
    const int status = wait_for_end();
    pass_on_failures();
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        ADD_FAILURE() << "process '" << name_ << "' had ended before it was killed, status "
                      << status;
}

void child::stop() {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    while (::waitpid(pid_, &status, WUNTRACED) < 0 && errno == EINTR) {
    }
    if (!WIFSTOPPED(status)) {
        ended_ = true;
        ADD_FAILURE() << "process '" << name_ << "' had ended before it was stopped";
    }
}

void child::go_on() {
    ::kill(pid_, SIGCONT);
}

} // namespace hawser::test
