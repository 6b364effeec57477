#include "os/mapping.hpp"

#include <cerrno>
#include <utility>

#include <sys/mman.h>

#include "os/fd.hpp"

namespace hawser::os {

mapping::mapping(mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

mapping& mapping::operator=(mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

mapping::~mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

void mapping::abandon() noexcept {
    data_ = nullptr;
    size_ = 0;
}

result<mapping> mapping::of(int fd, std::size_t bytes, access_kind access) noexcept {
    const int protection = access == access_kind::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
    void* data = ::mmap(nullptr, bytes, protection, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return failure("mmap", errno);
    mapping made;
    made.data_ = static_cast<std::byte*>(data);
    made.size_ = bytes;
    // A child that inherited it would keep the file's locks alive after our death.
    if (::madvise(data, bytes, MADV_DONTFORK) != 0) return failure("madvise", errno);
    return made;
}

} // namespace hawser::os
