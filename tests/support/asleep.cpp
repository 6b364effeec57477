#include "support/asleep.hpp"

#include <algorithm>
#include <fstream>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

namespace hawser::test {

namespace {

// The calls in which a transport waits. `running` in the file means: in none.
constexpr long waiting_calls[] = {
#if defined(SYS_poll)
    SYS_poll,
#endif
#if defined(SYS_select)
    SYS_select,
#endif
#if defined(SYS_epoll_wait)
    SYS_epoll_wait,
#endif
    SYS_ppoll,      SYS_pselect6,        SYS_epoll_pwait,  SYS_msgrcv,
    SYS_msgsnd,     SYS_mq_timedreceive, SYS_mq_timedsend, SYS_clock_nanosleep,
    SYS_recvmsg,    SYS_sendmsg,
};

std::string first_word(const std::string& path) {
    std::ifstream file(path);
    std::string word;
    file >> word;
    return word;
}

// By the number of the system call; where that may not be read, by the function it sleeps in.
bool is_asleep(pid_t process, pid_t thread) {
    const std::string folder =
        "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread);
    const std::string call = first_word(folder + "/syscall");
    if (!call.empty())
        return call != "running" && std::ranges::count(waiting_calls, std::atol(call.c_str())) > 0;
    const std::string function = first_word(folder + "/wchan");
    for (const char* part : {"poll", "select", "msg", "mq_", "wq_sleep", "nanosleep", "wait"})
        if (function.find(part) != std::string::npos) return true;
    return false;
}

} // namespace

char state_of(pid_t process_or_thread) {
    std::ifstream file("/proc/" + std::to_string(process_or_thread) + "/stat");
    std::string line;
    std::getline(file, line);
    const std::size_t end = line.rfind(')'); // the name before it may hold anything
    return end != std::string::npos && end + 2 < line.size() ? line[end + 2] : '\0';
}

void waiters::note(participant_role role) const {
    const auto process = ::getpid();
    const auto thread = static_cast<pid_t>(::syscall(SYS_gettid));
    for (const one& known : all_->places)
        if (known.thread == thread && known.process == process && known.role == role) return;
    one& mine = all_->places.at(all_->used.fetch_add(1) % most); // the oldest have gone by then
    mine.thread = 0;
    mine.process = process;
    mine.role = role;
    mine.thread = thread;
}

std::size_t waiters::asleep(participant_role role) const {
    const auto count = std::ranges::count_if(all_->places, [role](const one& known) {
        return known.thread != 0 && known.role == role && is_asleep(known.process, known.thread);
    });
    return static_cast<std::size_t>(count);
}

} // namespace hawser::test
