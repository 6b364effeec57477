// A pipe from parent to child. Each takes its end, and the other end is closed for it: as long as
// any process keeps a writing end open, the reader never sees the end – the classic way to hang.
#include <cstdio>
#include <cstdlib>

#include <hawser/hawser.hpp>
#include <sys/wait.h>
#include <unistd.h>

int main() {
    auto link = hawser::pipe::create().value();
    const pid_t child = ::fork();
    if (child == 0) {
        auto in = link.receiver().value(); // closes this process's writing end
        for (const auto& got : in)
            std::printf("child got: %.*s\n", static_cast<int>(got.size()), got.text().data());
        std::puts("child: that was all");
        std::fflush(stdout);
        std::_Exit(0);
    }
    {
        auto out = link.sender().value(); // closes this process's reading end
        out.send("Greetings").value();
        out.send("and farewell").value();
    } // the end of the stream
    ::waitpid(child, nullptr, 0);
}
