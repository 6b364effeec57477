#include "segment/segment.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "os/bell.hpp"
#include "os/clock.hpp"
#include "os/lock.hpp"
#include "os/sealed.hpp"
#include "segment/handout.hpp"
#include "segment/parker.hpp"
#include "sync/event_word.hpp"

namespace hawser::segment {

namespace {

constexpr std::size_t longest_name = 255 - sizeof("hawser.") + 1;
constexpr std::int64_t retry_ns = 100'000;

std::uint64_t checksum_of(const header& head) noexcept {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL; // FNV-1a, 64 bits
    const auto* bytes = reinterpret_cast<const unsigned char*>(&head);
    for (std::size_t i = 0; i < offsetof(header, checksum); ++i)
        hash = (hash ^ bytes[i]) * 0x100'0000'01b3ULL;
    return hash;
}

result<void> write_header(int fd, const geometry& shape, const layout& plan) noexcept {
    header head{};
    head.magic = magic;
    head.layout_version = layout_version;
    head.header_bytes = sizeof(header);
    head.total_bytes = plan.total_bytes;
    head.max_message = shape.max_message;
    head.max_memory = shape.max_memory;
    head.capacity = shape.capacity;
    head.participants = shape.participants;
    head.loans = shape.loans;
    head.sharing = static_cast<std::uint8_t>(shape.sharing);
    head.order = static_cast<std::uint8_t>(shape.order);
    head.delivery = static_cast<std::uint8_t>(shape.delivery);
    head.persist = shape.persist ? 1 : 0;
    head.created_ns = os::realtime_ns();
    head.checksum = checksum_of(head);
    return os::write_start(fd, static_cast<const void*>(&head), offsetof(header, life));
}

geometry geometry_in(const header& head) noexcept {
    geometry shape;
    shape.max_message = head.max_message;
    shape.max_memory = head.max_memory;
    shape.capacity = head.capacity;
    shape.participants = head.participants;
    shape.loans = head.loans;
    shape.sharing = static_cast<sharing_policy>(head.sharing);
    shape.order = static_cast<order_policy>(head.order);
    shape.delivery = static_cast<delivery_policy>(head.delivery);
    shape.persist = head.persist != 0;
    return shape;
}

error corrupt(const std::string& why) {
    return error{errc::corrupt, "open"}.because(
        why + " Look closer with hawser doctor; remove it with hawser rm --force.");
}

// One mapping for each mailbox and process: end points in threads share pages, and race detectors
// see them all.
class mapping_table {
  public:
    static mapping_table& instance() {
        static mapping_table& table =
            *new mapping_table; // outlives static objects that hold end points
        return table;
    }

    result<std::shared_ptr<shared_memory>> map(int fd, const os::file_status& file,
                                               const geometry& shape, const layout& plan) {
        const std::lock_guard hold(os::fork_safe_mutex());
        std::erase_if(entries_, [](const auto& entry) { return entry.expired(); });
        for (const auto& entry : entries_) {
            auto memory = entry.lock();
            if (memory && memory->file().same_file_as(file) &&
                memory->fork_generation() == os::fork_generation())
                return memory;
        }
        auto mapped = os::mapping::of(fd, plan.total_bytes, os::access_kind::read_write);
        if (!mapped) return mapped.why();
        auto memory = std::make_shared<shared_memory>(std::move(*mapped), shape, plan, file);
        entries_.push_back(memory);
        return memory;
    }

