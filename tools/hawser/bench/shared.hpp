// An object in memory that this process shares with the children it starts afterwards.
//
// - Blocks: never. Allocates: one mapping. Threads: as T. Fork: the point of it; the memory stays
//   until the last of parent and children has gone. T's destructor is not run.
#pragma once

#include <new>
#include <stdexcept>
#include <type_traits>

#include <sys/mman.h>

namespace tool::bench {

template <typename T>
class shared {
    static_assert(std::is_trivially_destructible_v<T>);

  public:
    shared()
        : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                         0)) {
        if (memory_ == MAP_FAILED) throw std::runtime_error("no memory to share");
        object_ = ::new (memory_) T{};
    }
    ~shared() { ::munmap(memory_, sizeof(T)); }
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;

    T& operator*() const { return *object_; }
    T* operator->() const { return object_; }

  private:
    void* memory_;
    T* object_;
};

} // namespace tool::bench
