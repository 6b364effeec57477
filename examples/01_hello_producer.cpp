// Sends one message. The other side is 02_hello_consumer, in another process; either may start
// first.
#include <cstdio>

#include <hawser/hawser.hpp>

int main() {
    auto out = hawser::sender::open("shm:hello").value();
    out.send("hello").value();
    std::puts("sent: hello");
}
