"""The seeded faults: each replaces one piece of text, which must be in its file exactly once.

Comments are taken out of the source first, so they must not be in the texts here.
Kinds: order (a memory order weakened), check (a condition dropped), wake (a wake-up skipped), bound
(a limit removed), step (two steps swapped, or one left out). `hunt` names the suites that are
likely to notice, in the order in which they are tried; all the others come after them.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    kind: str
    file: str
    old: str
    new: str
    hunt: tuple[str, ...]


MUTANTS: list[Mutant] = []


def breaks(file: str, *hunt: str):
    """A function that adds mutants of one file."""

    def add(name: str, kind: str, old: str, new: str, hunt: tuple[str, ...] = hunt) -> None:
        MUTANTS.append(Mutant(name, kind, file, old, new, hunt))

    return add


# ---- the exchange ring --------------------------------------------------------------------------

ring = breaks("src/sync/exchange_ring.hpp", "schedules", "unit", "crash")

ring("ring-intent-word-before-position", "step",
     """    self.intent_position->store(at.position, std::memory_order_release);
    self.intent->store(intent_word{what.kind, what.hand, what.lane, seen.chunk}.pack(),
                       std::memory_order_release);
""",
     """    self.intent->store(intent_word{what.kind, what.hand, what.lane, seen.chunk}.pack(),
                       std::memory_order_release);
    self.intent_position->store(at.position, std::memory_order_release);
""")
ring("ring-no-intent", "step",
     """    self.intent->store(intent_word{what.kind, what.hand, what.lane, seen.chunk}.pack(),
                       std::memory_order_release);
