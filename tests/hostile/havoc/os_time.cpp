// src/os/clock.hpp, futex.hpp, lock.hpp, bell.hpp and what of process.hpp makes system calls, on
// the fuzzer's world. Time passes by being looked at.
#include <cerrno>

#include "os/bell.hpp"
#include "os/clock.hpp"
#include "os/futex.hpp"
#include "os/lock.hpp"
#include "segment/participant.hpp"
#include "world.hpp"

namespace hawser::os {

namespace {

using havoc::the_world;

constexpr std::int64_t between_looks_ns = 20'000;

} // namespace

std::int64_t monotonic_ns() noexcept {
    the_world().advance(between_looks_ns);
    return the_world().now_ns;
}

std::int64_t realtime_ns() noexcept {
    return 1'700'000'000'000'000'000 + the_world().now_ns;
}

void pause_ns(std::int64_t duration_ns) noexcept {
    // A busy machine oversleeps by far: the long loops of open() end soon.
    constexpr std::int64_t late_ns = 200'000'000;
    the_world().overslept_ns += late_ns;
    the_world().advance(duration_ns + late_ns);
}

futex_outcome futex_wait(const void* word, std::uint32_t expected,
                         std::int64_t timeout_ns) noexcept {
    havoc::require(timeout_ns > 0 && timeout_ns <= segment::slice_ns, "a sleep is one slice");
    const auto value = static_cast<std::uint32_t>(havoc::load(word, sizeof expected));
    if (value != expected) return futex_outcome::changed;
    if (the_world().unlucky()) {
        switch (the_world().answers.byte() % 3) {
        case 0: // requeued, or a wake that was meant for somebody else
            the_world().advance(timeout_ns / 2);
            return futex_outcome::woken;
        case 1:
            return futex_outcome::interrupted;
        default:
            return futex_outcome::changed;
        }
    }
    the_world().advance(timeout_ns);
    return futex_outcome::timed_out;
}

int futex_wake(const void* word, int count) noexcept {
    havoc::require(the_world().is_mapped(word, sizeof(std::uint32_t), false),
                   "a futex outside of the mailbox");
    return the_world().unlucky() ? count : 0;
}

result<bool> try_lock(int fd, std::uint64_t first_byte, lock_kind kind) noexcept {
    havoc::world& here = the_world();
    havoc::require(here.file_of(fd) < havoc::most_files, "a lock on nothing");
    const bool exclusive = kind == lock_kind::exclusive;
    for (std::size_t i = 0; i < here.lock_count; ++i) {
        auto& held = here.locks[i];
        if (held.byte != first_byte || here.file_of(held.fd) != here.file_of(fd)) continue;
        if (held.fd == fd) {
            held.exclusive = exclusive;
            return true;
        }
        if (held.exclusive || exclusive) return false;
    }
    if (here.unlucky()) return false; // an enemy has it
    if (here.trick()) return failure("lock", ENOLCK);
    if (here.lock_count == havoc::most_locks) return failure("lock", ENOLCK);
    here.locks[here.lock_count++] = {fd, first_byte, exclusive};
    return true;
}

void unlock(int fd, std::uint64_t first_byte, std::uint64_t bytes) noexcept {
    the_world().unlock(fd, first_byte, bytes);
}

std::uint64_t first_locked(int fd, std::uint64_t first_byte, std::uint64_t bytes) noexcept {
    havoc::world& here = the_world();
    if (here.unlucky()) return first_byte + here.answers.byte() % bytes;
    std::uint64_t first = none_locked;
    for (std::size_t i = 0; i < here.lock_count; ++i) {
        const auto& held = here.locks[i];
        if (held.fd != fd && held.byte - first_byte < bytes && held.byte < first) first = held.byte;
    }
    return first;
}

result<bell> bell::listen(int fd, bell_tone /*tone*/) noexcept {
    if (the_world().file_of(fd) >= havoc::most_files || the_world().trick())
        return failure("inotify_init", EMFILE);
    return bell{};
}

void bell::ring_self() noexcept {}
void bell::remind_after_ns(std::int64_t /*delay_ns*/) noexcept {}

bell::heard bell::quiet() noexcept {
    if (!the_world().unlucky()) return {};
    const std::uint8_t what = the_world().answers.byte();
    return {(what & 1U) != 0, (what & 2U) != 0};
}

void bell::ring_others(int fd, bell_tone /*tone*/, std::uint64_t offset) noexcept {
    const auto& of = the_world().files[the_world().file_of(fd)];
    havoc::require(offset < of.bytes, "a bell outside of the mailbox", offset);
}

} // namespace hawser::os

// Spinning gives its CPU away again and again; here nobody else wants it.
extern "C" int __wrap_sched_yield() { // NOLINT(bugprone-reserved-identifier)
    return 0;
}
