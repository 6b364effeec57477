#include "machine.hpp"

#include <cinttypes>
#include <cstdio>

namespace hawser::schedules {

namespace {

bool acquires(std::memory_order order) {
    return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
bool releases(std::memory_order order) {
    return order == std::memory_order_release || order == std::memory_order_acq_rel ||
           order == std::memory_order_seq_cst;
}
bool sequential(std::memory_order order) {
    return order == std::memory_order_seq_cst;
}

} // namespace

const char* name_of(std::memory_order order) {
    switch (order) {
    case std::memory_order_relaxed:
        return "relaxed";
    case std::memory_order_acquire:
        return "acquire";
    case std::memory_order_release:
        return "release";
    case std::memory_order_acq_rel:
        return "acq_rel";
    default:
        return "seq_cst";
    }
}

machine& the_machine() {
    static machine only;
    return only;
}

// --- an execution ------------------------------------------------------------------------------

void machine::begin(path& choices) {
    choices_ = &choices;
    count_ = 0;
    running_ = nobody;
    for (std::uint16_t i = 0; i < locations_used_; ++i) {
        locations_[i].stores = 0;
        locations_[i].sequential = 0;
    }
    locations_used_ = 0;
    data_.fill({});
    holder_.fill(nobody);
    released_.fill({});
    changes_ = changes_when_idle_ = 1;
    idles_ = steps_ = crashes_ = crashes_when_idle_ = 0;
    failed_ = false;
}

std::uint16_t machine::add_location() {
    const std::uint16_t at = locations_used_++;
    stored& first = locations_.at(at).append();
    first.value = 0;
    first.carries = false;
    first.was_read = true;
    return at;
}

void machine::describe(std::uint16_t at, location_class kind, std::uint32_t index, bool owned) {
    locations_[at].kind = kind;
    locations_[at].index = index;
    locations_[at].owned = owned;
}

void machine::add_process(const char* name, std::uint32_t index, const traits& what,
                          void (*body)(void*, std::uint32_t), void* with) {
    process& made = processes_.at(count_++);
    made.name = name;
    made.index = index;
    made.what = what;
    made.body = body;
    made.with = with;
    made.now = state::ready;
    made.stopped = made.begun = made.moved = made.read_stale = false;
    made.knows = {};
    made.knows.clock[count_ - 1] = 1;
    made.sinkables = 0;
    made.stack.prepare(start_process, this);
}

void machine::start_process(void* self) {
    auto& all = *static_cast<machine*>(self);
    process& one = all.self();
    one.begun = true;
    one.body(one.with, one.index);
    one.now = state::done;
    ++all.changes_;
    all.note("ends");
    all.leave();
}

machine::ending machine::run_to_end(scenario& all) {
    current_scenario = &all;
    const std::uint32_t first = pick();
    if (first != nobody) {
        running_ = first;
        processes_[first].stack.enter_from(home_);
    }
    running_ = nobody;
    if (!failed_) all.finish();
    current_scenario = nullptr;
    return {failed_, steps_, crashes_};
}

void machine::fail(const std::string& why) {
    if (!failed_) failure_ = why;
    failed_ = true;
    if (running_ == nobody) return;
    note("FAILURE: " + why);
    home_.enter_from(self().stack);
}

// --- turns -------------------------------------------------------------------------------------

bool machine::can_move(const process& one) const {
    if (one.stopped) return false;
    switch (one.now) {
    case state::ready:
        return true;
    case state::awaiting:
        return one.read_stale || changes_ != one.mark;
    case state::mourning:
        return crashes_ > one.mark;
    default:
        return false;
    }
}

// A process that is about to take a step: others may come first, or it may be killed or stopped.
// What only the holder of a lock touches needs no others before it: they come before the next step.
void machine::before_step(bool shared) {
    if (running_ == nobody) return;
    if (++steps_ > most_steps) fail("it does not come to an end");
    candidates among;
    among.add(running_, deviation::none);
    bool others = false;
    for (std::uint32_t i = 0; shared && i < count_; ++i) {
        if (i == running_ || !can_move(processes_[i]) || is_twin(i)) continue;
        among.add(i, deviation::turn);
        others = true;
    }
    // Killed right after it was switched to is killed before it was switched away.
    if (self().what.mortal && self().moved) among.add(running_, deviation::crash);
    if (others && self().what.stoppable) among.add(running_, deviation::stop);
    if (shared) add_deadlines(among);
    const candidate chosen = among.list[choices_->choose(among.costs)];
    switch (chosen.how) {
    case deviation::turn:
        switch_to(chosen.who);
        break;
    case deviation::crash:
        die();
        break;
    case deviation::stop:
        set_stopped();
        break;
    case deviation::give_up:
        end_by_deadline(chosen.who);
        break;
    default:
        break;
    }
    self().moved = true;
}

// Of several of a kind that have not begun, one will do.
bool machine::is_twin(std::uint32_t who) const {
    return who != 0 && !processes_[who].begun && !processes_[who - 1].begun &&
           processes_[who].name == processes_[who - 1].name;
}

void machine::add_deadlines(candidates& among) const {
    for (std::uint32_t i = 0; i < count_; ++i)
        if (processes_[i].now == state::asleep && processes_[i].what.has_deadline)
            among.add(i, deviation::give_up);
}

void machine::end_by_deadline(std::uint32_t who) {
    processes_[who].now = state::ready;
    processes_[who].reason = woken::by_deadline;
}

void machine::set_stopped() {
    note("is stopped");
    self().stopped = true;
    leave();
}

// The running process can't go on, or shall not: somebody else, or the end.
void machine::leave() {
    const std::uint32_t next = pick();
    if (next == nobody) {
        home_.enter_from(self().stack);
        return;
    }
    if (next != running_) switch_to(next);
}

void machine::switch_to(std::uint32_t next) {
    process& from = self();
    running_ = next;
    self().moved = false;
    self().stack.enter_from(from.stack);
}

std::uint32_t machine::pick() {
    for (;;) {
        candidates among;
        for (std::uint32_t k = 1; k <= count_; ++k) {
            const std::uint32_t i = running_ == nobody ? k - 1 : (running_ + k) % count_;
            if (!can_move(processes_[i]) || is_twin(i)) continue;
            among.add(i, among.costs.count() == 0 ? deviation::none : deviation::turn);
        }
        if (among.costs.count() == 0) {
            if (!time_passes()) return nobody;
            continue;
        }
        add_deadlines(among);
        const candidate chosen = among.list[choices_->choose(among.costs)];
        if (chosen.how != deviation::give_up) return chosen.who;
        end_by_deadline(chosen.who);
    }
}

// Nobody can move. False: nothing will ever happen again.
bool machine::time_passes() {
    bool any = false;
    for (std::uint32_t i = 0; i < count_; ++i) {
        any = any || processes_[i].stopped;
        processes_[i].stopped = false;
    }
    if (any) return true;
    for (std::uint32_t i = 0; i < count_; ++i)
        any = any || processes_[i].now == state::asleep || processes_[i].now == state::awaiting;
    if (!any || changes_ == changes_when_idle_ || ++idles_ > most_idles) return false;
    current_scenario->idle(crashes_ != crashes_when_idle_);
    if (failed_) return false;
    changes_when_idle_ = changes_;
    crashes_when_idle_ = crashes_;
    if (tracing_) std::printf("        -- nobody can move: time passes\n");
    for (std::uint32_t i = 0; i < count_; ++i) {
        process& one = processes_[i];
        if (one.now != state::asleep && one.now != state::awaiting) continue;
        one.now = state::ready;
        one.reason = woken::by_slice;
        for (std::uint16_t at = 0; at < locations_used_; ++at)
            one.knows.seen[at] = static_cast<std::uint16_t>(locations_[at].stores - 1);
    }
    return true;
}

void machine::die() {
    process& dead = self();
    note("is KILLED");
    take_back_a_store(dead);
    dead.now = state::dead;
    ++crashes_;
    ++changes_;
    for (std::uint32_t lock = 0; lock < most_locks; ++lock) {
        if (holder_[lock] != running_) continue;
        holder_[lock] = nobody;
        released_[lock].join(dead.knows);
    }
    leave();
}

// One of its plain stores after which it made no release, and which nobody has seen, may still have
// been to come.
void machine::take_back_a_store(process& dead) {
    alternatives from;
    std::array<std::uint32_t, 8> which{};
    from.add(deviation::none);
    for (std::uint32_t i = 0; i + 1 < dead.sinkables; ++i) {
        location& at = locations_[dead.sinkable[i].at];
        if (at.stores != dead.sinkable[i].store + 1 || at.last().was_read) continue;
        which[from.count()] = i;
        from.add(deviation::sunk);
    }
    const std::uint32_t chosen = choices_->choose(from);
    if (chosen == 0) return;
    const std::uint16_t at = dead.sinkable[which[chosen]].at;
    show("did not", at, locations_[at].last().value, relaxed, " (a later store did)");
    --locations_[at].stores;
    dead.knows.seen[at] = static_cast<std::uint16_t>(locations_[at].stores - 1);
}

// --- memory ------------------------------------------------------------------------------------

// Which store a load returns: the newest, or an older one that no rule forbids.
std::uint32_t machine::choose_store(std::uint16_t at, std::memory_order order) {
    const location& from = locations_[at];
    const std::uint32_t newest = from.stores - 1;
    if (running_ == nobody) return newest;
    std::uint32_t oldest = self().knows.seen[at];
    if (sequential(order)) oldest = std::max<std::uint32_t>(oldest, from.sequential);
    alternatives which;
    which.add(deviation::none);
    for (std::uint32_t i = newest; i > oldest && which.has_place(); --i)
        which.add(deviation::stale);
    return newest - choices_->choose(which);
}

void machine::has_read(std::uint16_t at, std::uint32_t which, std::memory_order order) {
    if (running_ == nobody) return;
    location& from = locations_[at];
    stored& source = from.history[which];
    process& me = self();
    if (which + 1 != from.stores) me.read_stale = true;
    if (source.by != running_) source.was_read = true;
    me.knows.seen[at] = std::max(me.knows.seen[at], static_cast<std::uint16_t>(which));
    if (acquires(order) && source.carries) me.knows.join(source.message);
    if (sequential(order))
        from.sequential = std::max(from.sequential, static_cast<std::uint16_t>(which));
}

std::uint64_t machine::load(std::uint16_t at, std::memory_order order) {
    before_step(!locations_[at].owned);
    const std::uint32_t which = choose_store(at, order);
    has_read(at, which, order);
    const std::uint64_t value = locations_[at].history[which].value;
    show("load", at, value, order, which + 1 == locations_[at].stores ? "" : " (old)");
    return value;
}

void machine::store(std::uint16_t at, std::uint64_t value, std::memory_order order) {
    before_step(!locations_[at].owned);
    show("store", at, value, order);
    append(at, value, order, false);
}

void machine::append(std::uint16_t at, std::uint64_t value, std::memory_order order, bool rmw) {
    location& to = locations_[at];
    const std::uint32_t before = to.stores - 1;
    stored& made = to.append();
    made.value = value;
    made.carries = false;
    made.was_read = false;
    if (!to.owned && to.kind != location_class::event) ++changes_;
    if (running_ == nobody) return;
    process& me = self();
    me.knows.seen[at] = static_cast<std::uint16_t>(to.stores - 1);
    made.by = static_cast<std::uint8_t>(running_);
    if (releases(order)) {
        made.carries = true;
        made.message = me.knows;
        tick(me);
        me.sinkables = 0;
    }
    // A read-modify-write goes on with the release sequence of what it read.
    if (rmw && to.history[before].carries) {
        if (!made.carries) made.message = {};
        made.carries = true;
        made.message.join(to.history[before].message);
    }
    if (sequential(order)) to.sequential = static_cast<std::uint16_t>(to.stores - 1);
    if (rmw) {
        me.sinkables = 0; // taken for a fence of the compiler
        return;
    }
    if (me.sinkables < me.sinkable.size()) me.sinkable[me.sinkables++] = {at, to.stores - 1};
}

void machine::exchange(std::uint16_t at, std::uint64_t value, std::memory_order order) {
    const std::uint64_t before = locations_[at].last().value;
    has_read(at, locations_[at].stores - 1, order);
    append(at, value, order, true);
    show("exchange", at, value, order);
    if (locations_[at].kind == location_class::slot && current_scenario != nullptr)
        current_scenario->swapped(before, value);
}

// Alternatives: as it should be; failing on an older value; failing for no reason, if weak.
std::uint64_t machine::compare_exchange(std::uint16_t at, const cas& what,
                                        std::memory_order success, std::memory_order failure,
                                        bool& done) {
    before_step(!locations_[at].owned);
    location& to = locations_[at];
    const std::uint32_t newest = to.stores - 1;
    const bool equal = what.blind || to.last().value == what.expected;
    alternatives from;
    std::array<std::uint32_t, 16> which{newest};
    from.add(deviation::none);
    if (running_ != nobody) {
        if (what.weak && equal) {
            which[from.count()] = newest;
            from.add(deviation::spurious);
        }
        std::uint32_t oldest = self().knows.seen[at];
        if (sequential(failure)) oldest = std::max<std::uint32_t>(oldest, to.sequential);
        for (std::uint32_t i = newest; i-- > oldest && from.has_place() && !what.blind;) {
            if (to.history[i].value == what.expected) continue;
            which[from.count()] = i;
            from.add(deviation::stale);
        }
    }
    const std::uint32_t chosen = choices_->choose(from);
    done = chosen == 0 && equal;
    if (done) {
        const std::uint64_t before = to.last().value;
        exchange(at, what.desired, success);
        return before;
    }
    has_read(at, which[chosen], failure);
    const std::uint64_t value = to.history[which[chosen]].value;
    show("no exchange", at, value, failure);
    return value;
}

void machine::write_data(std::uint32_t which) {
    if (running_ == nobody) return;
    plain_data& at = data_[which];
    const view& knows = self().knows;
    if (at.written > knows.clock[at.writer])
        fail("data race: chunk " + std::to_string(which) + " is written after another's write");
    for (std::uint32_t i = 0; i < count_; ++i)
        if (i != running_ && at.read[i] > knows.clock[i])
            fail("data race: chunk " + std::to_string(which) + " is written during a read");
    at.writer = static_cast<std::uint8_t>(running_);
    at.written = knows.clock[running_];
}

void machine::read_data(std::uint32_t which) {
    if (running_ == nobody) return;
    plain_data& at = data_[which];
    const view& knows = self().knows;
    if (at.written > knows.clock[at.writer])
        fail("data race: chunk " + std::to_string(which) + " is read during a write");
    at.read[running_] = knows.clock[running_];
}

// --- the kernel --------------------------------------------------------------------------------

bool machine::try_lock(std::uint32_t lock) {
    if (running_ == nobody) return !is_locked(lock);
    if (is_locked(lock)) return false; // the answer was true at some time before, too
    before_step(true);
    if (is_locked(lock)) return false;
    holder_[lock] = running_;
    self().knows.join(released_[lock]);
    note("locks slot " + std::to_string(lock));
    return true;
}

void machine::unlock(std::uint32_t lock) {
    if (running_ == nobody) return;
    before_step(true);
    note("unlocks slot " + std::to_string(lock));
    holder_[lock] = nobody;
    released_[lock].join(self().knows);
    tick(self());
    self().sinkables = 0;
    ++changes_;
}

void machine::kernel_step(const char* what) {
    before_step(true);
    note(what);
    if (running_ != nobody) self().sinkables = 0;
}

woken machine::futex_wait(std::uint16_t at, std::uint64_t expected) {
    before_step(true);
    self().sinkables = 0;
    if (locations_[at].last().value != expected) return woken::by_change;
    show("sleeps on", at, expected, std::memory_order_seq_cst);
    self().now = state::asleep;
    self().sleeps_on = at;
    self().reason = woken::by_change;
    leave();
    self().moved = true; // killed after it was woken is not killed before it slept
    if (self().reason != woken::by_change || !self().what.has_deadline) return self().reason;
    alternatives late; // woken, and its deadline has passed as well
    late.add(deviation::none);
    late.add(deviation::give_up);
    if (choices_->choose(late) != 0) self().reason = woken::by_deadline;
    return self().reason;
}

int machine::futex_wake(std::uint16_t at, int count) {
    if (running_ == nobody) return 0;
    before_step(true);
    self().sinkables = 0;
    int done = 0;
    for (; done < count; ++done) {
        candidates sleepers;
        for (std::uint32_t i = 0; i < count_; ++i)
            if (processes_[i].now == state::asleep && processes_[i].sleeps_on == at)
                sleepers.add(i, deviation::none);
        if (sleepers.costs.count() == 0) break;
        const std::uint32_t who = sleepers.list[choices_->choose(sleepers.costs)].who;
        processes_[who].now = state::ready;
    }
    note("wakes " + std::to_string(done));
    return done;
}

std::uint64_t machine::mark() {
    if (running_ != nobody) self().read_stale = false;
    return changes_;
}

woken machine::wait_for_change(std::uint64_t mark) {
    self().now = state::awaiting;
    self().mark = mark;
    self().reason = woken::by_change;
    leave();
    self().now = state::ready;
    return self().reason;
}

void machine::wait_for_death(std::uint32_t more_than) {
    if (crashes_ > more_than) return;
    self().now = state::mourning;
    self().mark = more_than;
    leave();
    self().now = state::ready;
}

// --- the trace ---------------------------------------------------------------------------------

void machine::note(const std::string& what) {
    if (!tracing_) return;
    const char* const name = running_ == nobody ? "end" : self().name;
    const std::uint32_t index = running_ == nobody ? 0 : self().index;
    std::printf("%5u  %s %u  %s\n", steps_, name, index, what.c_str());
}

void machine::show(const char* what, std::uint16_t at, std::uint64_t value, std::memory_order order,
                   const char* more) {
    if (!tracing_) return;
    const location& of = locations_[at];
    char text[160];
    std::snprintf(text, sizeof text, "%-11s %s[%u] 0x%" PRIx64 " %s%s", what, name_of(of.kind),
                  of.index, value, name_of(order), more);
    note(text);
}

} // namespace hawser::schedules
