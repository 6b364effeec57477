// A file mapped into memory, shared with everyone who maps it.
//
// - A mapping is not inherited by fork (MADV_DONTFORK), so that a child can't stand in for its
//   parent unnoticed, nor keep the parent's locks alive.
// - Reading a page of the file that has no memory yet allocates it, and on a full tmpfs kills the
//   reader: touch only what allocate() (file.hpp) has granted.
#pragma once

#include <cstddef>

#include <hawser/result.hpp>

namespace hawser::os {

enum class access_kind : unsigned char { read_only, read_write };

class mapping {
  public:
    mapping() noexcept = default;
    mapping(mapping&& other) noexcept;
    mapping& operator=(mapping&& other) noexcept;
    mapping(const mapping&) = delete;
    mapping& operator=(const mapping&) = delete;
    ~mapping();

    static result<mapping> of(int fd, std::size_t bytes, access_kind access) noexcept;

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    // After fork the child has the object but not the memory: it must not unmap what is elsewhere
    // now.
    void abandon() noexcept;

  private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace hawser::os
