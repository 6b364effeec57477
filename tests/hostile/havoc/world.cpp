#include "world.hpp"

#include <algorithm>
#include <bitset>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

#include "segment/accessor.hpp"
#include "sync/words.hpp"

namespace hawser::havoc {

namespace {

constexpr std::uint64_t page = 4096;

std::byte* reserve(std::uint64_t bytes, int protection) noexcept {
    void* got =
        ::mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) broken("no address space for the fuzzer");
    return static_cast<std::byte*>(got);
}

// What mailboxes are mapped to: nobody can touch it.
std::byte* arena() noexcept {
    static std::byte* const made = reserve(most_mappings * most_file_bytes, PROT_NONE);
    return made;
}

// The content of each file, and which pages of it were written.
struct shadow {
    std::byte* bytes = reserve(most_file_bytes, PROT_READ | PROT_WRITE);
    std::bitset<most_file_bytes / page> dirty;
    std::uint64_t end = 0; // of what was written

    void mark(std::uint64_t at) noexcept {
        dirty.set(at / page);
        end = std::max(end, at / page + 1);
    }
    void clear(std::uint64_t first_page, std::uint64_t last_page) noexcept {
        for (std::uint64_t i = first_page; i < std::min(last_page, end); ++i) {
            if (!dirty.test(i)) continue;
            std::memset(bytes + i * page, 0, page);
            dirty.reset(i);
        }
    }
};

shadow& shadow_of(std::size_t file) noexcept {
    static auto& all = *new std::array<shadow, most_files>;
    return all[file];
}

struct place {
    std::size_t mapping = 0;
    std::uint64_t offset = 0;
};

place place_of(const void* at) noexcept {
    const auto distance = static_cast<std::uint64_t>(static_cast<const std::byte*>(at) - arena());
    return {static_cast<std::size_t>(distance / most_file_bytes), distance % most_file_bytes};
}

void require_word(const void* word, std::size_t bytes, bool to_write) noexcept {
    world& here = the_world();
    here.count_access();
    if (!here.is_mapped(word, bytes, to_write))
        broken("an access outside of the mailbox", reinterpret_cast<std::uint64_t>(word));
    if (reinterpret_cast<std::uint64_t>(word) % bytes != 0) broken("a word that is not aligned");
}

std::uint64_t kept(const place& at, std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, shadow_of(the_world().mappings[at.mapping].of).bytes + at.offset, bytes);
    return value;
}

void keep(const place& at, std::size_t bytes, std::uint64_t value) noexcept {
    shadow& of = shadow_of(the_world().mappings[at.mapping].of);
    of.mark(at.offset);
    std::memcpy(of.bytes + at.offset, &value, bytes);
}

std::array<std::uint64_t, 16> stored_lately{};
std::size_t next_stored = 0;

// A slot word that could be: fields near the true ones.
std::uint64_t plausible_slot(std::uint64_t honest, decisions& answers) noexcept {
    auto word = sync::slot_word::unpack(honest);
    const std::uint8_t how = answers.byte();
    word.turn += (how & 3U) - 1;
    word.full = (how & 4U) != 0;
    if ((how & 8U) != 0) word.owner = answers.byte() % 8;
    if ((how & 16U) != 0) word.chunk = answers.byte() % 32;
    return word.pack();
}

// What an enemy would have there.
std::uint64_t forged(std::uint64_t honest, std::size_t bytes, std::uint8_t how) noexcept {
    decisions& answers = the_world().answers;
    switch (how % 8) {
    case 0:
        return answers.number(bytes);
    case 1:
        return 0;
    case 2:
        return ~std::uint64_t{0};
    case 3:
        return honest + static_cast<std::uint64_t>(static_cast<std::int8_t>(answers.byte()));
    case 4:
        return honest ^ std::uint64_t{1} << answers.byte() % (8 * bytes);
    case 5:
        return plausible_slot(honest, answers);
    case 6:
        return stored_lately[answers.byte() % stored_lately.size()];
    default:
        return answers.byte() % 8;
    }
}

} // namespace

void broken(const char* what, std::uint64_t number) noexcept {
    std::fprintf(stderr, "broken: %s (%llu, 0x%llx)\n", what,
                 static_cast<unsigned long long>(number), static_cast<unsigned long long>(number));
    std::abort();
}

