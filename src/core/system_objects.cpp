#include <hawser/system_objects.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include <hawser/address.hpp>
#include <hawser/inspect.hpp>

#include "core/words.hpp"
#include "os/ipc_listing.hpp"
#include "os/made.hpp"
#include "os/open_files.hpp"
#include "os/process.hpp"
#include "segment/segment.hpp"

namespace hawser {
inline namespace v1 {

namespace {

using std::string_view_literals::operator""sv;

// Each in the order of its enumerators.
constexpr std::array kind_words{"posix_queue"sv,  "sysv_queue"sv,      "posix_segment"sv,
                                "sysv_segment"sv, "posix_semaphore"sv, "sysv_semaphore"sv,
                                "fifo"sv,         "unix_socket"sv};
constexpr std::array life_words{"unknown"sv, "no"sv, "yes"sv};

using kind = system_object_kind;

std::optional<std::chrono::system_clock::time_point> time_of(std::int64_t seconds) {
    if (seconds <= 0) return std::nullopt;
    return std::chrono::system_clock::time_point(std::chrono::seconds(seconds));
}

std::string hex_key(std::uint32_t key) {
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), "0x%08x", key);
    return text.data();
}

std::string text_of(const char* scheme, const std::string& rest) {
    return address{scheme, rest, {}}.to_text();
}

std::string plural(std::uint64_t count, const std::string& noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

std::string pid_text(std::uint32_t pid) {
    return "pid " + std::to_string(pid);
}

// Of those that are known: yes if one lives, no if all have gone.
owner_life life_of(std::initializer_list<std::uint32_t> pids) {
    bool dead = false;
    for (const std::uint32_t pid : pids) {
        const auto life = os::life_of(pid);
        if (life == os::process_life::alive) return owner_life::yes;
        dead |= life == os::process_life::dead;
    }
    return dead ? owner_life::no : owner_life::unknown;
}

owner_life life_of(os::binding state) {
    return state == os::binding::bound     ? owner_life::yes
           : state == os::binding::unbound ? owner_life::no
                                           : owner_life::unknown;
}

system_object begin(kind of, std::string name, const os::ipc_access& access) {
    system_object one;
    one.kind = of;
    one.name = std::move(name);
    one.uid = access.uid;
    one.gid = access.gid;
    one.mode = access.mode;
    return one;
}

template <typename Raw>
system_object begin_sysv(kind of, const Raw& raw) {
    const std::string key = hex_key(raw.key);
    system_object one = begin(of, key + " (id " + std::to_string(raw.id) + ")", raw.access);
    one.key = raw.key;
    one.id = static_cast<std::uint32_t>(raw.id);
    one.changed = time_of(raw.changed_s);
    return one;
}

// The maker's process id, if it means anything in this PID namespace.
std::uint32_t maker_here(const os::made_object& made) {
    return made.maker_pid_namespace == os::own_identity().pid_namespace ? made.maker_pid : 0;
}

const char* scheme_of(os::socket_type type) {
    switch (type) {
    case os::socket_type::datagram:
        return "unix-dgram";
    case os::socket_type::seqpacket:
        return "unix-seqpacket";
    default:
        return "unix";
    }
}

// All sockets with one name and type: as a rule one that listens, and the connections it accepted.
// There are more where a file was removed and made again, or a relative path bound in two places.
struct named_socket {
    os::unix_socket first; // one that is no connection, if there is any
    std::vector<os::file_key> bound;
    std::uint64_t connections = 0;
};
using named_sockets = std::map<std::string, std::map<os::socket_type, named_socket>>;

named_sockets by_name(std::vector<os::unix_socket> all) {
    named_sockets named;
    for (auto& one : all) {
        named_socket& found = named[one.name][one.type];
        if (one.connected && one.type != os::socket_type::datagram)
            ++found.connections;
        else
            found.bound.push_back(os::socket_key(one.inode));
        if (found.first.name.empty() || (found.first.connected && !one.connected))
            found.first = std::move(one);
    }
    // Connections outlive their listener.
    for (auto& [name, types] : named)
        for (auto& [type, socket] : types)
            if (socket.bound.empty()) socket.bound.push_back(os::socket_key(socket.first.inode));
    return named;
}

// The sockets that a path stands for. A name is what was bound: perhaps relative to a directory
// that the table doesn't tell; then it must be the only one that fits.
named_sockets::iterator find_path(named_sockets& named, const std::string& path) {
    const auto exact = named.find(path);
    if (exact != named.end()) return exact;
    auto found = named.end();
    for (auto at = named.begin(); at != named.end(); ++at) {
        if (at->first.starts_with('/') || at->first.starts_with('@')) continue;
        if (!path.ends_with("/" + at->first)) continue;
        const bool one = at->second.size() == 1 && at->second.begin()->second.bound.size() == 1;
        if (!one || found != named.end()) return named.end();
        found = at;
    }
    return found;
}

// Builds the list, then asks once who has all of it open.
class lister {
  public:
    system_object_list list;

    void run(which_sockets sockets) {
        add_posix_queues();
        add_sysv_queues();
        add_shared_files();
        add_sysv_segments();
        add_sysv_semaphores();
        add_made_and_sockets(sockets);
        note_users();
        add_limits();
        std::ranges::stable_sort(list.objects, [](const auto& a, const auto& b) {
            return a.kind != b.kind ? a.kind < b.kind : a.name < b.name;
        });
    }

  private:
    static constexpr const char* posix_queues = "POSIX queues";

    void miss(const std::string& what) { list.not_seen.push_back(what); }

    void miss(kind of, const std::string& what, const error& why) {
        unlisted_.insert(of);
        miss(what, why);
    }

    void miss(const std::string& what, const error& why) {
        if (why.code() == errc::unsupported)
            miss(what + ": this kernel has none.");
        else if (why.code() == errc::not_found && what == posix_queues)
            miss(what + ": the mqueue file system is not mounted; sudo mkdir -p /dev/mqueue && "
                        "sudo mount -t mqueue none /dev/mqueue shows them.");
        else
            miss(what + ": " + std::strerror(why.sys()) + "; sudo hawser ls may show them.");
    }

    // Users and owner are filled in by note_users().
    void add_open(system_object&& one, const std::vector<os::file_key>& keys, bool mapped = false) {
        for (const auto& key : keys) (mapped ? request_.mapped : request_.keys).push_back(key);
        open_.emplace_back(list.objects.size(), keys);
        list.objects.push_back(std::move(one));
    }

    void add_posix_queues() {
        const auto found = os::posix_queues();
        if (!found) return miss(kind::posix_queue, posix_queues, found.why());
        std::size_t closed = 0;
        for (const auto& raw : found->queues) {
            system_object one = begin(kind::posix_queue, raw.name, raw.access);
            one.address = text_of("mq", raw.name);
            one.used = time_of(raw.used_s);
            if (raw.state)
                put(one, *raw.state);
            else
                ++closed;
            add_open(std::move(one), {raw.key});
        }
        if (closed > 0)
            miss("the depth of " + plural(closed, "POSIX queue") +
                 ": this user may not read them; sudo hawser ls shows it.");
    }

    static void put(system_object& one, const os::posix_queue_state& state) {
        one.depth = state.messages;
        one.bytes = state.bytes;
        one.capacity = state.capacity;
        one.capacity_bytes = state.capacity * state.max_message;
        one.max_message = state.max_message;
        one.notified_pid = state.notified_pid;
    }

    void add_sysv_queues() {
        const auto found = os::sysv_queues();
        if (!found) return miss(kind::sysv_queue, "System V queues", found.why());
        for (const auto& raw : *found) {
            system_object one = begin_sysv(kind::sysv_queue, raw);
            if (raw.key != 0) one.address = text_of("sysv-mq", hex_key(raw.key));
            one.depth = raw.messages;
            one.bytes = raw.bytes;
            one.capacity_bytes = raw.capacity_bytes;
            one.last_sender_pid = raw.last_sender_pid;
            one.last_receiver_pid = raw.last_receiver_pid;
            one.owner_lives = life_of({raw.last_sender_pid, raw.last_receiver_pid});
            one.used = time_of(std::max(raw.sent_s, raw.received_s));
            list.objects.push_back(std::move(one));
        }
    }

    void add_sysv_segments() {
        const auto found = os::sysv_segments();
        if (!found) return miss(kind::sysv_segment, "System V segments", found.why());
        for (const auto& raw : *found) {
            system_object one = begin_sysv(kind::sysv_segment, raw);
            one.bytes = raw.bytes;
            one.users = raw.attached;
            one.all_users_seen = true;
            one.creator_pid = raw.creator_pid;
            one.last_user_pid = raw.last_pid;
            one.owner_lives =
                raw.attached > 0 ? owner_life::yes : life_of({raw.creator_pid, raw.last_pid});
            one.used = time_of(std::max(raw.attached_s, raw.detached_s));
            list.objects.push_back(std::move(one));
        }
    }

    void add_sysv_semaphores() {
        const auto found = os::sysv_semaphore_sets();
        if (!found) return miss(kind::sysv_semaphore, "System V semaphores", found.why());
        std::size_t closed = 0;
        for (const auto& raw : *found) {
            system_object one = begin_sysv(kind::sysv_semaphore, raw);
            one.members = raw.members;
            one.used = time_of(raw.used_s);
            for (const std::uint32_t pid : raw.last_pids) {
                const owner_life life = life_of({pid});
                if (one.last_user_pid == 0 || life == owner_life::yes) one.last_user_pid = pid;
                one.owner_lives = std::max(one.owner_lives, life);
            }
            closed += raw.readable ? 0U : 1U;
            list.objects.push_back(std::move(one));
        }
        if (closed > 0)
            miss("who used " + plural(closed, "System V semaphore set") +
                 ": this user may not read them; sudo hawser ls shows it.");
    }

    void add_shared_files() {
        const auto found = os::shared_files();
        if (!found) return miss("POSIX segments and semaphores", found.why());
        for (const auto& raw : *found) {
            std::string_view name = raw.name;
            // Mailboxes, and the records of what hawser made.
            if (name.starts_with(segment::file_prefix) || name.starts_with(os::made_prefix))
                continue;
            const bool semaphore = name.starts_with(os::semaphore_prefix);
            if (semaphore) name.remove_prefix(std::strlen(os::semaphore_prefix));
            system_object one = begin(semaphore ? kind::posix_semaphore : kind::posix_segment,
                                      "/" + std::string(name), raw.access);
            one.depth = raw.semaphore_value;
            one.bytes = raw.bytes;
            one.changed = time_of(raw.changed_s);
            one.used = time_of(raw.used_s);
            add_open(std::move(one), {raw.key}, true);
        }
    }

    void add_made_and_sockets(which_sockets sockets) {
        const auto made = os::list_made(mailbox_directory());
        if (!made) miss("FIFOs and sockets of hawser in " + mailbox_directory(), made.why());
        if (made && made->unreadable > 0)
            miss(plural(made->unreadable, "FIFO or socket file") +
                 " that hawser made for other users; sudo hawser ls shows them.");
        const std::vector<os::made_object> none;
        const auto& ours = made ? made->objects : none;
        const bool some = std::ranges::any_of(
            ours, [](const auto& one) { return one.kind != os::made_kind::fifo; });
        named_sockets named;
        if (some || sockets == which_sockets::all) {
            auto found = os::unix_sockets();
            if (found)
                named = by_name(std::move(*found));
            else
                miss("Unix sockets", found.why());
        }
        for (const auto& one : ours)
            if (!one.stale) add_made(one, named);
        if (sockets == which_sockets::all)
            for (const auto& [name, types] : named)
                for (const auto& [type, socket] : types) add_socket(socket);
    }

    // A socket that it describes is taken out of `named`.
    void add_made(const os::made_object& made, named_sockets& named) {
        const bool fifo = made.kind == os::made_kind::fifo;
        system_object one = begin(fifo ? kind::fifo : kind::unix_socket, made.path,
                                  {made.uid, made.gid, made.mode});
        one.made_by_hawser = true;
        one.creator_pid = maker_here(made);
        one.changed = time_of(made.changed_ns / 1'000'000'000);
        one.used = time_of(made.used_s);
        if (fifo) {
            one.address = text_of("fifo", made.path);
            return add_open(std::move(one), {made.key});
        }
        one.owner_lives = life_of(os::binding_of(made.path));
        const auto found =
            one.owner_lives == owner_life::no ? named.end() : find_path(named, made.path);
        if (found == named.end()) { // nobody's, or of another network namespace
            one.address = text_of("unix", made.path);
            if (one.owner_lives == owner_life::no) one.users = 0;
            one.all_users_seen = one.users.has_value();
            return list.objects.push_back(std::move(one));
        }
        const named_socket socket = found->second.begin()->second;
        found->second.erase(found->second.begin());
        if (found->second.empty()) named.erase(found);
        put(one, socket);
        add_open(std::move(one), socket.bound);
    }

    static void put(system_object& one, const named_socket& socket) {
        if (socket.first.listening) one.connections = socket.connections;
        // In /proc/net/unix, a NUL in an abstract name looks like its first letter, `@`.
        if (one.name.rfind('@') == 0 || !one.name.starts_with('@'))
            one.address = text_of(scheme_of(socket.first.type), one.name);
    }

    void add_socket(const named_socket& socket) {
        system_object one;
        one.kind = kind::unix_socket;
        one.name = socket.first.name;
        put(one, socket);
        if (one.name.starts_with('/')) {
            if (const auto file = os::socket_file_at(one.name)) {
                one.uid = file->access.uid;
                one.gid = file->access.gid;
                one.mode = file->access.mode;
                one.changed = time_of(file->changed_s);
                one.used = time_of(file->used_s);
            }
        }
        one.owner_lives = owner_life::yes; // else it would not be in the kernel's list
        add_open(std::move(one), socket.bound);
    }

    void note_users() {
        if (open_.empty()) return;
        const os::open_files seen = os::look_for_users(request_);
        for (const auto& [index, keys] : open_) {
            system_object& one = list.objects[index];
            std::set<std::uint32_t> users;
            for (const auto& key : keys)
                if (const auto found = seen.users.find(key); found != seen.users.end())
                    users.insert(found->second.begin(), found->second.end());
            one.users = users.size();
            one.all_users_seen = seen.complete;
            if (!users.empty())
                one.owner_lives = owner_life::yes;
            else if (one.kind == kind::fifo)
                one.owner_lives = life_of_maker(one, seen.complete);
            else if (one.kind != kind::unix_socket && seen.complete)
                one.owner_lives = owner_life::no;
            if (one.kind == kind::unix_socket && one.creator_pid == 0 && users.size() == 1)
                one.creator_pid = *users.begin();
        }
        if (!seen.complete)
            miss("processes of other users: who of them has what open can't be seen, so the users "
                 "are at least so many; sudo hawser ls shows all.");
    }

    static owner_life life_of_maker(const system_object& fifo, bool complete) {
        const owner_life maker = life_of({fifo.creator_pid});
        return maker == owner_life::no && !complete ? owner_life::unknown : maker;
    }

    void add_limits() {
        const auto count = [&](kind of) {
            return static_cast<std::uint64_t>(
                std::ranges::count(list.objects, of, &system_object::kind));
        };
        const std::map<std::string, kind> counted{{"fs.mqueue.queues_max", kind::posix_queue},
                                                  {"kernel.msgmni", kind::sysv_queue},
                                                  {"kernel.shmmni", kind::sysv_segment},
                                                  {"kernel.sem.semmni", kind::sysv_semaphore}};
        for (const auto& raw : os::ipc_limits()) {
            // How many there are can't be told of what can't be listed.
            system_limit& one = list.limits.emplace_back();
            one.name = raw.name;
            one.value = raw.value;
            if (const auto of = counted.find(raw.name);
                of != counted.end() && !unlisted_.contains(of->second))
                one.used = count(of->second);
        }
    }

    std::set<kind> unlisted_; // what could not be listed at all
    os::open_files_request request_;
    // Objects that may be open, by their index.
    std::vector<std::pair<std::size_t, std::vector<os::file_key>>> open_;
};

// As one word for a shell.
std::string shell_word(const std::string& text) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_@%+=:,./-";
    if (text.find_first_not_of(plain) == text.npos) return text;
    std::string word = "'";
    for (const char letter : text)
        word += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    return word + "'";
}

std::string removal_of(const system_object& queue) {
    // A private System V queue has no address.
    if (queue.kind == kind::sysv_queue) return "ipcrm -q " + std::to_string(queue.id.value_or(0));
    return "hawser rm " + shell_word(queue.address);
}

std::string reason_for(const system_object& queue) {
    std::string why = "nobody has it open";
    if (queue.kind == kind::sysv_queue) {
        why = "gone:";
        if (queue.last_sender_pid != 0)
            why += " the last to send (" + pid_text(queue.last_sender_pid) + ")";
        if (queue.last_sender_pid != 0 && queue.last_receiver_pid != 0) why += ",";
        if (queue.last_receiver_pid != 0)
            why += " the last to receive (" + pid_text(queue.last_receiver_pid) + ")";
    }
    const std::uint64_t waiting = queue.depth.value_or(0);
    if (waiting > 0)
        why += "; " + plural(waiting, "message") + (waiting == 1 ? " waits" : " wait") + " in it";
    return why;
}

// Why the FIFO stays; empty if it may go.
std::string reason_to_keep(const os::made_object& fifo, const os::open_files& seen) {
    const std::uint32_t maker = maker_here(fifo);
    if (const auto users = seen.users.find(fifo.key); users != seen.users.end())
        return pid_text(users->second.front()) + " has it open";
    if (maker == 0) return "its maker is of another PID namespace, and may live";
    if (os::life_of(maker) != os::process_life::dead)
        return "its maker, " + pid_text(maker) + ", lives";
    if (!seen.complete)
        return "not all processes may be looked at, and one may have it open; try: sudo hawser gc";
    if (!seen.opening.empty())
        return pid_text(seen.opening.front()) + " waits in opening a file, perhaps this one";
    return {};
}

std::string reason_to_keep(const os::made_object& socket) {
    switch (os::binding_of(socket.path)) {
    case os::binding::bound:
        return "in use";
    case os::binding::unknown:
        return "this user may not ask whether it is in use; try: sudo hawser gc";
    default:
        return {};
    }
}

collected_object collect_made(const os::made_object& made, const os::open_files& seen,
                              bool dry_run) {
    const bool fifo = made.kind == os::made_kind::fifo;
    collected_object one;
    one.kind = fifo ? kind::fifo : kind::unix_socket;
    one.name = made.path;
    one.address = text_of(fifo ? "fifo" : "unix", made.path);
    one.reason = fifo ? reason_to_keep(made, seen) : reason_to_keep(made);
    if (!one.reason.empty()) return one;
    one.reason =
        fifo ? "nobody has it open, and its maker, " + pid_text(made.maker_pid) + ", is dead"
             : "no socket is bound to it";
    const auto gone = dry_run ? result<bool>(true) : os::remove_made(mailbox_directory(), made);
    one.removed = gone && *gone;
    if (!gone)
        one.reason = std::string("it can't be removed: ") + std::strerror(gone.why().sys());
    else if (!*gone)
        one.reason = "somebody put another one in its place just now";
    return one;
}

// Who has the FIFOs open. Sockets need no such look: the kernel says it of each.
os::open_files users_of_fifos(const std::vector<os::made_object>& all) {
    os::open_files_request request;
    for (const auto& one : all)
        if (!one.stale && one.kind == os::made_kind::fifo) request.keys.push_back(one.key);
    request.opening = true;
    return request.keys.empty() ? os::open_files{} : os::look_for_users(request);
}

} // namespace

result<system_object_list> list_system_objects(which_sockets sockets) {
    lister all;
    all.run(sockets);
    return std::move(all.list);
}

result<std::vector<collected_object>> collect_system_objects(bool dry_run) {
    const auto made = os::list_made(mailbox_directory());
    if (!made)
        return error{made.why().code(), "gc", made.why().sys()}.because(
            "the mailbox directory " + mailbox_directory() +
            " can't be read: " + std::strerror(made.why().sys()) + ". $HAWSER_DIR sets another.");
    const os::open_files seen = users_of_fifos(made->objects);
    std::vector<collected_object> all;
    for (const auto& one : made->objects) {
        if (!one.stale)
            all.push_back(collect_made(one, seen, dry_run));
        else if (!dry_run)
            os::forget_made(mailbox_directory(), one.key);
    }
    lister queues;
    queues.run(which_sockets::made_by_hawser);
    for (const auto& one : queues.list.objects) {
        const bool queue = one.kind == kind::posix_queue || one.kind == kind::sysv_queue;
        if (queue && one.owner_lives == owner_life::no)
            all.push_back(
                {one.kind, one.name, one.address, false, reason_for(one), removal_of(one)});
    }
    std::ranges::stable_sort(all, [](const auto& a, const auto& b) {
        return a.kind != b.kind ? a.kind < b.kind : a.name < b.name;
    });
    return all;
}

std::string_view name_of(system_object_kind value) noexcept {
    return detail::word_of(value, kind_words);
}

std::string_view name_of(owner_life value) noexcept {
    return detail::word_of(value, life_words);
}

} // namespace v1
} // namespace hawser
