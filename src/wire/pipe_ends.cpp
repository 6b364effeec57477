#include "wire/pipe_ends.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include "core/text.hpp"
#include "os/file.hpp"

namespace hawser::wire {

namespace {

error too_much_memory(std::uint64_t asked) {
    const std::uint64_t limit = os::largest_pipe_bytes();
    std::string why = "a pipe of " + hawser::detail::size_text(asked) + " is more than this user ";
    why += limit == 0 ? std::string("may have.")
                      : "may have; the limit is " + hawser::detail::size_text(limit) + ".";
    why += " Raise it with sysctl fs.pipe-max-size (for one pipe) and fs.pipe-user-pages-soft "
           "(for all of a user), or ask for less max_memory.";
    return error{errc::permission, "change", EPERM}.because(why);
}

} // namespace

result<void> set_capacity(int fd, const options& wanted) {
    if (!wanted.max_memory) return {};
    const auto set = os::set_pipe_capacity(fd, *wanted.max_memory);
    if (set) return {};
    if (set.why().sys() == EPERM) return too_much_memory(*wanted.max_memory);
    if (set.is(errc::would_block))
        return error{errc::would_block, "change", EBUSY}.because(
            "more waits in it than would fit then. Receive first.");
    return error{set.why().code(), "change", set.why().sys()}.because(
        std::string("the system said: ") + std::strerror(set.why().sys()));
}

result<void> change_pipe(int fd, const options& wanted, pipe_naming naming) {
    options other = wanted;
    other.max_memory.reset();
    if (naming == pipe_naming::in_file_system) {
        other.mode.reset();
        other.group.reset();
    }
    if (const std::string rest = other.to_text(); !rest.empty())
        return error{errc::unsupported, "change"}.because(
            rest + " can't be changed here, max_memory" +
            (naming == pipe_naming::in_file_system ? ", mode and group can." : " can."));
    if (auto set = set_capacity(fd, wanted); !set) return set;
    if (!wanted.mode && !wanted.group) return {};
    std::uint32_t gid = os::no_group;
    if (wanted.group) {
        const auto found = os::group_id(*wanted.group);
        if (!found)
            return error{errc::invalid_argument, "change"}.because(
                "there is no group " + hawser::detail::in_quotes(*wanted.group) + ".");
        gid = *found;
    }
    const auto now = os::status_of(fd);
    if (!now) return now.why();
    const auto set = os::set_access(fd, wanted.mode.value_or(now->mode), gid);
    if (set) return {};
    return error{set.why().code(), "change", set.why().sys()}.because(
        "only its owner may change mode and group.");
}

result<hawser::attributes> pipe_attributes(int fd, pipe_naming naming) {
    hawser::attributes all;
    const auto capacity = os::pipe_capacity(fd);
    if (!capacity) return capacity.why();
    all.capacity_bytes = *capacity;
    if (const auto waiting = os::bytes_waiting(fd)) all.depth_bytes = *waiting;
    if (naming == pipe_naming::anonymous) return all;
    all.capacity = os::pipe_slots(*capacity);
    const auto file = os::status_of(fd);
    if (!file) return file.why();
    all.mode = file->mode;
    all.uid = file->uid;
    all.gid = file->gid;
    return all;
}

// ---- writing ------------------------------------------------------------------------------------

pipe_writer::pipe_writer(os::stream to, pipe_naming naming, before_close leaving)
    : frames_(std::move(to)), leaving_(std::move(leaving)), naming_(naming) {}

pipe_writer::~pipe_writer() {
    if (leaving_) leaving_(frames_.stream().fd());
}

result<void> pipe_writer::try_write(std::span<const std::byte> bytes, const envelope& with) {
    return frames_.try_write(bytes, with);
}

std::uint64_t pipe_writer::at_once_bytes() const noexcept {
    const int fd = room().fd;
    const auto capacity = os::pipe_capacity(fd);
    if (!capacity || os::has_packets(fd)) return largest_in_packet;
    const std::uint64_t frames = 1 + *capacity / (longest_frame + frame_extra_bytes);
    return *capacity - frames * frame_extra_bytes;
}

result<hawser::attributes> pipe_writer::attributes() {
    return pipe_attributes(frames_.stream().fd(), naming_);
}

result<void> pipe_writer::change(const options& wanted) {
    return change_pipe(frames_.stream().fd(), wanted, naming_);
}

// ---- reading ------------------------------------------------------------------------------------

pipe_reader::pipe_reader(os::stream from, std::uint64_t max_message, pipe_naming naming,
                         before_close leaving)
    : frames_(std::move(from), max_message,
              naming == pipe_naming::in_file_system ? at_eof::reopens : at_eof::ends),
      leaving_(std::move(leaving)), max_message_(max_message), naming_(naming) {}

pipe_reader::~pipe_reader() {
    if (leaving_) leaving_(frames_.stream().fd());
}

result<void> pipe_reader::try_read(received& into, const selection& which) {
    return frames_.try_read(into, which);
}

result<hawser::attributes> pipe_reader::attributes() {
    auto all = pipe_attributes(frames_.stream().fd(), naming_);
    if (all) all->max_message = max_message_;
    return all;
}

result<void> pipe_reader::change(const options& wanted) {
    return change_pipe(frames_.stream().fd(), wanted, naming_);
}

} // namespace hawser::wire
