#include "support/meeting.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace hawser::test {

beacon::beacon() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("beacon: pipe2 failed");
    read_end_ = ends[0];
    write_end_ = ends[1];
}

beacon::~beacon() {
    ::close(read_end_);
    ::close(write_end_);
}

void beacon::raise(std::size_t times) const {
    const std::string marks(times, '!');
    if (::write(write_end_, marks.data(), marks.size()) != static_cast<ssize_t>(marks.size()))
        throw std::runtime_error("beacon: write failed");
}

void beacon::wait(std::size_t times) const {
    while (times > 0) {
        char mark;
        const ssize_t got = ::read(read_end_, &mark, 1);
        if (got == 1)
            --times;
        else if (got == 0 || errno != EINTR)
            throw std::runtime_error("beacon: read failed");
    }
}

} // namespace hawser::test
