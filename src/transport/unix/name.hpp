// The name of a Unix socket: taking it, so that two never have it and a dead one never keeps it,
// and connecting to whoever has it.
//
// - Blocks: take_name up to 5 s, while another process that takes a name in the same directory is
//   stopped in the middle of it. Nothing else does. Allocates: yes.
// - Fork: a bound_socket belongs to the process that made it; in a child its destruction leaves the
//   file alone.
// - Crash: README.md, "Who may have the name".
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <hawser/address.hpp>
#include <hawser/inspect.hpp>

#include "os/unix_socket.hpp"

namespace hawser::local {

// The name that an address means. Errors: invalid_argument (none; too long, with the limit).
result<os::unix_name> name_in(const address& where, const char* operation);

// A socket that has a name. Destroying it removes its file, if the path still leads to that.
class bound_socket {
  public:
    bound_socket(os::fork_guard socket, os::unix_name name, std::optional<os::file_key> file);
    ~bound_socket();
    bound_socket(const bound_socket&) = delete;
    bound_socket& operator=(const bound_socket&) = delete;

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    // Of the file; unsupported for an abstract name, which has none.
    result<void> set_access(std::optional<std::uint32_t> mode,
                            const std::optional<std::string>& group) const;
    // What is at the path. Errors: not_found (it is not ours any more) · those of looking.
    [[nodiscard]] result<os::file_seen> file() const;

  private:
    os::fork_guard socket_;
    os::unix_name name_; // the path is absolute
    std::optional<os::file_key> key_;
    std::optional<os::file_key> recorded_; // in the list of what hawser made
    unsigned born_;
};

// Binds a new socket to the name; mode, group and create are honoured. Errors: already_exists (in
// use, with the process where it is known; or no socket is there) · not_found (create=open; no such
// directory) · permission · unsupported · timed_out · system.
result<std::shared_ptr<bound_socket>> take_name(const os::unix_name& name, os::socket_type type,
                                                const options& wanted);

// Connects to whoever has the name. Errors: would_block (nobody there, or no room among those who
// wait to be accepted) · permission · invalid_argument (no socket, or one of another type) ·
// system.
result<os::fork_guard> reach(const os::unix_name& name, os::socket_type type);
// The same for whoever opens and does not wait: as create says, nobody there is not_found. With
// others nothing is given where nobody is there yet. Errors also: not_found (no such directory).
result<std::optional<os::fork_guard>> reach_first(const os::unix_name& name, os::socket_type type,
                                                  const options& wanted);

result<mailbox_info> inspect(const address& where);
result<void> remove(const address& where, removal how);

} // namespace hawser::local
