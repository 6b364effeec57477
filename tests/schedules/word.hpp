// The atomic type on which the templates of src/sync run here: every operation is a step of the
// machine. And what can be broken in them without touching their source: each use of an atomic is a
// site, known by its place in the source, whose order can be weakened; and some operations can be
// falsified (fault).
//
// - Threads: one. Allocates: while sites are recorded.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <source_location>
#include <string>
#include <tuple>
#include <vector>

#include "machine.hpp"

namespace hawser::schedules {

// One use of an atomic in src/sync.
struct site {
    std::string file;
    std::string function;
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    location_class on = location_class::state;
    operation what = operation::load;
    std::memory_order success = std::memory_order_seq_cst; // the order, or that of a success
    std::memory_order failure = std::memory_order_seq_cst; // of a CAS
    std::uint64_t plays = 0;                               // bits: in which it was used

    // Without the line, which changes with every edit: `swap() store intent`.
    [[nodiscard]] std::string name() const;
};

// What is broken on purpose, one at a time.
enum class fault : std::uint8_t {
    none,
    // in the templates, by falsifying one of their operations
    blind_slot_cas,       // a commit does not compare
    no_note,              // evidence is never raised
    note_by_store,        // evidence is stored, not raised
    no_intent,            // an intent is never announced
    no_position,          // nor its position
    intent_cleared_early, // before the CAS instead of after it
    no_hand,              // what was got is not put into the hand
    blind_repair,         // repair finds no evidence
    hint_ahead,           // hints are ahead of the truth
    blind_claim,          // claiming a block does not compare
    blind_free,           // freeing one does not, either
    notifies_without_generation,
    clears_always,  // the sleepers' flag, though the kernel woke somebody
    clears_blindly, // and though somebody armed meanwhile
    // in what is around them
    wake_skipped,
    no_second_look,
    notifies_before_commit,
    wakes_one_only, // where all are concerned
    gives_up_blindly,
    frees_before_spare,
    unflagged,        // adopted messages
    repairs_unlocked, // without the dead one's lock
    no_scan,          // the blocks of the dead are not looked for
    kinds,
};

// What is done to the templates at present.
struct policy {
    fault broken = fault::none;
    bool recording = false;
    std::uint64_t recorded_play = 0; // a bit
    std::map<std::tuple<std::string, std::uint32_t, std::uint32_t, location_class>, site> sites;
    // One site's order weakened.
    const site* weakened = nullptr;
    bool on_failure = false; // its failure order
    std::memory_order to = std::memory_order_seq_cst;

    struct pair {
        std::memory_order success;
        std::memory_order failure;
    };
    [[nodiscard]] pair orders(const std::source_location& where, operation what, location_class on,
                              pair wanted) {
        if (recording) record(where, what, on, wanted);
        if (weakened == nullptr || where.line() != weakened->line ||
            where.column() != weakened->column || on != weakened->on ||
            weakened->file != where.file_name())
            return wanted;
        (on_failure ? wanted.failure : wanted.success) = to;
        return wanted;
    }
    void record(const std::source_location& where, operation what, location_class on, pair wanted);
};
policy& the_policy();

template <typename T>
class word {
  public:
    using here = std::source_location;

    word() : at_(the_machine().add_location()) {}
    word(const word&) = delete;
    word& operator=(const word&) = delete;

    T load(std::memory_order order = std::memory_order_seq_cst,
           here where = here::current()) const noexcept {
        const auto used = the_policy().orders(where, operation::load, kind(), {order, order});
        if (the_policy().broken == fault::blind_repair && order == std::memory_order_acquire &&
            kind() == location_class::evidence)
            return 0;
        return static_cast<T>(the_machine().load(at_, used.success));
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst,
               here where = here::current()) noexcept {
        const auto used = the_policy().orders(where, operation::store, kind(), {order, order});
        if (is_skipped(value)) return;
        the_machine().store(at_, value, used.success);
    }
    T fetch_add(T more, std::memory_order order = std::memory_order_seq_cst,
                here where = here::current()) noexcept {
        const auto used = the_policy().orders(where, operation::rmw, kind(), {order, order});
        if (the_policy().broken == fault::notifies_without_generation &&
            kind() == location_class::event)
            more = 0;
        return static_cast<T>(the_machine().modify(
            at_, used.success, [more](std::uint64_t was) { return static_cast<T>(was + more); }));
    }
    bool compare_exchange_strong(T& expected, T desired, here where = here::current()) noexcept {
        constexpr auto order = std::memory_order_seq_cst;
        return exchange(expected, desired, false, {order, order}, where);
    }
    bool compare_exchange_weak(T& expected, T desired, here where = here::current()) noexcept {
        constexpr auto order = std::memory_order_seq_cst;
        return exchange(expected, desired, true, {order, order}, where);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure, here where = here::current()) noexcept {
        return exchange(expected, desired, false, {success, failure}, where);
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order failure, here where = here::current()) noexcept {
        return exchange(expected, desired, true, {success, failure}, where);
    }

    // For the scenario itself: no step of anybody.
    [[nodiscard]] T peek() const { return static_cast<T>(the_machine().peek(at_)); }
    void put(T value) { the_machine().put(at_, value); }
    void is(location_class kind, std::uint32_t index, bool owned = false) {
        the_machine().describe(at_, kind, index, owned);
    }
    [[nodiscard]] std::uint16_t place() const { return at_; }

  private:
    [[nodiscard]] location_class kind() const { return the_machine().kind_of(at_); }

    [[nodiscard]] bool is_skipped(T value) const {
        switch (the_policy().broken) {
        case fault::no_intent:
            return kind() == location_class::intent && value != 0;
        case fault::no_position:
            return kind() == location_class::position;
        case fault::no_hand:
            return kind() == location_class::hand && peek() >> 1 != value >> 1;
        default:
            return false;
        }
    }

    bool exchange(T& expected, T desired, bool weak, policy::pair wanted, const here& where) {
        const auto used = the_policy().orders(where, operation::rmw, kind(), wanted);
        machine::cas what{expected, desired, weak, false};
        if (the_policy().broken != fault::none && falsify(what)) return true;
        bool done = false;
        const auto was = static_cast<T>(
            the_machine().compare_exchange(at_, what, used.success, used.failure, done));
        if (!done) expected = was;
        return done;
    }

    // True: it shall not be done at all, but look so.
    bool falsify(machine::cas& what) const {
        const location_class on = kind();
        switch (the_policy().broken) {
        case fault::blind_slot_cas:
            what.blind = on == location_class::slot;
            break;
        case fault::blind_claim:
            what.blind = on == location_class::block && (what.desired & 2) != 0;
            break;
        case fault::clears_blindly:
            what.blind = on == location_class::event && !what.weak;
            break;
        case fault::note_by_store:
            what.blind = on == location_class::evidence;
            break;
        case fault::hint_ahead:
            if (on == location_class::hint) ++what.desired;
            break;
        case fault::no_note:
            return on == location_class::evidence;
        case fault::intent_cleared_early:
            if (on == location_class::slot) the_machine().current_scenario->clear_intent();
            break;
        default:
            break;
        }
        return false;
    }

    std::uint16_t at_;
};

} // namespace hawser::schedules
