#include "wire/ends.hpp"

#include <array>
#include <string>

#include <poll.h>

#include "core/options_check.hpp"
#include "core/text.hpp"
#include "wire/waiting.hpp"

namespace hawser::wire {

namespace {

constexpr std::uint32_t default_loans = 8;

// How often a sender looks whether somebody receives by now.
constexpr std::int64_t connect_interval_ns = 10'000'000;
// The same for a program that polls: it is woken each time.
constexpr std::int64_t tick_ns = 50'000'000;

enum token : std::uint64_t { token_facility, token_other };

error after_fork(const char* operation) noexcept {
    return error{errc::invalid_argument, operation}.because(
        "this end point was opened before fork, and belongs to the parent. Open one in the child.");
}

error all_in_use(const char* operation, std::size_t places) {
    return error{errc::no_space, operation}.because(
        "all " + std::to_string(places) +
        " messages that this end point may have in use are in use. Destroy one, or open it with a "
        "larger loans=.");
}

error nobody_there(errc code) noexcept {
    return error{code, "send"}.because("nobody receives there yet.");
}

// Nobody has the loan any more, but its place is not free: it belongs to its pool until then.
message_pool_handle make_pool(const options& wanted) {
    return message_pool_handle{new message_pool(wanted.loans.value_or(default_loans))};
}

} // namespace

result<hawser::attributes> writer::attributes() {
    return hawser::detail::no_settings("attributes");
}

result<void> writer::change(const options&) {
    return hawser::detail::no_settings("change");
}

result<hawser::attributes> reader::attributes() {
    return hawser::detail::no_settings("attributes");
}

result<void> reader::change(const options&) {
    return hawser::detail::no_settings("change");
}

result<void> reader::notify(const notification&) {
    return hawser::detail::no_notification();
}

result<void> reader::stop_notifying() {
    return {};
}

// ---- sending ------------------------------------------------------------------------------------

result<std::unique_ptr<hawser::detail::sending_end>> sender_end::make(std::unique_ptr<writer> to,
                                                                      const options& wanted,
                                                                      std::uint64_t max_message,
                                                                      connector again) {
    return std::unique_ptr<hawser::detail::sending_end>(
        std::make_unique<sender_end>(std::move(to), wanted, max_message, std::move(again)));
}

sender_end::sender_end(std::unique_ptr<writer> to, const options& wanted, std::uint64_t max_message,
                       connector again)
    : to_(std::move(to)), again_(std::move(again)), loans_(make_pool(wanted)),
      max_message_(std::min(max_message, wanted.max_message.value_or(default_max_message))),
      full_(wanted.full.value_or(full_policy::block)),
      wait_(wanted.wait.value_or(wait_mode::adaptive)), born_(os::fork_generation()) {
    if (to_ && again_ && to_->is_lost()) to_.reset();
}

result<void> sender_end::admit(const char* operation) const {
    if (os::fork_generation() != born_) return after_fork(operation);
    return {};
}

result<void> sender_end::check_size(std::size_t size, deadline until) const {
    if (size > max_message_)
        return error{errc::too_big, "send"}.because(
            "the message has " + std::to_string(size) + " bytes, at most " +
            std::to_string(max_message_) + " may be sent here (max_message)." +
            (to_ ? std::string(to_->to_raise_the_limit()) : std::string()));
    if (until.is_now() && to_ && size > to_->at_once_bytes())
        return error{errc::too_big, "send"}.because(
            "the message has " + std::to_string(size) + " bytes, and only " +
            std::to_string(to_->at_once_bytes()) +
            " can be taken without waiting. Use send() or send_for(), or make the facility larger "
            "with change().");
    return {};
}

result<sent> sender_end::send(std::span<const std::byte> bytes, deadline until) {
    return send_with(bytes, {}, until);
}

result<sent> sender_end::send_with(std::span<const std::byte> bytes, const envelope& with,
                                   deadline until) {
    if (auto may = admit("send"); !may) return may.why();
    if (auto fits = check_size(bytes.size(), until); !fits) return fits.why();
    if (full_ != full_policy::block) until = deadline::now();
    const auto done = pass_on(bytes, with, until);
    if (!done) {
        if (to_) to_->abandon();
        if (!to_ && done.is(errc::timed_out)) return nobody_there(errc::timed_out);
        if (full_ != full_policy::drop_newest || !done.is(errc::would_block)) return done.why();
        ++counters_.dropped;
        return sent{counters_.sent, 0, false};
    }
    counters_.sent_bytes += bytes.size();
    return sent{counters_.sent++, 0, true};
}

result<void> sender_end::pass_on(std::span<const std::byte> bytes, const envelope& with,
                                 deadline until) {
    const auto once = [&] { return attempt(bytes, with); };
    if (until.is_never() && wait_ != wait_mode::spin && !again_) {
        if (auto outcome = once(); outcome || !outcome.is(errc::would_block)) return outcome;
        if (auto waited = to_->write_blocking(bytes, with)) {
            ++counters_.sleeps;
            return *std::move(waited);
        }
    }
    return repeat_until(until, wait_, "send", counters_.sleeps, once, [this] { return room(); });
}

result<void> sender_end::attempt(std::span<const std::byte> bytes, const envelope& with) {
    if (auto there = connected(); !there) return there;
    auto taken = to_->try_write(bytes, with);
    if (taken || !again_) return taken;
    switch (taken.why().code()) {
    case errc::not_found: // it did not come about
        disconnect();
        return nobody_there(errc::would_block);
    case errc::closed:
    case errc::peer_died:
        disconnect();
        break;
    default:
        break;
    }
    return taken;
}

result<void> sender_end::connected() {
    if (to_ || !again_) return {};
    auto made = again_();
    if (made.is(errc::would_block)) return nobody_there(errc::would_block);
    if (!made) return made.why();
    if ((*made)->is_lost()) return nobody_there(errc::would_block);
    to_ = std::move(*made);
    if (polled_) static_cast<void>(watch());
    return {};
}

void sender_end::disconnect() {
    if (polled_ && to_) polled_->remove(to_->room().fd);
    to_.reset();
    if (polled_) static_cast<void>(watch());
}

// What fd() watches: the connection, or the time to look again – for a connection, or for a way to
// watch the one there is.
result<void> sender_end::watch() {
    result<void> watched;
    if (to_) watched = polled_->add(to_->room().fd, to_->room().events, token_facility);
    ticker_->every_ns(to_ && watched ? 0 : tick_ns);
    return watched;
}

waiting_point sender_end::room() const noexcept {
    return to_ ? to_->room() : waiting_point{-1, 0, connect_interval_ns};
}

result<loan> sender_end::loan_for(std::size_t size, deadline) {
    if (auto may = admit("loan"); !may) return may.why();
    if (auto fits = check_size(size, deadline::never()); !fits) return fits.why();
    received* const place = loans_->claim();
    if (place == nullptr) return all_in_use("loan", loans_->places());
    place->bytes.resize(size);
    return loan{loans_->lend(*place)};
}

result<sent> sender_end::send(loan& filled, deadline until) {
    if (auto may = admit("send"); !may) return may.why();
    if (filled.memory().from() != loans_.get())
        return error{errc::invalid_argument, "send"}.because(
            "the loan belongs to another sender; it is sent by the one that gave it.");
    auto outcome = send(filled.bytes(), until);
    if (outcome) filled.memory().give_back();
    return outcome;
}

result<int> sender_end::fd() {
    if (auto may = admit("fd"); !may) return may.why();
    if (!again_) {
        if (const int fd = to_->room().fd; fd >= 0) return fd;
        return error{errc::unsupported, "fd"}.because(
            "this facility has no descriptor; use the timed forms.");
    }
    if (polled_) return polled_->fd();
    auto ticker = os::ticker::make();
    if (!ticker) return ticker.why();
    auto polled = os::poll_set::make();
    if (!polled) return polled.why();
    if (auto added = polled->add(ticker->fd(), POLLIN, token_other); !added) return added.why();
    polled_.emplace(std::move(*polled));
    ticker_.emplace(std::move(*ticker));
    if (auto watched = watch(); !watched) {
        polled_.reset();
        ticker_.reset();
        return watched.why();
    }
    return polled_->fd();
}

short sender_end::fd_events() const noexcept {
    return again_ ? POLLIN : POLLOUT;
}

result<hawser::attributes> sender_end::attributes() {
    if (auto may = admit("attributes"); !may) return may.why();
    if (auto there = connected(); !there) return there.why();
    auto all = to_->attributes();
    if (all && !all->max_message) all->max_message = max_message_;
    return all;
}

result<void> sender_end::change(const options& wanted) {
    if (auto may = admit("change"); !may) return may.why();
    if (auto there = connected(); !there) return there.why();
    return to_->change(wanted);
}

// ---- receiving ----------------------------------------------------------------------------------

result<std::unique_ptr<hawser::detail::receiving_end>>
receiver_end::make(std::unique_ptr<reader> from, const options& wanted) {
    return std::unique_ptr<hawser::detail::receiving_end>(
        std::make_unique<receiver_end>(std::move(from), wanted));
}

receiver_end::receiver_end(std::unique_ptr<reader> from, const options& wanted)
    : messages_(make_pool(wanted)), wait_(wanted.wait.value_or(wait_mode::adaptive)),
      born_(os::fork_generation()), from_(std::move(from)) {}

result<void> receiver_end::admit(const char* operation) const {
    if (os::fork_generation() != born_) return after_fork(operation);
    return {};
}

result<message> receiver_end::receive(deadline until) {
    return receive_selected({}, until);
}

result<message> receiver_end::receive_selected(const selection& which, deadline until) {
    if (auto may = admit("receive"); !may) return may.why();
    received* const place = messages_->claim();
    if (place == nullptr) return all_in_use("receive", messages_->places());
    const auto done = take(*place, which, until);
    if (more_) more_->set(from_->has_more());
    if (!done) {
        messages_->give_back(*place);
        return done.why();
    }
    ++counters_.received;
    counters_.received_bytes += place->bytes.size();
    return message{messages_->lend(*place), place->sequence, false, place};
}

result<void> receiver_end::take(received& into, const selection& which, deadline until) {
    const auto attempt = [&] { return from_->try_read(into, which); };
    if (until.is_never() && wait_ != wait_mode::spin) {
        if (auto outcome = attempt(); outcome || !outcome.is(errc::would_block)) return outcome;
        if (auto waited = from_->read_blocking(into, which)) {
            ++counters_.sleeps;
            return *std::move(waited);
        }
    }
    return repeat_until(until, wait_, "receive", counters_.sleeps, attempt,
                        [this] { return from_->arrival(); });
}

// Readable when the facility is, or when the reader knows of more.
result<int> receiver_end::fd() {
    if (auto may = admit("fd"); !may) return may.why();
    const waiting_point at = from_->arrival();
    if (at.fd < 0)
        return error{errc::unsupported, "fd"}.because(
            "this facility has no descriptor; use the timed forms.");
    if (polled_) return polled_->fd();
    auto more = os::flag::make();
    if (!more) return more.why();
    auto polled = os::poll_set::make();
    if (!polled) return polled.why();
    if (auto added = polled->add(at.fd, at.events, token_facility); !added) return added.why();
    if (auto added = polled->add(more->fd(), POLLIN, token_other); !added) return added.why();
    polled_.emplace(std::move(*polled));
    more_.emplace(std::move(*more));
    more_->set(from_->has_more());
    return polled_->fd();
}

short receiver_end::fd_events() const noexcept {
    return POLLIN;
}

hawser::stats receiver_end::stats() const noexcept {
    hawser::stats all = counters_;
    all.dropped += from_->dropped();
    return all;
}

result<void> receiver_end::notify(const notification& how) {
    if (auto may = admit("notify"); !may) return may.why();
    if ((how.signal != 0) == static_cast<bool>(how.call))
        return error{errc::invalid_argument, "notify"}.because(
            "a notification is either a signal or a call; set one of the two.");
    if (how.persistent && !how.call)
        return error{errc::invalid_argument, "notify"}.because(
            "only a call can be persistent: after a signal, register again before you receive.");
    return from_->notify(how);
}

result<void> receiver_end::stop_notifying() {
    if (auto may = admit("notify"); !may) return may.why();
    return from_->stop_notifying();
}

result<hawser::attributes> receiver_end::attributes() {
    if (auto may = admit("attributes"); !may) return may.why();
    return from_->attributes();
}

result<void> receiver_end::change(const options& wanted) {
    if (auto may = admit("change"); !may) return may.why();
    return from_->change(wanted);
}

// ---- options ------------------------------------------------------------------------------------

result<void> refuse_others(const options& wanted, std::span<const std::string_view> taken,
                           std::string_view scheme) {
    // What every transport does, or what capabilities decide, is not here.
    constexpr std::array<std::string_view, 6> particular{"capacity", "max_memory", "participants",
                                                         "mode",     "group",      "history"};
    for (const std::string_view name : particular) {
        const std::string given = hawser::detail::option_text(wanted, name);
        if (given.empty() || std::ranges::find(taken, name) != taken.end()) continue;
        return error{errc::unsupported, "open"}.because(
            std::string(scheme) + " has nothing that " + given +
            " could set. Leave it out; hawser transports shows what each scheme can do.");
    }
    return {};
}

} // namespace hawser::wire
