#include <hawser/poller.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <new>
#include <utility>

#include <poll.h>

#include "core/located.hpp"
#include "core/poll_table.hpp"
#include "os/clock.hpp"
#include "os/poll.hpp"

namespace hawser {
inline namespace v1 {
namespace detail {

namespace {

// Tokens of what is no member. Those of members have a place above 0 in the lower half.
enum : std::uint64_t { token_wake = 0, token_alarm = 1ULL << 32U, token_signals = 2ULL << 32U };

error no_member(const char* operation) noexcept {
    return error{errc::not_found, operation}.because(
        "it is no member of this poller, or no more: it was removed or closed, or it was a timer "
        "that has been told.");
}

error no_memory(const char* operation) noexcept {
    return error{errc::no_space, operation}.because("there is no memory for another member.");
}

error wrong(const char* operation, const char* why) noexcept {
    return error{errc::invalid_argument, operation}.because(why);
}

} // namespace

poll_table::poll_table(os::watch_set set, os::waker waker, os::alarm_clock alarm) noexcept
    : set_(std::move(set)), waker_(std::move(waker)), alarm_(std::move(alarm)) {}

result<std::shared_ptr<poll_table>> poll_table::make() {
    auto set = os::watch_set::make();
    if (!set) return set.why();
    auto waker = os::waker::make();
    if (!waker) return waker.why();
    auto alarm = os::alarm_clock::make();
    if (!alarm) return alarm.why();
    if (auto in = set->add(waker->fd(), POLLIN, token_wake); !in) return in.why();
    if (auto in = set->add(alarm->fd(), POLLIN, token_alarm); !in) return in.why();
    try {
        auto made =
            std::make_shared<poll_table>(std::move(*set), std::move(*waker), std::move(*alarm));
        made->records_.resize(1);
        return made;
    } catch (const std::bad_alloc&) {
        return no_memory("poll");
    }
}

result<void> poll_table::admit(const char* operation) const noexcept {
    if (born_ == os::fork_generation()) return {};
    return wrong(operation, "this poller belongs to the process that made it, and this is a child "
                            "of it. Make one here.");
}

// ---- records ------------------------------------------------------------------------------------

std::uint64_t poll_table::token_of(std::uint32_t place) const noexcept {
    return (std::uint64_t{records_[place].uses} << 32U) | place;
}

poll_table::record* poll_table::find(std::uint64_t token) noexcept {
    const auto place = static_cast<std::uint32_t>(token);
    if (place == 0 || place >= records_.size()) return nullptr;
    record& one = records_[place];
    return one.what != kind::nobody && token_of(place) == token ? &one : nullptr;
}

// Memory for the way back is there before the place is used, so that forgetting can't fail.
std::uint32_t poll_table::free_place() {
    if (free_.empty()) {
        if (free_.capacity() <= records_.size()) free_.reserve(2 * records_.size() + 1);
        records_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(records_.size() - 1));
    }
    const std::uint32_t place = free_.back();
    free_.pop_back();
    return place;
}

// fill(place, record) -> result<void>: makes the record that of a member.
template <typename Fill>
result<member_id> poll_table::enroll(Fill&& fill) {
    try {
        const std::uint32_t place = free_place();
        record& one = records_[place];
        const std::uint32_t uses = one.uses + 1;
        one = record{};
        one.uses = uses;
        const auto undo = [&] {
            one.what = kind::nobody;
            free_.push_back(place);
        };
        try {
            if (auto filled = fill(place, one); !filled) {
                undo();
                return filled.why();
            }
        } catch (...) {
            undo();
            throw;
        }
        ++members_;
        return member_id{token_of(place)};
    } catch (const std::bad_alloc&) {
        return no_memory("add");
    }
}

// Takes away what the record has of the system's.
void poll_table::release(record& one) noexcept {
    switch (one.what) {
    case kind::timer:
        timers_.erase({one.due_ns, static_cast<std::uint32_t>(&one - records_.data())});
        set_alarm();
        break;
    case kind::signal:
        by_signal_[static_cast<std::size_t>(one.number)] = 0;
        inbox_->remove(one.number);
        break;
    default:
        if (one.events != 0) set_.remove(one.number);
    }
}

void poll_table::forget(std::uint32_t place) noexcept {
    release(records_[place]);
    records_[place].what = kind::nobody;
    free_.push_back(place);
    --members_;
}

// An end point goes. In a fork child nothing was ever a member.
void poll_table::drop(std::uint64_t token) noexcept {
    if (!admit("remove")) return;
    std::uint64_t tag = 0;
    {
        const std::lock_guard hold(mutex_);
        const record* const one = find(token);
        if (one == nullptr) return;
        tag = one->tag;
        forget(static_cast<std::uint32_t>(token));
    }
    if (on_drop_) on_drop_(tag);
}

void poll_table::let_all_go() noexcept {
    for (std::size_t place = 1; place < records_.size(); ++place)
        static_cast<void>(remove(member_id{token_of(static_cast<std::uint32_t>(place))}));
}

// ---- members ------------------------------------------------------------------------------------

template <typename End>
result<member_id> poll_table::add_end(End* end, short events, std::uint64_t tag) {
    if (auto may = admit("add"); !may) return may.why();
    if (end == nullptr) return used_after_close("add");
    constexpr kind what = std::is_same_v<End, sending_end>     ? kind::sending
                          : std::is_same_v<End, receiving_end> ? kind::receiving
                          : std::is_same_v<End, stream_end>    ? kind::stream
                                                               : kind::listening;
    const std::lock_guard hold(mutex_);
    if (end->member_of)
        return located(error{errc::already_exists, "add"}.because(
                           "it is a member of a poller already. Remove it there first."),
                       end->where);
    const auto fd = end->fd();
    if (!fd) return located(fd.why(), end->where);
    auto added = enroll([&](std::uint32_t place, record& one) -> result<void> {
        // Gone with the poller, it drops nothing.
        membership leave{this, [table = weak_from_this(), token = token_of(place)](void*) {
                             if (const auto still = table.lock()) still->drop(token);
                         }};
        if (auto in = set_.add(*fd, events, token_of(place)); !in) {
            return in.why();
        }
        one.what = what;
        one.number = *fd;
        one.events = events;
        one.tag = tag;
        one.end = end;
        end->member_of = std::move(leave);
        return {};
    });
    if (!added) return located(added.why(), end->where);
    return added;
}

template result<member_id> poll_table::add_end(sending_end*, short, std::uint64_t);
template result<member_id> poll_table::add_end(receiving_end*, short, std::uint64_t);
template result<member_id> poll_table::add_end(stream_end*, short, std::uint64_t);
template result<member_id> poll_table::add_end(listening_end*, short, std::uint64_t);

result<member_id> poll_table::add_fd(int fd, short events, std::uint64_t tag) {
    if (auto may = admit("add"); !may) return may.why();
    const std::lock_guard hold(mutex_);
    return enroll([&](std::uint32_t place, record& one) -> result<void> {
        if (auto in = set_.add(fd, events, token_of(place)); !in) return in;
        one.what = kind::fd;
        one.number = fd;
        one.events = events;
        one.tag = tag;
        return {};
    });
}

result<member_id> poll_table::add_timer(deadline first, std::int64_t every_ns, std::uint64_t tag) {
    if (auto may = admit("add"); !may) return may.why();
    if (every_ns < 0) return wrong("add", "the time between must not be below zero.");
    const std::lock_guard hold(mutex_);
    return enroll([&](std::uint32_t place, record& one) -> result<void> {
        one.tag = tag;
        schedule(place, first, every_ns);
        one.what = kind::timer;
        return {};
    });
}

result<void> poll_table::make_inbox() {
    if (inbox_) return {};
    auto made = os::signal_inbox::make();
    if (!made) return made.why();
    auto kept = std::make_unique<os::signal_inbox>(std::move(*made));
    if (auto in = set_.add(kept->fd(), POLLIN, token_signals); !in) return in;
    inbox_ = std::move(kept);
    return {};
}

result<member_id> poll_table::add_signal(int signal, std::uint64_t tag) {
    if (auto may = admit("add"); !may) return may.why();
    const std::lock_guard hold(mutex_);
    if (signal > 0 && static_cast<std::size_t>(signal) < by_signal_.size() &&
        by_signal_[static_cast<std::size_t>(signal)] != 0)
        return error{errc::already_exists, "add"}.because(
            "this signal is a member already. Remove that one first.");
    return enroll([&](std::uint32_t place, record& one) -> result<void> {
        if (auto there = make_inbox(); !there) return there;
        if (auto listening = inbox_->add(signal); !listening) return listening;
        by_signal_[static_cast<std::size_t>(signal)] = place;
        one.what = kind::signal;
        one.number = signal;
        one.tag = tag;
        return {};
    });
}

result<void> poll_table::change(member_id which, short events) {
    if (auto may = admit("change"); !may) return may;
    const std::lock_guard hold(mutex_);
    record* const one = find(static_cast<std::uint64_t>(which));
    if (one == nullptr) return no_member("change");
    if (one->what == kind::timer || one->what == kind::signal)
        return wrong("change", "a timer or a signal has no events. Remove it, or change_timer().");
    const bool other_way = (one->what == kind::sending &&
                            events != static_cast<sending_end*>(one->end)->fd_events()) ||
                           (one->what == kind::receiving &&
                            events != static_cast<receiving_end*>(one->end)->fd_events());
    if (events != 0 && other_way)
        return wrong("change", "a receiver or sender is watched for its fd_events(), or for 0.");
    if (events == one->events) return {};
    // Without events an error or a hang-up would still be told: out of the set, then.
    if (one->events != 0) set_.remove(one->number);
    one->events = 0;
    if (events == 0) return {};
    if (auto in = set_.add(one->number, events, static_cast<std::uint64_t>(which)); !in) return in;
    one->events = events;
    return {};
}

result<void> poll_table::change_timer(member_id which, deadline first, std::int64_t every_ns) {
    if (auto may = admit("change"); !may) return may;
    if (every_ns < 0) return wrong("change", "the time between must not be below zero.");
    const std::lock_guard hold(mutex_);
    record* const one = find(static_cast<std::uint64_t>(which));
    if (one == nullptr) return no_member("change");
    if (one->what != kind::timer) return wrong("change", "it is no timer.");
    timers_.erase({one->due_ns, static_cast<std::uint32_t>(one - records_.data())});
    try {
        schedule(static_cast<std::uint32_t>(one - records_.data()), first, every_ns);
    } catch (const std::bad_alloc&) {
        one->due_ns = no_alarm; // listed nowhere, so never due
        return no_memory("change");
    }
    return {};
}

result<void> poll_table::remove(member_id which) {
    if (auto may = admit("remove"); !may) return may;
    membership leaves; // goes after the mutex
    const std::lock_guard hold(mutex_);
    const record* const one = find(static_cast<std::uint64_t>(which));
    if (one == nullptr) return no_member("remove");
    const auto leave = [&](auto* end) { leaves = std::move(end->member_of); };
    switch (one->what) {
    case kind::sending:
        leave(static_cast<sending_end*>(one->end));
        break;
    case kind::receiving:
        leave(static_cast<receiving_end*>(one->end));
        break;
    case kind::stream:
        leave(static_cast<stream_end*>(one->end));
        break;
    case kind::listening:
        leave(static_cast<listening_end*>(one->end));
        break;
    default:
        break;
    }
    forget(static_cast<std::uint32_t>(which));
    return {};
}

std::size_t poll_table::size() noexcept {
    if (!admit("size")) return 0;
    const std::lock_guard hold(mutex_);
    return members_;
}

result<int> poll_table::fd() const {
    if (auto may = admit("fd"); !may) return may.why();
    return set_.fd();
}

void poll_table::wake() noexcept {
    waker_.ring();
}

// ---- time ---------------------------------------------------------------------------------------

void poll_table::schedule(std::uint32_t place, deadline first, std::int64_t every_ns) {
    record& one = records_[place];
    timers_.insert({first.at_ns(), place});
    one.due_ns = first.at_ns();
    one.every_ns = every_ns;
    set_alarm();
}

void poll_table::set_alarm() noexcept {
    const std::int64_t wanted_ns = timers_.empty() ? no_alarm : timers_.begin()->first;
    if (wanted_ns == alarm_ns_) return;
    alarm_ns_ = wanted_ns;
    if (wanted_ns == no_alarm)
        alarm_.turn_off();
    else
        alarm_.set_at_ns(wanted_ns);
}

void poll_table::tell_timers(look& so_far, std::size_t most) noexcept {
    const std::int64_t now_ns = os::monotonic_ns();
    for (; most > 0 && !timers_.empty() && timers_.begin()->first <= now_ns; --most) {
        auto due = timers_.extract(timers_.begin());
        const std::uint32_t place = due.value().second;
        record& one = records_[place];
        ready told{.member = member_id{token_of(place)}, .tag = one.tag, .events = POLLIN};
        told.expirations = 1;
        if (one.every_ns > 0) {
            // deadline::now() has no time of its own: the steps begin here.
            if (one.due_ns == 0) one.due_ns = now_ns;
            told.expirations += static_cast<std::uint64_t>((now_ns - one.due_ns) / one.every_ns);
            const auto steps = static_cast<std::int64_t>(told.expirations);
            one.due_ns = one.every_ns > (no_alarm - one.due_ns) / steps
                             ? no_alarm
                             : one.due_ns + steps * one.every_ns;
            due.value().first = one.due_ns;
            timers_.insert(std::move(due));
        } else {
            one.what = kind::nobody;
            free_.push_back(place);
            --members_;
        }
        so_far.tell(told);
    }
    set_alarm();
}

// ---- waiting ------------------------------------------------------------------------------------

void poll_table::tell_signal(look& so_far) noexcept {
    os::signal_inbox::delivery news;
    if (!inbox_->next(news)) return;
    const std::uint32_t place = by_signal_[static_cast<std::size_t>(news.signal)];
    if (place == 0) return; // removed since
    ready told{.member = member_id{token_of(place)}, .tag = records_[place].tag, .events = POLLIN};
    told.signal = news.signal;
    told.from_pid = news.from_pid;
    so_far.tell(told);
}

// What a member has. An end point that is asked for its descriptor makes it quiet if there is
// nothing; so a second look at it is the truth. One that can't say is told: its next call says why.
short poll_table::events_of(const record& one, short found) noexcept {
    const auto look_again = [&](auto* end) {
        if (!end->fd()) return found;
        return os::events_now(one.number, one.events);
    };
    if (one.what == kind::receiving) return look_again(static_cast<receiving_end*>(one.end));
    if (one.what == kind::sending) return look_again(static_cast<sending_end*>(one.end));
    return found;
}

void poll_table::tell_member(look& so_far, const os::watch_set::found& found) noexcept {
    const record* const one = find(found.token);
    if (one == nullptr) return;
    const short events = events_of(*one, found.events);
    if (events == 0) return;
    so_far.tell({.member = member_id{found.token}, .tag = one->tag, .events = events});
}

poll_table::look poll_table::look_around(std::span<ready> into) noexcept {
    constexpr std::size_t most_at_once = 128;
    std::array<os::watch_set::found, most_at_once> found;
    look so_far{into};
    const std::lock_guard hold(mutex_);
    const std::size_t most = std::min(into.size(), most_at_once);
    const std::size_t count = set_.look(std::span(found).first(most));
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t still_to_come = count - i - 1;
        switch (found[i].token) {
        case token_wake:
            waker_.quiet();
            so_far.woken = true;
            break;
        case token_alarm:
            tell_timers(so_far, so_far.room() - still_to_come);
            break;
        case token_signals:
            tell_signal(so_far);
            break;
        default:
            tell_member(so_far, found[i]);
        }
    }
    return so_far;
}

result<std::span<ready>> poll_table::wait(std::span<ready> into, deadline until) {
    if (auto may = admit("wait"); !may) return may.why();
    if (into.empty()) return wrong("wait", "there is no room for an answer: give at least one.");
    for (;;) {
        const look found = look_around(into);
        if (found.count > 0 || found.woken) return into.first(found.count);
        if (until.is_now()) return error{errc::would_block, "wait"};
        switch (os::wait_for(set_.fd(), POLLIN, until.at_ns())) {
        case os::ready_outcome::ready:
            break;
        case os::ready_outcome::timed_out:
            return error{errc::timed_out, "wait"};
        case os::ready_outcome::interrupted:
            return error{errc::interrupted, "wait"};
        case os::ready_outcome::failed:
            return error{errc::system, "wait"}.because("poll(2) failed.");
        }
    }
}

} // namespace detail

