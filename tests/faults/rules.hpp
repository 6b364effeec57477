// Which errors a system call may report, by its manual page: the table that the suite injects from.
//
// - Errors that say that the caller is wrong (EBADF, EFAULT, EINVAL, ENOTSOCK …) are left out: no
//   state of the world causes them.
// - A call that is in the table with a reason instead of errors is not made to fail. One that is
// not
//   in the table at all fails the suite, so that no new call of the library goes by untested.
#pragma once

#include <string>
#include <vector>

#include "injector.hpp"

namespace hawser::faults {

struct rule {
    long number;
    const char* name;
    std::vector<int> errors;                  // the likeliest first
    const char* why_not = "";                 // why it is not made to fail
    bool performed = false;                   // it takes effect and reports an error all the same
    bool (*only)(const seen_call&) = nullptr; // the rule holds for such calls only
};

// The first rule that holds for the call, or nullptr.
const rule* rule_for(const seen_call& call);
// The errors of the rule that can happen to this call: EAGAIN only where nothing blocks.
std::vector<int> errors_for(const rule& that, const seen_call& call);
// Does the call give something that an operation needs? Then it can't be right to say ok and to go
// on as if it had not failed. Others may: a lock that is not given back goes with its descriptor,
// and what a read did not take is still there.
bool matters(const rule& that);
// All of them.
const std::vector<rule>& rules();

// "EMFILE", and back (0: there is none of that name).
std::string name_of_errno(int error);
int errno_named(const std::string& name);

} // namespace hawser::faults
