// Mailboxes that come and go: creating, leaving last, removing, collecting, looking.

#include "audit.hpp"
#include "operations.hpp"
#include "stepper.hpp"

namespace hawser::crash {

namespace {

const std::string geometry = "shm:?capacity=4&participants=4&max_message=8KiB&max_memory=16KiB";

// begin(), the call, end().
template <typename Call>
std::function<void(const scene&)> calls(Call call) {
    return [call](const scene& at) {
        begin();
        call(at);
        at.book->finished.fetch_add(1);
        end();
    };
}

void all_died_in_it(const scene& at) {
    kill_after([&] {
        join_as_sender(at);
        join_as_receiver(at);
    });
}

void messages_wait_in_it(const scene& at) {
    put(at, 2);
}

// It stays until it is removed, whoever dies in between.
std::string persists(const scene& at) {
    const bool must_be_there = at.book->finished != 0;
    {
        const auto found = sender::open(at.where + "?create=open");
        if (!found && (must_be_there || !found.is(errc::not_found)))
            return "the next one does not find it: " + found.why().describe();
    }
    if (auto wrong = still_works({at.where, at.options, at.book, at.own, false}); !wrong.empty())
        return wrong;
    // Whoever found nothing has made one that does not persist, and is gone.
    const auto removed = remove_mailbox(at.where);
    if (!removed && (must_be_there || !removed.is(errc::not_found)))
        return "it can't be removed: " + removed.why().describe();
    return list_mailboxes().value().empty() ? "" : "a mailbox is left";
}

// A removal takes the messages along, or did not happen.
std::string removed_or_whole(const scene& at) {
    const bool is_there = inspect_mailbox(at.where).has_value();
    if (at.book->finished != 0 && is_there) return "it was removed, and is still there";
    if (!is_there) {
        const std::string wrong = compare(*at.book, {.may_lose = 2});
        at.book->clear();
        if (!wrong.empty()) return wrong;
    }
    return fresh_start(at);
}

// Those inside are told, also by a remover that was killed half-way.
void two_are_inside(const scene& at) {
    at.own->out.emplace(sender::open(at.address()).value());
    at.own->in.emplace(receiver::open(at.address()).value());
    put(at, 1);
}
std::string told_or_whole(const scene& at) {
    const bool is_there = inspect_mailbox(at.where).has_value();
    std::string wrong = is_there ? drain(at) : "its name is gone, and those inside are not told";
    for (int looks = 0; looks < 4 && !is_there && !wrong.empty(); ++looks) {
        const auto got = at.own->in->receive_for(100ms);
        if (got && note_arrival(*at.book, *got)) note_kept(*at.book, *got);
        if (got.is(errc::closed)) wrong.clear();
    }
    if (is_there && wrong.empty()) wrong = still_works(at);
    if (wrong.empty()) wrong = compare(*at.book, {.may_lose = is_there ? 0U : 1U});
    at.own->leave();
    at.book->clear();
    return wrong.empty() ? fresh_start(at) : wrong;
}

// While the one that comes or goes is stopped, others come, pass a message and go. They take what
// waits in it. Where it stands in the shut door they could only wait: stop_in_the_door().
std::string newcomers_pass(const scene& at) {
    if (door_of(at.name()) == door::shut) return {};
    const auto in = receiver::open(at.address());
    if (!in) return "while one is stopped: can't join: " + in.why().describe();
    if (auto wrong = drain(at); !wrong.empty()) return wrong;
    return still_works({at.where, at.options, at.book, at.own, false});
}

std::vector<operation> alone() {
    const auto come = [](const scene& at) { come_as_victim(at, true); };
    const auto go = [](const scene& at) { go_as_victim(at, true); };
    const auto send = [](const scene& at) { send_as_victim(at, large, 5ms); };
    const auto open_idle = [](const scene& at) { come_as_victim(at, false); };
    const auto nothing = [](const scene&) {};
    const std::string keeps = geometry + "&persist=yes";
    std::vector<operation> all{
        {"create", geometry, nothing, come, fresh_start},
        {"create-for-each-sender", geometry + "&order=sender", nothing, come, fresh_start},
        {"close-last", geometry, nothing, go, fresh_start},
        {"first-large", geometry, nothing, send, fresh_start},
        {"open-idle", geometry, messages_wait_in_it, open_idle, fresh_start},
        {"persist-create", keeps, nothing, come, persists},
        {"persist-close-last", keeps, nothing, go, persists},
    };
    for (auto& made : all) made.meanwhile = newcomers_pass;
    return all;
}

std::vector<operation> removing() {
    const auto rm = [](removal how) {
        return calls([how](const scene& at) { static_cast<void>(remove_mailbox(at.where, how)); });
    };
    const auto gc = calls([](const scene&) { static_cast<void>(collect_garbage()); });
    const auto gc_dry = calls([](const scene&) { static_cast<void>(collect_garbage(true)); });
    return {
        {"rm", geometry, messages_wait_in_it, rm(removal::if_unused), removed_or_whole},
        {"rm-force", geometry, two_are_inside, rm(removal::by_force), told_or_whole},
        {"gc-dead-mailbox", geometry, all_died_in_it, gc, fresh_start},
        {"gc-dry-run", geometry, all_died_in_it, gc_dry, fresh_start},
    };
}

// With survivors inside.
std::vector<operation> looking() {
    const auto gc = calls([](const scene&) { static_cast<void>(collect_garbage()); });
    const auto refused = calls([](const scene& at) {
        if (remove_mailbox(at.where)) at.book->wrong.fetch_add(1); // it is in use
    });
    const auto inspect =
        calls([](const scene& at) { static_cast<void>(inspect_mailbox(at.where)); });
    const auto list = calls([](const scene&) { static_cast<void>(list_mailboxes()); });
    const auto one_died = [](const scene& at) { orphan(at); };
    const auto nothing = [](const scene&) {};
    std::vector<operation> all{
        {"gc-dead-inside", geometry + "&order=sender", one_died, gc},
        {"rm-refused", geometry, nothing, refused},
        {"inspect", geometry, one_died, inspect},
        {"list", geometry, one_died, list},
    };
    return all;
}

} // namespace

std::vector<operation> life_operations() {
    std::vector<operation> all = alone();
    for (auto& made : removing()) all.push_back(std::move(made));
    for (auto& made : all) made.survivors = false;
    for (auto& made : looking()) all.push_back(std::move(made));
    return all;
}

} // namespace hawser::crash
