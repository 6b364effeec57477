// The FIFO of an end point: finds or makes it, and takes it away with the last one.
//
// Every open end holds a shared flock on the FIFO. The last one that closes gets it exclusively,
// and only then removes the name, if hawser made it. Whoever opens takes the shared lock and looks
// whether the path still is this FIFO; if not, it opens again. So nobody is left on a FIFO without
// a name, and nobody's FIFO is taken away.
//
// - Blocks: open, for at most 5 s, on a process that is stopped while it removes the FIFO.
//   Allocates: yes. Threads: one at a time. Fork: a child's copy does nothing.
#pragma once

#include <string>

#include "core/transport.hpp"
#include "os/fifo.hpp"
#include "os/process.hpp"

namespace hawser::fifo {

class place {
  public:
    // Errors: invalid_argument (no path, no such group).
    static result<place> of(const address& where, const options& wanted);

    // One end of it, held. As create= says, at the first call; later ones make it again when it is
    // missing, unless create=open. patient: waits for somebody who is just removing it; otherwise
    // that is would_block, too. Errors: would_block (writing: nobody reads) · not_found ·
    // already_exists · permission · corrupt (no FIFO) · timed_out · …
    result<os::fork_guard> open(os::fifo_side side, bool patient);

    // Whether the path still leads to what the end is of.
    [[nodiscard]] bool has(int fd) const noexcept { return os::still_named(fd, path_); }

    // The end point goes, and this is its end, or -1 if it has none.
    void leave(int fd) noexcept;

    // After leave() nothing; otherwise leaves without an end.
    ~place();
    place(place&& other) noexcept;
    place& operator=(place&&) = delete;
    place(const place&) = delete;
    place& operator=(const place&) = delete;

  private:
    place(std::string path, create_policy create, std::uint32_t mode, std::uint32_t gid);

    result<os::fork_guard> open_held(os::fifo_side side, bool& gone);
    result<bool> make();

    std::string path_;
    create_policy create_;
    std::uint32_t mode_;
    std::uint32_t gid_;
    unsigned born_;
    bool opened_ = false; // create= has been honoured
    bool left_ = false;
};

// For observers: detail::transport's inspect and remove.
result<mailbox_info> inspect(const address& where);
result<void> remove(const address& where, removal how);

} // namespace hawser::fifo
