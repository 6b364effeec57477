// Being told of a message instead of waiting for it, as mq_notify has it. The notification is for
// an arrival at the empty queue, and only once: so register first, and then take all that is there.
// The other way round, a message that comes between the two would never be told.
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

int main() {
    const std::string address = "mq:/notify-" + std::to_string(::getpid());
    auto in = hawser::receiver::open(address + "?capacity=4").value();
    std::mutex mutex;
    std::condition_variable told;
    int times = 0;
    hawser::notification how;
    how.persistent = true; // registers again by itself, before each call
    how.call = [&] {       // in a thread of its own
        const std::lock_guard hold(mutex);
        ++times;
        told.notify_one();
    };
    in.notify(how).value();
    if (::fork() == 0) {
        auto out = hawser::sender::open(address).value();
        for (int i = 0; i < 10; ++i) out.send("event " + std::to_string(i)).value();
        std::_Exit(0);
    }
    int events = 0;
    while (events < 10) {
        std::unique_lock hold(mutex);
        told.wait(hold, [&] { return times > 0; });
        times = 0;
        hold.unlock();
        while (in.try_receive()) ++events; // all that is there: the next arrival is told again
    }
    ::wait(nullptr);
    in.stop_notifying().value();
    std::printf("%d events, none missed\n", events);
    in.close();
    hawser::remove_mailbox(address).value(); // refuses while somebody has it open
}
