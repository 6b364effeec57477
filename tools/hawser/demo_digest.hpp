// SHA-256 of whole files, by OpenSSL.
//
// - Blocks: on the file; a wish to stop (demo_settings.hpp) ends it with EINTR. Allocates: one
// buffer for each hasher. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tool::demo {

using digest = std::array<unsigned char, 32>;

std::string to_hex(const digest& value);

struct file_digest {
    digest value{};
    std::uint64_t bytes = 0;
    int sys = 0; // errno, 0 when the file was read to its end
};

class file_hasher {
  public:
    file_hasher();
    ~file_hasher();
    file_hasher(const file_hasher&) = delete;
    file_hasher& operator=(const file_hasher&) = delete;

    file_digest hash(const std::string& path);

  private:
    struct engine;
    std::unique_ptr<engine> engine_;
    std::vector<unsigned char> buffer_;
};

} // namespace tool::demo
