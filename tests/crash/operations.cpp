#include "operations.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <hawser/hawser.hpp>

#include "audit.hpp"
#include "stepper.hpp"

namespace hawser::crash {

namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

const std::string large(700, 'L'); // does not fit in a chunk

// ---- the survivors' side --------------------------------------------------------------------

// What the survivors find in the mailbox, until it is empty.
struct harvest {
    std::vector<std::string> fresh;
    std::vector<std::string> again; // redelivered
    std::string wrong;
};

harvest drain(const scene& at) {
    harvest found;
    auto in = receiver::open("shm:" + at.name);
    if (!in) return found.wrong = in.why().describe(), found;
    // The first look finds the dead, the second one what they left.
    hurry_census(at.name);
    for (int empty = 0; empty < 2;) {
        const auto got = in->try_receive();
        if (!got) {
            if (!got.is(errc::would_block) && !got.is(errc::closed)) {
                found.wrong = got.why().describe();
                return found;
            }
            ++empty;
            hurry_census(at.name);
            continue;
        }
        (got->redelivered() ? found.again : found.fresh).emplace_back(got->text());
    }
    return found;
}

// Survivors go on: a message gets through, within far less than this limit.
std::string still_works(const scene& at) {
    auto out = sender::open("shm:" + at.name);
    if (!out) return "a new sender can't join: " + out.why().describe();
    auto in = receiver::open("shm:" + at.name);
    if (!in) return "a new receiver can't join: " + in.why().describe();
    if (const auto sent = out->send_for("ping", 2s); !sent)
        return "the survivor can't send: " + sent.why().describe();
    const auto got = in->receive_for(2s);
    if (!got) return "the survivor can't receive: " + got.why().describe();
    if (got->text() != "ping") return "the survivor received '" + std::string(got->text()) + "'";
    return {};
}

std::string whole(const scene& at) {
    if (auto wrong = still_works(at); !wrong.empty()) return wrong;
    return audit(at.name);
}

// The victim's message is there once or not at all; and it is there if send() had returned.
std::string sent_once(const scene& at, const std::string& text) {
    const harvest found = drain(at);
    if (!found.wrong.empty()) return found.wrong;
    const std::size_t times = found.fresh.size() + found.again.size();
    if (times > 1) return "the message came " + std::to_string(times) + " times";
    if (times == 1 && (found.fresh.empty() || found.fresh[0] != text))
        return "another message came";
    if (times == 0 && at.said->done) return "a message that was sent is lost";
    return whole(at);
}

// The message that the victim took or did not take comes to the survivor: flagged if it was taken.
std::string comes_again(const scene& at, const std::string& text) {
    const harvest found = drain(at);
    if (!found.wrong.empty()) return found.wrong;
    if (found.fresh.size() + found.again.size() != 1)
        return "the message came " + std::to_string(found.fresh.size() + found.again.size()) +
               " times";
    if (at.said->taken && found.again.empty()) return "a redelivered message is not flagged";
    if ((found.fresh.empty() ? found.again : found.fresh)[0] != text) return "another message came";
    return whole(at);
}

// The message was consumed by the victim, or comes again.
std::string consumed_or_again(const scene& at, const std::string& text) {
    const harvest found = drain(at);
    if (!found.wrong.empty()) return found.wrong;
    const std::size_t times = found.fresh.size() + found.again.size();
    if (times > 1) return "the message came " + std::to_string(times) + " times";
    if (times == 0 && !at.said->taken) return "a message that nobody had is lost";
    if (times == 1 && at.said->done) return "a message that was released came again";
    if (times == 1 && (found.fresh.empty() ? found.again : found.fresh)[0] != text)
        return "another message came";
    return whole(at);
}

void put(const scene& at, std::size_t count, const std::string& text) {
    auto out = sender::open(at.address()).value();
    for (std::size_t i = 0; i < count; ++i) out.send_for(text, 2s).value();
}

void nothing_to_prepare(const scene& at) {
    sender::open(at.address()).value().close();
}

// ---- the victim's side ----------------------------------------------------------------------

void send_as_victim(const scene& at, const std::string& text, std::string_view more = "") {
    auto out = sender::open(at.address() + std::string(more)).value();
    begin();
    at.said->done = out.send_for(text, 5ms).has_value();
    end();
}

void loan_as_victim(const scene& at, bool send) {
    auto out = sender::open(at.address()).value();
    begin();
    {
        auto lent = out.loan_for(large.size()).value();
        std::copy(large.begin(), large.end(), reinterpret_cast<char*>(lent.bytes().data()));
        if (send) at.said->done = out.send(std::move(lent)).has_value();
    }
    end();
}

void receive_as_victim(const scene& at, bool release) {
    auto in = receiver::open(at.address()).value();
    begin();
    auto got = in.receive_for(5ms);
    at.said->taken = got.has_value();
    if (release && got) {
        got->release();
        at.said->done = true;
    }
    end();
}

// Leaves a message in the hand of a process that is dead.
void orphan(const scene& at, const std::string& text) {
    put(at, 1, text);
    run_and_kill(
        [&] {
            auto in = receiver::open(at.address()).value();
            const auto held = in.receive().value();
            begin();
            end();
        },
        0);
}

// ---- mailboxes that come and go -------------------------------------------------------------

// Nobody is left: the name is free for a new mailbox, or leads to a whole one; and nothing stays
// behind.
std::string fresh_start(const scene& at) {
    {
        auto out = sender::open(at.address());
        if (!out) return "it can't be opened any more: " + out.why().describe();
        auto in = receiver::open(at.address()).value();
        if (!out->send_for("ping", 2s)) return "it can't be sent to any more";
        const auto got = in.receive_for(2s);
        if (!got) return "nothing can be received any more: " + got.why().describe();
        if (auto wrong = audit(at.name); !wrong.empty()) return wrong;
    }
    for (const auto& one : collect_garbage().value())
        if (!one.removed) return one.address + " stays: " + one.reason;
    return list_mailboxes().value().empty() ? "" : "a mailbox is left";
}

void join_and_leave(const scene& at, bool as_sender, bool step_open) {
    std::optional<sender> out;
    std::optional<receiver> in;
    const auto join = [&] {
        if (as_sender)
            out.emplace(sender::open(at.address()).value());
        else
            in.emplace(receiver::open(at.address()).value());
    };
    if (!step_open) join();
    begin();
    if (step_open) join();
    if (!step_open) out.reset(), in.reset();
    end();
}

operation joining(const std::string& name, const std::string& options, bool as_sender, bool open) {
    return {name, options, nothing_to_prepare,
            [=](const scene& at) { join_and_leave(at, as_sender, open); }, whole};
}

operation alone(const std::string& name, bool open) {
    return {name,
            "?capacity=4",
            [](const scene&) {},
            [=](const scene& at) { join_and_leave(at, true, open); },
            fresh_start,
            false};
}

std::vector<operation> for_order(const std::string& order) {
    const std::string options = "?capacity=4&order=" + order;
    const auto named = [&](const std::string& name) { return order + "/" + name; };
    const auto fill = [](const scene& at) { put(at, 4, "old"); };
    const auto one = [](const scene& at) { put(at, 1, "one"); };
    const auto one_large = [](const scene& at) { put(at, 1, large); };
    return {
        {named("send"), options, nothing_to_prepare,
         [](const scene& at) { send_as_victim(at, "tiny"); },
         [](const scene& at) { return sent_once(at, "tiny"); }},
        {named("send-large"), options, nothing_to_prepare,
         [](const scene& at) { send_as_victim(at, large); },
         [](const scene& at) { return sent_once(at, large); }},
        {named("loan-send"), options, nothing_to_prepare,
         [](const scene& at) { loan_as_victim(at, true); },
         [](const scene& at) { return sent_once(at, large); }},
        {named("loan-drop"), options, nothing_to_prepare,
         [](const scene& at) { loan_as_victim(at, false); },
         [](const scene& at) { return sent_once(at, ""); }},
        {named("send-timed"), options + "&wait=block", fill,
         [](const scene& at) { send_as_victim(at, "late"); },
         [](const scene& at) { return drain(at), whole(at); }},
        {named("drop-oldest"), options, fill,
         [](const scene& at) { send_as_victim(at, "new", "&full=drop_oldest"); },
         [](const scene& at) { return drain(at), whole(at); }},
        {named("receive"), options, one, [](const scene& at) { receive_as_victim(at, false); },
         [](const scene& at) { return comes_again(at, "one"); }},
        {named("receive-release"), options, one,
         [](const scene& at) { receive_as_victim(at, true); },
         [](const scene& at) { return consumed_or_again(at, "one"); }},
        {named("receive-large-release"), options, one_large,
         [](const scene& at) { receive_as_victim(at, true); },
         [](const scene& at) { return consumed_or_again(at, large); }},
        {named("receive-timed"), options + "&wait=block", nothing_to_prepare,
         [](const scene& at) { receive_as_victim(at, false); },
         [](const scene& at) { return drain(at), whole(at); }},
        {named("adopt"), options, [](const scene& at) { orphan(at, "one"); },
         [](const scene& at) {
             auto in = receiver::open(at.address()).value();
             hurry_census(at.name);
             begin();
             auto got = in.try_receive();
             at.said->taken = got.has_value();
             end();
         },
         [](const scene& at) { return comes_again(at, "one"); }},
        {named("adopt-release"), options, [](const scene& at) { orphan(at, large); },
         [](const scene& at) {
             hurry_census(at.name);
             receive_as_victim(at, true);
         },
         [](const scene& at) { return consumed_or_again(at, large); }},
        {named("reap"), options, [](const scene& at) { orphan(at, "one"); },
         [](const scene& at) { // a sender repairs, and leaves the message to be adopted
             auto out = sender::open(at.address()).value();
             hurry_census(at.name);
             begin();
             for (int i = 0; i < 4; ++i) static_cast<void>(out.try_send("x"));
             static_cast<void>(out.try_send("full: looks for the dead"));
             end();
         },
         [](const scene& at) { return drain(at), whole(at); }},
        joining(named("open-sender"), options, true, true),
        joining(named("open-receiver"), options, false, true),
        joining(named("close-sender"), options, true, false),
        joining(named("close-receiver"), options, false, false),
    };
}

} // namespace

std::span<const operation> operations() {
    static const std::vector<operation> all = [] {
        std::vector<operation> made = for_order("total");
        for (auto& one : for_order("sender")) made.push_back(std::move(one));
        made.push_back(alone("create", true));
        made.push_back(alone("close-last", false));
        made.push_back({"first-large", "?capacity=4&participants=4", [](const scene&) {},
                        [](const scene& at) { send_as_victim(at, large); },
                        [](const scene& at) {
                            drain(at);
                            return fresh_start(at);
                        },
                        false});
        return made;
    }();
    return all;
}

} // namespace hawser::crash
