#include "roudi.hpp"

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.hpp"

namespace peers::roudi {
namespace {

// Reads what it says until it is ready; gives false if it ended before, or said nothing for long.
bool gets_ready(int from) {
    constexpr int patience_ms = 20'000;
    std::string said;
    for (;;) {
        pollfd wanted{from, POLLIN, 0};
        if (::poll(&wanted, 1, patience_ms) != 1) return false;
        char piece[512];
        const ssize_t got = ::read(from, piece, sizeof piece);
        if (got <= 0) return false;
        said.append(piece, static_cast<std::size_t>(got));
        if (said.find("ready for clients") != std::string::npos) return true;
    }
}

class daemon {
  public:
    daemon() : owner_(::getpid()) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) fail("pipe");
        pid_ = ::fork();
        if (pid_ < 0) fail("fork");
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::setpgid(0, 0); // a Ctrl-C is the measuring process's business
            ::dup2(ends[1], STDOUT_FILENO);
            ::dup2(ends[1], STDERR_FILENO);
            ::execl(HAWSER_ROUDI, "iox-roudi", "-m", "off", "-l", "warning", nullptr);
            ::_exit(127);
        }
        ::close(ends[1]);
        out_ = ends[0];
        if (!gets_ready(out_)) {
            end_process(); // and no more: what is there may be another one's
            throw std::runtime_error("RouDi did not get ready; is another one running?");
        }
    }
    ~daemon() {
        if (::getpid() == owner_) end();
    }
    daemon(const daemon&) = delete;
    daemon& operator=(const daemon&) = delete;

    void go_on() const {
        char piece[4096]; // or what it says would fill the pipe
        pollfd said{out_, POLLIN, 0};
        while (::poll(&said, 1, 0) == 1 && ::read(out_, piece, sizeof piece) > 0) {
        }
        ::kill(pid_, SIGCONT);
    }
    void stop() const { ::kill(pid_, SIGSTOP); }

  private:
    // It removes its shared memory when it is asked to end, so it is asked first. But it gives up
    // in the middle of that when those who used it were killed, as they are after a Ctrl-C; the
    // memory is this daemon's own, as there can be only one of it.
    void end() const {
        end_process();
        ::shm_unlink("/iceoryx_mgmt");
        if (const group* mine = ::getgrgid(::getegid()))
            ::shm_unlink(("/" + std::string(mine->gr_name)).c_str());
    }

    void end_process() const {
        ::kill(pid_, SIGCONT);
        ::kill(pid_, SIGTERM);
        for (int waited_ms = 0; waited_ms < 5000; ++waited_ms) {
            if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
            ::poll(nullptr, 0, 1);
        }
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

    pid_t owner_;
    pid_t pid_ = -1;
    int out_ = -1;
};

daemon& the_one() {
    static daemon only;
    return only;
}

} // namespace

void wake() {
    the_one().go_on();
}
void sleep() {
    the_one().stop();
}

} // namespace peers::roudi
