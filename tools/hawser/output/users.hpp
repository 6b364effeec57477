// Names of users and groups, or their numbers where they have none.
#pragma once

#include <cstdint>
#include <string>

namespace tool {

bool user_exists(std::uint32_t uid);
std::string user_name(std::uint32_t uid);
std::string group_name(std::uint32_t gid);

} // namespace tool