std::uint8_t decisions::byte() noexcept {
    if (bytes_.empty()) return 0;
    if (at_ == bytes_.size()) {
        at_ = 0;
        ++lap_;
    }
    const std::uint8_t plain = bytes_[at_++];
    if (!scrambled_ || lap_ == 0) return plain;
    return static_cast<std::uint8_t>(((plain + lap_) * 0x9e37'79b9'7f4a'7c15ULL + at_) >> 29);
}

std::uint64_t decisions::number(std::size_t bytes) noexcept {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | byte();
    return value;
}

world& the_world() noexcept {
    static world& only = *new world;
    return only;
}

void world::begin(std::span<const std::uint8_t> answers_, unsigned malice_,
                  bool scrambled) noexcept {
    *this = world{};
    answers = decisions(answers_, scrambled);
    malice = answers_.empty() ? 0 : malice_;
    stored_lately.fill(0);
    next_stored = 0;
    for (std::size_t i = 0; i < most_files; ++i) {
        shadow& of = shadow_of(i);
        of.clear(0, of.end);
        of.end = 0;
    }
}

void world::end() noexcept {
    for (const auto& one : descriptors) require(!one.open, "a descriptor is left open");
    for (const auto& one : mappings) require(!one.alive, "a mapping is left");
    require(lock_count == 0, "a lock is left", lock_count);
}

bool world::unlucky() noexcept {
    return malice != 0 && answers.byte() < malice;
}

bool world::trick() noexcept {
    constexpr unsigned most_tricks = 3;
    if (tricks == most_tricks || !unlucky()) return false;
    ++tricks;
    return true;
}

void world::advance(std::int64_t by_ns) noexcept {
    // An access is a cache miss, so that long turns take long.
    constexpr std::int64_t access_ns = 50;
    now_ns += by_ns + access_ns * static_cast<std::int64_t>(since_clock);
    most_since_clock = std::max(most_since_clock, since_clock);
    since_clock = 0;
    const std::int64_t turn_ns = access_ns * static_cast<std::int64_t>(most_since_clock);
    if (out_of_time_ns != 0 && now_ns > out_of_time_ns + overslept_ns + turn_ns)
        broken("a call goes on past its deadline, by nanoseconds",
               static_cast<std::uint64_t>(now_ns - out_of_time_ns));
}

void world::count_access() noexcept {
    ++accesses;
    if (++since_clock > allowed) broken("more accesses than the bound allows", allowed);
}

std::size_t world::file_of(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd - first_descriptor);
    require(fd >= first_descriptor && index < most_descriptors && descriptors[index].open,
            "a descriptor that is not open", static_cast<std::uint64_t>(fd));
    return descriptors[index].of;
}

int world::open_descriptor(std::size_t of) noexcept {
    for (std::size_t i = 0; i < most_descriptors; ++i) {
        if (descriptors[i].open) continue;
        descriptors[i] = {true, of};
        return first_descriptor + static_cast<int>(i);
    }
    return -1;
}

void world::close_descriptor(int fd) noexcept {
    const std::size_t of = file_of(fd);
    unlock(fd, 0, ~std::uint64_t{0});
    descriptors[static_cast<std::size_t>(fd - first_descriptor)].open = false;
    forget_if_unused(of);
}

void world::forget_if_unused(std::size_t of) noexcept {
    if (files[of].named) return;
    for (const auto& one : descriptors)
        if (one.open && one.of == of) return;
    for (const auto& one : mappings)
        if (one.alive && one.of == of) return;
    files[of].exists = false;
    shadow_of(of).clear(0, shadow_of(of).end);
}

void world::unlock(int fd, std::uint64_t first, std::uint64_t count) noexcept {
    for (std::size_t i = 0; i < lock_count;) {
        if (locks[i].fd == fd && locks[i].byte - first < count)
            locks[i] = locks[--lock_count];
        else
            ++i;
    }
}

bool world::is_mapped(const void* at, std::uint64_t bytes, bool to_write) const noexcept {
    const auto* const first = static_cast<const std::byte*>(at);
    if (first < arena() || first >= arena() + most_mappings * most_file_bytes) return false;
    const place where = place_of(at);
    const mapping& of = mappings[where.mapping];
    return of.alive && (of.writable || !to_write) && where.offset <= of.bytes &&
           bytes <= of.bytes - where.offset;
}

std::byte* world::map(std::size_t of, std::uint64_t bytes, bool writable) noexcept {
    if (bytes > most_file_bytes) return nullptr;
    for (std::size_t i = 0; i < most_mappings; ++i) {
        if (mappings[i].alive) continue;
        mappings[i] = {true, writable, of, bytes};
        return arena() + i * most_file_bytes;
    }
    return nullptr;
}

void world::unmap(const std::byte* at) noexcept {
    mapping& of = mappings[place_of(at).mapping];
    require(of.alive, "unmapped twice");
    of.alive = false;
    forget_if_unused(of.of);
}

void world::punch(std::size_t of, std::uint64_t at, std::uint64_t bytes) noexcept {
    shadow_of(of).clear(at / page, (at + bytes) / page);
}

std::uint64_t load(const void* word, std::size_t bytes) noexcept {
    require_word(word, bytes, false);
    const place at = place_of(word);
    const std::uint64_t honest = kept(at, bytes);
    world& here = the_world();
    if (!here.unlucky()) return honest;
    const std::uint8_t how = here.answers.byte();
    const std::uint64_t value = forged(honest, bytes, how);
    if ((how & 8U) != 0) keep(at, bytes, value); // it stays so
    return value;
}

void store(void* word, std::size_t bytes, std::uint64_t value) noexcept {
    require_word(word, bytes, true);
    keep(place_of(word), bytes, value);
    stored_lately[next_stored++ % stored_lately.size()] = value;
}

bool exchange(void* word, std::size_t bytes, std::uint64_t& expected,
              std::uint64_t desired) noexcept {
    require_word(word, bytes, true);
    const place at = place_of(word);
    const std::uint64_t honest = kept(at, bytes);
    world& here = the_world();
    bool done = honest == expected;
    if (here.unlucky()) {
        const std::uint8_t how = here.answers.byte();
        done = (how & 16U) != 0;
        if (!done) expected = forged(honest, bytes, how);
    } else if (!done) {
        expected = honest;
    }
    if (done) {
        keep(at, bytes, desired);
        stored_lately[next_stored++ % stored_lately.size()] = desired;
    }
    return done;
}

void touch(const void* payload, std::size_t bytes) noexcept {
    if (bytes == 0) return;
    if (!the_world().is_mapped(payload, bytes, false)) broken("a payload outside of the mailbox");
}

} // namespace hawser::havoc
