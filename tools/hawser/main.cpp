#include <array>

#include <fcntl.h>
#include <unistd.h>

#include "application.hpp"

namespace {

// A closed standard descriptor would be given to the next file that is opened. What is opened here
// instead refuses reading (0) and writing (1), so that their absence is an error; 2 swallows.
void fill_standard_descriptors() {
    constexpr std::array modes{O_WRONLY, O_RDONLY, O_WRONLY};
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
        if (::fcntl(fd, F_GETFD) < 0)
            static_cast<void>(::open("/dev/null", modes[static_cast<std::size_t>(fd)]));
}

} // namespace

int main(int argc, char** argv) {
    fill_standard_descriptors();
    return tool::run(argc, argv);
}
