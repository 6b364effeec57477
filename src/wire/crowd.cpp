#include "wire/crowd.hpp"

#include <algorithm>

#include <poll.h>

namespace hawser::wire {

namespace {

// An end of one connection, as opposed to something about a message.
bool ends_connection(errc code) noexcept {
    return code != errc::would_block && code != errc::too_big && code != errc::unsupported &&
           code != errc::no_space;
}

constexpr unsigned buffered_in_a_row = 32;

// What one look takes from the kernel at most. Peers that always have something, and never a whole
// message, would keep a call from its deadline.
constexpr unsigned most_looks = 256;

// How often a call that sleeps looks whether a connection that had to wait can be taken now.
constexpr std::int64_t look_again_ns = 100'000'000;

} // namespace

result<std::unique_ptr<reader>> crowd::make(int listening_fd, acceptor accept) {
    auto polled = os::poll_set::make();
    if (!polled) return polled.why();
    if (auto added = polled->add(listening_fd, POLLIN, listening); !added) return added.why();
    return std::unique_ptr<reader>(
        std::make_unique<crowd>(std::move(*polled), listening_fd, std::move(accept)));
}

crowd::crowd(os::poll_set polled, int listening_fd, acceptor accept) noexcept
    : polled_(std::move(polled)), accept_(std::move(accept)), listening_fd_(listening_fd) {}

waiting_point crowd::arrival() const noexcept {
    return {polled_.fd(), POLLIN, paused_ || !unwatched_.empty() ? look_again_ns : 0};
}

bool crowd::has_more() const noexcept {
    return !with_more_.empty() || !unwatched_.empty() || (had_members_ && members_.empty());
}

result<void> crowd::try_read(received& into, const selection& which) {
    // What was read already costs no system call; but those who wait in the kernel have their turn
    // now and then.
    const bool look_around = ++since_look_ >= buffered_in_a_row;
    if (!look_around) {
        auto outcome = read_buffered(into, which);
        if (!outcome.is(errc::would_block)) return outcome;
    }
    since_look_ = 0;
    auto outcome = read_ready(into, which);
    if (look_around && outcome.is(errc::would_block)) outcome = read_buffered(into, which);
    if (outcome.is(errc::would_block) && had_members_ && members_.empty())
        return error{errc::closed, "receive"};
    return outcome;
}

result<void> crowd::read_buffered(received& into, const selection& which) {
    while (!with_more_.empty()) {
        const token member = with_more_.front();
        with_more_.pop_front();
        auto outcome = read_from(member, into, which);
        if (!outcome.is(errc::would_block)) return outcome;
    }
    return error{errc::would_block, "receive"};
}

result<void> crowd::read_ready(received& into, const selection& which) {
    result<void> refused = paused_ ? accept_all() : result<void>{};
    watch_the_unwatched();
    token member = listening;
    bool asked = false;
    for (unsigned looks = 0; looks < most_looks && polled_.next_ready(member); ++looks) {
        if (member == listening) {
            // Ready again when all others had their turn: those who connect are gone at once.
            if (asked) break;
            asked = true;
            refused = accept_all();
            if (!refused && !paused_) return refused;
            continue;
        }
        // One that is in the queue of those with more is not put there twice.
        std::erase(with_more_, member);
        auto outcome = read_from(member, into, which);
        if (!outcome.is(errc::would_block)) return outcome;
    }
    if (!refused) return refused;
    return unwatched_.empty() ? error{errc::would_block, "receive"} : read_buffered(into, which);
}

// What could not be watched – the kernel had no memory for it – is asked each time instead, as long
// as that is so.
void crowd::watch_the_unwatched() {
    std::erase_if(unwatched_, [this](token name) {
        const auto found = members_.find(name);
        if (found == members_.end()) return true;
        if (polled_.add(found->second->arrival().fd, POLLIN, name)) return true;
        std::erase(with_more_, name);
        with_more_.push_back(name);
        return false;
    });
}

result<void> crowd::accept_all() {
    for (;;) {
        auto taken = accept_();
        if (!taken && !taken.is(errc::would_block)) return pause(taken.why());
        if (paused_) paused_ = !polled_.add(listening_fd_, POLLIN, listening);
        if (!taken) return {};
        const token name = next_++;
        if (!polled_.add((*taken)->arrival().fd, POLLIN, name)) unwatched_.push_back(name);
        members_.emplace(name, std::move(*taken));
    }
}

// Nothing can be accepted, for want of descriptors, and the listening socket stays ready: it would
// keep the members from being heard. So it is not watched for a while, and the reason is told once.
result<void> crowd::pause(const error& why) {
    if (paused_) return {};
    if (members_.empty()) return why;
    polled_.remove(listening_fd_);
    paused_ = true;
    return why;
}

// would_block also when the connection has come to its end while others go on.
result<void> crowd::read_from(token which, received& into, const selection& how) {
    const auto found = members_.find(which);
    if (found == members_.end()) return error{errc::would_block, "receive"};
    auto outcome = found->second->try_read(into, how);
    had_members_ = had_members_ || found->second->heard();
    if (outcome || !ends_connection(outcome.why().code())) {
        if (found->second->has_more()) with_more_.push_back(which);
        return outcome;
    }
    polled_.remove(found->second->arrival().fd);
    members_.erase(found);
    if (paused_) paused_ = !polled_.add(listening_fd_, POLLIN, listening);
    return outcome.is(errc::closed) ? error{errc::would_block, "receive"} : outcome.why();
}

} // namespace hawser::wire
