// Two mailboxes in one epoll loop, as any event loop would have them. fd() is level-triggered and
// never needs a call to re-arm it: after it is ready, try_receive until there is nothing.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void produce(const std::string& address) {
    auto out = hawser::sender::open(address).value();
    for (int i = 0; i < 3; ++i) out.send(address + " " + std::to_string(i)).value();
}

} // namespace

int main() {
    for (const char* address : {"shm:epoll-left", "shm:epoll-right"}) {
        if (::fork() == 0) {
            produce(address);
            std::_Exit(0);
        }
    }
    hawser::receiver ins[] = {hawser::receiver::open("shm:epoll-left").value(),
                              hawser::receiver::open("shm:epoll-right").value()};
    const int loop = ::epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < 2; ++i) {
        epoll_event wanted{};
        wanted.events = static_cast<unsigned>(ins[i].fd_events());
        wanted.data.u32 = i;
        ::epoll_ctl(loop, EPOLL_CTL_ADD, ins[i].fd().value(), &wanted);
    }
    for (int count = 0; count < 6;) {
        epoll_event ready{};
        if (::epoll_wait(loop, &ready, 1, -1) != 1) continue;
        hawser::receiver& in = ins[ready.data.u32];
        auto got = in.try_receive();
        for (; got; got = in.try_receive(), ++count)
            std::printf("%.*s\n", static_cast<int>(got->size()), got->text().data());
        // At the end of the stream it stays ready, so that nobody misses the end.
        if (got.is(hawser::errc::closed))
            ::epoll_ctl(loop, EPOLL_CTL_DEL, in.fd().value(), nullptr);
    }
    ::close(loop);
    while (::wait(nullptr) > 0) {
    }
}