""", "")
ring("ring-no-note", "step",
     "const bool noted = note(lane, seen, at.position, self.owner, left);",
     "const bool noted = left.spend() || note(lane, seen, at.position, self.owner, left);")
ring("ring-commit-without-note", "check",
     "const bool done = noted && lane.slots", "const bool done = lane.slots", ("unit", "schedules"))
ring("ring-note-of-sends-skipped", "check", "    if (seen.full) return raise(",
     "    if (seen.full) return true || raise(")
ring("ring-note-of-receives-skipped", "check", "    if (position < lane.capacity) return true;\n",
     "    if (position + 1 > 0) return true;\n")
ring("ring-note-one-turn-off", "step", "position - lane.capacity + 1", "position + 1")
ring("ring-commit-blindly", "check",
     "const bool done = noted && lane.slots[at.index].word.compare_exchange_strong(raw, mine.pack());",
     "lane.slots[at.index].word.store(mine.pack()); const bool done = noted || raw == 0;")
ring("ring-commit-relaxed", "order",
     "lane.slots[at.index].word.compare_exchange_strong(raw, mine.pack());",
     "lane.slots[at.index].word.compare_exchange_strong(raw, mine.pack(), "
     "std::memory_order_relaxed, std::memory_order_relaxed);")
ring("ring-look-relaxed", "order",
     "        const std::uint64_t raw = lane.slots[at.index].word.load();\n",
     "        const std::uint64_t raw = lane.slots[at.index].word.load("
     "std::memory_order_relaxed);\n")
ring("ring-clear-before-hand", "step",
     """    if (done) {
        const hold kind""",
     """    self.intent->store(0, std::memory_order_release);
    if (done) {
        const hold kind""")
ring("ring-intent-not-cleared", "step",
     "    self.intent->store(0, std::memory_order_release);\n    return done;",
     "    return done;")
ring("ring-received-is-spare", "step",
     "what.kind == intent_kind::receive ? hold::message : hold::spare;",
     "what.kind == intent_kind::none ? hold::message : hold::spare;")
ring("ring-turn-not-advanced", "step", "sending ? seen.turn : seen.turn + 1", "seen.turn")
ring("ring-chunk-unchecked", "bound",
     "if (seen.chunk >= lane.chunks || seen.owner > lane.participants)",
     "if (seen.owner > lane.participants)", ("unit", "hostile"))
ring("ring-owner-unchecked", "bound",
     "if (seen.chunk >= lane.chunks || seen.owner > lane.participants)",
     "if (seen.chunk >= lane.chunks)", ("unit", "hostile"))
ring("ring-full-is-empty", "check", "passed || ahead < 0 || seen.full == sending",
     "passed || ahead < 0")
ring("ring-hint-ahead", "step", "raise(hint, at.position, left)",
     "raise(hint, at.position + 1, left)")
ring("ring-sequence-not-written", "step",
     "    if (what.sequence != nullptr)\n        what.sequence->store(at.position, std::memory_order_relaxed);",
     "    static_cast<void>(what.sequence);",
     ("unit", "conformance"))
ring("ring-repair-evidence-off-by-one", "check",
     ".load(std::memory_order_acquire) > position;",
     ".load(std::memory_order_acquire) >= position;")
ring("ring-repair-slot-only", "check",
     "return lane.evidence(evidence, owner).load(std::memory_order_acquire) > position;",
     "return evidence == nullptr;")
ring("ring-repair-evidence-only", "check",
     "if (seen.owner == owner && seen.turn == turn && seen.full == sent) return true;", "")
ring("ring-repair-any-owner", "check", "seen.owner == owner && seen.turn == turn",
     "seen.turn == turn")
ring("ring-repair-any-turn", "check", "seen.owner == owner && seen.turn == turn",
     "seen.owner == owner")
ring("ring-repair-keeps-intent", "step",
     "    dead.intent->store(0, std::memory_order_release);\n    return sane;",
     "    return sane;")
ring("ring-repair-clears-first", "step",
     "    if (sane && happened(lane, intent, position, dead.owner)) {",
     "    dead.intent->store(0, std::memory_order_release);\n"
     "    if (sane && happened(lane, intent, position, dead.owner)) {")
ring("ring-repair-hand-unchecked", "bound", "intent.hand < dead.hand_size", "intent.hand < 64",
     ("unit", "hostile"))

# ---- budgets ------------------------------------------------------------------------------------

budget = breaks("src/sync/budget.hpp", "schedules", "unit", "hostile")
budget("raise-blindly", "check",
       "while (seen < to && !counter.compare_exchange_weak(",
       "while (seen != to && !counter.compare_exchange_weak(")
budget("raise-without-budget", "bound", "        if (!tries.spend()) return false;\n", "        static_cast<void>(tries);\n",
       ("unit", "hostile"))
budget("budget-without-end", "bound", "    if (left_ == 0) return false;\n", "    if (left_ == 0) return true;\n",
       ("unit", "hostile"))

# ---- event words --------------------------------------------------------------------------------

event = breaks("src/sync/event_word.hpp", "schedules", "unit", "conformance")
event("event-arm-keeps-generation", "step",
      "compare_exchange_weak(seen, (seen + event_generation) | flag)",
      "compare_exchange_weak(seen, seen | flag)")
event("event-notify-keeps-generation", "step",
      "const std::uint32_t seen = word.fetch_add(event_generation);\n    const std::uint32_t raised = seen + event_generation;",
      "const std::uint32_t seen = word.load();\n    const std::uint32_t raised = seen;")
event("event-nobody-woken", "wake",
      "if (did.woke && (parker.wake(word, count) == 0 || count == everyone))",
      "if (did.woke)")
event("event-never-rung", "wake", "    if (did.ring) parker.ring();\n", "")
event("event-sleepers-cleared-always", "check",
      "(parker.wake(word, count) == 0 || count == everyone)",
      "(parker.wake(word, count) >= 0 || count == everyone)")
event("event-cleared-blindly", "check",
      "if (over != 0) word.compare_exchange_strong(expected, raised & ~over);",
      "if (over != 0) word.store(raised & ~over);")
event("event-sleepers-not-seen", "wake",
      "return (word.load() & (event_sleepers | event_bell)) != 0;",
      "return (word.load() & event_bell) != 0;")
event("event-bell-not-seen", "wake",
      "return (word.load() & (event_sleepers | event_bell)) != 0;",
      "return (word.load() & event_sleepers) != 0;")
event("event-look-relaxed", "order",
      "return (word.load() & (event_sleepers | event_bell)) != 0;",
      "return (word.load(std::memory_order_relaxed) & (event_sleepers | event_bell)) != 0;")
event("event-all-wakes-one", "wake",
      "return event_detail::notify(word, parker, everyone);",
      "return event_detail::notify(word, parker, everyone / everyone);")

# ---- blocks -------------------------------------------------------------------------------------

blocks = breaks("src/sync/block_pool.hpp", "schedules", "unit", "crash")
blocks("block-claim-blindly", "check",
       "return word.compare_exchange_strong(free, block_word{chunk, true, backed}.pack());",
       "word.store(block_word{chunk, true, backed}.pack()); return true;")
blocks("block-claim-relaxed", "order",
       "return word.compare_exchange_strong(free, block_word{chunk, true, backed}.pack());",
       "return word.compare_exchange_strong(free, block_word{chunk, true, backed}.pack(), "
       "std::memory_order_relaxed, std::memory_order_relaxed);")
blocks("block-free-anyones", "check", "if (!word.owned || word.chunk != chunk) return false;",
       "if (!word.owned) return false;")
blocks("block-free-twice", "check", "if (!word.owned || word.chunk != chunk) return false;",
       "if (word.chunk != chunk) return true;")
blocks("block-free-forgets-memory", "step", "block_word{0, false, word.backed}.pack()",
       "block_word{0, false, false}.pack()")
blocks("block-index-unchecked", "bound", "    if (block >= pool.count) return false;\n", "",
       ("unit", "hostile"))
blocks("block-backed-relaxed", "order",
       "block_word{chunk, true, backed}.pack(), std::memory_order_release);",
       "block_word{chunk, true, backed}.pack(), std::memory_order_relaxed);")

# ---- participants: joining, leaving, hands -----------------------------------------------------

member = breaks("src/segment/participant.cpp", "unit", "crash", "conformance")
member("join-without-lock", "check", "    if (!locked || !*locked) return locked;\n", "")
member("join-keeps-dead-intent", "step", "        repair(slot);\n", "")
member("join-live-before-hand", "step", "    if (!read_hand(slot)) {",
       "    memory_->record(slot).state.store(static_cast<std::uint32_t>(role_));\n    if (!read_hand(slot)) {")
member("join-hand-unchecked", "bound",
       "if (word.chunk >= memory_->plan().chunks || (message && role_ != slot_state::receiver))",
       "if (message && role_ != slot_state::receiver)", ("unit", "hostile"))
member("leave-forgets-inherited", "step", "    if (inherited_ != 0)\n        leave_as_orphaned(slot_);\n    else\n        set_free(slot_);",
       "    set_free(slot_);")
member("leave-forgets-adopted", "step",
       "        if (!adopted->over.load()) leave_as_orphaned(adopted->slot);\n",
       "        if (!adopted->over.load()) unlock(adopted->slot);\n")
member("leave-wakes-nobody", "wake", "    slot_ = no_slot;\n    notify_everyone();\n",
       "    slot_ = no_slot;\n")
member("leave-removes-with-others", "check",
       "if (!memory_->shape().persist && !inhabited(fd(), *memory_)) {",
       "if (!memory_->shape().persist) {")
member("leave-removes-persistent", "check",
       "if (!memory_->shape().persist && !inhabited(fd(), *memory_)) {",
       "if (!inhabited(fd(), *memory_)) {")
member("release-block-first", "step",
       "        own_->hand[hand].store(sync::hand_word{hand_[hand].chunk, sync::hold::spare}.pack(),\n                               std::memory_order_release);\n        return_spare(hand);",
       "        return_spare(hand);\n        memory_->record(slot_).hand[hand].store(\n            sync::hand_word{hand_[hand].chunk, sync::hold::spare}.pack(),\n            std::memory_order_release);")
member("release-keeps-message", "step",
       "        own_->hand[hand].store(sync::hand_word{hand_[hand].chunk, sync::hold::spare}.pack(),\n                               std::memory_order_release);\n        return_spare(hand);",
       "        return_spare(hand);")
member("payload-length-unchecked", "bound", "        if (length > plan.inline_bytes) return false;\n",
       "", ("unit", "hostile"))
member("payload-block-length-unchecked", "bound",
       "index < plan.classes[block_class].count &&\n                       length <= plan.classes[block_class].block_bytes;",
       "index < plan.classes[block_class].count;", ("unit", "hostile"))
member("payload-owner-unchecked", "check",
       "if (word.owned && word.backed && word.chunk == chunk) {",
       "if (word.owned && word.backed) {", ("unit", "hostile"))
member("wake-nobody", "wake",
       "    if (sync::notify_one(event, parker{fd(), tone}).woke) count(counter::wakes);",
       "    static_cast<void>(event); static_cast<void>(tone);", ("conformance",))
inline = breaks("src/segment/participant.hpp", "unit", "crash", "conformance")
inline("wake-no-message", "wake",
       "            wake_for(head_->messages, os::bell_tone::touch);",
       "            static_cast<void>(0);", ("conformance",))
inline("wake-no-space", "wake", "            wake_for(space, os::bell_tone::write);",
       "            static_cast<void>(0);", ("conformance",))
member("wake-no-memory", "wake",
       "    sync::notify_all(event, parker{fd(), os::bell_tone::write});\n}",
       "}", ("conformance",))

# ---- recovery -----------------------------------------------------------------------------------

heal = breaks("src/segment/recovery.cpp", "unit", "crash", "conformance", "storm")
heal("census-of-the-living", "check", "if (!ours && lock(slot)) news = recover(slot) || news;",
     "if (!ours) { static_cast<void>(lock(slot)); news = recover(slot) || news; }")
heal("census-senders-first", "step",
     "    look_for_dead({slot_state::receiver, slot_state::orphaned});\n    look_for_dead({slot_state::sender});",
     "    look_for_dead({slot_state::sender});\n    look_for_dead({slot_state::receiver, slot_state::orphaned});")
heal("census-forgets-senders", "step", "    look_for_dead({slot_state::sender});\n", "")
heal("recover-no-repair", "step", "    repair(slot);\n    if (memory_->held_by(slot) == 0)",
     "    if (memory_->held_by(slot) == 0)")
heal("recover-frees-messages", "check", "    if (memory_->held_by(slot) == 0)\n        set_free(slot);",
     "    if (memory_->held_by(slot) < 99)\n        set_free(slot);")
heal("recover-wakes-nobody", "wake", "    if (news) notify_everyone();\n", "    static_cast<void>(news);\n")
heal("repair-blocks-before-hand", "step",
     "    sync::repair(words_of(slot), lane_of);\n    settle_hand(slot);",
     "    settle_hand(slot);\n    sync::repair(words_of(slot), lane_of);")
heal("repair-keeps-blocks", "step", "    free_blocks_of(std::span(spare).first(spares));\n",
     "    static_cast<void>(spares);\n")
heal("repair-no-punch", "step", "            if (!word.backed) give_back(k, i);\n", "")
heal("orphan-epoch-before-unlock", "step",
     "    unlock(slot);\n    head.orphans.fetch_add(1);",
     "    head.orphans.fetch_add(1);\n    unlock(slot);")
heal("orphan-untold", "wake", "    head.orphans.fetch_add(1);\n    head.membership", "    head.membership")
heal("adopted-not-flagged", "step",
     "            out.sequence = sequence;\n            out.redelivered = true;",
     "            out.sequence = sequence;\n            out.redelivered = false;")
heal("adopted-freed-early", "check", "    if (from.unreleased.fetch_and(~bit) != bit) return;\n",
     "    static_cast<void>(from.unreleased.fetch_and(~bit));\n")
heal("adopted-chunk-unchecked", "bound",
     "if (word.kind != sync::hold::message || word.chunk >= memory_->plan().chunks) continue;",
     "if (word.kind != sync::hold::message) continue;", ("unit", "hostile"))
heal("at-most-once-comes-again", "check",
     "if (word.kind == sync::hold::message && once) {", "if (word.kind == sync::hold::message && once && spares > 99) {")
heal("free-slot-keeps-lock", "step",
     "    memory_->head().membership.fetch_add(1);\n    unlock(slot);\n}", "    memory_->head().membership.fetch_add(1);\n}")

# ---- blocks of a segment ------------------------------------------------------------------------

memory = breaks("src/segment/blocks.cpp", "unit", "crash", "conformance", "faults")
memory("trim-punch-before-word", "step",
       "            sync::set_backed(blocks, i, chunk, false);\n            give_back(k, i);",
       "            give_back(k, i);\n            sync::set_backed(blocks, i, chunk, false);")
memory("budget-ignored", "bound", "    return in_use <= allowed;", "    return in_use <= allowed || true;")
memory("backed-before-memory", "step", "    if (!within_budget(chunk)) return false;\n",
       "    if (!within_budget(chunk)) return false;\n    sync::set_backed(blocks, block.block, chunk, true);\n")
memory("refused-block-kept", "step", "            sync::free_block(blocks, got.block, entry.chunk);\n", "")
memory("freed-block-untold", "wake", "if (sync::free_block(pool(block >> class_shift), index, chunk)) notify_memory();",
       "static_cast<void>(sync::free_block(pool(block >> class_shift), index, chunk));")

# ---- the segment's life -------------------------------------------------------------------------

life = breaks("src/segment/segment.cpp", "unit", "conformance", "crash", "storm")
life("remove-with-messages", "check", "!inhabited(fd, memory) && memory.depth() == 0;",
     "!inhabited(fd, memory);")
life("remove-with-orphans", "check",
     "        unused = state == slot_state::free || state == slot_state::unused;\n",
     "        unused = state != slot_state::sender;\n")
life("remove-whatever-has-the-name", "check",
     "unused && named && named->same_file_as(memory.file());",
     "unused && named;")
life("remove-without-door", "check", "    if (!shut_door(fd, moment_ns)) return false;\n", "")
life("join-what-has-no-name", "check", "    if (file->links == 0) return found;\n", "")
life("join-without-door", "check", "    const auto entered = enter_door(fd->get());\n",
     "    const result<bool> entered = true;\n")
life("checksum-unchecked", "bound",
     '    if (head.checksum != checksum_of(head)) return corrupt("the header is damaged.");\n', "")
life("size-unchecked", "bound", "    if (!plan || plan->total_bytes != head.total_bytes)\n",
     "    if (!plan)\n")

# ---- waiting ------------------------------------------------------------------------------------

wait = breaks("src/transport/shm/waiting.hpp", "conformance", "crash", "storm")
wait("sleep-without-second-look", "check", "            if (attempt(look::quick)) return finish();\n            now_ns",
     "            now_ns")
wait("sleep-without-slices", "bound",
     "const std::int64_t sleep_ns = std::min(segment::slice_ns, until.at_ns() - now_ns);",
     "const std::int64_t sleep_ns = until.at_ns() - now_ns;")
wait("sleep-without-census", "step", "        self.census_if_due();\n", "")
wait("deadline-without-last-look", "check",
     "            if (attempt(look::thorough)) return waited::finished;\n            spinner.learn",
     "            spinner.learn")

# ---- the ends of a shared-memory mailbox --------------------------------------------------------

sends = breaks("src/transport/shm/sender.cpp", "conformance", "unit")
sends("send-too-big", "bound", "    if (size > shape.max_message)\n", "    if (size > 2 * shape.max_message)\n")
sends("send-keeps-hand", "step", "    self_->return_spare(found.hand);\n    after_call();", "    after_call();")
receives = breaks("src/transport/shm/receiver.cpp", "conformance", "crash")
receives("end-without-census", "step",
         "    self_->census();\n",
         "", ("conformance", "storm", "crash"))
receives("end-without-last-look", "check",
         "    const state last = take(hand);\n    return last == state::nothing && !contended_ ? state::closed : last;",
         "    return state::closed;")
receives("contended-is-the-end", "check", "last == state::nothing && !contended_ ?",
         "last == state::nothing ?", ("unit",))
receives("redelivery-swallows-wake", "wake",
         "    if (held_.redelivered) self_->notify_messages();\n", "")
receives("refusal-looked-at-twice", "check",
         "if (const auto may = admit(*self_, poisoned_, \"receive\"); !may) return may.why();\n    self_->tick();",
         "return admit(*self_, poisoned_, \"receive\").why();\n    self_->tick();",
         ("hostile",))

# ---- liveness -----------------------------------------------------------------------------------

lock = breaks("src/os/lock.cpp", "unit", "identity", "conformance")
lock("locks-of-the-process", "step", "    if (::fcntl(fd, F_OFD_SETLK, &range) == 0) return true;\n",
     "    if (::fcntl(fd, F_SETLK, &range) == 0) return true;\n")
lock("lock-always-granted", "check", "    if (errno == EAGAIN || errno == EACCES) return false;\n",
     "    if (errno == EAGAIN || errno == EACCES) return true;\n")

# ---- frames of the kernel's streams -------------------------------------------------------------

frame = breaks("src/wire/frame.cpp", "unit", "transports")
frame("frame-length-unchecked", "bound", "    if (header.length > longest_frame) return std::nullopt;\n", "")
frame("frame-mark-unchecked", "check", "    default:\n        return step::corrupt;\n    }\n    const std::uint64_t sequence",
      "    default:\n        break;\n    }\n    const std::uint64_t sequence")
frame("frame-void-delivered", "step", "    case frame_mark::is_void:\n        forget_message();\n        return step::need_bytes;\n    case",
      "    case frame_mark::is_void:\n    case")
frame("frame-message-unbounded", "bound", "if (message_.size() + frame_->length > max_message_) {",
      "if (frame_->length > max_message_) {")
frame("frame-half-is-end", "check", "    if (in_the_middle)\n", "    if (in_the_middle && begin_ != end_)\n")
frame("frame-not-finished", "step", "        owed_.push_back(as_byte(frame_mark::is_void));\n    }",
      "        owed_.push_back(as_byte(frame_mark::end));\n    }")
crowd = breaks("src/wire/crowd.cpp", "unit", "transports")
crowd("crowd-one-ends-all", "check",
      "return outcome.is(errc::closed) ? error{errc::would_block, \"receive\"} : outcome.why();",
      "return outcome.why();")
crowd("crowd-forgets-buffered", "step",
      "        if (found->second->has_more()) with_more_.push_back(which);\n", "")
