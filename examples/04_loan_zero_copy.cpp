// Eight megabytes from one process to another without a copy: the producer fills memory of the
// mailbox itself, the consumer reads it in place.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::size_t frame_bytes = 8U << 20U;

void produce() {
    auto out = hawser::sender::open("shm:frames").value();
    for (int frame = 0; frame < 3; ++frame) {
        hawser::loan memory = out.loan_for(frame_bytes).value();
        std::fill(memory.bytes().begin(), memory.bytes().end(), static_cast<std::byte>(frame));
        out.send(std::move(memory)).value(); // moves it; on an error it would still be ours
    }
}

} // namespace

int main() {
    if (::fork() == 0) {
        produce();
        std::_Exit(0);
    }
    auto in = hawser::receiver::open("shm:frames").value();
    for (int frame = 0; frame < 3; ++frame) {
        const hawser::message got = in.receive().value();
        const auto bytes = got.bytes(); // points into the mailbox until `got` is destroyed
        const bool good = bytes.size() == frame_bytes &&
                          std::all_of(bytes.begin(), bytes.end(), [frame](std::byte one) {
                              return one == static_cast<std::byte>(frame);
                          });
        std::printf("frame %d: %zu bytes %s\n", frame, bytes.size(), good ? "good" : "bad");
    }
    ::wait(nullptr);
}
