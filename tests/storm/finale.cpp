// How a scene ends: everyone is let go or killed, what is left is drained, and the census is taken.

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <mqueue.h>
#include <sys/msg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "crash/audit.hpp"
#include "scene.hpp"
#include "support/place.hpp"

namespace hawser::storm {

namespace {

constexpr std::int64_t longest_child_ns = 3'000'000'000; // many times what they let pass

const char* word_of(doing at) {
    switch (at) {
    case doing::nothing:
        return "nothing";
    case doing::opening:
        return "opening";
    case doing::sending:
        return "sending";
    case doing::receiving:
        return "receiving";
    case doing::polling:
        return "polling";
    case doing::idling:
        return "idling";
    case doing::closing:
        return "closing";
    case doing::parked:
        return "parked";
    case doing::over:
        return "over";
    }
    return "?";
}

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::size_t own_children() {
    std::ifstream file("/proc/thread-self/children");
    std::size_t count = 0;
    for (pid_t child = 0; file >> child;) ++count;
    return count;
}

} // namespace

void scene::end() {
    clear_the_stage();
    const bool massacre = kind_.shared_memory() && !kind_.removals && chance(4) == 0;
    if (massacre && !hung_) {
        kill_all(true);
        after_the_massacre();
    } else if (!hung_) {
        drain();
    }
    clear_away();
    for (std::uint32_t i = 0; i < std::min<std::size_t>(ledger_->complaints, most_complaints); ++i)
        fail(ledger_->complaint[i].data());
    if (hung_) return;
    if (kind_.removals && ledger_->removals_begun != ledger_->removals_done)
        fail("a removal has not ended");
    verdict_ = judge(*ledger_, kind_, deeds_);
    constexpr std::size_t enough = 5;
    for (std::size_t i = 0; i < std::min(enough, verdict_.wrong.size()); ++i)
        fail(verdict_.wrong[i]);
    if (verdict_.wrong.size() > enough)
        fail("and " + std::to_string(verdict_.wrong.size() - enough) + " more");
}

// Half of those who are there leave, the others are killed; the survivors stay.
void scene::clear_the_stage() {
    for (member& one : members_)
        if (one.stopped_until_ns != 0) let_go_on(one);
    for (member& one : members_) {
        if (one.survivor || one.doomed) continue;
        if (!kind_.many_receivers && one.as == role::receiver) continue;
        if (chance(2) == 0)
            kill(one);
        else
            tell(one, order::leave);
    }
    wait_until("those who were told to leave", [this] {
        // A sender that waits for somebody to receive can't leave.
        if (!kind_.many_receivers && living(role::receiver) == 0) spawn(role::receiver, false);
        return std::ranges::all_of(members_, [this](member& one) {
            const bool stays = one.survivor || (!kind_.many_receivers && one.as == role::receiver);
            // A fork child may have come in the meantime, or an order to exec was quicker.
            if (!stays && !one.doomed) life_of(one).told.store(order::leave);
            return stays && one.as != role::observer;
        });
    });
}

void scene::drain() {
    wait_for_children();
    if (!kind_.many_receivers) {
        wait_until("the last receiver to open", [this] {
            return std::ranges::all_of(members_,
                                       [this](const member& one) { return at_work(one); });
        });
        for (const member& one : members_)
            if (one.as == role::receiver)
                deeds_.last_receiver =
                    static_cast<std::uint64_t>(&life_of(one) - ledger_->lives.data());
    }
    ledger_->senders_stop.store(true);
    wait_until("the last sender to leave", [this] { return living(role::sender) == 0; });
    if (link_) link_->close();
    ledger_->drain.store(true);
    const auto parked = [this] {
        return std::ranges::all_of(members_, [this](const member& one) {
            return life_of(one).at.load() == doing::parked;
        });
    };
    wait_until("the end of the stream", parked);
    const std::size_t receivers = members_.size();
    if (kind_.shared_memory() && !hung_)
        help_and_wait("the audit", [this, receivers] { take_census(receivers); });
    ledger_->receivers_go.store(true);
    wait_until("the survivors to leave", [this] { return members_.empty(); });
}

// Nobody is left. What was queued is there, what was in use as well.
void scene::after_the_massacre() {
    ledger_->senders_stop.store(true); // no child becomes a player any more
    wait_until("everybody to be dead", [this] { return members_.empty(); });
    wait_for_children();
    kill_all(true); // who came in between
    wait_until("everybody to be dead", [this] { return members_.empty(); });
    const std::uint32_t born = ledger_->be_born(role::receiver, true);
    if (born == 0) return fail("no life is left to look with");
    help_and_wait("what is left to be collected", [this, born] {
        ledger_->lives[born].pid.store(::getpid());
        collect_the_rest(stage_, born, [this] { take_census(1); });
    });
}

// Children of dead players, some of which keep descriptors of theirs and so their locks, are ours
// by now, and go by themselves.
void scene::wait_for_children() {
    const std::int64_t begin = now_ns();
    wait_until("children of players", [begin] {
        return !tend_all() || own_children() <= members_of_all() ||
               now_ns() - begin > longest_child_ns;
    });
}

// In a helper, while `receivers` receivers and nobody else are there and nothing is in use.
void scene::take_census(std::size_t receivers) {
    const std::string address = kind_.scheme + name_;
    {
        crash::hurry_census(name_);
        options existing;
        existing.create = create_policy::open;
        auto in = receiver::open(address, existing).value();
        if (const auto more = in.try_receive()) ledger_->complain("a message was left over");
    }
    const auto seen = inspect_mailbox(address).value();
    if (seen.depth != 0 || seen.held != 0)
        ledger_->complain("depth " + std::to_string(seen.depth) + ", held " +
                          std::to_string(seen.held) + " when nothing was left");
    if (seen.participants.size() != receivers)
        ledger_->complain(std::to_string(seen.participants.size()) +
                          " participants are there, and should be " + std::to_string(receivers));
    if (const auto wrong = crash::audit(name_); !wrong.empty())
        ledger_->complain("audit: " + wrong);
    const stats& counted = seen.counters;
    ledger_->counters = {counted.sent,    counted.received, counted.redelivered,
                         counted.dropped, counted.lost,     counted.reaped};
    ledger_->counters_read.store(true);
}

// Nothing may be left: no process, no name. What a killed process has left is gc's to remove.
void scene::clear_away() {
    for (member& one : members_) {
        one.doomed = true;
        ::kill(one.pid, SIGKILL);
    }
    wait_until("everybody to be gone", [this] { return members_.empty(); });
    wait_for_children();
    const std::string address = ledger_->address.data();
    const bool removed_by_hand =
        kind_.persist || kind_.is == facility::mq || kind_.is == facility::sysv_mq;
    if (hung_ || removed_by_hand) {
        help_and_wait("rm", [&] {
            const auto how = hung_ ? removal::by_force : removal::if_unused;
            const auto done = remove_mailbox(address.substr(0, address.find('?')), how);
            if (!done && !hung_) ledger_->complain("rm: " + done.why().describe());
        });
    }
    look_for_leftovers();
}

void scene::look_for_leftovers() {
    // Of a scene that goes on beside this one nothing is said here.
    const auto ours = [this] {
        std::vector<std::string> names = test::left_over();
        std::erase_if(names, [this](const std::string& name) { return !name.ends_with(name_); });
        return names;
    };
    left_for_gc_ = ours().size();
    help_and_wait("gc", [] {
        collect_garbage().value();
        collect_system_objects().value();
    });
    for (const std::string& name : ours()) fail("left behind: " + name);
    if (kind_.is == facility::mq) {
        const mqd_t there = ::mq_open(("/" + name_).c_str(), O_RDONLY);
        if (there >= 0) fail("left behind: a POSIX queue");
        if (there >= 0) ::mq_close(there);
    }
    if (kind_.is == facility::sysv_mq) {
        const std::string key = std::string(ledger_->address.data()).substr(kind_.scheme.size());
        if (::msgget(static_cast<key_t>(std::stoul(key)), 0) >= 0)
            fail("left behind: a System V queue");
    }
    if (kind_.scheme.ends_with('@')) {
        std::ifstream sockets("/proc/net/unix");
        for (std::string line; std::getline(sockets, line);)
            if (line.ends_with("@" + name_)) fail("left behind: an abstract socket");
    }
}

// Who waits where, and what the mailbox looks like from outside.
void scene::report_hang(const std::string& what) {
    hung_ = true;
    fail("hung: " + what);
    const std::int64_t now = now_ns();
    for (const member& one : members_) {
        const life& its = life_of(one);
        const std::string folder = "/proc/" + std::to_string(one.pid) + "/";
        std::printf("  life %u pid %d %s%s%s: %s for %.1f s, %llu messages; in %s; %s\n", one.life,
                    one.pid, one.as == role::sender ? "sender" : "receiver",
                    one.survivor ? ", survivor" : "", one.stopped_until_ns != 0 ? ", stopped" : "",
                    word_of(its.at.load()), static_cast<double>(now - its.since_ns.load()) / 1e9,
                    static_cast<unsigned long long>(its.progress.load()),
                    first_line(folder + "wchan").c_str(), first_line(folder + "syscall").c_str());
    }
    const auto tool = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "hawser";
    const std::string address = ledger_->address.data();
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::execl(tool.c_str(), "hawser", "info", address.substr(0, address.find('?')).c_str(),
                nullptr);
        ::_exit(127);
    }
    ::waitpid(pid, nullptr, 0);
}

} // namespace hawser::storm
