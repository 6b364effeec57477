// Errors on stderr: what, why, and the next command to try; as one line of JSON when the verb was
// asked for JSON.
#pragma once

#include <string_view>

#include <hawser/error.hpp>

#include "context.hpp"

namespace tool {

exit_code exit_code_of(const hawser::error& why) noexcept;

// Reports the error and gives its exit code. next: a command; empty means the usual one for the
// code.
exit_code fail(const context& here, const hawser::error& why, std::string_view next = {});

// The command line itself is wrong.
exit_code fail_usage(const context& here, std::string_view what, std::string_view next = {});

// A file of the user (not a mailbox) can't be used; sys is the errno.
exit_code fail_file(const context& here, std::string_view operation, std::string_view path,
                    int sys);

} // namespace tool
