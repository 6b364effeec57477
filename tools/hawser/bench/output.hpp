// What a suite found, as a table and as a document.
#pragma once

#include "context.hpp"
#include "suite.hpp"

namespace tool::bench {

// False if stdout can't take it.
bool print_text(const context& here, const suite_result& found, unsigned runs);
bool print_json(const suite_result& found, unsigned runs);

} // namespace tool::bench
