// End points over one descriptor of a pipe, which they take over.
//
// - Blocks: never. Allocates: yes. Threads, fork: as end points.
#pragma once

#include <memory>

#include "core/transport.hpp"
#include "os/fd.hpp"

namespace hawser::pipes {

result<std::unique_ptr<hawser::detail::sending_end>> sending_over(os::unique_fd fd,
                                                                  const options& wanted);
result<std::unique_ptr<hawser::detail::receiving_end>> receiving_over(os::unique_fd fd,
                                                                      const options& wanted);
// Errors also: invalid_argument (writing to a pipe in packets).
result<std::unique_ptr<hawser::detail::stream_end>> bytes_over(os::unique_fd fd, stream_role role,
                                                               const options& wanted);

// The options that a pipe has; errors: unsupported.
result<void> check_options(const options& wanted);

} // namespace hawser::pipes
