#include "segment/geometry.hpp"

#include <algorithm>
#include <bit>

#include "segment/format.hpp"

namespace hawser::segment {

namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = kib * kib;

constexpr std::uint32_t default_capacity = 1024;
constexpr std::uint32_t default_participants = 64;
constexpr std::uint32_t default_loans = 8;
constexpr std::uint64_t default_max_message = 16 * mib;
constexpr std::uint64_t default_max_memory = 64 * mib;

// Messages up to this size live in the chunk when max_message says that none is larger; otherwise
// chunks are small.
constexpr std::uint64_t largest_inline = 992;
constexpr std::uint64_t common_chunk = 256;

constexpr std::uint64_t page = 4096; // of the format, not of the machine
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 46;
constexpr std::uint64_t most_message = std::uint64_t{1} << 40;
// Block sizes double from a page to the largest message.
static_assert(std::bit_width(most_message) - std::bit_width(page) < layout::max_classes);

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

error bad(const std::string& why) {
    return error{errc::invalid_argument, "open"}.because(why);
}

std::uint64_t chunk_bytes_for(std::uint64_t max_message) {
    if (max_message > largest_inline) return common_chunk;
    return round_up(max_message + sizeof(chunk_header), line_bytes);
}

void lay_lanes(layout& plan, const geometry& shape) {
    const bool per_sender = shape.order == order_policy::sender;
    plan.lanes = per_sender ? shape.participants : 1;
    // With one lane many note evidence of many at once; in a sender's own lane few do, and there
    // are many lanes.
    plan.evidence_stride = per_sender ? 1 : line_bytes / sizeof(std::uint64_t);
    const std::uint64_t evidence_bytes =
        round_up(std::uint64_t{shape.participants} * plan.evidence_stride * sizeof(std::uint64_t),
                 line_bytes);
    plan.committed_in_lane = sizeof(lane_head);
    plan.taken_in_lane = plan.committed_in_lane + evidence_bytes;
    plan.slots_in_lane = plan.taken_in_lane + evidence_bytes;
    plan.lane_bytes =
        round_up(plan.slots_in_lane + std::uint64_t{shape.capacity} * sizeof(ring_slot), page);
}

// Block sizes double from a page, which can be given back alone, up to the largest message.
void lay_blocks(layout& plan, const geometry& shape) {
    plan.class_count = 0;
    if (shape.max_message <= plan.inline_bytes) return;
    const std::uint64_t largest = std::min(std::bit_ceil(shape.max_message), //
                                           round_up(shape.max_message, page));
    for (std::uint64_t size = page;; size *= 2) {
        block_class& made = plan.classes[plan.class_count++];
        made.block_bytes = std::min(size, largest);
        made.count = static_cast<std::uint32_t>(
            std::clamp<std::uint64_t>(shape.max_memory / made.block_bytes, 1, plan.chunks));
        made.words_at = plan.total_bytes;
        plan.total_bytes += round_up(made.count * sizeof(std::uint32_t), page);
        if (size >= largest) break;
    }
    for (std::uint32_t k = 0; k < plan.class_count; ++k) {
        plan.classes[k].data_at = plan.total_bytes;
        plan.total_bytes += round_up(plan.classes[k].count * plan.classes[k].block_bytes, page);
    }
}

template <typename T>
void compare(std::string& differences, const char* name, const std::optional<T>& wanted, T is) {
    if (!wanted || *wanted == is) return;
    options one;
    if constexpr (std::is_same_v<T, sharing_policy>)
        one.sharing = wanted;
    else if constexpr (std::is_same_v<T, order_policy>)
        one.order = wanted;
    else if constexpr (std::is_same_v<T, delivery_policy>)
        one.delivery = wanted;
    std::string text = one.to_text();
    if constexpr (std::is_same_v<T, bool>)
        text = std::string(name) + (*wanted ? "=yes" : "=no");
    else if constexpr (std::is_integral_v<T>)
        text = std::string(name) + "=" + std::to_string(*wanted);
    differences += (differences.empty() ? "" : " ") + text;
}

} // namespace

