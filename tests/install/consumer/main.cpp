// A user's program: one message from a sender to a receiver, and back out unchanged.

#include <cstdio>
#include <string>

#include <hawser/hawser.hpp>

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const std::string address = std::string("shm:") + argv[1];
    const std::string text = "a message from a consumer of hawser " HAWSER_VERSION_STRING;

    auto out = hawser::sender::open(address).value();
    auto in = hawser::receiver::open(address).value();
    out.send(text).value();
    const std::string received(in.receive().value().text());

    std::printf("%s\n", received.c_str());
    return received == text ? 0 : 1;
}
