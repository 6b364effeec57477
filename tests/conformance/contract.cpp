#include "conformance/contract.hpp"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conformance/matrix.hpp"
#include "os/bell.hpp"

namespace hawser::test {

namespace {

constexpr bodies_as both_bodies[] = {bodies_as::threads, bodies_as::processes};
constexpr wait_mode all_waits[] = {wait_mode::adaptive, wait_mode::spin, wait_mode::block};

std::uint64_t mixed(std::uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9E3779B97F4A7C15U;
    return x ^ (x >> 29);
}

} // namespace

std::ostream& operator<<(std::ostream& out, const variant& one) {
    return out << one.transport.scheme << (one.kind.empty() ? "" : " ") << one.kind
               << " order=" << name_of(one.order) << " wait=" << name_of(one.wait)
               << (one.bodies == bodies_as::threads ? " threads" : " processes");
}

std::string name_of_variant(const testing::TestParamInfo<variant>& info) {
    const variant& one = info.param;
    std::string name{one.transport.scheme};
    if (!one.kind.empty()) name += "_" + std::string(one.kind);
    if (has_both_orders(one.transport.can)) name += "_" + std::string(name_of(one.order));
    name += "_" + std::string(name_of(one.wait));
    name += one.bodies == bodies_as::threads ? "_threads" : "_processes";
    std::replace_if(
        name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
    return name;
}

bool has_both_orders(const capabilities& can) {
    return can.ordering == ordering_kind::total && can.observers;
}

namespace {

std::vector<variant> in_each_kind(bool also_without_messages) {
    std::vector<variant> all;
    for (const transport_info& transport : transports()) {
        if (transport.can.boundaries == boundary_kind::stream && !also_without_messages) continue;
        all.push_back({transport});
        for (const std::string_view kind : further_kinds(transport.scheme))
            all.push_back({.transport = transport, .kind = kind});
    }
    return all;
}

// A further kind of address differs in opening only: once is enough for it.
std::vector<variant> in_each_order_and_kind(bool also_further_kinds) {
    std::vector<variant> all;
    for (variant one : in_each_kind(false)) {
        if (!one.kind.empty() && !also_further_kinds) continue;
        all.push_back(one);
        if (!has_both_orders(one.transport.can)) continue;
        one.order = order_policy::sender;
        all.push_back(one);
    }
    return all;
}

std::vector<variant> with_both_bodies(const std::vector<variant>& some) {
    std::vector<variant> all;
    for (variant one : some) {
        for (const auto bodies : both_bodies) {
            one.bodies = bodies;
            all.push_back(one);
        }
    }
    return all;
}

std::vector<variant> with_all_waits(const std::vector<variant>& some) {
    std::vector<variant> all;
    for (variant one : some) {
        for (const auto wait : all_waits) {
            one.wait = wait;
            all.push_back(one);
        }
    }
    return all;
}

std::vector<variant> as_processes(std::vector<variant> all) {
    for (variant& one : all) one.bodies = bodies_as::processes;
    return all;
}

} // namespace

std::vector<variant> in_each_order() {
    return in_each_order_and_kind(true);
}
std::vector<variant> in_each_order_and_bodies() {
    return with_both_bodies(in_each_order_and_kind(false));
}
std::vector<variant> in_each_wait() {
    return with_all_waits(in_each_order_and_kind(false));
}
std::vector<variant> in_each_wait_and_bodies() {
    return with_all_waits(in_each_order_and_bodies());
}
std::vector<variant> in_each_order_as_processes() {
    return as_processes(in_each_order_and_kind(false));
}
std::vector<variant> in_each_transport() {
    return in_each_kind(true);
}
std::vector<variant> in_each_transport_as_processes() {
    return as_processes(in_each_kind(true));
}

void contract::SetUp() {
    private_directory();
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    const std::string full = test->name();
    // c2_4 of c2_4_capacity_is_exact/shm_total_…: short, for limits on names.
    const auto second = full.find('_', full.find('_') + 1);
    spelling_ =
        spelling(GetParam().transport.scheme, GetParam().kind, unique_name(full.substr(0, second)));
    HAWSER_NEEDS_HERE(bodies() == bodies_as::threads || can_fork,
                      "processes: no fork under ThreadSanitizer, participants are threads there");
    if (!by_name() && bodies() == bodies_as::processes) make_link();
}

void contract::share_bells() {
    const std::string elsewhere = unique_name("first-few");
    while (first_few_.size() < os::bell::most_alone) {
        first_few_.push_back(receiver::open(elsewhere).value());
        first_few_.back().fd().value();
    }
}

void contract::TearDown() {
    first_few_.clear();
    let_go();
    EXPECT_EQ(spelling_.clear_away(), std::vector<std::string>{}) << "the test left this behind";
    sweep_left_over();
    the_matrix().note(GetParam().transport.scheme);
}

std::string contract::address(std::string_view stem) const {
    return spelling_.address(stem);
}

std::string contract::path_of(std::string_view address) {
    return spelling::path_of(address);
}

options contract::as_variant(options wanted) const {
    if (has_both_orders(can())) wanted.order = GetParam().order;
    wanted.wait = GetParam().wait;
    // Buffers of a connection that the kernel sizes by itself are full at one moment and have room
    // at the next; those of a given size stay full.
    if (can().crosses_machines && can().reliable && !wanted.max_memory)
        wanted.max_memory = 64UL * 1024;
    return wanted;
}

sender contract::open_sender(const options& wanted) const {
    note_waiter(participant_role::sender);
    return sender::open(by_name() ? address() : take_end(1), as_variant(wanted)).value();
}

receiver contract::open_receiver(const options& wanted) const {
    note_waiter(participant_role::receiver);
    return receiver::open(by_name() ? address() : take_end(0), as_variant(wanted)).value();
}

std::string contract::take_end(std::size_t which) const {
    const std::lock_guard hold(link_mutex_);
    // Another process has the other end, and this one closes it.
    if (bodies() == bodies_as::processes) {
        const auto both = std::exchange(link_, {-1, -1});
        if (both[0] < 0) throw std::runtime_error("a process has one end of the link");
        return "pipe:" + std::to_string(both[0]) + "," + std::to_string(both[1]);
    }
    // Another round of a test: a link of its own.
    if (link_[0] < 0 && link_[1] < 0) make_link();
    const int fd = std::exchange(link_.at(which), -1);
    if (fd < 0) throw std::runtime_error("the link has one of each end: the test needs by_name()");
    return which == 0 ? "pipe:" + std::to_string(fd) + ",-" : "pipe:-," + std::to_string(fd);
}

void contract::make_link() const {
    if (::pipe2(link_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
}

void contract::let_go() const {
    for (int& fd : link_)
        if (const int open = std::exchange(fd, -1); open >= 0) ::close(open);
}

void contract::run_bodies(bodies_as how, const std::vector<body>& all) const {
    test::run_bodies(how, all, [&] {
        if (how == bodies_as::processes) let_go();
    });
}

mailbox_info contract::seen() const {
    return inspect_mailbox(address()).value();
}

void contract::expect_missing(std::string_view stem) const {
    const std::string where = address(stem);
    const auto looked = inspect_mailbox(where);
    if (!looked.is(errc::unsupported)) {
        EXPECT_TRUE(fails_with(looked, errc::not_found)) << where;
    }
    struct stat ignored {};
    if (const std::string path = path_of(where); !path.empty()) {
        EXPECT_NE(::lstat(path.c_str(), &ignored), 0) << path << " is there";
    }
}

void contract::forget() const {
    if (can().observers) return; // there it has gone with its last participant
    static_cast<void>(spelling_.clear_away());
}

int contract::room(int wanted) const {
    constexpr int surely = 8; // a POSIX queue takes 10 by default, a datagram socket 10
    return can().observers ? wanted : std::min(wanted, surely);
}

std::size_t contract::fitting(std::size_t wanted) const {
    constexpr std::size_t surely = 1500; // eight of them in a System V queue, of 16 KiB
    return can().zero_copy ? wanted : std::min(wanted, surely);
}

std::size_t contract::longest(sender& out, std::size_t wanted) {
    std::size_t good = 0;
    std::size_t bad = wanted + 1;
    if (out.loan_for(wanted)) return wanted;
    while (bad - good > 1) {
        const std::size_t middle = good + (bad - good) / 2;
        (out.loan_for(middle) ? good : bad) = middle;
    }
    return good;
}

options contract::bounded(std::uint64_t capacity) const {
    options wanted;
    if (can().capacity_bounded) wanted.capacity = capacity;
    return wanted;
}

std::size_t contract::filling_size(sender& out) const {
    constexpr std::size_t whole = 4000; // a pipe takes so much or nothing, and says truly when
    if (!by_name()) return whole;
    return can().capacity_bounded ? 8 : std::min<std::size_t>(longest(out, 1U << 20U), 32768);
}

std::uint64_t contract::fill(sender& out, std::size_t size) const {
    std::uint64_t count = 0;
    do {
        auto outcome = out.try_send(numbered(count, size));
        for (; outcome; outcome = out.try_send(numbered(count, size))) ++count;
        EXPECT_TRUE(fails_with(outcome, errc::would_block));
    } while (more_room_comes(out, [&] {
        const bool taken = static_cast<bool>(out.try_send(numbered(count, size)));
        if (taken) ++count;
        return taken;
    }));
    return count;
}

// What is on its way to another machine's buffer makes room a moment later, and the kernel does not
// tell of little room: so a network is full when it was refused three times in a row.
bool contract::more_room_comes(sender& out, const std::function<bool()>& take) const {
    if (!can().crosses_machines) return false;
    constexpr int settle_ms = 30;
    for (int refused = 1; refused < 3; ++refused) {
        static_cast<void>(descriptor_ready(out.fd().value(), out.fd_events(), settle_ms));
        if (take()) return true;
    }
    return false;
}

std::vector<std::byte> contract::numbered(std::uint64_t number, std::size_t size) {
    std::vector<std::byte> bytes(std::max(size, sizeof number));
    std::memcpy(bytes.data(), &number, sizeof number);
    return bytes;
}

std::uint64_t contract::number_in(const message& got) {
    std::uint64_t number = ~std::uint64_t{0};
    EXPECT_GE(got.size(), sizeof number);
    if (got.size() >= sizeof number) std::memcpy(&number, got.bytes().data(), sizeof number);
    return number;
}

void contract::introduce(sender& out, receiver& in) const {
    if (keeps()) return;
    greet(out);
    EXPECT_EQ(in.receive().value().text(), greeting);
}

void contract::greet(sender& out) const {
    if (!keeps()) out.send(greeting).value();
}

void contract::end_all(sender& out, unsigned receivers) const {
    if (can().end_of_stream) return;
    for (unsigned i = 0; i < receivers; ++i) out.send("").value();
}

void contract::until_waiting(participant_role role, std::size_t at_least) const {
    if (can().observers)
        test::until_waiting(address(), role, at_least);
    else
        until([&] { return waiters_.asleep(role) >= at_least; });
}

void contract::not_applicable(const std::string& reason, bool by_capability) const {
    RecordProperty("not_applicable", reason);
    the_matrix().not_applicable(GetParam().transport.scheme, reason, by_capability);
}

testing::AssertionResult fails_with(const error* why, errc code) {
    if (why == nullptr)
        return testing::AssertionFailure() << "succeeded where " << name_of(code) << " is due";
    if (why->code() != code)
        return testing::AssertionFailure()
               << why->describe() << "\n  where " << name_of(code) << " is due";
    return testing::AssertionSuccess();
}

testing::AssertionResult succeeds(const error* why) {
    if (why != nullptr) return testing::AssertionFailure() << why->describe();
    return testing::AssertionSuccess();
}

void fill_pattern(std::span<std::byte> bytes, std::uint64_t seed) {
    const std::uint64_t key = mixed(seed + bytes.size() * 0x1000193U);
    std::size_t at = 0;
    for (; at + 8 <= bytes.size(); at += 8) {
        const std::uint64_t word = mixed(key + at);
        std::memcpy(bytes.data() + at, &word, 8);
    }
    const std::uint64_t word = mixed(key + at);
    if (at < bytes.size()) std::memcpy(bytes.data() + at, &word, bytes.size() - at);
}

std::vector<std::byte> pattern(std::size_t size, std::uint64_t seed) {
    std::vector<std::byte> bytes(size);
    fill_pattern(bytes, seed);
    return bytes;
}

bool has_pattern(std::span<const std::byte> bytes, std::uint64_t seed) {
    const auto wanted = pattern(bytes.size(), seed);
    return std::equal(bytes.begin(), bytes.end(), wanted.begin(), wanted.end());
}

std::vector<std::string> drain(receiver& in) {
    std::vector<std::string> texts;
    while (auto got = in.try_receive()) texts.emplace_back(got->text());
    return texts;
}

bool descriptor_ready(int fd, short events, int timeout_ms) {
    pollfd one{fd, events, 0};
    int found;
    do found = ::poll(&one, 1, timeout_ms);
    while (found < 0);
    return found == 1 && (one.revents & events) != 0;
}

} // namespace hawser::test
