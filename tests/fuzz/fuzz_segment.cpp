// Whatever the first page of a mailbox's file says, reading it gives numbers that go together, or a
// refusal; and where everything lies because of them is in order, apart, and within the file.
//
// The first byte says whether the header's fixed fields are made whole after the fuzzer has had
// its way: bit 0 the magic, version and features, bit 1 total_bytes, bit 2 the checksum, bit 3 the
// size of the file. The rest is the header.
#include <algorithm>
#include <cstddef>
#include <cstring>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "require.hpp"
#include "segment/format.hpp"
#include "segment/segment.hpp"

namespace {

using namespace hawser;
using fuzz::require;
using segment::geometry;
using segment::layout;

// The bytes of a header before its first shared word.
constexpr std::size_t fixed_bytes = offsetof(segment::header, life);

struct fixed {
    alignas(segment::header) std::array<unsigned char, fixed_bytes> bytes{};

    template <typename Number>
    void put(std::size_t at, Number value) {
        std::memcpy(bytes.data() + at, &value, sizeof value);
    }
    template <typename Number>
    [[nodiscard]] Number get(std::size_t at) const {
        Number value;
        std::memcpy(&value, bytes.data() + at, sizeof value);
        return value;
    }
};

// As docs/formats/segment.md has it: FNV-1a of all that comes before.
std::uint64_t checksum_of(const fixed& of) {
    std::uint64_t hash = 0xcbf2'9ce4'8422'2325ULL;
    for (std::size_t i = 0; i < offsetof(segment::header, checksum); ++i)
        hash = (hash ^ of.bytes[i]) * 0x100'0000'01b3ULL;
    return hash;
}

geometry shape_in(const fixed& of) {
    geometry shape;
    shape.max_message = of.get<std::uint64_t>(offsetof(segment::header, max_message));
    shape.max_memory = of.get<std::uint64_t>(offsetof(segment::header, max_memory));
    shape.capacity = of.get<std::uint32_t>(offsetof(segment::header, capacity));
    shape.participants = of.get<std::uint32_t>(offsetof(segment::header, participants));
    shape.loans = of.get<std::uint32_t>(offsetof(segment::header, loans));
    shape.sharing = sharing_policy{of.get<std::uint8_t>(offsetof(segment::header, sharing))};
    shape.order = order_policy{of.get<std::uint8_t>(offsetof(segment::header, order))};
    shape.delivery = delivery_policy{of.get<std::uint8_t>(offsetof(segment::header, delivery))};
    shape.persist = of.get<std::uint8_t>(offsetof(segment::header, persist)) != 0;
    return shape;
}

void check_lanes(const layout& plan, const geometry& shape) {
    const std::uint64_t slots = plan.slots_in_lane + std::uint64_t{shape.capacity} * 64;
    const std::uint64_t evidence = std::uint64_t{shape.participants} * plan.evidence_stride * 8;
    require(plan.evidence_stride >= 1, "a word of evidence for each");
    require(plan.committed_in_lane >= sizeof(segment::lane_head), "evidence behind the head");
    require(plan.taken_in_lane >= plan.committed_in_lane + evidence, "one kind behind the other");
    require(plan.slots_in_lane >= plan.taken_in_lane + evidence, "ring slots behind the evidence");
    require(slots <= plan.lane_bytes, "a lane holds its ring slots");
}

void check_classes(const layout& plan, const geometry& shape, std::uint64_t from) {
    require(plan.class_count <= layout::max_classes, "as many classes as there are bits");
    std::uint64_t last = 0;
    for (std::uint32_t k = 0; k < plan.class_count; ++k) {
        const segment::block_class& one = plan.classes[k];
        require(one.count >= 1, "a class has a block");
        require(one.count < std::uint32_t{1} << 24, "a block's number fits in a chunk's header");
        require(one.block_bytes > last, "classes grow");
        require(one.words_at >= from && one.words_at % 4 == 0, "words behind what is before");
        last = one.block_bytes;
        from = one.words_at + std::uint64_t{one.count} * 4;
    }
    for (std::uint32_t k = 0; k < plan.class_count; ++k) {
        const segment::block_class& one = plan.classes[k];
        require(one.data_at >= from && one.data_at % 4096 == 0, "blocks behind what is before");
        from = one.data_at + one.count * one.block_bytes;
        require(plan.class_for(one.block_bytes) == k, "the class of its own size");
    }
    require(from <= plan.total_bytes, "all within the file");
    const std::uint64_t longest = plan.class_count > 0 ? last : plan.inline_bytes;
    require(longest >= shape.max_message, "the largest message has a place");
}

void check_layout(const geometry& shape) {
    const auto plan = layout::of(shape);
    if (!plan) return;
    require(plan->total_bytes <= std::uint64_t{1} << 46, "no more than the format allows");
    require(plan->records_at >= sizeof(segment::header), "records behind the header");
    const std::uint64_t records =
        plan->records_at + std::uint64_t{shape.participants} * sizeof(segment::participant_record);
    require(plan->lanes_at >= records, "lanes behind the records");
    require(plan->lanes >= 1 && plan->lanes <= shape.participants, "lanes");
    check_lanes(*plan, shape);
    require(plan->chunks_at >= plan->lane_at(plan->lanes - 1) + plan->lane_bytes,
            "chunks behind the lanes");
    require(plan->chunks <= sync::max_chunks, "a chunk's number fits in a word");
    const std::uint64_t hand =
        plan->first_chunk_of_hand(shape.participants - 1, shape) + shape.loans;
    require(hand == plan->chunks, "each chunk has one first place");
    require(plan->inline_bytes + sizeof(segment::chunk_header) == plan->chunk_bytes, "a chunk");
    check_classes(*plan, shape, plan->chunk_at(plan->chunks));
}

int memory_file() {
    static const int fd = ::memfd_create("fuzz", MFD_CLOEXEC);
    return fd;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::source from(data, size);
    const auto mend = from.number<std::uint8_t>();
    fixed head;
    const auto raw = from.take(fixed_bytes);
    std::copy(raw.begin(), raw.end(), head.bytes.begin());
    if ((mend & 1U) != 0) {
        head.put(offsetof(segment::header, magic), segment::magic);
        head.put(offsetof(segment::header, layout_version), segment::layout_version);
        head.put(offsetof(segment::header, features), std::uint64_t{0});
    }
    const geometry asked = shape_in(head);
    const auto sane = asked.check();
    const auto plan = sane ? layout::of(asked) : result<layout>(sane.why());
    if ((mend & 2U) != 0 && plan)
        head.put(offsetof(segment::header, total_bytes), plan->total_bytes);
    if ((mend & 4U) != 0) head.put(offsetof(segment::header, checksum), checksum_of(head));
    os::file_status file;
    file.regular = true;
    file.bytes = (mend & 8U) != 0 ? head.get<std::uint64_t>(offsetof(segment::header, total_bytes))
                                  : from.number<std::uint64_t>();
    // As long as a header, or cut short where there is no more input.
    const int fd = memory_file();
    const bool cut = raw.size() < fixed_bytes && (mend & 16U) != 0;
    require(::ftruncate(fd, 0) == 0, "a file");
    require(::ftruncate(fd, cut ? static_cast<off_t>(raw.size()) : 4096) == 0, "a file");
    const std::size_t written = cut ? raw.size() : fixed_bytes;
    require(::pwrite(fd, head.bytes.data(), written, 0) == static_cast<ssize_t>(written), "bytes");

    const auto read = segment::read_geometry(fd, file);
    if (sane) check_layout(asked);
    if (!read) {
        require(read.is(errc::corrupt) || read.is(errc::unsupported), "a refusal with its reason");
        require(!read.why().detail().empty(), "a refusal has a reason");
        return 0;
    }
    require(read->check().has_value(), "what is accepted is in range");
    require(*read == asked, "it is what the header says");
    const auto accepted = layout::of(*read);
    require(accepted.has_value() && accepted->total_bytes == file.bytes, "it fits the file");
    return 0;
}
