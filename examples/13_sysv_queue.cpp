// A System V message queue: each message has a type, and a receiver can ask for the types that are
// its own. One queue so serves several clients: requests are type 1, each reply has the number of
// whom it is for.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void serve(const std::string& address, int requests) {
    auto in = hawser::receiver::open(address).value();
    auto out = hawser::sender::open(address).value();
    for (int i = 0; i < requests; ++i) {
        const auto request = in.receive_selected({hawser::selection::rule::exactly, 1}).value();
        const std::int64_t client = std::atoll(std::string(request.text()).c_str());
        hawser::envelope to;
        to.type = client;
        out.send_with("served " + std::to_string(client), to).value();
    }
}

} // namespace

int main() {
    auto out = hawser::sender::open("sysv-mq:private").value();
    const std::string address = out.where().name(); // by its id now, so that others can open it
    auto in = hawser::receiver::open(address).value();
    hawser::envelope request;
    request.type = 1;
    for (const char* client : {"200", "100"}) out.send_with(client, request).value();
    if (::fork() == 0) {
        serve(address, 2);
        std::_Exit(0);
    }
    for (const std::int64_t mine : {100, 200}) {
        const auto reply = in.receive_selected({hawser::selection::rule::exactly, mine}).value();
        std::printf("%.*s\n", static_cast<int>(reply.size()), reply.text().data());
    }
    ::wait(nullptr);
    hawser::remove_mailbox(address, hawser::removal::by_force).value();
}
