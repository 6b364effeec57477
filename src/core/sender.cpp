#include <hawser/sender.hpp>

#include <cassert>
#include <utility>

#include "core/located.hpp"
#include "core/open.hpp"

namespace hawser {
inline namespace v1 {

namespace {

// A loan of nobody: default-made, moved from, or sent before.
error nothing_lent() noexcept {
    return error{errc::invalid_argument, "send"}.because(
        "the loan is empty or was sent already; take a new one with loan_for().");
}

} // namespace

sender::sender(std::unique_ptr<detail::sending_end> end) noexcept : end_(std::move(end)) {}
sender::sender(sender&&) noexcept = default;
sender& sender::operator=(sender&& other) noexcept {
    if (this != &other) {
        close();
        end_ = std::move(other.end_);
    }
    return *this;
}
sender::~sender() {
    close();
}

result<sender> sender::open(std::string_view address, const options& wanted) {
    const auto where = hawser::address::parse(address);
    if (!where) return where.why();
    return open(*where, wanted);
}

result<sender> sender::open(const address& where, const options& wanted) {
    auto ready = detail::prepare_open(where, wanted);
    if (!ready) return ready.why();
    auto end = ready->by->open_sender(ready->where, ready->where.wanted);
    if (!end) return detail::located(end.why(), ready->where);
    assert(*end != nullptr);
    if ((*end)->where.scheme.empty()) (*end)->where = std::move(ready->where);
    return sender{std::move(*end)};
}

// In the calls below the result is made in place by the end point: one return statement, one branch
// that success does not take.

result<sent> sender::send_by(std::span<const std::byte> bytes, deadline until) {
    auto outcome = end_ ? end_->send(bytes, until) : detail::used_after_close("send");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<sent> sender::send_by(loan& filled, deadline until) {
    const bool empty = filled.memory().from() == nullptr;
    auto outcome = !end_   ? detail::used_after_close("send")
                   : empty ? nothing_lent()
                           : end_->send(filled, until);
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<sent> sender::send_with(std::span<const std::byte> bytes, const envelope& with,
                               deadline until) {
    auto outcome = end_ ? end_->send_with(bytes, with, until) : detail::used_after_close("send");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<loan> sender::loan_for(std::size_t size, deadline until) {
    auto outcome = end_ ? end_->loan_for(size, until) : detail::used_after_close("loan");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

result<int> sender::fd() {
    auto outcome = end_ ? end_->fd() : detail::used_after_close("fd");
    if (!outcome) [[unlikely]]
        detail::locate(outcome, end_);
    return outcome;
}

short sender::fd_events() const noexcept {
    return end_ ? end_->fd_events() : short{0};
}

result<hawser::attributes> sender::attributes() {
    auto outcome = end_ ? end_->attributes() : detail::used_after_close("attributes");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

result<void> sender::change(const options& wanted) {
    auto outcome = end_ ? end_->change(wanted) : detail::used_after_close("change");
    if (!outcome) detail::locate(outcome, end_);
    return outcome;
}

hawser::stats sender::stats() const noexcept {
    return end_ ? end_->stats() : hawser::stats{};
}

const hawser::address& sender::where() const noexcept {
    return end_ ? end_->where : detail::nowhere();
}

void sender::close() noexcept {
    if (end_) end_->member_of.reset();
    end_.reset();
}

} // namespace v1
} // namespace hawser
