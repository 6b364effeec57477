#include "audit.hpp"

#include <memory>
#include <vector>

#include <fcntl.h>

#include "os/lock.hpp"
#include "segment/participant.hpp"

namespace hawser::crash {

namespace {

using segment::shared_memory;

struct open_mailbox {
    os::unique_fd fd;
    std::shared_ptr<shared_memory> memory;
};

open_mailbox open_to_look(const std::string& name) {
    auto fd =
        os::open_existing(segment::path_of(name).value(), os::access_kind::read_write).value();
    const auto file = os::status_of(fd.get()).value();
    const auto shape = segment::read_geometry(fd.get(), file).value();
    auto memory = segment::observe(fd.get(), file, shape, os::access_kind::read_write).value();
    return {std::move(fd), std::move(memory)};
}

// How often each chunk was seen, and whether it is a message.
struct census {
    std::vector<int> seen;
    std::vector<bool> message;

    void add(std::uint32_t chunk, bool is_message) {
        if (chunk >= seen.size()) return;
        ++seen[chunk];
        if (is_message) message[chunk] = true;
    }
};

void count_slots(const shared_memory& memory, census& found) {
    for (std::uint32_t lane = 0; lane < memory.plan().lanes; ++lane) {
        if (!memory.lane_ready(lane)) continue;
        const auto ring = memory.ring(lane);
        for (std::uint32_t i = 0; i < ring.capacity; ++i) {
            const auto word = sync::slot_word::unpack(ring.slots[i].word.load());
            found.add(word.chunk, word.full);
        }
    }
}

std::string count_hands(int fd, const shared_memory& memory, census& found, unsigned& intents) {
    for (std::uint32_t slot = 0; slot < memory.slots_used(); ++slot) {
        const auto& record = memory.record(slot);
        const auto state = static_cast<segment::slot_state>(record.state.load());
        // One that comes before others in use may itself never have had an owner to the end:
        // whoever took it first was killed before it gave it its hand.
        if (state == segment::slot_state::unused) continue;
        const std::string where = "slot " + std::to_string(slot);
        const bool owned =
            state == segment::slot_state::sender || state == segment::slot_state::receiver;
        if (owned && os::first_locked(fd, segment::lock_base + slot, 1) == os::none_locked)
            return where + " has an owner that is dead";
        if (record.intent.load() != 0) ++intents;
        for (std::uint32_t i = 0; i < memory.shape().loans; ++i) {
            const auto word = sync::hand_word::unpack(record.hand[i].load());
            found.add(word.chunk, word.kind == sync::hold::message);
        }
    }
    return {};
}

// Chunks of lanes and hands that have no memory yet are where they began.
bool begun(const shared_memory& memory, std::uint32_t chunk) {
    const std::uint32_t ring_chunks = memory.plan().lanes * memory.shape().capacity;
    if (chunk < ring_chunks) return memory.lane_ready(chunk / memory.shape().capacity);
    const std::uint32_t slot = (chunk - ring_chunks) / memory.shape().loans;
    return slot < memory.slots_used() &&
           memory.record(slot).state.load() !=
               static_cast<std::uint32_t>(segment::slot_state::unused);
}

std::string check_blocks(const shared_memory& memory, const census& found) {
    for (std::uint32_t k = 0; k < memory.plan().class_count; ++k) {
        if ((memory.head().classes_used.load() >> k & 1) == 0) continue;
        for (std::uint32_t i = 0; i < memory.plan().classes[k].count; ++i) {
            const auto word = sync::block_word::unpack(memory.block_words(k)[i].load());
            if (word.owned && !found.message[word.chunk])
                return "block " + std::to_string(i) + " of class " + std::to_string(k) +
                       " belongs to chunk " + std::to_string(word.chunk) + ", which is spare";
        }
    }
    return {};
}

} // namespace

namespace {

enum class look : std::uint8_t { at_rest, one_stopped };

std::string audit_as(const std::string& name, look how) {
    const open_mailbox open = open_to_look(name);
    const shared_memory& memory = *open.memory;
    census found{std::vector<int>(memory.plan().chunks, 0),
                 std::vector<bool>(memory.plan().chunks, false)};
    count_slots(memory, found);
    unsigned intents = 0;
    if (auto wrong = count_hands(open.fd.get(), memory, found, intents); !wrong.empty())
        return wrong;
    const unsigned allowed = how == look::one_stopped ? 1 : 0;
    if (intents > allowed) return std::to_string(intents) + " slots have an intent left";
    // With an intent: the one that it gives is in the ring already, the one that it gets not yet in
    // its hand.
    unsigned on_the_way = 2 * intents;
    for (std::uint32_t chunk = 0; chunk < memory.plan().chunks; ++chunk) {
        if (!begun(memory, chunk) || found.seen[chunk] == 1) continue;
        if (found.seen[chunk] <= 2 && on_the_way-- > 0) continue;
        return "chunk " + std::to_string(chunk) + " is in " + std::to_string(found.seen[chunk]) +
               " places";
    }
    return how == look::at_rest ? check_blocks(memory, found) : std::string{};
}

} // namespace

std::string audit(const std::string& name) {
    return audit_as(name, look::at_rest);
}

std::string audit_with_one_stopped(const std::string& name) {
    return audit_as(name, look::one_stopped);
}

door door_of(const std::string& name) {
    const auto fd = os::open_existing(segment::path_of(name).value(), os::access_kind::read_only);
    if (!fd) return door::open;
    struct flock lock {};
    lock.l_type = F_WRLCK; // conflicts with every other one
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(segment::door_byte);
    lock.l_len = 1;
    if (::fcntl(fd->get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return door::open;
    return lock.l_type == F_WRLCK ? door::shut : door::ajar;
}

void hurry_census(const std::string& name) {
    const open_mailbox open = open_to_look(name);
    open.memory->head().census_ns.store(0);
}

} // namespace hawser::crash
