// Many things at once with a poller: two mailboxes, a timer and a signal, each told in its turn.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

enum tag : std::uint64_t { left, right, tick, child_ended };

void produce(const char* address) {
    auto out = hawser::sender::open(address).value();
    for (int i = 0; i < 3; ++i) out.send(std::to_string(i)).value();
}

} // namespace

int main() {
    using namespace std::chrono_literals;
    auto all = hawser::poller::make().value();
    all.add_signal(SIGCHLD, child_ended).value(); // before there are children, or threads
    hawser::receiver ins[] = {hawser::receiver::open("shm:poller-left").value(),
                              hawser::receiver::open("shm:poller-right").value()};
    all.add(ins[left], left).value();
    all.add(ins[right], right).value();
    all.add_timer(hawser::deadline::after(1ms), 1ms, tick).value();
    for (const char* address : {"shm:poller-left", "shm:poller-right"}) {
        if (::fork() != 0) continue;
        produce(address);
        std::_Exit(0);
    }
    int children = 2;
    for (int open = 2, ticks = 0; open > 0 || ticks == 0 || children > 0;) {
        hawser::ready found[8];
        for (const hawser::ready& one : all.wait(found).value()) {
            if (one.tag == tick) {
                ++ticks;
            } else if (one.tag == child_ended) {
                while (::waitpid(-1, nullptr, WNOHANG) > 0) --children;
            } else if (auto got = ins[one.tag].try_receive()) {
                std::printf("%s %.*s\n", one.tag == left ? "left" : "right",
                            static_cast<int>(got->size()), got->text().data());
            } else if (got.is(hawser::errc::closed)) {
                ins[one.tag].close(); // and is no member any more
                --open;
            }
        }
    }
}
