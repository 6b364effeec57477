// What identifies a file while it exists, whatever its names are.
#pragma once

#include <cstdint>

namespace hawser::os {

struct file_key {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    [[nodiscard]] bool operator==(const file_key&) const = default;
    [[nodiscard]] bool operator<(const file_key& other) const noexcept {
        return device != other.device ? device < other.device : inode < other.inode;
    }
};

} // namespace hawser::os
