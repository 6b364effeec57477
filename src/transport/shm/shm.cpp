#include "transport/shm/shm.hpp"

#include "transport/shm/ends.hpp"

namespace hawser::shm {

namespace {

constexpr capabilities abilities{
    .boundaries = boundary_kind::message,
    .ordering = ordering_kind::total,
    .lives = lifetime_kind::file,
    .needs_relation = relation_kind::none,
    .survives_kill_of = survival_kind::both,
    .max_message = std::uint64_t{1} << 40,
    .many_senders = true,
    .many_receivers = true,
    .reliable = true,
    .end_of_stream = true,
    .numbered = true,
    .observers = true,
    .drops_oldest = true,
    .permissions = true,
    .capacity_bounded = true,
    .zero_copy = true,
    .fd_pollable = true,
    .sharing_any = true,
};

} // namespace

const hawser::detail::transport transport{
    {"shm", "shm:NAME", "hawser's mailbox in shared memory", abilities},
    open_sender,
    open_receiver,
    nullptr,
    nullptr,
    inspect,
    remove};

result<void> admit(const segment::participant& self, bool poisoned,
                   const char* operation) noexcept {
    if (!self.usable()) [[unlikely]]
        return error{errc::invalid_argument, operation}.because(
            "this end point was opened before fork, and belongs to the parent. Open one in the "
            "child.");
    if (self.removed()) [[unlikely]]
        return was_removed(self, operation);
    if (poisoned) [[unlikely]]
        return error{errc::corrupt, operation}.because(
            "the shared state broke an invariant before; this end point does not trust it any "
            "more.");
    return {};
}

error was_removed(const segment::participant& self, const char* operation) noexcept {
    using segment::life;
    const auto says = static_cast<life>(self.memory().head().life.load());
    if (says != life::removed && says != life::open)
        return error{errc::corrupt, operation}.because(
            "the memory does not say any more that it is a mailbox: some process has written over "
            "it. Remove it with hawser rm --force, and open it again to start a new one.");
    return error{errc::closed, operation}.because(
        "the mailbox was removed by force. Open it again to start a new one.");
}

error poison(bool& poisoned, const char* operation) noexcept {
    poisoned = true;
    return error{errc::corrupt, operation}.because(
        "the shared state breaks an invariant: some process has written where it must not. Look "
        "closer "
        "with hawser doctor.");
}

} // namespace hawser::shm
