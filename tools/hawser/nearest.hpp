// "Did you mean …?" for verbs, flags and their values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tool {

// The known word that a typing mistake or two would turn into this one; empty if there is none.
std::string nearest(std::string_view word, const std::vector<std::string>& known);

} // namespace tool
