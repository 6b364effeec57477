// src/os/file.hpp, mapping.hpp and the closing of descriptors, on the fuzzer's world. There is one
// name, which leads to a file or to none.
#include "os/file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include "os/mapping.hpp"
#include "world.hpp"

namespace hawser::os {

namespace {

using havoc::the_world;

error refusal(const char* operation, std::initializer_list<int> documented) noexcept {
    const std::size_t which = the_world().answers.byte() % documented.size();
    return failure(operation, documented.begin()[which]);
}

havoc::file& file_behind(int fd) noexcept {
    return the_world().files[the_world().file_of(fd)];
}

havoc::file* named_file() noexcept {
    auto& files = the_world().files;
    const auto found = std::ranges::find_if(files, [](const auto& one) { return one.named; });
    return found == files.end() ? nullptr : &*found;
}

result<unique_fd> describe(const char* operation, const havoc::file& of) noexcept {
    const auto index = static_cast<std::size_t>(&of - the_world().files.data());
    const int fd = the_world().open_descriptor(index);
    if (fd < 0) return failure(operation, EMFILE);
    return unique_fd{fd};
}

file_status status(const havoc::file& of) noexcept {
    file_status made;
    made.device = 1;
    made.inode = of.inode;
    made.bytes = of.bytes;
    made.links = of.named ? 1 : 0;
    made.regular = true;
    if (!the_world().trick()) return made;
    switch (the_world().answers.byte() % 4) {
    case 0:
        made.bytes += the_world().answers.number(4);
        break;
    case 1:
        made.regular = false;
        break;
    case 2:
        made.inode += 1; // another file has the name now
        break;
    default:
        made.links = 0;
        break;
    }
    return made;
}

} // namespace

result<unique_fd> make_unnamed(const std::string& /*directory*/) noexcept {
    if (the_world().trick())
        return refusal("make", {EACCES, ENOENT, ENOSPC, EMFILE, EOPNOTSUPP, ENOTDIR});
    auto& files = the_world().files;
    const auto free = std::ranges::find_if(files, [](const auto& one) { return !one.exists; });
    if (free == files.end()) return failure("make", ENOSPC);
    *free = {};
    free->exists = true;
    free->inode = the_world().next_inode++;
    return describe("make", *free);
}

result<unique_fd> open_existing(const std::string& /*path*/, access_kind /*access*/) noexcept {
    if (the_world().trick()) return refusal("open", {EACCES, ENOENT, ELOOP, ENXIO, EMFILE, ENFILE});
    const havoc::file* found = named_file();
    if (found == nullptr) return failure("open", ENOENT);
    return describe("open", *found);
}

result<unique_fd> open_again(int fd, access_kind /*access*/) noexcept {
    return describe("open", file_behind(fd));
}

result<void> give_name(int fd, const std::string& /*path*/) noexcept {
    if (named_file() != nullptr || the_world().trick()) return failure("link", EEXIST);
    file_behind(fd).named = true;
    return {};
}

result<void> remove_name(const std::string& /*path*/) noexcept {
    havoc::file* found = named_file();
    if (found == nullptr) return failure("unlink", ENOENT);
    if (the_world().trick()) return refusal("unlink", {EACCES, EPERM});
    found->named = false;
    the_world().forget_if_unused(static_cast<std::size_t>(found - the_world().files.data()));
    return {};
}

result<void> set_size(int fd, std::uint64_t bytes) noexcept {
    if (the_world().trick()) return refusal("truncate", {ENOSPC, EFBIG, EINVAL});
    file_behind(fd).bytes = bytes;
    return {};
}

result<void> set_access(int /*fd*/, std::uint32_t /*mode*/, std::uint32_t /*gid*/) noexcept {
    if (the_world().trick()) return refusal("chmod", {EPERM});
    return {};
}

result<std::uint32_t> group_id(const std::string& /*name_or_number*/) {
    return std::uint32_t{0};
}

result<void> allocate(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
    const std::uint64_t size = file_behind(fd).bytes;
    havoc::require(offset <= size && bytes <= size - offset, "memory past the end", offset);
    if (the_world().trick()) return refusal("allocate", {ENOSPC, ENOMEM, EIO});
    return {};
}

void punch_hole(int fd, std::uint64_t offset, std::uint64_t bytes) noexcept {
    const std::uint64_t size = file_behind(fd).bytes;
    havoc::require(offset <= size && bytes <= size - offset, "a hole past the end", offset);
    the_world().punch(the_world().file_of(fd), offset, bytes);
}

result<file_status> status_of(int fd) noexcept {
    return status(file_behind(fd));
}

result<file_status> status_of(const std::string& /*path*/) noexcept {
    const havoc::file* found = named_file();
    if (found == nullptr) return failure("stat", ENOENT);
    return status(*found);
}

result<std::vector<std::string>> names_in(const std::string& /*directory*/) {
    std::vector<std::string> names{"a-file-of-somebody-else"};
    if (named_file() != nullptr) names.emplace_back("hawser.havoc");
    return names;
}

result<std::size_t> read_start(int fd, void* into, std::size_t size) noexcept {
    const havoc::file& from = file_behind(fd);
    std::memset(into, 0, size);
    std::memcpy(into, from.start.data(), std::min(size, from.start.size()));
    auto& answers = the_world().answers;
    if (!the_world().trick()) return std::min<std::size_t>(size, from.bytes);
    if ((answers.byte() & 1U) != 0) return answers.byte() % (size + 1);
    static_cast<std::uint8_t*>(into)[answers.byte() % std::min(size, from.start.size())] ^=
        answers.byte();
    return size;
}

result<void> write_start(int fd, const void* from, std::size_t size) noexcept {
    havoc::file& to = file_behind(fd);
    havoc::require(size <= to.start.size(), "more than the fixed part of the header", size);
    if (the_world().trick()) return refusal("write", {ENOSPC, EIO});
    std::memcpy(to.start.data(), from, size);
    return {};
}

std::uint64_t page_bytes() noexcept {
    return 4096;
}

std::string environment(const char* /*name*/) {
    return {};
}

mapping::mapping(mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

mapping& mapping::operator=(mapping&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

mapping::~mapping() {
    if (data_ != nullptr) the_world().unmap(data_);
}

void mapping::abandon() noexcept {
    data_ = nullptr;
    size_ = 0;
}

result<mapping> mapping::of(int fd, std::size_t bytes, access_kind access) noexcept {
    if (the_world().trick()) return refusal("mmap", {ENOMEM, EACCES, ENFILE});
    mapping made;
    made.data_ = the_world().map(the_world().file_of(fd), bytes, access == access_kind::read_write);
    if (made.data_ == nullptr) return failure("mmap", ENOMEM);
    made.size_ = bytes;
    return made;
}

} // namespace hawser::os

// The linker gives every close() of the program to this one.
extern "C" int __real_close(int fd);  // NOLINT(bugprone-reserved-identifier)
extern "C" int __wrap_close(int fd) { // NOLINT(bugprone-reserved-identifier)
    if (fd < hawser::havoc::first_descriptor) return __real_close(fd);
    hawser::havoc::the_world().close_descriptor(fd);
    return 0;
}
