#include "demo_ledger.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tool::demo {

namespace {

constexpr std::uint64_t ledger_magic = 0x31304f4d45445748; // "HWDEMO01"

// Where the parts begin; the order is that of the accessors.
struct layout {
    std::size_t workers = 0;
    std::size_t files = 0;
    std::size_t chunk_files = 0;
    std::size_t delivered = 0;
    std::size_t text = 0;

    layout(std::size_t worker_count, std::size_t file_count, std::size_t chunk_count) {
        const auto aligned = [](std::size_t offset) { return (offset + 63) / 64 * 64; };
        workers = aligned(sizeof(ledger_header));
        files = aligned(workers + worker_count * sizeof(worker_record));
        chunk_files = aligned(files + file_count * sizeof(file_record));
        delivered = aligned(chunk_files + chunk_count * sizeof(std::uint32_t));
        text = aligned(delivered + chunk_count);
    }
    explicit layout(const ledger_header& of)
        : layout(of.producers + of.consumers, of.files, of.chunks) {}
};

std::span<std::byte> map(int descriptor, std::size_t size) {
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (memory == MAP_FAILED) return {};
    return {static_cast<std::byte*>(memory), size};
}

template <std::size_t Size>
void copy_text(std::array<char, Size>& to, std::string_view from) {
    const std::size_t count = std::min(from.size(), Size - 1);
    std::copy_n(from.begin(), count, to.begin());
    to[count] = '\0';
}

} // namespace

std::string_view name_of(worker_role value) noexcept {
    return value == worker_role::producer ? "producer" : "consumer";
}

std::string_view describe(activity value) noexcept {
    switch (value) {
    case activity::starting:
        return "started";
    case activity::filling:
        return "filled a message";
    case activity::sending:
        return "was sending a message";
    case activity::held_back:
        return "was about to send a message";
    case activity::receiving:
        return "was receiving";
    case activity::writing:
        return "held a message";
    case activity::done:
        return "was done";
    case activity::failed:
        break;
    }
    return "had failed";
}

std::uint64_t now_ns() noexcept {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

std::optional<ledger> ledger::create(const plan& of, const ledger_settings& wanted) {
    const layout parts(wanted.producers + wanted.consumers, of.files.size(), of.chunks);
    std::size_t size = parts.text;
    for (const planned_file& file : of.files) size += file.path.size() + 1;

    const int descriptor = ::memfd_create("hawser-demo-ledger", MFD_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    // Memory is taken now: a worker that runs into a full machine later would die by SIGBUS.
    const int no_memory = ::posix_fallocate(descriptor, 0, static_cast<off_t>(size));
    const std::span<std::byte> memory =
        no_memory != 0 ? std::span<std::byte>{} : map(descriptor, size);
    if (memory.empty()) {
        ::close(descriptor);
        if (no_memory != 0) errno = no_memory;
        return std::nullopt;
    }
    ledger made(memory, descriptor);
    made.fill(of, wanted);
    return made;
}

void ledger::fill(const plan& of, const ledger_settings& wanted) const {
    auto& head = *std::construct_at(at<ledger_header>(0));
    head.size = memory_.size();
    head.run = wanted.run;
    head.parent_pid = static_cast<std::uint64_t>(::getpid());
    head.chunk_bytes = wanted.chunk_bytes;
    head.chunks = of.chunks;
    head.files = of.files.size();
    head.producers = wanted.producers;
    head.consumers = wanted.consumers;
    head.wait = wanted.wait;
    head.fault = wanted.fault;
    copy_text(head.address, wanted.address);
    copy_text(head.output, wanted.output);

    for (worker_record& record : workers()) std::construct_at(&record);
    for (std::size_t i = 0; i < of.shares.size(); ++i) {
        worker_record& record = workers()[i];
        record.next_chunk = of.shares[i].first;
        record.end_chunk = of.shares[i].end;
    }
    fill_files(of);
    head.magic = ledger_magic;
}

void ledger::fill_files(const plan& of) const {
    std::size_t text_at = layout(header()).text;
    for (std::size_t i = 0; i < of.files.size(); ++i) {
        const planned_file& file = of.files[i];
        auto& record = *std::construct_at(&files()[i]);
        record.bytes = file.bytes;
        record.first_chunk = file.first_chunk;
        record.path_at = text_at;
        std::memcpy(memory_.data() + text_at, file.path.c_str(), file.path.size() + 1);
        text_at += file.path.size() + 1;
        const auto own = chunk_files().subspan(file.first_chunk, file.chunks);
        std::ranges::fill(own, static_cast<std::uint32_t>(i));
    }
    for (auto& flag : delivered()) std::construct_at(&flag);
}

std::optional<ledger> ledger::attach(int descriptor) {
    struct stat found {};
    if (::fstat(descriptor, &found) != 0) return std::nullopt;
    const auto size = static_cast<std::size_t>(found.st_size);
    if (size < sizeof(ledger_header)) return std::nullopt;
    const std::span<std::byte> memory = map(descriptor, size);
    if (memory.empty()) return std::nullopt;
    ledger made(memory, descriptor);
    const ledger_header& head = made.header();
    if (head.magic != ledger_magic || head.size != size) return std::nullopt;
    return made;
}

ledger::~ledger() {
    if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
    if (descriptor_ >= 0) ::close(descriptor_);
}

template <typename T>
T* ledger::at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(memory_.data() + offset);
}

ledger_header& ledger::header() const noexcept {
    return *at<ledger_header>(0);
}

std::span<worker_record> ledger::workers() const noexcept {
    const ledger_header& head = header();
    return {at<worker_record>(layout(head).workers), head.producers + head.consumers};
}

worker_record& ledger::worker(worker_role role, std::uint32_t index) const noexcept {
    return workers()[role == worker_role::producer ? index : header().producers + index];
}

std::span<file_record> ledger::files() const noexcept {
    return {at<file_record>(layout(header()).files), header().files};
}

std::span<std::uint32_t> ledger::chunk_files() const noexcept {
    return {at<std::uint32_t>(layout(header()).chunk_files), header().chunks};
}

std::span<std::atomic<std::uint8_t>> ledger::delivered() const noexcept {
    return {at<std::atomic<std::uint8_t>>(layout(header()).delivered), header().chunks};
}

const char* ledger::path(const file_record& file) const noexcept {
    return at<const char>(file.path_at);
}

} // namespace tool::demo