result<geometry> geometry::from(const options& wanted) {
    geometry shape;
    const std::uint64_t capacity = wanted.capacity.value_or(default_capacity);
    shape.sharing = wanted.sharing.value_or(sharing_policy::any);
    if (capacity == 0 || capacity == unbounded || shape.sharing != sharing_policy::any)
        return error{errc::unsupported, "open"}.because(
            "shm: mailboxes have a bounded capacity and sharing=any in this version");
    if (capacity > sync::max_chunks)
        return bad("capacity must be at most " + std::to_string(sync::max_chunks));
    shape.capacity = static_cast<std::uint32_t>(capacity);
    shape.participants = wanted.participants.value_or(default_participants);
    shape.loans = wanted.loans.value_or(default_loans);
    shape.max_message = wanted.max_message.value_or(default_max_message);
    shape.max_memory =
        wanted.max_memory.value_or(std::max(default_max_memory, 2 * shape.max_message));
    shape.order = wanted.order.value_or(order_policy::total);
    shape.delivery = wanted.delivery.value_or(delivery_policy::at_least_once);
    shape.persist = wanted.persist.value_or(false);
    if (shape.max_memory < shape.max_message)
        return bad("max_memory=" + std::to_string(shape.max_memory) +
                   " can't hold one message of max_message=" + std::to_string(shape.max_message));
    if (const auto sane = shape.check(); !sane) return bad(std::string(sane.why().detail()));
    if (const auto plan = layout::of(shape); !plan) return plan.why();
    return shape;
}

result<void> geometry::check() const {
    const auto within = [](std::uint64_t value, std::uint64_t least, std::uint64_t most) {
        return least <= value && value <= most;
    };
    const bool sane =
        within(capacity, 1, sync::max_chunks) && within(participants, 1, sync::max_participants) &&
        within(loans, 2, max_loans) && within(max_message, 1, most_message) &&
        within(max_memory, max_message, most_bytes) && sharing <= sharing_policy::all &&
        order <= order_policy::sender && delivery <= delivery_policy::at_most_once;
    if (sane) return {};
    return error{errc::corrupt, "open"}.because("a number of the geometry is out of range: " +
                                                to_text());
}

result<void> geometry::satisfies(const options& wanted, const std::string& name) const {
    std::string differences;
    compare(differences, "capacity", wanted.capacity, std::uint64_t{capacity});
    compare(differences, "max_message", wanted.max_message, max_message);
    compare(differences, "max_memory", wanted.max_memory, max_memory);
    compare(differences, "participants", wanted.participants, participants);
    compare(differences, "loans", wanted.loans, loans);
    compare(differences, "sharing", wanted.sharing, sharing);
    compare(differences, "order", wanted.order, order);
    compare(differences, "delivery", wanted.delivery, delivery);
    compare(differences, "persist", wanted.persist, persist);
    if (differences.empty()) return {};
    return error{errc::already_exists, "open"}.because(
        "asked for " + differences + ", but it exists with " + to_text() +
        ". Open it without these options, or remove it first: hawser rm shm:" + name);
}

options geometry::to_options() const {
    options made;
    made.capacity = capacity;
    made.max_message = max_message;
    made.max_memory = max_memory;
    made.participants = participants;
    made.loans = loans;
    made.sharing = sharing;
    made.order = order;
    made.delivery = delivery;
    made.persist = persist;
    return made;
}

std::string geometry::to_text() const {
    std::string text = to_options().to_text();
    std::ranges::replace(text, '&', ' ');
    return text;
}

result<layout> layout::of(const geometry& shape) {
    layout plan;
    plan.records_at = sizeof(header);
    plan.lanes_at = round_up(
        plan.records_at + std::uint64_t{shape.participants} * sizeof(participant_record), page);
    lay_lanes(plan, shape);
    const std::uint64_t chunks = std::uint64_t{plan.lanes} * shape.capacity +
                                 std::uint64_t{shape.participants} * shape.loans;
    if (chunks > sync::max_chunks)
        return bad("capacity, participants and loans make " + std::to_string(chunks) +
                   " chunks (order=sender: capacity for each participant), and " +
                   std::to_string(sync::max_chunks) + " are possible. Lower one of them.");
    plan.chunks = static_cast<std::uint32_t>(chunks);
    plan.chunks_at = plan.lane_at(plan.lanes);
    plan.chunk_bytes = chunk_bytes_for(shape.max_message);
    plan.inline_bytes = plan.chunk_bytes - sizeof(chunk_header);
    plan.total_bytes = round_up(plan.chunks_at + chunks * plan.chunk_bytes, page);
    lay_blocks(plan, shape);
    if (plan.total_bytes > most_bytes)
        return bad("the mailbox would take " + std::to_string(plan.total_bytes) +
                   " bytes of address space. Lower max_memory or max_message.");
    return plan;
}

std::uint32_t layout::class_for(std::uint64_t bytes) const noexcept {
    for (std::uint32_t k = 0; k < class_count; ++k)
        if (classes[k].block_bytes >= bytes) return k;
    return class_count;
}

} // namespace hawser::segment
