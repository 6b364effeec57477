// A FIFO, with two producers. Who comes first makes it; opening never hangs on the other side;
// nobody removes the name while the other one may still be on its way to it – it goes with its last
// user. A message is one atomic write, so the producers' messages never mix.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void produce(const std::string& address, const char* who) {
    auto out = hawser::sender::open(address).value();
    for (int i = 0; i < 3; ++i) out.send(std::string(who) + " " + std::to_string(i)).value();
}

} // namespace

int main() {
    const std::string address =
        "fifo:" + hawser::mailbox_directory() + "/fifo-example-" + std::to_string(::getpid());
    auto in = hawser::receiver::open(address).value();
    // As long as this one is open the stream has no end, also if ann leaves before bob has come.
    auto keep_open = hawser::sender::open(address).value();
    for (const char* who : {"ann", "bob"}) {
        if (::fork() == 0) {
            produce(address, who);
            std::_Exit(0);
        }
    }
    while (::wait(nullptr) > 0) {
    }
    keep_open.close();
    for (const auto& got : in)
        std::printf("%.*s\n", static_cast<int>(got.size()), got.text().data());
}
