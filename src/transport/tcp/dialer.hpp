// Connecting to a host that has one address or several, without blocking.
//
// - Blocks: resolve() as the name service does; connect_by() until its deadline; nothing else.
//   Allocates: the list of addresses. Threads: one at a time. Fork: as fork_guard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <hawser/options.hpp>
#include <hawser/wait.hpp>

#include "os/inet_socket.hpp"
#include "wire/host_port.hpp"

namespace hawser::tcp {

// A socket that is connected, or about to be.
struct attempt {
    os::fork_guard fd;
    bool pending = false; // os::connect_outcome() will tell
};

class dialer {
  public:
    // Asks the name service, once. Errors: invalid_argument · those of os::resolve.
    static result<dialer> resolve(const wire::host_port& to, const options& wanted);

    // Begins a connection with the next address that does not refuse at once. Errors: would_block
    // (all refuse: nobody is there) · permission · no_space · system.
    result<attempt> begin();

    // A connection with one of the addresses, each tried once. Errors: not_found (nobody is there)
    // · timed_out · interrupted · those of begin().
    result<os::fork_guard> connect_by(deadline until);

  private:
    dialer(std::vector<os::inet_address> to, std::optional<std::uint64_t> buffer_bytes) noexcept
        : to_(std::move(to)), buffer_bytes_(buffer_bytes) {}
    result<attempt> begin_with(const os::inet_address& to) const;

    std::vector<os::inet_address> to_; // never empty
    std::size_t next_ = 0;
    std::optional<std::uint64_t> buffer_bytes_;
};

} // namespace hawser::tcp
