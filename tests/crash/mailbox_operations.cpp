// Sending, receiving, joining and leaving, and the repair of what the dead left.

#include <algorithm>
#include <thread>

#include <poll.h>

#include "audit.hpp"
#include "operations.hpp"
#include "stepper.hpp"

namespace hawser::crash {

namespace {

// Small, so that rings wrap all the time and a look at all of it takes microseconds: two classes of
// blocks, of which the memory holds four of 4 KiB or two of 8 KiB.
const std::string geometry = "shm:?capacity=4&participants=8&max_message=8KiB&max_memory=16KiB";

// So long that a victim that is stepped gets as far as sleeping.
constexpr auto timed = 60ms;

void nothing_in_it(const scene& at) {
    sender::open(at.address()).value().close();
}
// By a sender that leaves: with order=sender the victim gets its lane.
void put_and_leave(const scene& at, std::size_t how_many, std::size_t size = small) {
    sender out = sender::open(at.address()).value();
    for (std::size_t i = 0; i < how_many; ++i)
        post(*at.book, out, write_letter(*at.book, size), deadline::after(patience)).value();
}
void one(const scene& at) {
    put_and_leave(at, 1);
}
void one_large(const scene& at) {
    put_and_leave(at, 1, large);
}
void full(const scene& at) {
    put_and_leave(at, 4);
}

// Memory was used, and is free again: blocks of one class have memory that another one needs.
void other_blocks_have_memory(const scene& at) {
    put_and_leave(at, 4, large);
    static_cast<void>(drain(at));
}

void loan_as_victim(const scene& at, std::size_t size, bool send) {
    sender& out = join_as_sender(at);
    const letter mail = write_letter(*at.book, size);
    begin();
    auto lent = out.loan_for(size).value();
    std::copy(mail.body.begin(), mail.body.end(), reinterpret_cast<char*>(lent.bytes().data()));
    if (send && out.send(std::move(lent))) at.book->at(mail.id).sent.fetch_add(1);
    lent.memory().give_back();
    at.book->finished.fetch_add(1);
    end();
}

// Both receive what there is, and need a census for it.
void adopt_as_victim(const scene& at, int how_many, bool release) {
    join_as_receiver(at);
    hurry_census(at.name());
    at.book->receiving.fetch_add(1);
    begin();
    for (int i = 0; i < how_many; ++i) receive_some(at, deadline::now(), release);
    end();
}

// A sender repairs, and leaves the message to be adopted.
void reap_as_victim(const scene& at) {
    sender& out = join_as_sender(at);
    std::array<letter, 5> mail;
    for (auto& one : mail) one = write_letter(*at.book);
    hurry_census(at.name());
    begin();
    for (const auto& one : mail) // the last one finds it full, and looks for the dead
        static_cast<void>(post(*at.book, out, one, deadline::now()));
    end();
}

// Destroyed in another thread than the one that received it.
void release_elsewhere(const scene& at) {
    join_as_receiver(at);
    at.book->receiving.fetch_add(1);
    std::thread([&] { receive_some(at, deadline::after(patience), false); }).join();
    const auto id = read_letter(*at.book, mine().held->text());
    if (!id) return;
    begin();
    at.book->at(*id).releasing.fetch_add(1);
    mine().held.reset();
    at.book->at(*id).released.fetch_add(1);
    end();
}

// ---- descriptors --------------------------------------------------------------------------------

bool is_ready(int fd, std::chrono::milliseconds limit) {
    pollfd one{fd, POLLIN, 0};
    return ::poll(&one, 1, static_cast<int>(limit.count())) == 1;
}

void arm_receiver(const scene& at) {
    join_as_receiver(at);
    at.book->receiving.fetch_add(1);
    begin();
    static_cast<void>(mine().in->fd());
    receive_some(at, deadline::now(), true);
    receive_some(at, deadline::now(), true);
    end();
}

void arm_sender(const scene& at) {
    sender& out = join_as_sender(at);
    const letter mail = write_letter(*at.book);
    begin();
    static_cast<void>(out.fd());
    static_cast<void>(post(*at.book, out, mail, deadline::now()));
    end();
}

void wait_on_descriptor(const scene& at) {
    receiver& in = join_as_receiver(at);
    const int fd = in.fd().value();
    at.book->receiving.fetch_add(1);
    begin();
    static_cast<void>(is_ready(fd, 5ms));
    receive_some(at, deadline::now(), true);
    end();
}

// A survivor polls: what the victim has done must reach it by its descriptor alone.
void survivor_listens(const scene& at) {
    static_cast<void>(at.own->in->fd().value());
    static_cast<void>(drain(at));
}
std::string survivor_hears(const scene& at) {
    receiver& in = *at.own->in;
    const bool is_sent = at.book->at(0).sent != 0;
    // Of the kill itself the kernel tells, so the first looks may find nothing.
    while (is_ready(in.fd().value(), is_sent ? patience : 10ms)) {
        const auto got = in.try_receive();
        if (!got) continue;
        if (!note_arrival(*at.book, *got)) return "a torn message";
        note_kept(*at.book, *got);
        break;
    }
    if (is_sent && at.book->at(0).kept == 0)
        return "the descriptor never told of a message that was sent";
    return settle(at);
}
void survivor_wants_room(const scene& at) {
    static_cast<void>(at.own->out->fd().value());
    while (post(*at.book, *at.own->out, write_letter(*at.book), deadline::now())) {
    }
}
std::string survivor_finds_room(const scene& at) {
    const bool taken = at.book->at(0).fresh + at.book->at(0).again != 0;
    if (taken && !is_ready(at.own->out->fd().value(), patience))
        return "the descriptor never told of room";
    const auto done = post(*at.book, *at.own->out, write_letter(*at.book), deadline::now());
    if (taken && !done) return "there is room, and it can't be used: " + done.why().describe();
    return settle(at);
}

// ---- the table ----------------------------------------------------------------------------------

using table = std::vector<operation>;

std::string with(std::string address, std::string_view instead_of, std::string_view option) {
    return address.replace(address.find(instead_of), instead_of.size(), option);
}

void add_sending(table& all, const std::string& base) {
    const auto send = [](std::size_t size, std::chrono::nanoseconds until, const char* more = "") {
        return [=](const scene& at) { send_as_victim(at, size, until, more); };
    };
    const auto lend = [](std::size_t size, bool sends) {
        return [=](const scene& at) { loan_as_victim(at, size, sends); };
    };
    all.push_back({"send", base, nothing_in_it, send(small, 5ms)});
    all.back().leaves_work = true;
    all.push_back({"send-large", base, nothing_in_it, send(large, 5ms)});
    all.back().leaves_work = true;
    all.push_back({"send-trim", base, other_blocks_have_memory, send(6000, 5ms)});
    all.back().leaves_work = true;
    all.push_back({"send-once", base + "&delivery=at_most_once", nothing_in_it, send(small, 5ms)});
    all.push_back({"loan-send", base, nothing_in_it, lend(large, true)});
    all.push_back({"loan-drop", base, nothing_in_it, lend(large, false)});
    all.back().leaves_work = true;
    all.push_back({"loan-inline", base, nothing_in_it, lend(small, true)});
    all.push_back({"send-timed", base + "&wait=block", full, send(small, timed)});
    all.push_back({"send-spin", base + "&wait=spin", full, send(small, 3ms)});
    all.push_back({"full-fail", base, full, send(small, 5ms, "&full=fail")});
    all.push_back({"drop-newest", base, full, send(small, 5ms, "&full=drop_newest")});
    all.push_back({"drop-oldest", base, full, send(small, 5ms, "&full=drop_oldest")});
    all.back().leaves_work = true;
    // Memory for three, places for four.
    const auto memory_full = [](const scene& at) { put_and_leave(at, 3, large); };
    const std::string tight = with(base, "max_memory=16KiB", "max_memory=12KiB");
    all.push_back({"memory-timed", tight + "&wait=block", memory_full, send(large, timed)});
    all.push_back({"drop-for-memory", tight, memory_full, send(large, 5ms, "&full=drop_oldest")});
    all.push_back({"send-bell", base, survivor_listens, send(small, 5ms), survivor_hears});
}

void add_receiving(table& all, const std::string& base) {
    const auto receive = [](std::chrono::nanoseconds until, bool release) {
        return [=](const scene& at) { receive_as_victim(at, until, release); };
    };
    const auto once = [](const scene& at) {
        return settle(at, {.may_lose = 1, .redelivers = false});
    };
    const std::string at_most_once = base + "&delivery=at_most_once";
    all.push_back({"receive", base, one, receive(5ms, false)});
    all.back().leaves_work = true;
    all.push_back({"receive-release", base, one, receive(5ms, true)});
    all.back().leaves_work = true;
    all.push_back({"receive-large-release", base, one_large, receive(5ms, true)});
    all.back().leaves_work = true;
    all.push_back({"receive-once", at_most_once, one, receive(5ms, false), once});
    all.push_back({"receive-once-large", at_most_once, one_large, receive(5ms, true), once});
    all.push_back({"receive-timed", base + "&wait=block", nothing_in_it, receive(timed, false)});
    all.push_back({"receive-spin", base + "&wait=spin", nothing_in_it, receive(3ms, false)});
    all.push_back({"release-elsewhere", base, one_large, release_elsewhere});
    all.push_back({"fd-receiver", base, one, arm_receiver});
    all.push_back({"fd-sender", base, full, arm_sender});
    all.push_back({"fd-wait", base, nothing_in_it, wait_on_descriptor});
    all.push_back(
        {"receive-bell", base, survivor_wants_room, receive(5ms, true), survivor_finds_room});
}

void add_repairing(table& all, const std::string& base) {
    const auto adopt = [](int how_many, bool release) {
        return [=](const scene& at) { adopt_as_victim(at, how_many, release); };
    };
    const auto dead_with_one = [](const scene& at) { orphan(at); };
    const auto dead_with_large = [](const scene& at) { orphan(at, large); };
    const auto dead_and_fresh = [](const scene& at) {
        orphan(at);
        put_and_leave(at, 2);
    };
    const auto dead_with_two = [](const scene& at) {
        put_and_leave(at, 2);
        kill_after([&] {
            at.book->receiving.fetch_add(1);
            const auto first = join_as_receiver(at).receive_for(patience).value();
            note_arrival(*at.book, first);
            receive_some(at, deadline::after(patience), false);
            begin();
        });
    };
    const auto two_dead = [](const scene& at) {
        orphan(at);
        orphan(at, large);
        kill_after([&] { mine().lent.emplace(join_as_sender(at).loan_for(large).value()); });
    };
    const auto once = [](const scene& at) {
        return settle(at, {.may_lose = 1, .redelivers = false});
    };
    const std::string at_most_once = base + "&delivery=at_most_once";
    all.push_back({"adopt", base, dead_with_one, adopt(1, false)});
    all.back().leaves_work = true;
    all.push_back({"adopt-release", base, dead_with_large, adopt(1, true)});
    all.push_back({"adopt-then-fresh", base, dead_and_fresh, adopt(3, true)});
    all.push_back({"adopt-two-messages", base, dead_with_two, adopt(2, true)});
    all.push_back({"adopt-two-dead", base, two_dead, adopt(3, true)});
    all.push_back({"reap", base, dead_with_one, reap_as_victim});
    all.push_back({"reap-two-dead", base, two_dead, reap_as_victim});
    all.push_back({"reap-once", at_most_once, dead_with_large, adopt(1, true), once});
}

void add_joining(table& all, const std::string& base) {
    for (const bool as_sender : {true, false}) {
        const std::string who = as_sender ? "sender" : "receiver";
        const auto come = [=](const scene& at) { come_as_victim(at, as_sender); };
        const auto go = [=](const scene& at) { go_as_victim(at, as_sender); };
        all.push_back({"open-" + who, base, nothing_in_it, come});
        all.back().leaves_work = true;
        all.push_back({"close-" + who, base, nothing_in_it, go});
        all.back().leaves_work = true;
    }
    // Every other slot is taken: the joiner gets that of a dead receiver, with its message.
    const std::string narrow = with(base, "participants=8", "participants=4");
    const auto one_slot_left = [](const scene& at) { orphan(at); };
    all.push_back({"open-in-dead-slot", narrow, one_slot_left, [](const scene& at) {
                       const sender last = sender::open(at.address()).value(); // the free one
                       at.book->receiving.fetch_add(1);
                       come_as_victim(at, false);
                   }});
    all.push_back({"close-inherited", narrow, one_slot_left, [](const scene& at) {
                       const sender last = sender::open(at.address()).value();
                       at.book->receiving.fetch_add(1);
                       go_as_victim(at, false);
                   }});
}

// ---- repairers ----------------------------------------------------------------------------------

// All free slots are taken but one, so that the joiner gets that of the dead; if the dead left its
// slot free, just that.
void join_the_dead(const scene& at) {
    const auto seen = inspect_mailbox(at.where).value();
    const auto living = std::ranges::count_if(seen.participants, &participant_info::alive);
    const std::size_t others = seen.participants.size();
    std::vector<sender> idle;
    for (auto taken = std::max(others, static_cast<std::size_t>(living) + 1);
         taken < seen.geometry.participants; ++taken)
        idle.push_back(sender::open(at.where).value());
    at.book->receiving.fetch_add(1);
    come_as_victim(at, false);
}

void collect_as_victim(const scene&) {
    begin();
    static_cast<void>(collect_garbage());
    end();
}

} // namespace

std::vector<operation> nested_operations() {
    const std::pair<const char*, std::function<void(const scene&)>> repairers[] = {
        {"+by-sender", reap_as_victim},
        {"+by-receiver", [](const scene& at) { adopt_as_victim(at, 2, true); }},
        {"+by-joiner", join_the_dead},
        {"+by-gc", collect_as_victim},
    };
    table all;
    for (const auto& first : mailbox_operations()) {
        if (!first.leaves_work) continue;
        for (const auto& [name, act] : repairers) {
            all.push_back(first);
            all.back().name += name;
            all.back().repair = act;
        }
    }
    return all;
}

std::vector<operation> mailbox_operations() {
    table all;
    for (const std::string order : {"total", "sender"}) {
        table of_order;
        const std::string base = geometry + "&order=" + order;
        add_sending(of_order, base);
        add_receiving(of_order, base);
        add_repairing(of_order, base);
        add_joining(of_order, base);
        for (auto& made : of_order) {
            made.name = order + "/" + made.name;
            all.push_back(std::move(made));
        }
    }
    return all;
}

} // namespace hawser::crash
