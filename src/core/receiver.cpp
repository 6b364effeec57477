#include <hawser/receiver.hpp>

#include <cassert>
#include <utility>

#include "core/located.hpp"
#include "core/open.hpp"

namespace hawser {
inline namespace v1 {

receiver::receiver(std::unique_ptr<detail::receiving_end> end) noexcept : end_(std::move(end)) {}
receiver::receiver(receiver&&) noexcept = default;
receiver& receiver::operator=(receiver&& other) noexcept {
    if (this != &other) {
        close();
        end_ = std::move(other.end_);
    }
    return *this;
}
receiver::~receiver() {
    close();
}

result<receiver> receiver::open(std::string_view address, const options& wanted) {
    const auto where = hawser::address::parse(address);
    if (!where) return where.why();
    return open(*where, wanted);
}

result<receiver> receiver::open(const address& where, const options& wanted) {
    auto ready = detail::prepare_open(where, wanted);
    if (!ready) return ready.why();
    auto end = ready->by->open_receiver(ready->where, ready->where.wanted);
    if (!end) return detail::located(end.why(), ready->where);
    assert(*end != nullptr);
    if ((*end)->where.scheme.empty()) (*end)->where = std::move(ready->where);
    return receiver{std::move(*end)};
}

// The result is made in place by the end point: one return statement, one branch that success does
// not take.
result<message> receiver::receive_by(deadline until) {
    auto outcome = end_ ? end_->receive(until) : detail::used_after_close("receive");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<message> receiver::receive_selected(const selection& which, deadline until) {
    auto outcome =
        end_ ? end_->receive_selected(which, until) : detail::used_after_close("receive");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<void> receiver::notify(const notification& how) {
    auto outcome = end_ ? end_->notify(how) : detail::used_after_close("notify");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<void> receiver::stop_notifying() {
    auto outcome = end_ ? end_->stop_notifying() : detail::used_after_close("notify");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<int> receiver::fd() {
    auto outcome = end_ ? end_->fd() : detail::used_after_close("fd");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

short receiver::fd_events() const noexcept {
    return end_ ? end_->fd_events() : short{0};
}

result<hawser::attributes> receiver::attributes() {
    auto outcome = end_ ? end_->attributes() : detail::used_after_close("attributes");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<void> receiver::change(const options& wanted) {
    auto outcome = end_ ? end_->change(wanted) : detail::used_after_close("change");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

hawser::stats receiver::stats() const noexcept {
    return end_ ? end_->stats() : hawser::stats{};
}

const hawser::address& receiver::where() const noexcept {
    return end_ ? end_->where : detail::nowhere();
}

void receiver::close() noexcept {
    if (end_) end_->member_of.reset();
    end_.reset();
}

receiver::iterator& receiver::iterator::operator++() {
    // Releasing first says that the message was processed: a crash while the next one is awaited
    // must not bring it again.
    current_.release();
    receiver* const from = std::exchange(from_, nullptr);
    auto next = from->receive_by(deadline::never());
    if (!next && next.why().code() != errc::closed) throw_error(next.why());
    if (next) {
        current_ = std::move(*next);
        from_ = from;
    }
    return *this;
}

} // namespace v1
} // namespace hawser
