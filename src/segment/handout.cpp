#include "segment/handout.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>

#include "os/clock.hpp"
#include "os/handover.hpp"
#include "os/open_files.hpp"
#include "os/poll.hpp"
#include "os/sealed.hpp"
#include "os/socket.hpp"
#include "os/thread.hpp"

namespace hawser::segment {

namespace {

// The marks of the exchange: docs/formats/handout.md.
constexpr char mark_memory = 'm';
constexpr char mark_busy = 'b';
constexpr char mark_refused = 'r';

constexpr const char* apart_prefix = "hawser-handout-";
constexpr std::int64_t pause_ns = 1'000'000;
constexpr std::int64_t moment_ns = 10'000'000;
constexpr std::int64_t for_ever = std::numeric_limits<std::int64_t>::max();

std::string directory_of(const std::string& path) {
    return std::filesystem::path(path).parent_path();
}

error plain(const error& why) {
    if (!why.detail().empty()) return why;
    return error{why.code(), "open", why.sys()}.because(std::string("the system said: ") +
                                                        std::strerror(why.sys()));
}

// Why a socket could not be made in the directory of this path.
error explain_place(const error& why, const std::string& path) {
    if (!why.detail().empty()) return why;
    const std::string directory = directory_of(path);
    const auto say = [&](const std::string& what) {
        return error{why.code(), "open", why.sys()}.because(what);
    };
    switch (why.sys()) {
    case ENOENT:
    case ENOTDIR:
        return say("the mailbox directory " + directory +
                   " does not exist. Make it, or set $HAWSER_DIR to another.");
    case EACCES:
    case EPERM:
    case EROFS:
        return say("this user may not make files in the mailbox directory " + directory +
                   ". Set $HAWSER_DIR to another.");
    case ENAMETOOLONG:
        return error{errc::invalid_argument, "open", ENAMETOOLONG}.because(
            "choose a shorter $HAWSER_DIR: with trust=none a socket is made there under a passing "
            "name, and that is too long in " +
            directory);
    default:
        return plain(why);
    }
}

result<os::fork_guard> hold_directory(const std::string& directory, std::int64_t until_ns) {
    for (;;) {
        auto held = os::lock_directory(directory);
        if (held || !held.is(errc::would_block)) return held;
        if (os::monotonic_ns() >= until_ns)
            return error{errc::timed_out, "open"}.because(
                "another process holds the lock (flock) of the directory " + directory +
                ", which is needed to replace what a dead host left; it may be stopped. lslocks "
                "shows who.");
        os::pause_ns(pause_ns);
    }
}

} // namespace

// ---- the service --------------------------------------------------------------------------------

// The thread that answers, and all it needs. What somebody was given and has not taken yet counts
// against a limit of the kernel for all that this user has on the way (RLIMIT_NOFILE), so it is
// watched until it is taken: nobody can use that up who never reads.
class handout::service {
  public:
    service(os::fork_guard socket, int memory, const os::file_status& file, std::uint32_t mode,
            os::poll_set polled, os::flag stop) noexcept
        : socket_(std::move(socket)), memory_(memory), file_(file), mode_(mode),
          polled_(std::move(polled)), stop_(std::move(stop)) {}

    static result<std::shared_ptr<service>> make(os::fork_guard socket, int memory,
                                                 const os::file_status& file, std::uint32_t mode);
    result<void> start();
    void end() noexcept;
    // In a fork child, where there is no such thread.
    void abandon() noexcept { static_cast<void>(thread_.release()); }

  private:
    static constexpr std::size_t most_untaken = 64;           // by all together
    static constexpr std::size_t most_untaken_by_others = 32; // by users other than our own
    static constexpr std::size_t most_untaken_by_one = 8;     // by one of those
    static constexpr std::int64_t rest_ns = 50'000'000;
    static constexpr std::uint64_t token_socket = 0;
    static constexpr std::uint64_t token_stop = 1;
    static constexpr std::uint64_t first_given = 2;

    struct given {
        os::fork_guard connection;
        std::uint32_t uid = 0;
    };

