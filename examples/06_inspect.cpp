// Looks at a mailbox from outside: who takes part, and what is queued. An observer never consumes a
// message and takes no participant slot.
#include <cstdio>
#include <string>

#include <hawser/hawser.hpp>

int main() {
    auto in = hawser::receiver::open("shm:inspected?capacity=16").value();
    auto out = hawser::sender::open("shm:inspected").value();
    for (int i = 0; i < 3; ++i) out.send("waiting").value();
    const auto taken = in.receive().value();

    for (const auto& mailbox : hawser::list_mailboxes().value()) {
        if (mailbox.address != "shm:inspected") continue;
        std::printf("%s: %s, %llu queued, %llu held\n", mailbox.address.c_str(),
                    std::string(hawser::name_of(mailbox.state)).c_str(),
                    static_cast<unsigned long long>(mailbox.depth),
                    static_cast<unsigned long long>(mailbox.held));
        std::printf("%s\n", mailbox.geometry.to_text().c_str());
        for (const auto& one : mailbox.participants)
            std::printf("%s: sent %llu, received %llu\n",
                        std::string(hawser::name_of(one.role)).c_str(),
                        static_cast<unsigned long long>(one.counters.sent),
                        static_cast<unsigned long long>(one.counters.received));
    }
    while (in.try_receive()) {
    }
}
