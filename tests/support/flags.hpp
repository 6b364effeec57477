// Flags of the test programs that more than main() has to know of (main.cpp reads them).
#pragma once

#include <string>

namespace hawser::test {

// --matrix=FILE of the conformance tests; empty if it was not given.
std::string& matrix_file();

} // namespace hawser::test
