// The bounded buffer of the textbooks: a producer that waits when it is full, a consumer that waits
// when it is empty. A mailbox in shared memory with a capacity is just that, between any processes.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr const char* buffer = "shm:bounded-buffer?capacity=8";

void produce() {
    auto out = hawser::sender::open(buffer).value();
    for (std::uint64_t item = 1; item <= 1000; ++item)
        out.send_value(item).value(); // waits while 8 items are in it
}

} // namespace

int main() {
    auto in = hawser::receiver::open(buffer).value();
    if (::fork() == 0) {
        produce();
        std::_Exit(0);
    }
    std::uint64_t items = 0;
    std::uint64_t sum = 0;
    // Ends when the producer has closed, or died.
    while (const auto item = in.receive_value<std::uint64_t>()) {
        ++items;
        sum += *item;
    }
    ::wait(nullptr);
    std::printf("%llu items, sum %llu\n", static_cast<unsigned long long>(items),
                static_cast<unsigned long long>(sum));
}