// ---- the façade ---------------------------------------------------------------------------------

namespace {

error moved_from(const char* operation) noexcept {
    return detail::used_after_close(operation);
}

std::int64_t count_ns(std::chrono::nanoseconds duration) noexcept {
    return duration.count();
}

} // namespace

poller::poller(std::shared_ptr<detail::poll_table> table) noexcept : table_(std::move(table)) {}
poller::poller(poller&&) noexcept = default;
poller& poller::operator=(poller&& other) noexcept {
    if (this != &other) {
        if (table_) table_->let_all_go();
        table_ = std::move(other.table_);
    }
    return *this;
}
poller::~poller() {
    if (table_) table_->let_all_go();
}

result<poller> poller::make() {
    auto table = detail::poll_table::make();
    if (!table) return table.why();
    return poller{std::move(*table)};
}

result<member_id> poller::add(receiver& in, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_end(detail::end_access::end_of(in), in.fd_events(), tag);
}

result<member_id> poller::add(sender& out, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_end(detail::end_access::end_of(out), out.fd_events(), tag);
}

result<member_id> poller::add(byte_stream& stream, short events, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_end(detail::end_access::end_of(stream), events, tag);
}

result<member_id> poller::add(byte_listener& listener, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_end(detail::end_access::end_of(listener), POLLIN, tag);
}

