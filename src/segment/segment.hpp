// A mailbox as a file: its name, its door, its memory.
//
// - Names are files `hawser.NAME` in the mailbox directory ($HAWSER_DIR, or /dev/shm).
// - A segment is built without a name and linked when it is whole: nobody sees half of one, and a
//   creator that is killed leaves nothing.
// - The door is a lock byte. A joiner holds it shared until its participant slot is live; whoever
//   removes the name holds it exclusively. So nobody joins what is being removed, and a name is
//   never taken from under somebody else's file.
// - Within a process all end points of one mailbox share one mapping.
// - With trust=none the memory has no name and no door: handout.hpp. Each end point then has a
//   mapping of its own, as two memories of strangers can have the same inode number.
// - Blocks: at most patience_ns on a door that somebody else holds. Allocates: yes. Threads: any.
//   Fork: not inherited.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

#include "os/file.hpp"
#include "os/mapping.hpp"
#include "os/process.hpp"
#include "segment/format.hpp"
#include "segment/geometry.hpp"

namespace hawser::segment {

class handout;

// The memory of a segment, typed. Addresses are computed from the private layout.
class shared_memory {
  public:
    shared_memory(os::mapping memory, const geometry& shape, const layout& plan,
                  const os::file_status& file) noexcept;
    shared_memory(const shared_memory&) = delete;
    shared_memory& operator=(const shared_memory&) = delete;
    ~shared_memory();

    [[nodiscard]] const geometry& shape() const noexcept { return shape_; }
    [[nodiscard]] const layout& plan() const noexcept { return plan_; }
    [[nodiscard]] const os::file_status& file() const noexcept { return file_; }
    [[nodiscard]] unsigned fork_generation() const noexcept { return generation_; }

    // trust=none: others may write anything at any moment, so nothing in it is shown to the user
    // before it was copied. by: what hands it out, if that is this process; it ends with us.
    void set_handed_out(std::shared_ptr<handout> by) noexcept;
    [[nodiscard]] bool is_handed_out() const noexcept { return handed_out_; }
    [[nodiscard]] handout* host() const noexcept { return host_.get(); }

    [[nodiscard]] header& head() const noexcept { return *at<header>(0); }
    [[nodiscard]] participant_record& record(std::uint32_t slot) const noexcept {
        return *at<participant_record>(plan_.records_at + slot * sizeof(participant_record));
    }
    [[nodiscard]] lane_head& lane(std::uint32_t index) const noexcept {
        return *at<lane_head>(plan_.lane_at(index));
    }
    [[nodiscard]] sync::lane_memory<atomic> ring(std::uint32_t lane) const noexcept;
    [[nodiscard]] chunk_header& chunk(std::uint32_t index) const noexcept {
        return *at<chunk_header>(plan_.chunk_at(index));
    }
    [[nodiscard]] std::byte* inline_payload(std::uint32_t chunk) const noexcept {
        return at<std::byte>(plan_.chunk_at(chunk) + sizeof(chunk_header));
    }
    [[nodiscard]] atomic<std::uint32_t>* block_words(std::uint32_t block_class) const noexcept {
        return at<atomic<std::uint32_t>>(plan_.classes[block_class].words_at);
    }
    [[nodiscard]] std::byte* block(std::uint32_t block_class, std::uint32_t index) const noexcept {
        const segment::block_class& of = plan_.classes[block_class];
        return at<std::byte>(of.data_at + index * of.block_bytes);
    }
    // Participant slots that may be looked at: all others have no memory.
    [[nodiscard]] std::uint32_t slots_used() const noexcept;
    // True if the lane has memory: always with one lane, once its sender has joined with a lane for
    // each.
    [[nodiscard]] bool lane_ready(std::uint32_t lane) const noexcept;

    // Messages queued in all lanes, and messages in hands. Reads only.
    [[nodiscard]] std::uint64_t depth() const noexcept;
    [[nodiscard]] std::uint64_t held_by(std::uint32_t slot) const noexcept;

  private:
    template <typename T>
    [[nodiscard]] T* at(std::uint64_t offset) const noexcept {
        return reinterpret_cast<T*>(memory_.data() + offset);
    }

    os::mapping memory_;
    geometry shape_;
    layout plan_;
    os::file_status file_;
    unsigned generation_;
    bool handed_out_ = false;
    std::shared_ptr<handout> host_;
};

// Checks a name (no '/', no NUL, not too long) and gives its path. Errors: invalid_argument.
result<std::string> path_of(const std::string& name);
std::string directory();
inline constexpr const char* file_prefix = "hawser.";

// What a file's first bytes say. Errors: corrupt (not a mailbox, cut short, damaged) · unsupported
// (another layout version).
result<geometry> read_geometry(int fd, const os::file_status& file);
// When it was made, by CLOCK_REALTIME, or what its header says instead.
std::int64_t created_ns(int fd) noexcept;

// A segment as opened: the description whose locks are this end point's, and the memory.
struct opened {
    os::fork_guard fd;
    std::shared_ptr<shared_memory> memory;
    bool created = false; // it has no name yet: publish() gives it one
};

// Opens or builds the segment of a name. An existing one comes with the door held shared: the
// caller joins and then calls leave_door(). A new one has no name: the caller joins and then
// publishes. Errors: not_found · already_exists · permission · no_space · corrupt · unsupported ·
// timed_out (the door stays shut).
inline constexpr std::int64_t patience_ns = 5'000'000'000; // then open gives up
result<opened> open_segment(const std::string& name, const options& wanted);
// A failed open, in words that help.
error explain_open(const error& why, const std::string& name);
// How open gives up when others were always quicker.
error made_and_removed() noexcept;
// Gives a new segment its name. already_exists if another was quicker: open again.
result<void> publish(int fd, const shared_memory& memory, const std::string& path);

void leave_door(int fd) noexcept;
// Tries for so long to shut the door; false if somebody else holds it for longer. To be opened
// with leave_door().
inline constexpr std::int64_t moment_ns = 10'000'000; // many times what a joiner needs
bool shut_door(int fd, std::int64_t give_up_after_ns) noexcept;

// True if another description holds the lock of a participant slot.
bool inhabited(int fd, const shared_memory& memory) noexcept;

// Removes the name if, behind the shut door, nobody is there, nothing is queued or held, and the
// name still leads to this file. The caller has repaired the dead and given back its own slot: of
// two that leave at once, the later one sees nobody. True if the name is gone.
bool remove_if_unused(int fd, const shared_memory& memory, const std::string& path) noexcept;

// Maps an existing file without taking part.
result<std::shared_ptr<shared_memory>> observe(int fd, const os::file_status& file,
                                               const geometry& shape,
                                               os::access_kind access = os::access_kind::read_only);

// Wakes all who wait for anything in the mailbox, and rings every armed bell. fd is a description
// of the file.
void wake_everyone(int fd, const shared_memory& memory) noexcept;

} // namespace hawser::segment