  private:
    std::vector<std::weak_ptr<shared_memory>> entries_;
};

std::string no_room(int sys) {
    if (sys == ENOMEM)
        return "this process may not map that much memory. Raise its limit (ulimit -v), or make "
               "the mailbox with a smaller max_memory= or capacity=.";
    if (sys == EFBIG)
        return "files of this process may not be that large, and a mailbox is one. Raise the limit "
               "(ulimit -f), or make the mailbox with a smaller max_memory= or capacity=.";
    return directory() + " has no room for it: " + std::strerror(sys) +
           ". hawser gc removes what is dead; smaller capacity= or max_memory= helps.";
}

// Waits for a door that somebody is about to leave. False when patience is over.
result<bool> enter_door(int fd) noexcept {
    const std::int64_t give_up_ns = os::monotonic_ns() + patience_ns;
    for (;;) {
        const auto entered = os::try_lock(fd, door_byte, os::lock_kind::shared);
        if (!entered) return entered.why();
        if (*entered) return true;
        if (os::monotonic_ns() > give_up_ns) return false;
        os::pause_ns(retry_ns);
    }
}

// nullopt-like: an opened segment without memory means "gone meanwhile, try again".
result<opened> open_existing(const std::string& path, const std::string& name,
                             const options& wanted) {
    // STEP(open.file)
    auto fd =
        os::fork_guard::of([&] { return os::open_existing(path, os::access_kind::read_write); });
    if (!fd) return fd.why();
    auto file = os::status_of(fd->get());
    if (!file) return file.why();
    if (!file->regular) return corrupt("something that is not a mailbox has the name.");
    const auto shape = read_geometry(fd->get(), *file);
    if (!shape) return shape.why();
    const auto entered = enter_door(fd->get()); // STEP(open.door)
    if (!entered) return entered.why();
    if (!*entered)
        return error{errc::timed_out, "open"}.because(
            "a process has been removing this mailbox for five seconds; it is stopped, or very "
            "slow. "
            "Continue or end it.");
    file = os::status_of(fd->get());
    if (!file) return file.why();
    opened found;
    if (file->links == 0) return found; // STEP(open.linked)
    if (const auto fits = shape->satisfies(wanted, name); !fits) return fits.why();
    const auto plan = layout::of(*shape);
    if (!plan || plan->total_bytes != file->bytes)
        return corrupt("the file's size does not fit its own header.");
    auto memory = mapping_table::instance().map(fd->get(), *file, *shape, *plan);
    if (!memory) return memory.why();
    found.fd = std::move(*fd);
    found.memory = std::move(*memory);
    return found;
}

// A mapping of one's own.
result<std::shared_ptr<shared_memory>> map_handed_out(int fd, const os::file_status& file,
                                                      const geometry& shape) {
    auto memory = observe(fd, file, shape, os::access_kind::read_write);
    if (memory) (*memory)->set_handed_out(nullptr);
    return memory;
}

// Memory for all that a mailbox needs before anyone joins.
result<void> allocate_common(int fd, const geometry& shape, const layout& plan) {
    if (auto done = os::allocate(fd, 0, sizeof(header)); !done) return done;
    if (shape.order == order_policy::sender) return {};
    if (auto done = os::allocate(fd, plan.lanes_at, plan.lane_bytes); !done) return done;
    return os::allocate(fd, plan.chunks_at, shape.capacity * plan.chunk_bytes);
}

// A file without a name, in the mailbox directory.
result<os::fork_guard> make_file() {
    // STEP(create.file)
    auto fd = os::fork_guard::of([] { return os::make_unnamed(directory()); });
    if (fd) return fd;
    const error& why = fd.why();
    if (why.code() == errc::not_found || why.sys() == ENOTDIR)
        return error{errc::not_found, "open", why.sys()}.because(
            "the mailbox directory " + directory() +
            " does not exist. Make it, or set $HAWSER_DIR to another.");
    if (why.code() == errc::permission)
        return error{errc::permission, "open", why.sys()}.because(
            "this user may not make files in the mailbox directory " + directory() +
            ". Set $HAWSER_DIR to another.");
    if (why.sys() == EOPNOTSUPP)
        return error{errc::unsupported, "open", why.sys()}.because(
            "the file system of " + directory() +
            " has no unnamed files (O_TMPFILE). Set $HAWSER_DIR to a tmpfs.");
    return why;
}

// Gives the file its size, its access and its common memory. With trust=none nobody can change the
// size again, and nobody executes it.
result<void> shape_file(int file, const geometry& shape, const layout& plan, const options& wanted,
                        std::uint32_t mode) {
    std::uint32_t gid = os::no_group;
    if (wanted.group) {
        const auto found = os::group_id(*wanted.group);
        if (!found)
            return error{errc::invalid_argument, "open"}.because(
                "there is no group '" + *wanted.group + "'. getent group shows those there are.");
        gid = *found;
    }
    const bool sealed = wanted.trust == trust_policy::none;
    constexpr std::uint32_t no_execution = 0666;
    if (auto done = os::set_size(file, plan.total_bytes); !done) return done;
    if (auto done = allocate_common(file, shape, plan); !done) return done;
    if (auto done = os::set_access(file, sealed ? mode & no_execution : mode, gid); !done)
        return done;
    return sealed ? os::seal_size(file) : result<void>{};
}

result<opened> build(const options& wanted, const std::string& path) {
    const auto shape = geometry::from(wanted);
    if (!shape) return shape.why();
    const auto plan = layout::of(*shape);
    if (!plan) return plan.why();
    const bool sealed = wanted.trust == trust_policy::none;
    auto fd = sealed ? os::fork_guard::of([] { return os::make_memory("hawser"); }) : make_file();
    if (!fd) return fd.why();
    const int file = fd->get();
    constexpr std::uint32_t default_mode = 0600;
    const std::uint32_t mode = wanted.mode.value_or(default_mode);
    if (const auto done = shape_file(file, *shape, *plan, wanted, mode); !done) return done.why();
    const auto status = os::status_of(file);
    if (!status) return status.why();
    auto memory = sealed ? map_handed_out(file, *status, *shape)
                         : mapping_table::instance().map(file, *status, *shape, *plan);
    if (!memory) return memory.why();
    if (sealed) {
        auto host = handout::make(file, path, mode);
        if (!host) return host.why();
        (*memory)->set_handed_out(std::move(*host));
    }
    if (const auto done = write_header(file, *shape, *plan); !done) return done.why();
    (*memory)->head().life.store(static_cast<std::uint32_t>(life::open));
    if (shape->order == order_policy::total) {
        const auto ring = (*memory)->ring(0);
        for (std::uint32_t i = 0; i < shape->capacity; ++i)
            ring.slots[i].word.store(sync::slot_word{0, i, sync::no_owner, false}.pack());
    }
    opened made;
    made.fd = std::move(*fd);
    made.memory = std::move(*memory);
    made.created = true;
    return made;
}

// Each message that is received takes memory of this process, so what a stranger's numbers allow is
// limited by our own: to more than the defaults one has to agree.
result<void> agrees_to(const geometry& shape, const options& wanted) {
    options own;
    own.max_message = wanted.max_message;
    own.max_memory = wanted.max_memory;
    const auto most = geometry::from(own);
    if (!most) return most.why();
    if (shape.max_message <= most->max_message && shape.max_memory <= most->max_memory) return {};
    options theirs;
    theirs.max_message = shape.max_message;
    theirs.max_memory = shape.max_memory;
    return error{errc::too_big, "open"}.because(
        "the host made it larger than the defaults, and with trust=none that is up to you: give " +
        theirs.to_text() + " to agree.");
}

// Why a trusted mailbox can't be opened where a socket is; nothing if there is none.
std::optional<error> explain_socket(const std::string& path, const std::string& name) {
    const auto seen = os::look_at(path);
    if (!seen || !seen->is_socket) return std::nullopt;
    return error{errc::already_exists, "open", ENXIO}.because(
        "a socket has the name, as mailboxes with trust=none have: to join one, give trust=none, "
        "too. hawser info shm:" +
        name + " says what it is.");
}

// As open_existing, but there is no door: nobody can take away what has no name.
result<opened> join_handed_out(const std::string& path, const std::string& name,
                               const options& wanted, const host_rule& rule) {
    const std::int64_t until_ns = os::monotonic_ns() + patience_ns;
    auto fd = fetch(path, rule, os::access_kind::read_write, until_ns);
    if (!fd) return fd.why();
    const auto file = os::status_of(fd->get());
    if (!file) return file.why();
    const auto shape = read_geometry(fd->get(), *file);
    if (!shape) return shape.why();
    if (const auto fits = shape->satisfies(wanted, name); !fits) return fits.why();
    if (const auto agreed = agrees_to(*shape, wanted); !agreed) return agreed.why();
    auto memory = map_handed_out(fd->get(), *file, *shape);
    if (!memory) return memory.why();
    opened found;
    found.fd = std::move(*fd);
    found.memory = std::move(*memory);
    return found;
}

result<void> check_handed_out(const std::string& path, const options& wanted) {
    const auto bad = [](const std::string& why) {
        return error{errc::invalid_argument, "open"}.because(why);
    };
    if (wanted.persist.value_or(false))
        return bad(
            "a mailbox with trust=none lives in the memory of those who use it and goes with "
            "them; persist=yes needs a file, trust=all.");
    if (path.size() > os::longest_unix_name)
        return bad(
            "choose a shorter name or $HAWSER_DIR: with trust=none a socket has the name, and "
            "its path at most " +
            std::to_string(os::longest_unix_name) + " bytes: " + path);
    return {};
}

result<opened> open_handed_out(const std::string& path, const std::string& name,
                               const options& wanted, create_policy policy) {
    if (const auto good = check_handed_out(path, wanted); !good) return good.why();
    const auto rule = host_rule::from(wanted);
    if (!rule) return rule.why();
    const bool may_host = !wanted.host || rule->also_uid == os::own_identity().uid;
    if (policy != create_policy::create) {
        auto found = join_handed_out(path, name, wanted, *rule);
        if (found || !found.is(errc::not_found)) return found;
        if (policy == create_policy::open || !may_host)
            return error{errc::not_found, "open", found.why().sys()}.because(
                "nobody hosts this mailbox. Start its host first" +
                std::string(may_host ? ", or leave create=open out."
                                     : ": host= says that it is to be another user."));
    } else if (!may_host) {
        return error{errc::invalid_argument, "open"}.because(
            "create=create makes this process the host, and host= says that it is another user.");
    }
    auto made = build(wanted, path);
    if (!made && made.why().detail().empty()) return explain_open(made.why(), name);
    return made;
}

} // namespace

void shared_memory::set_handed_out(std::shared_ptr<handout> by) noexcept {
    handed_out_ = true;
    host_ = std::move(by);
}

shared_memory::shared_memory(os::mapping memory, const geometry& shape, const layout& plan,
                             const os::file_status& file) noexcept
    : memory_(std::move(memory)), shape_(shape), plan_(plan), file_(file),
      generation_(os::fork_generation()) {}

shared_memory::~shared_memory() {
    // In a fork child the addresses may belong to something else by now.
    if (generation_ != os::fork_generation()) memory_.abandon();
}

sync::lane_memory<atomic> shared_memory::ring(std::uint32_t lane) const noexcept {
    const std::uint64_t base = plan_.lane_at(lane);
    lane_head& head = *at<lane_head>(base);
    sync::lane_memory<atomic> ring;
    ring.slots = at<ring_slot>(base + plan_.slots_in_lane);
    ring.committed = at<atomic<std::uint64_t>>(base + plan_.committed_in_lane);
    ring.taken = at<atomic<std::uint64_t>>(base + plan_.taken_in_lane);
    ring.head_hint = &head.head_hint;
    ring.tail_hint = &head.tail_hint;
    ring.capacity = shape_.capacity;
    ring.evidence_stride = plan_.evidence_stride;
    ring.chunks = plan_.chunks;
    ring.participants = shape_.participants;
    return ring;
}

std::uint32_t shared_memory::slots_used() const noexcept {
    return std::min(head().slots_used.load(), shape_.participants);
}

bool shared_memory::lane_ready(std::uint32_t lane) const noexcept {
    if (shape_.order == order_policy::total) return lane == 0;
    return lane < slots_used() && record(lane).lane_ready.load() != 0;
}

std::uint64_t shared_memory::depth() const noexcept {
    std::uint64_t queued = 0;
    for (std::uint32_t lane = 0; lane < plan_.lanes; ++lane) {
        if (!lane_ready(lane)) continue;
        const auto ring = this->ring(lane);
        for (std::uint32_t i = 0; i < ring.capacity; ++i)
            queued += sync::slot_word::unpack(ring.slots[i].word.load()).full ? 1U : 0U;
    }
    return queued;
}

std::uint64_t shared_memory::held_by(std::uint32_t slot) const noexcept {
    std::uint64_t held = 0;
    for (std::uint32_t i = 0; i < shape_.loans; ++i) {
        const auto word = sync::hand_word::unpack(record(slot).hand[i].load());
        held += word.kind == sync::hold::message ? 1U : 0U;
    }
    return held;
}

error explain_open(const error& why, const std::string& name) {
    error better = error{why.code(), "open", why.sys()};
    switch (why.code()) {
    case errc::not_found:
        return better.because(
            "there is no such mailbox, and create=open makes none. Start the side that "
            "creates it, or leave create=open out. hawser ls shows what there is.");
    case errc::permission:
        return better.because("the mode or owner of " + directory() + "/" + file_prefix + name +
                              " does not let this user in. hawser info shm:" + name +
                              " shows them; whoever creates it can give mode= and group=.");
    case errc::no_space:
        return better.because(no_room(why.sys()));
    default:
        break;
    }
    if (why.sys() == ELOOP)
        return error{errc::corrupt, "open", ELOOP}.because(
            "the name is a symbolic link, which is never followed. Remove it by hand if it is "
            "yours.");
    if (why.sys() == ENXIO || why.sys() == EISDIR)
        return corrupt("something that is not a mailbox has the name (a socket or a directory).");
    return better.because(std::string("the system said: ").append(os::reason_for(why.sys())));
}

std::string directory() {
    const std::string chosen = os::environment("HAWSER_DIR");
    return chosen.empty() ? "/dev/shm" : chosen;
}

result<std::string> path_of(const std::string& name) {
    const auto bad = [](const std::string& why) {
        return error{errc::invalid_argument, "open"}.because(why);
    };
    if (name.empty()) return bad("the mailbox has no name. Write one: shm:orders");
    if (name.size() > longest_name)
        return bad("the name has " + std::to_string(name.size()) + " bytes; the longest has " +
                   std::to_string(longest_name) + ".");
    if (name.find('/') != std::string::npos)
        return bad("a mailbox name is not a path: it must not hold '/'.");
    if (name.find('\0') != std::string::npos) return bad("a mailbox name must not hold NUL.");
    return directory() + "/" + file_prefix + name;
}

std::int64_t created_ns(int fd) noexcept {
    header head{};
    const auto got = os::read_start(fd, static_cast<void*>(&head), sizeof head);
    return got ? head.created_ns : 0;
}

result<geometry> read_geometry(int fd, const os::file_status& file) {
    header head{};
    const auto got = os::read_start(fd, static_cast<void*>(&head), sizeof head);
    if (!got) return got.why();
    if (*got < sizeof head)
        return corrupt(
            "the file has " + std::to_string(file.bytes) +
            " bytes, less than a mailbox's header: it was cut short, or hawser did not make it.");
    if (head.magic != magic) return corrupt("the file is not a mailbox: it does not begin as one.");
    if (head.features != 0)
        return error{errc::unsupported, "open"}.because(
            "the mailbox was made by a newer hawser and needs features that this one lacks. Use "
            "the "
            "same hawser on both sides, or remove it when nobody uses it.");
    if (head.layout_version != layout_version)
        return error{errc::unsupported, "open"}.because(
            "the mailbox has layout version " + std::to_string(head.layout_version) +
            " and this library reads version " + std::to_string(layout_version) +
            ". Use the same hawser on both sides, or remove it when nobody uses it.");
    if (head.checksum != checksum_of(head)) return corrupt("the header is damaged.");
    const geometry shape = geometry_in(head);
    if (const auto sane = shape.check(); !sane) return sane.why();
    const auto plan = layout::of(shape);
    if (!plan || plan->total_bytes != head.total_bytes)
        return corrupt("the header contradicts itself.");
    if (file.bytes != head.total_bytes)
        return corrupt("the file has " + std::to_string(file.bytes) +
                       " bytes where its header says " + std::to_string(head.total_bytes) +
                       ": it was cut short or added to.");
    return shape;
}

result<opened> open_segment(const std::string& name, const options& wanted) {
    const auto path = path_of(name);
    if (!path) return path.why();
    const create_policy policy = wanted.create.value_or(create_policy::open_or_create);
    if (wanted.trust == trust_policy::none) return open_handed_out(*path, name, wanted, policy);
    if (wanted.host)
        return error{errc::invalid_argument, "open"}.because(
            "only a mailbox with trust=none has a host. Give that, too, or leave host= out.");
    const std::int64_t give_up_ns = os::monotonic_ns() + patience_ns;
    while (os::monotonic_ns() < give_up_ns) {
        if (policy != create_policy::create) {
            auto found = open_existing(*path, name, wanted);
            if (found && found->memory) return found;
            if (found) continue; // its name went while we looked
            if (!found.is(errc::not_found)) {
                if (!found.why().detail().empty()) return found.why();
                if (auto why = explain_socket(*path, name)) return *why;
                return explain_open(found.why(), name);
            }
            if (policy == create_policy::open) return explain_open(found.why(), name);
        }
        auto made = build(wanted, *path);
        if (!made && made.why().detail().empty()) return explain_open(made.why(), name);
        return made;
    }
    return made_and_removed();
}

error made_and_removed() noexcept {
    return error{errc::timed_out, "open"}.because(
        "for five seconds the name was made and removed again and again.");
}

result<void> publish(int fd, const shared_memory& memory, const std::string& path) {
    handout* const host = memory.host();
    auto named =
        host == nullptr ? os::give_name(fd, path) : host->publish(os::monotonic_ns() + patience_ns);
    if (named || !named.is(errc::already_exists)) return named;
    return error{errc::already_exists, "open", named.why().sys()}.because(
        "a mailbox of this name exists, and create=create wants a new one. Open it with "
        "create=open_or_create, or remove it first with hawser rm.");
}

void leave_door(int fd) noexcept {
    os::unlock(fd, door_byte);
}

bool shut_door(int fd, std::int64_t give_up_after_ns) noexcept {
    const std::int64_t give_up_ns = os::monotonic_ns() + give_up_after_ns;
    for (;;) {
        const auto shut = os::try_lock(fd, door_byte, os::lock_kind::exclusive);
        if (!shut) return false;
        if (*shut) return true;
        if (os::monotonic_ns() > give_up_ns) return false;
        os::pause_ns(retry_ns);
    }
}

namespace {

// Nobody is in it, nothing is queued, and every slot is free: one that is not may hold messages,
// also such as only its repair will show.
bool is_unused(int fd, const shared_memory& memory) noexcept {
    bool unused = !inhabited(fd, memory) && memory.depth() == 0;
    for (std::uint32_t slot = 0; unused && slot < memory.slots_used(); ++slot) {
        const auto state = static_cast<slot_state>(memory.record(slot).state.load());
        unused = state == slot_state::free || state == slot_state::unused;
    }
    return unused;
}

bool try_remove(int fd, const shared_memory& memory, const std::string& path) noexcept {
    // Who is stopped behind the shut door keeps newcomers out: never of a mailbox that is in use.
    if (!is_unused(fd, memory)) return false;
    if (!shut_door(fd, moment_ns)) return false; // STEP(remove.door)
    // STEP(remove.locks), STEP(remove.queue), STEP(remove.slots)
    const bool unused = is_unused(fd, memory);
    const auto named = os::status_of(path); // STEP(remove.name)
    const bool ours = unused && named && named->same_file_as(memory.file());
    const bool removed = ours && os::remove_name(path).has_value(); // STEP(remove.unlink)
    leave_door(fd);                                                 // STEP(remove.leave)
    return removed;
}

} // namespace

bool inhabited(int fd, const shared_memory& memory) noexcept {
    return os::first_locked(fd, lock_base, memory.shape().participants) != os::none_locked;
}

bool remove_if_unused(int fd, const shared_memory& memory, const std::string& path) noexcept {
    if (memory.is_handed_out()) return false; // it has no name, and its host's goes with the host
    // Somebody we saw inside may have left while we held the door, and not have got it after us.
    constexpr int rounds = 8;
    for (int round = 0; round < rounds; ++round) {
        if (try_remove(fd, memory, path)) return true;
        if (inhabited(fd, memory)) return false;
    }
    return false;
}

void wake_everyone(int fd, const shared_memory& memory) noexcept {
    header& head = memory.head();
    const parker senders{fd, os::bell_tone::write};
    sync::notify_all(head.messages, parker{fd, os::bell_tone::touch});
    sync::notify_all(head.memory, senders);
    for (std::uint32_t lane = 0; lane < memory.plan().lanes; ++lane)
        if (memory.lane_ready(lane)) sync::notify_all(memory.lane(lane).space, senders);
}

result<std::shared_ptr<shared_memory>> observe(int fd, const os::file_status& file,
                                               const geometry& shape, os::access_kind access) {
    const auto plan = layout::of(shape);
    if (!plan) return plan.why();
    auto mapped = os::mapping::of(fd, plan->total_bytes, access);
    if (!mapped) return mapped.why();
    return std::make_shared<shared_memory>(std::move(*mapped), shape, *plan, file);
}

} // namespace hawser::segment
