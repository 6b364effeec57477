// One value that a test shares with the children it forks: anonymous shared memory, made before the
// fork.
//
// - T is trivially destructible (counters, arrays of atomics); it starts zeroed, then constructed.
// - Blocks: never. Threads: as T. Fork: that is the point. Nothing is left behind: the memory has
//   no name.
#pragma once

#include <memory>
#include <new>
#include <type_traits>

#include <sys/mman.h>

namespace hawser::test {

template <typename T>
class shared {
    static_assert(std::is_trivially_destructible_v<T>);

  public:
    shared() {
        void* memory =
            ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        value_ = ::new (memory) T{};
    }
    ~shared() { ::munmap(value_, sizeof(T)); }
    shared(const shared&) = delete;
    shared& operator=(const shared&) = delete;

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

  private:
    T* value_;
};

} // namespace hawser::test
