// Datagrams: each send is a message of its own, and nobody connects. Unix datagrams arrive, in
// order, or the sender waits; those of UDP may be lost, come twice, or in another order – so the
// receiver of UDP waits only so long. The kernel says who sent a Unix datagram.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void send_three(const std::string& address) {
    auto out = hawser::sender::open(address).value();
    for (int i = 0; i < 3; ++i) out.send("reading " + std::to_string(i)).value();
}

} // namespace

int main() {
    auto unix_in =
        hawser::receiver::open("unix-dgram:@readings-" + std::to_string(::getpid())).value();
    auto udp_in = hawser::receiver::open("udp://127.0.0.1:0").value();
    const pid_t sensor = ::fork();
    if (sensor == 0) {
        send_three(unix_in.where().name());
        send_three(udp_in.where().name());
        std::_Exit(0);
    }
    for (int i = 0; i < 3; ++i) {
        const auto got = unix_in.receive().value();
        std::printf("unix: %.*s, from %s\n", static_cast<int>(got.size()), got.text().data(),
                    got.sender()->pid == static_cast<std::uint32_t>(sensor) ? "the sensor" : "?");
    }
    int heard = 0;
    while (heard < 3 && udp_in.receive_for(std::chrono::seconds(1))) ++heard;
    std::printf("udp: %s\n", heard == 3 ? "all three" : "some were lost");
    ::waitpid(sensor, nullptr, 0);
}
