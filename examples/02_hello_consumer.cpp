// Waits for the message of 01_hello_producer. A result is a value or an error that says what to do
// next.
#include <cstdio>

#include <hawser/hawser.hpp>

int main() {
    auto in = hawser::receiver::open("shm:hello");
    if (!in) {
        std::fprintf(stderr, "%s\n", in.why().describe().c_str());
        return 1;
    }
    auto got = in->receive();
    if (!got) {
        std::fprintf(stderr, "%s\n", got.why().describe().c_str());
        return 1;
    }
    const auto text = got->text();
    std::printf("received: %.*s\n", static_cast<int>(text.size()), text.data());
}
