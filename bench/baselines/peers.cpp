#include "peers.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>
#include <unistd.h>

#include <hawser/inspect.hpp>

namespace peers {

std::string path_for(const std::string& stem) {
    // The measuring process makes the names, and its members inherit them.
    return fmt::format("{}/hawser-bench-{}-{}", hawser::mailbox_directory(), ::getpid(), stem);
}

void fail(const char* what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

} // namespace peers