    void run() noexcept;
    bool on(std::uint64_t token) noexcept;
    void answer(os::fork_guard connection) noexcept;
    [[nodiscard]] bool may_use(int connection, const credentials& who) const noexcept;
    void forget_taken() noexcept;
    given* place_for(std::uint32_t uid) noexcept;
    void rest() noexcept;

    os::fork_guard socket_;
    int memory_;
    os::file_status file_;
    std::uint32_t mode_;
    os::poll_set polled_;
    os::flag stop_;
    std::array<given, most_untaken> given_;
    std::unique_ptr<std::thread> thread_;
};

result<std::shared_ptr<handout::service>> handout::service::make(os::fork_guard socket, int memory,
                                                                 const os::file_status& file,
                                                                 std::uint32_t mode) {
    auto polled = os::poll_set::make();
    if (!polled) return polled.why();
    auto stop = os::flag::make();
    if (!stop) return stop.why();
    if (auto added = polled->add(socket.get(), POLLIN, token_socket); !added) return added.why();
    if (auto added = polled->add(stop->fd(), POLLIN, token_stop); !added) return added.why();
    return std::make_shared<service>(std::move(socket), memory, file, mode, std::move(*polled),
                                     std::move(*stop));
}

result<void> handout::service::start() {
    auto started = os::start_quiet_thread("open", [this] { run(); });
    if (!started) return started.why();
    thread_ = std::make_unique<std::thread>(std::move(*started));
    return {};
}

void handout::service::end() noexcept {
    stop_.set(true);
    if (thread_) thread_->join();
    thread_.reset();
}

void handout::service::run() noexcept {
    for (;;) {
        const auto woken = os::wait_for(polled_.fd(), POLLIN, for_ever);
        if (woken == os::ready_outcome::failed) os::pause_ns(rest_ns);
        std::uint64_t token = 0;
        while (polled_.next_ready(token))
            if (!on(token)) return;
    }
}

// False: it is over.
bool handout::service::on(std::uint64_t token) noexcept {
    if (token == token_stop) return false;
    if (token >= first_given) { // it has gone
        given_[token - first_given].connection.close();
        return true;
    }
    auto connection = os::accept_connection(socket_.get());
    if (connection)
        answer(std::move(*connection));
    else if (!connection.is(errc::would_block))
        rest();
    return true;
}

// Without descriptors the socket stays ready, and looking again at once would not help.
void handout::service::rest() noexcept {
    os::wait_for(stop_.fd(), POLLIN, os::monotonic_ns() + rest_ns);
}

void handout::service::answer(os::fork_guard connection) noexcept {
    const auto who = os::other_side(connection.get());
    if (!who || !may_use(connection.get(), *who)) {
        static_cast<void>(os::hand_over(connection.get(), mark_refused, -1));
        return;
    }
    given* const place = place_for(who->uid);
    const bool handed =
        place != nullptr && os::hand_over(connection.get(), mark_memory, memory_).has_value();
    if (!handed) {
        static_cast<void>(os::hand_over(connection.get(), mark_busy, -1));
        return;
    }
    const auto token = first_given + static_cast<std::uint64_t>(place - given_.data());
    place->uid = who->uid;
    place->connection = std::move(connection);
    // If it can't be watched, it goes when its place is needed.
    static_cast<void>(polled_.add(place->connection.get(), 0, token));
}

// As the kernel decided when it connected, by the mode. Asked again, since a connection can be
// handed on, and the mode of a file be changed.
bool handout::service::may_use(int connection, const credentials& who) const noexcept {
    constexpr std::uint32_t write = 2;
    if (who.uid == 0) return true;
    if (who.uid == file_.uid) return (mode_ >> 6 & write) != 0;
    if (os::peer_is_in_group(connection, file_.gid)) return (mode_ >> 3 & write) != 0;
    return (mode_ & write) != 0;
}

void handout::service::forget_taken() noexcept {
    for (given& one : given_)
        if (one.connection.get() >= 0 && os::untaken_bytes(one.connection.get()) == 0)
            one.connection.close();
}

// Nothing, if this user, or all together, have not taken what they were given before.
handout::service::given* handout::service::place_for(std::uint32_t uid) noexcept {
    forget_taken();
    const auto own = [&](std::uint32_t who) { return who == 0 || who == file_.uid; };
    std::size_t by_others = 0;
    std::size_t by_this_one = 0;
    for (const given& one : given_) {
        if (one.connection.get() < 0) continue;
        by_others += own(one.uid) ? 0U : 1U;
        by_this_one += one.uid == uid ? 1U : 0U;
    }
    const bool too_many = by_this_one >= most_untaken_by_one || by_others >= most_untaken_by_others;
    if (!own(uid) && too_many) return nullptr;
    const auto free =
        std::ranges::find_if(given_, [](const given& one) { return one.connection.get() < 0; });
    return free == given_.end() ? nullptr : &*free;
}

// ---- the host -----------------------------------------------------------------------------------

handout::handout(os::fork_guard memory, const os::file_status& file, std::string path,
                 std::uint32_t mode) noexcept
    : memory_(std::move(memory)), file_(file), path_(std::move(path)), mode_(mode),
      born_(os::fork_generation()) {}

result<std::unique_ptr<handout>> handout::make(int memory_fd, std::string path,
                                               std::uint32_t mode) {
    const auto file = os::status_of(memory_fd);
    if (!file) return file.why();
    auto name = os::fork_guard::of([&] { return os::name_only(memory_fd); });
    if (!name) return name.why();
    return std::unique_ptr<handout>(new handout(std::move(*name), *file, std::move(path), mode));
}

// A socket has its name from bind(), and its mode, group and listening only after it: so it gets
// another name first.
result<void> handout::bind_apart(int socket) {
    static std::atomic<unsigned> count{0};
    const os::identity self = os::own_identity();
    std::array<char, 80> name{};
    std::snprintf(name.data(), name.size(), "/%s%x-%x-%llx", apart_prefix, self.pid, ++count,
                  static_cast<unsigned long long>(os::monotonic_ns()));
    apart_ = directory_of(path_) + name.data();
    if (auto bound = os::bind_socket(socket, {apart_, false}); !bound) return bound;
    const std::uint32_t gid = file_.gid;
    if (auto set = os::set_file_access(apart_, mode_, gid); !set) return set;
    const auto seen = os::look_at(apart_);
    if (!seen) return seen.why();
    key_ = seen->key;
    return os::listen_on(socket);
}

result<void> handout::start(os::fork_guard socket) {
    auto made = service::make(std::move(socket), memory_.get(), file_, mode_);
    if (!made) return made.why();
    service_ = std::move(*made);
    return service_->start();
}

// Renames the socket to the name, in place of a dead one if need be.
result<void> handout::take_name(std::int64_t until_ns) {
    do {
        auto named = os::rename_if_free(apart_, path_);
        named_ = named.has_value();
        if (named_ || !named.is(errc::already_exists)) return named;
        const auto removed = remove_handout(path_, whose_name::of_the_dead, until_ns);
        if (!removed) return removed.why();
        if (!*removed && hosting_of(path_) != hosting::none) return named;
    } while (os::monotonic_ns() < until_ns);
    return error{errc::timed_out, "open"}.because(
        "for five seconds the name was made and removed again and again.");
}

result<void> handout::publish(std::int64_t until_ns) {
    auto socket = os::make_unix_socket(os::socket_type::stream);
    if (!socket) return plain(socket.why());
    if (auto bound = bind_apart(socket->get()); !bound) return explain_place(bound.why(), path_);
    // It answers before it can be found: whoever finds it is never kept waiting by a thread that
    // could not be started.
    if (auto started = start(std::move(*socket)); !started) return plain(started.why());
    auto named = take_name(until_ns);
    if (named || named.is(errc::already_exists)) return named;
    return explain_place(named.why(), path_);
}

handout::~handout() {
    if (os::fork_generation() != born_) { // the thread is the parent's, and so is the name
        if (service_) service_->abandon();
        return;
    }
    if (named_) {
        // Removed by force, the name may be another host's by now; with the directory held it stays
        // what it is. If that can't be had, the name is left as a killed host leaves it.
        const auto held = hold_directory(directory_of(path_), os::monotonic_ns() + moment_ns);
        const auto seen = held ? os::look_at(path_) : error{errc::not_found, "close"};
        if (seen && seen->key == key_) static_cast<void>(os::remove_name(path_));
    } else if (!apart_.empty()) {
        static_cast<void>(os::remove_name(apart_));
    }
    if (service_) service_->end();
}

// ---- who comes ----------------------------------------------------------------------------------

result<host_rule> host_rule::from(const options& wanted) {
    host_rule rule;
    if (!wanted.host) return rule;
    const auto uid = os::user_id(*wanted.host);
    if (!uid)
        return error{errc::invalid_argument, "open"}.because(
            "there is no user '" + *wanted.host + "'. getent passwd shows those there are.");
    rule.also_uid = *uid;
    return rule;
}

bool host_rule::admits(std::uint32_t uid) const noexcept {
    return anybody || uid == 0 || uid == also_uid || uid == os::own_identity().uid;
}

namespace {

// Nothing if it is a socket.
std::optional<error> explain_kind(const std::string& path) {
    const auto seen = os::look_at(path);
    if (!seen || seen->is_socket) return std::nullopt;
    return error{errc::already_exists, "open", ENOTSOCK}.because(
        seen->kind == "a regular file"
            ? "a mailbox with trust=all has this name, or some file. Open it without trust=none, "
              "or choose another name."
            : "at " + path + " there is " + std::string(seen->kind) +
                  ", no mailbox. Choose another name.");
}

error explain_refusal(const error& why, const std::string& path) {
    if (auto other = explain_kind(path)) return *other;
    switch (why.sys()) {
    case ENOENT:
    case ECONNREFUSED:
        return error{errc::not_found, "open", why.sys()};
    case EACCES:
        if (os::look_at(path).is(errc::permission))
            return error{errc::permission, "open", EACCES}.because(
                "this user may not look into the mailbox directory " + directory_of(path) +
                ". Set $HAWSER_DIR to another.");
        return error{errc::permission, "open", EACCES}.because(
            "the mode of " + path +
            " does not let this user in. ls -l shows it; whoever hosts the mailbox can give mode= "
            "and group=.");
    case EPROTOTYPE:
        return error{errc::corrupt, "open", EPROTOTYPE}.because(
            "the socket at " + path + " is not hawser's. Choose another name.");
    default:
        return plain(why);
    }
}

error stranger(const credentials& host) {
    return error{errc::permission, "open"}.because(
        "user " + std::to_string(host.uid) +
        " hosts this mailbox, who would see and could change what is sent. If that is whom you "
        "mean, say so: host=" +
        std::to_string(host.uid) + ".");
}

// In front of what is wrong with it.
std::string host_of(std::uint32_t pid) {
    return pid == 0 ? "the host, in another PID namespace,"
                    : "the host (process " + std::to_string(pid) + ")";
}

error silent(std::uint32_t pid) {
    return error{errc::timed_out, "open"}.because(
        host_of(pid) + " does not answer: it is stopped, has no descriptors left, or others "
                       "connect all the time. Continue or end it.");
}

// What the connected host says. would_block: busy, or it is just about to go; try again.
result<os::fork_guard> hear(int connection, std::uint32_t pid, os::access_kind access,
                            std::int64_t until_ns) {
    // A signal ends the wait early; then the look says would_block.
    if (os::wait_for(connection, POLLIN, until_ns) == os::ready_outcome::timed_out)
        return silent(pid);
    auto got = os::take_handed(connection);
    if (got.is(errc::closed)) return error{errc::would_block, "open"};
    if (got.is(errc::corrupt))
        return error{errc::corrupt, "open"}.because(host_of(pid) +
                                                    " hands out more than one descriptor.");
    if (!got) return got.why();
    if (got->mark == mark_busy) return error{errc::would_block, "open"};
    if (got->mark == mark_refused)
        return error{errc::permission, "open"}.because(
            host_of(pid) +
            " does not let this user in. Whoever hosts the mailbox can give mode= and group=.");
    if (got->mark != mark_memory || got->fd.get() < 0)
        return error{errc::corrupt, "open"}.because(host_of(pid) + " says what no hawser says.");
    auto opened = os::fork_guard::of([&] { return os::open_sealed(got->fd.get(), access); });
    if (opened.is(errc::corrupt))
        return error{errc::corrupt, "open"}.because(
            "what " + host_of(pid) +
            " hands out is not to be used: " + std::string(opened.why().detail()));
    if (opened.is(errc::permission))
        return error{errc::permission, "open", opened.why().sys()}.because(
            "the mode of the memory that the host hands out does not let this user in.");
    return opened;
}

// One attempt. would_block: try again.
result<os::fork_guard> fetch_once(const std::string& path, const host_rule& rule,
                                  os::access_kind access, std::int64_t until_ns) {
    auto connection = os::make_unix_socket(os::socket_type::stream);
    if (!connection) return connection.why();
    if (const auto there = os::connect_socket(connection->get(), {path, false}); !there)
        return explain_refusal(there.why(), path);
    const auto host = os::other_side(connection->get());
    if (!host) return error{errc::would_block, "open"};
    if (!rule.admits(host->uid)) return stranger(*host);
    return hear(connection->get(), host->pid, access, until_ns);
}

} // namespace

result<os::fork_guard> fetch(const std::string& path, const host_rule& rule, os::access_kind access,
                             std::int64_t until_ns) {
    constexpr std::int64_t between_ns = 5'000'000;
    for (;;) {
        auto fetched = fetch_once(path, rule, access, until_ns);
        if (fetched) return fetched;
        if (!fetched.is(errc::would_block)) return plain(fetched.why());
        if (os::monotonic_ns() >= until_ns)
            return error{errc::timed_out, "open"}.because(
                "the host of this mailbox has been busy: too many connect and do not take what "
                "they are given, or it opens and closes all the time.");
        os::pause_ns(between_ns);
    }
}

hosting hosting_of(const std::string& path) noexcept {
    const auto seen = os::look_at(path);
    if (!seen) return seen.is(errc::not_found) ? hosting::none : hosting::unknown;
    if (!seen->is_socket) return hosting::unknown;
    switch (os::binding_of(path)) {
    case os::binding::bound:
        return hosting::alive;
    case os::binding::unbound:
        return hosting::dead;
    default:
        return hosting::unknown;
    }
}

result<bool> remove_handout(const std::string& path, whose_name which, std::int64_t until_ns) {
    const auto removable = [&] {
        const hosting now = hosting_of(path);
        if (which == whose_name::of_the_dead) return now == hosting::dead;
        const auto seen = os::look_at(path);
        return seen && seen->is_socket;
    };
    if (!removable()) return false;
    // Whoever removes holds the directory: what is dead behind the lock stays so until it is gone,
    // and nobody's fresh name is taken for it.
    const auto held = hold_directory(directory_of(path), until_ns);
    if (!held) return held.why();
    if (!removable()) return false;
    const auto gone = os::remove_name(path);
    if (gone || gone.is(errc::not_found)) return gone.has_value();
    return error{gone.why().code(), "open", gone.why().sys()}.because(
        (which == whose_name::of_the_dead
             ? "the host of this mailbox is dead, and this user may not remove its name, "
             : "this user may not remove the name of this mailbox, which its owner, root, or the "
               "owner of the directory may: ") +
        path + ".");
}

std::size_t remove_unnamed_handouts(const std::string& directory) {
    const auto names = os::names_in(directory);
    if (!names) return 0;
    // bind() keeps the directory locked from making the file until the socket is bound to it, and a
    // listing waits for that: what was there before the second one, and is unbound, is dead.
    static_cast<void>(os::names_in(directory));
    std::size_t removed = 0;
    for (const std::string& name : *names) {
        const std::string path = directory + "/" + name;
        if (!name.starts_with(apart_prefix) || hosting_of(path) != hosting::dead) continue;
        removed += os::remove_name(path) ? 1U : 0U;
    }
    return removed;
}

} // namespace hawser::segment
