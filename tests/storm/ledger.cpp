#include "ledger.hpp"

#include <bit>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

namespace hawser::storm {

std::int64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Eight buckets for each power of two; below eight, each number has its own.
void histogram::add(std::int64_t ns) noexcept {
    const auto value = static_cast<std::uint64_t>(ns > 0 ? ns : 0);
    const auto width = static_cast<std::size_t>(std::bit_width(value));
    const std::size_t bucket = value < 8 ? value : (width - 3) * 8 + ((value >> (width - 4)) & 7U);
    buckets_[bucket].fetch_add(1);
    std::int64_t seen = longest_.load();
    while (seen < ns && !longest_.compare_exchange_weak(seen, ns)) {
    }
}

void histogram::add(const histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i].fetch_add(other.buckets_[i]);
    if (other.longest_.load() > longest_.load()) longest_.store(other.longest_.load());
}

std::uint64_t histogram::count() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& bucket : buckets_) sum += bucket.load();
    return sum;
}

std::int64_t histogram::below(double share) const noexcept {
    const double enough = share * static_cast<double>(count());
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
        sum += buckets_[i].load();
        if (sum == 0 || static_cast<double>(sum) < enough) continue;
        if (i < 8) return static_cast<std::int64_t>(i);
        const auto next = static_cast<std::int64_t>((8 + i % 8 + 1) << (i / 8 - 1));
        return next - 1 < longest() ? next - 1 : longest();
    }
    return longest();
}

void book::complain(const std::string& text) noexcept {
    const std::uint32_t place = complaints.fetch_add(1);
    if (place >= most_complaints) return;
    auto& line = complaint[place];
    std::strncpy(line.data(), text.c_str(), line.size() - 1);
}

std::uint32_t book::be_born(role as, bool survivor) noexcept {
    const std::uint32_t me = lives_used.fetch_add(1) + 1;
    if (me >= most_lives) return 0;
    lives[me].as.store(as);
    lives[me].survivor.store(survivor);
    lives[me].since_ns.store(now_ns());
    return me;
}

void book::note_event() noexcept {
    event_ns.store(now_ns());
    events.fetch_add(1);
}

void book::doom(pid_t process) noexcept {
    const auto pid = static_cast<std::uint32_t>(process);
    doomed[pid / 8].fetch_or(static_cast<std::uint8_t>(1U << (pid % 8)));
}

bool book::is_dead(std::uint32_t who) const noexcept {
    const life& one = lives[who];
    const auto pid = static_cast<std::uint32_t>(one.pid.load());
    return one.left.load() || (doomed[pid / 8].load() >> (pid % 8) & 1) != 0;
}

ledger::ledger() : ledger(::memfd_create("storm-ledger", 0)) {}

ledger::ledger(int fd) : fd_(fd) {
    if (fd < 0 || ::ftruncate(fd, sizeof(book)) != 0)
        throw std::runtime_error("no memory for the ledger");
    void* memory = ::mmap(nullptr, sizeof(book), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("the ledger can't be mapped");
    book_ = static_cast<book*>(memory); // zeroes are its beginning, and it has no constructor
}

ledger::~ledger() {
    ::munmap(book_, sizeof(book));
    ::close(fd_);
}

} // namespace hawser::storm
