// Stream sockets: an echo server and its client, on the bare bytes. The port is the system's choice
// (port 0) and where() tells it. A stream has no messages: whoever reads takes what is there, and
// reads on until the other side has finished.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void serve_one(hawser::byte_listener& door) {
    auto line = door.accept().value();
    std::array<std::byte, 1024> some;
    while (const auto got = line.read_some(some))
        line.write_all(std::span(some).first(*got)).value();
}

void talk(const std::string& address) {
    auto line = hawser::byte_stream::open(address).value();
    line.write_all("ahoy").value();
    line.finish_writing().value(); // the server reads an end; we still read its answer
    std::array<std::byte, 1024> some;
    std::string answer;
    while (const auto got = line.read_some(some))
        answer.append(reinterpret_cast<const char*>(some.data()), *got);
    std::printf("echo: %s\n", answer.c_str());
}

} // namespace

int main() {
    auto door = hawser::byte_listener::open("tcp://127.0.0.1:0").value();
    const std::string address = door.where().name();
    const pid_t client = ::fork();
    if (client == 0) {
        talk(address);
        std::fflush(stdout);
        std::_Exit(0);
    }
    serve_one(door);
    ::waitpid(client, nullptr, 0);
}
