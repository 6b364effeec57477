#include "snapshot.hpp"

#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hawser::crash {

snapshot::snapshot(std::string path, const ledger& book)
    : path_(std::move(path)), book_(std::as_bytes(std::span(&book, 1))) {
    look_again();
    static_cast<void>(changed());
}

snapshot::~snapshot() {
    if (fd_ >= 0) ::close(fd_);
}

void snapshot::look_again() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = path_.empty() ? -1 : ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
}

bool snapshot::file_changed() {
    struct stat status {};
    const bool is_there = fd_ >= 0 && ::fstat(fd_, &status) == 0;
    now_.resize(is_there ? static_cast<std::size_t>(status.st_size) : 0);
    if (is_there && ::pread(fd_, now_.data(), now_.size(), 0) < 0) now_.clear();
    const bool same = now_ == seen_file_;
    if (!same) seen_file_.swap(now_);
    return !same;
}

bool snapshot::changed() {
    const bool same = seen_book_.size() == book_.size() &&
                      std::memcmp(seen_book_.data(), book_.data(), book_.size()) == 0;
    if (!same) seen_book_.assign(book_.begin(), book_.end());
    return file_changed() || !same;
}

exploration explore(victim& who, snapshot& world, std::uint64_t limit) {
    exploration found;
    found.states.push_back(0);
    while (found.way.length() < limit) {
        found.way.add(who.address());
        const bool called = who.before_system_call();
        if (!who.step()) break;
        if (called) world.look_again();
        if (world.changed() || called) found.states.push_back(who.instructions());
    }
    return found;
}

} // namespace hawser::crash
