// Mailboxes for peers that are not trusted (trust=none): sealed memory, which its host hands out
// over a Unix socket. docs/formats/handout.md has the exchange, docs/design/untrusted-peers.md the
// why.
//
// - The socket has the name that the file of a trusted mailbox would have, so only one of both can
//   be there. It is bound and listens under another name first and is then renamed: a name that
//   refuses connections is dead for good, and its host killed.
// - The host is an end point like any other. A thread of its own answers who connects; it reads
//   nothing, waits for nobody, and ends with the end point. All others go on without the host; only
//   new ones can't join any more.
// - Blocks: publish() and fetch() until their deadline at most; the destructor for a moment.
//   Allocates: yes. Threads: any; handout starts one, with all signals blocked. Fork: nothing is
//   served in a child. Signals: nothing special.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <hawser/options.hpp>
#include <hawser/result.hpp>

#include "os/file.hpp"
#include "os/file_key.hpp"
#include "os/mapping.hpp"
#include "os/process.hpp"
#include "os/unix_socket.hpp"

namespace hawser::segment {

// ---- the host -----------------------------------------------------------------------------------

class handout {
  public:
    // For memory whose mode and group are as wanted; nothing is to be seen of it yet. The socket
    // gets the mode, exactly.
    static result<std::unique_ptr<handout>> make(int memory_fd, std::string path,
                                                 std::uint32_t mode);
    // Gives it the name and answers from now on. A dead host's name is taken over.
    // Errors: already_exists (somebody was quicker, or what is there is no socket: it says so in
    // the detail) · timed_out · permission · system.
    result<void> publish(std::int64_t until_ns);
    // Takes the name back and ends the thread.
    ~handout();
    handout(const handout&) = delete;
    handout& operator=(const handout&) = delete;

  private:
    class service;

    handout(os::fork_guard memory, const os::file_status& file, std::string path,
            std::uint32_t mode) noexcept;
    result<void> bind_apart(int socket);
    result<void> start(os::fork_guard socket);
    result<void> take_name(std::int64_t until_ns);
    void end_service() noexcept;

    os::fork_guard memory_; // no more than a name of it
    os::file_status file_;
    std::string path_;
    std::string apart_; // where the socket is before it has its name
    std::uint32_t mode_;
    unsigned born_;
    bool named_ = false;
    os::file_key key_; // of the socket's file
    std::shared_ptr<service> service_;
};

// ---- who comes ----------------------------------------------------------------------------------

// Whose memory may be joined: this user's, root's, and that of one more user. For looking only,
// anybody's.
struct host_rule {
    std::uint32_t also_uid = 0;
    bool anybody = false;

    // Errors: invalid_argument (there is no such user).
    static result<host_rule> from(const options& wanted);
    [[nodiscard]] bool admits(std::uint32_t uid) const noexcept;
};

// The memory that the host of this name hands out, checked and opened by a description of our own.
// Errors: not_found (ENOENT: no such name; ECONNREFUSED: its host is dead) · already_exists (what
// is there is no socket) · permission (of the socket, of the memory, or the host is not to be
// trusted with our messages) · corrupt (what is handed out is no sealed memory) · timed_out ·
// no_space.
result<os::fork_guard> fetch(const std::string& path, const host_rule& rule, os::access_kind access,
                             std::int64_t until_ns);

// Whether a host is behind the name: the kernel's word, and the host does not notice.
enum class hosting : std::uint8_t { none, dead, alive, unknown };
hosting hosting_of(const std::string& path) noexcept;

// Removes the name of a dead host, or with `by_force` of any. False if it was none, or is no
// longer. Errors: timed_out (another one holds the directory's lock) · permission · system.
enum class whose_name : std::uint8_t { of_the_dead, by_force };
result<bool> remove_handout(const std::string& path, whose_name which, std::int64_t until_ns);

// Removes what hosts left that were killed before they had given their socket its name. How many.
std::size_t remove_unnamed_handouts(const std::string& directory);

} // namespace hawser::segment
