// The same by hand: a ring in memory that two processes share. `in` is written by the producer
// alone, `out` by the consumer alone, and both are atomic: with plain integers nothing orders the
// item before the index that announces it, and the compiler may read the other's index once and
// never again. What it lacks beside a mailbox: it burns a CPU while it waits, has room for one
// producer and one consumer only, and neither learns that the other one has died.
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <new>

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t slots = 8;
constexpr std::uint64_t items = 1000;

struct ring {
    alignas(64) std::atomic<std::uint64_t> in = 0;  // items ever put in; never wraps, so all 8
    alignas(64) std::atomic<std::uint64_t> out = 0; // slots are usable and full differs from empty
    std::array<std::uint64_t, slots> item;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "a lock would be in each process");

void produce(ring& shared) {
    for (std::uint64_t put = 0; put < items; ++put) {
        while (put - shared.out.load(std::memory_order_acquire) == slots) ::sched_yield();
        shared.item.at(put % slots) = put + 1;
        shared.in.store(put + 1,
                        std::memory_order_release); // the item first, then its announcement
    }
}

} // namespace

int main() {
    void* const memory =
        ::mmap(nullptr, sizeof(ring), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 1;
    ring& shared = *::new (memory) ring;
    if (::fork() == 0) {
        produce(shared);
        std::_Exit(0);
    }
    std::uint64_t sum = 0;
    for (std::uint64_t got = 0; got < items; ++got) {
        while (shared.in.load(std::memory_order_acquire) == got) ::sched_yield();
        sum += shared.item.at(got % slots);
        shared.out.store(got + 1, std::memory_order_release); // read first, then the slot is free
    }
    ::wait(nullptr);
    std::printf("%llu items, sum %llu\n", static_cast<unsigned long long>(items),
                static_cast<unsigned long long>(sum));
}
