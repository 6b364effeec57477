// A POSIX message queue: messages with priorities, kept by the kernel until somebody takes them or
// removes the queue. By hand, mq_receive fails unless its buffer has mq_msgsize bytes – the size of
// the largest message, not the number of messages; here nobody has to know.
#include <cstdio>
#include <string>

#include <hawser/hawser.hpp>
#include <unistd.h>

int main() {
    const std::string address = "mq:/example-" + std::to_string(::getpid());
    {
        auto out = hawser::sender::open(address + "?capacity=4&max_message=128").value();
        hawser::envelope with;
        out.send_with("sweep the floor", with).value();
        with.priority = 10;
        out.send_with("put out the fire", with).value();
        with.priority = 5;
        out.send_with("answer the phone", with).value();
    }
    // The sender has gone; the queue and what is in it are the kernel's.
    auto in = hawser::receiver::open(address).value();
    const auto queue = in.attributes().value();
    std::printf("%llu of %llu messages wait\n", static_cast<unsigned long long>(*queue.depth),
                static_cast<unsigned long long>(*queue.capacity));
    while (const auto got = in.try_receive())
        std::printf("%2u %.*s\n", got->priority(), static_cast<int>(got->size()),
                    got->text().data());
    in.close();
    hawser::remove_mailbox(address).value(); // refuses while somebody has it open
}