result<member_id> poller::add_fd(int fd, short events, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_fd(fd, events, tag);
}

result<member_id> poller::add_timer(deadline first, std::chrono::nanoseconds every,
                                    std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_timer(first, count_ns(every), tag);
}

result<member_id> poller::add_signal(int signal, std::uint64_t tag) {
    if (!table_) return moved_from("add");
    return table_->add_signal(signal, tag);
}

result<void> poller::change(member_id which, short events) {
    if (!table_) return moved_from("change");
    return table_->change(which, events);
}

result<void> poller::change_timer(member_id which, deadline first, std::chrono::nanoseconds every) {
    if (!table_) return moved_from("change");
    return table_->change_timer(which, first, count_ns(every));
}

result<void> poller::remove(member_id which) {
    if (!table_) return moved_from("remove");
    return table_->remove(which);
}

result<std::span<ready>> poller::wait(std::span<ready> into, deadline until) {
    if (!table_) return moved_from("wait");
    return table_->wait(into, until);
}

void poller::wake() noexcept {
    if (table_) table_->wake();
}

std::size_t poller::size() const noexcept {
    return table_ ? table_->size() : 0;
}

result<int> poller::fd() const {
    if (!table_) return moved_from("fd");
    return table_->fd();
}

} // namespace v1
} // namespace hawser
