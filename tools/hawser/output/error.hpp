// Errors on stderr: what, why, and the next command to try; as one line of JSON when the verb was
// asked for JSON.
#pragma once

#include <cstdint>
#include <string_view>

#include <hawser/address.hpp>
#include <hawser/error.hpp>

#include "context.hpp"

namespace tool {

exit_code exit_code_of(const hawser::error& why) noexcept;

// Reports the error and gives its exit code. next: a command; empty means the usual one for the
// code.
exit_code fail(const context& here, const hawser::error& why, std::string_view next = {});

// The same for what is no reason to stop: as a warning, which says that it goes on. Gives the exit
// code that it is to be in the end.
exit_code warn(const context& here, const hawser::error& why, std::string_view goes_on);

// Says on stderr where an end point is, if not where it was asked to be: the system chose a port, a
// queue or a terminal, and nobody could guess which.
void tell_where(const context& here, std::string_view doing, std::string_view asked,
                const hawser::address& where);

// Says on stderr that so many messages wait for a receiver, and are gone if this process ends.
void tell_waiting(const context& here, std::string_view address, std::uint64_t messages);

// The command line itself is wrong.
exit_code fail_usage(const context& here, std::string_view what, std::string_view next = {});

// A file of the user (not a mailbox) can't be used; sys is the errno.
exit_code fail_file(const context& here, std::string_view operation, std::string_view path,
                    int sys);

} // namespace tool
