#include "scenarios.hpp"

namespace hawser::schedules {

namespace {

// How many deviations in all, and of each kind; spurious failures of a weak CAS go with stale
// values.
bounds up_to(int all, int turns, int stale, int crashes, int stops = 0, int deadlines = 0) {
    const auto small = [](int value) { return static_cast<std::uint8_t>(value); };
    bounds made{};
    made[static_cast<std::size_t>(deviation::none)] = small(all);
    made[static_cast<std::size_t>(deviation::turn)] = small(turns);
    made[static_cast<std::size_t>(deviation::stale)] = small(stale);
    made[static_cast<std::size_t>(deviation::spurious)] = small(stale);
    made[static_cast<std::size_t>(deviation::crash)] = small(crashes);
    made[static_cast<std::size_t>(deviation::stop)] = small(stops);
    made[static_cast<std::size_t>(deviation::give_up)] = small(deadlines);
    made[static_cast<std::size_t>(deviation::sunk)] = small(crashes == 0 ? 0 : 1);
    return made;
}

std::vector<play> ring_plays() {
    return {
        {"ring",
         "2 senders, 2 receivers, a ring of 1",
         {.capacity = 1, .senders = 2, .receivers = 2},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
        {"ring-turns",
         "a sender with 3 messages, 2 receivers, a ring of 1",
         {.capacity = 1, .receivers = 2, .messages = 3},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 2, 0)},
        {"ring-wrap",
         "2 senders with 2 messages each, a receiver, a ring of 2",
         {.capacity = 2, .senders = 2, .messages = 2},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 2, 0)},
        {"ring-drop",
         "2 senders that drop the oldest, 2 messages each, a receiver, a ring of 1",
         {.capacity = 1, .senders = 2, .messages = 2, .loans = 2, .drops = true},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
    };
}

std::vector<play> kill_plays() {
    return {
        {"kill",
         "2 senders, 2 receivers, a ring of 1; one is killed, or the reaper",
         {.capacity = 1, .senders = 2, .receivers = 2, .reapers = 1},
         up_to(2, 2, 1, 1),
         up_to(3, 2, 1, 1)},
        {"kill-helpers",
         "a sender with 3 messages, 2 receivers that note them, a ring of 1; one is killed",
         {.capacity = 1, .receivers = 2, .messages = 3, .reapers = 1},
         up_to(2, 2, 1, 1),
         up_to(3, 2, 1, 1)},
        {"kill-twice",
         "a sender with 2 messages, a receiver, a ring of 1, 2 reapers; 2 are killed",
         {.capacity = 1, .messages = 2, .reapers = 2},
         up_to(2, 2, 1, 2),
         up_to(3, 2, 1, 2)},
        {"kill-wrap",
         "2 senders with 2 messages each, a receiver, a ring of 2; one is killed",
         {.capacity = 2, .senders = 2, .messages = 2, .reapers = 1},
         up_to(2, 2, 1, 1),
         up_to(3, 2, 1, 1)},
        {"kill-hands",
         "receivers that keep 2 messages are killed, and adopt each other's",
         {.capacity = 2,
          .receivers = 2,
          .messages = 4,
          .loans = 2,
          .reapers = 1,
          .keeps = true,
          .only_receivers_die = true},
         up_to(2, 2, 1, 2),
         up_to(3, 2, 1, 2)},
        {"kill-drop",
         "2 senders that drop the oldest, a receiver, a ring of 1; one is killed",
         {.capacity = 1, .senders = 2, .messages = 2, .loans = 2, .reapers = 1, .drops = true},
         up_to(2, 2, 1, 1),
         up_to(3, 3, 1, 1)},
        {"kill-join",
         "one of each is killed, others join in the slots of the dead",
         {.capacity = 1, .messages = 2, .joining_senders = 1, .joining_receivers = 1},
         up_to(2, 2, 1, 2),
         up_to(3, 2, 1, 2)},
        {"stop",
         "2 senders, 2 receivers, a ring of 1; 2 are stopped, one is killed",
         {.capacity = 1, .senders = 2, .receivers = 2, .reapers = 1},
         up_to(2, 1, 1, 1, 2),
         up_to(3, 2, 1, 1, 2)},
    };
}

std::vector<play> wait_plays() {
    return {
        {"wait",
         "a sender with 2 messages wakes 2 receivers, which take one each; nobody leaves",
         {.capacity = 2,
          .receivers = 2,
          .messages = 2,
          .sleeps = true,
          .takes_one = true,
          .stays = true},
         up_to(3, 3, 1, 0),
         up_to(3, 3, 1, 0)},
        {"wait-end",
         "2 receivers wait for the end of the stream",
         {.capacity = 1, .receivers = 2, .sleeps = true},
         up_to(3, 3, 1, 0),
         up_to(3, 3, 1, 0)},
        {"wait-full",
         "2 senders with 2 messages each wait for room in a ring of 1; nobody leaves",
         {.capacity = 1, .senders = 2, .messages = 2, .sleeps = true, .stays = true},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
        {"wait-deadline",
         "2 receivers of which one gives up; nobody leaves",
         {.capacity = 1,
          .receivers = 2,
          .messages = 2,
          .sleeps = true,
          .deadlines = true,
          .stays = true},
         up_to(2, 2, 1, 0, 0, 1),
         up_to(3, 3, 1, 0, 0, 1)},
        {"wait-kill",
         "somebody is killed, and the others hear of it after a slice",
         {.capacity = 1, .senders = 2, .receivers = 2, .sleeps = true},
         up_to(2, 2, 1, 1),
         up_to(3, 2, 1, 1, 1)},
    };
}

std::vector<play> blocks_plays() {
    return {
        {"blocks",
         "2 senders with 2 large messages each, of one class with 2 blocks",
         {.capacity = 1,
          .senders = 2,
          .messages = 2,
          .blocks = 2,
          .classes = 1,
          .blocks_allowed = 2,
          .sleeps = true,
          .gives_back = true},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
        {"blocks-trim",
         "2 classes with a block each, of which one may have memory",
         {.capacity = 1,
          .senders = 2,
          .messages = 2,
          .blocks = 1,
          .blocks_allowed = 1,
          .sleeps = true},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
        {"blocks-kill",
         "the same with a reaper; one is killed",
         {.capacity = 1,
          .senders = 2,
          .messages = 2,
          .reapers = 1,
          .blocks = 1,
          .blocks_allowed = 1,
          .sleeps = true},
         up_to(2, 1, 1, 1),
         up_to(3, 2, 1, 1)},
        {"blocks-wait",
         "3 senders sleep until one of 2 blocks is free",
         {.capacity = 1,
          .senders = 3,
          .blocks = 1,
          .blocks_allowed = 1,
          .sleeps = true,
          .stays = true},
         up_to(2, 2, 1, 0),
         up_to(3, 3, 1, 0)},
        {"blocks-needs",
         "4 senders of 2 classes with a block each: their needs differ, and one is freed",
         {.capacity = 1,
          .senders = 4,
          .blocks = 1,
          .blocks_allowed = 2,
          .sleeps = true,
          .takes_one = true,
          .stays = true},
         up_to(2, 2, 0, 0),
         up_to(3, 3, 1, 0)},
    };
}

} // namespace

const std::vector<play>& plays() {
    static const std::vector<play> all = [] {
        std::vector<play> made;
        for (const auto& some : {ring_plays(), kill_plays(), wait_plays(), blocks_plays()})
            made.insert(made.end(), some.begin(), some.end());
        return made;
    }();
    return all;
}

bounds play::by_chance() const {
    constexpr std::uint8_t any = 255;
    bounds made = full;
    for (const deviation kind :
         {deviation::none, deviation::turn, deviation::stale, deviation::spurious})
        made[static_cast<std::size_t>(kind)] = any;
    return made;
}

machine::ending perform(const play& one, path& choices) {
    return the_machine().run(
        choices, [&one](machine& all) { return std::make_unique<mailbox>(all, one.who); });
}

} // namespace hawser::schedules
