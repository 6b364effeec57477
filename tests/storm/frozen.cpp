// The frozen peer: a sender and a receiver that holds messages stand still (SIGSTOP) in the middle
// of their work, while others go on in the same mailbox.
//
// - Two mailboxes that differ in nothing else: in one the two are stopped, in the other they are
//   idle. The others work in both by turns, a short slice each, so that both see the same machine;
//   before and after the frozen time the same is measured with nobody stopped.
// - When they go on, the stopped ones must find what they had: the message in use unchanged and
//   not given to anybody else, the send as if nothing had been. Every message is counted.

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "ledger.hpp"
#include "player.hpp"
#include "storm.hpp"
#include "support/place.hpp"
#include "support/shared.hpp"
#include "support/watchdog.hpp"

namespace hawser::storm {

namespace {

constexpr auto slice_patience = std::chrono::milliseconds(5);
constexpr std::size_t held_by_victim = 2;
constexpr int nobody = -1;

struct mail {
    std::uint64_t id;
    std::uint64_t again[7]; // the same
};

// What one mailbox's processes say.
struct side {
    std::atomic<std::uint64_t> sent;
    std::atomic<std::uint64_t> received;
    std::atomic<std::uint64_t> by_others; // received by the one that works
    std::atomic<std::uint64_t> wrong;     // torn, redelivered, or an error
    std::atomic<bool> holding;
    std::atomic<std::uint64_t> victims_well; // that have ended their work in good order
};

struct stand {
    std::atomic<int> turn; // whose others work
    std::atomic<bool> victims_work;
    std::atomic<bool> victims_end;
    std::atomic<bool> over;
    std::array<side, 2> sides;
};

bool intact(const message& got) {
    const auto read = got.value_as<mail>();
    if (!read || got.redelivered()) return false;
    for (const std::uint64_t copy : read->again)
        if (copy != read->id) return false;
    return true;
}

mail letter(std::uint64_t id) {
    return {id, {id, id, id, id, id, id, id}};
}

// --- the processes -----------------------------------------------------------------------------

void work_as_sender(stand& on, int which, const std::string& address) {
    side& ours = on.sides[static_cast<std::size_t>(which)];
    auto out = sender::open(address).value();
    for (std::uint64_t id = 1; !on.over.load();) {
        if (on.turn.load() != which) {
            let_pass(100'000);
            continue;
        }
        const auto said = out.send_value(letter(id), deadline::after(slice_patience));
        if (said) ours.sent.fetch_add(1), ++id;
        if (!said && !said.is(errc::timed_out)) ours.wrong.fetch_add(1);
    }
}

void work_as_receiver(stand& on, int which, const std::string& address) {
    side& ours = on.sides[static_cast<std::size_t>(which)];
    auto in = receiver::open(address).value();
    for (;;) {
        if (on.turn.load() != which && !on.over.load()) {
            let_pass(100'000);
            continue;
        }
        const auto got = in.receive_for(slice_patience);
        if (got.is(errc::closed) && on.over.load()) return;
        if (got) {
            ours.received.fetch_add(1);
            ours.by_others.fetch_add(1);
        }
        if (got ? !intact(*got) : !got.is(errc::timed_out)) ours.wrong.fetch_add(1);
    }
}

void be_victim_sender(stand& on, int which, bool works, const std::string& address) {
    side& ours = on.sides[static_cast<std::size_t>(which)];
    auto out = sender::open(address).value();
    for (std::uint64_t id = 1; !on.victims_end.load(); ++id) {
        if (!works || !on.victims_work.load()) {
            let_pass(100'000);
            continue;
        }
        if (out.send_value(letter(id)))
            ours.sent.fetch_add(1);
        else
            ours.wrong.fetch_add(1);
    }
    ours.victims_well.fetch_add(1);
}

void be_victim_receiver(stand& on, int which, bool works, const std::string& address) {
    side& ours = on.sides[static_cast<std::size_t>(which)];
    auto in = receiver::open(address).value();
    std::vector<message> held;
    while (held.size() < held_by_victim) {
        auto got = in.receive_for(slice_patience);
        if (!got) continue;
        ours.received.fetch_add(1);
        held.push_back(std::move(*got));
    }
    ours.holding.store(true);
    while (!on.victims_end.load()) {
        if (!works || !on.victims_work.load()) {
            let_pass(100'000);
            continue;
        }
        const auto got = in.receive_for(slice_patience);
        if (got) ours.received.fetch_add(1);
        if (got ? !intact(*got) : !got.is(errc::timed_out)) ours.wrong.fetch_add(1);
    }
    for (const message& one : held)
        if (!intact(one)) ours.wrong.fetch_add(1);
    ours.victims_well.fetch_add(1);
}

pid_t start(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
        body();
    } catch (const std::exception& why) {
        std::fprintf(stderr, "frozen peer: %s\n", why.what());
        ::_exit(1);
    }
    ::_exit(0);
}

// --- the measurement ---------------------------------------------------------------------------

struct rates {
    double with_victims_working = 0; // messages a second of the others, in the first mailbox
    double beside = 0;               // in the second
    [[nodiscard]] double ratio() const { return with_victims_working / beside; }
};

// The others of both mailboxes by turns, for so long.
rates measure(stand& on, std::int64_t length_ns) {
    constexpr std::int64_t slice_ns = 100'000'000;
    std::array<std::uint64_t, 2> messages{};
    std::array<std::int64_t, 2> time_ns{};
    const std::int64_t ends_ns = now_ns() + length_ns;
    for (int which = 0; now_ns() < ends_ns || which != 0; which = 1 - which) {
        const auto at = static_cast<std::size_t>(which);
        on.turn.store(which);
        let_pass(slice_ns / 10); // the first moments belong to waking up
        const std::uint64_t before = on.sides[at].by_others.load();
        const std::int64_t begin = now_ns();
        let_pass(slice_ns);
        messages[at] += on.sides[at].by_others.load() - before;
        time_ns[at] += now_ns() - begin;
    }
    on.turn.store(nobody);
    const auto rate = [&](std::size_t at) {
        return static_cast<double>(messages[at]) * 1e9 / static_cast<double>(time_ns[at]);
    };
    return {rate(0), rate(1)};
}

// Both in the middle of their work. A stop is complete when the kernel says so.
void stop(pid_t process) {
    ::kill(process, SIGSTOP);
    int status = 0;
    ::waitpid(process, &status, WUNTRACED);
}

class frozen_run {
  public:
    frozen_run(std::string order, std::int64_t frozen_ns)
        : order_(std::move(order)), frozen_ns_(frozen_ns) {}

    outcome run() {
        stand& on = *shared_;
        start_all();
        for (const int which : {0, 1}) {
            on.turn.store(which);
            test::until([&] { return on.sides[static_cast<std::size_t>(which)].holding.load(); });
        }
        const rates before = measure(on, frozen_ns_ / 4);
        on.turn.store(0);
        on.victims_work.store(true);
        let_pass(20'000'000);
        stop(victims_[0]);
        stop(victims_[1]);
        const std::int64_t stopped_at = now_ns();
        const rates during = measure(on, frozen_ns_);
        const std::int64_t frozen_for = now_ns() - stopped_at;
        on.victims_work.store(false);
        for (const pid_t victim : victims_) ::kill(victim, SIGCONT);
        const rates after = measure(on, frozen_ns_ / 4);
        end_all();
        return judge(before, during, after, frozen_for);
    }

  private:
    void start_all() {
        stand& on = *shared_;
        on.turn.store(nobody);
        for (const int which : {0, 1}) {
            const std::string address = name_of(which) + "?order=" + order_;
            const bool works = which == 0;
            const pid_t victim_receiver =
                start([&] { be_victim_receiver(on, which, works, address); });
            const pid_t victim_sender = start([&] { be_victim_sender(on, which, works, address); });
            if (works) victims_ = {victim_receiver, victim_sender};
            const pid_t out = start([&] { work_as_sender(on, which, address); });
            const pid_t in = start([&] { work_as_receiver(on, which, address); });
            all_.insert(all_.end(), {victim_receiver, victim_sender, out, in});
        }
    }

    void end_all() {
        stand& on = *shared_;
        on.victims_end.store(true);
        // With somebody who receives, as a victim may wait for room.
        on.turn.store(0);
        test::until([&] {
            return on.sides[0].victims_well.load() == 2 && on.sides[1].victims_well.load() == 2;
        });
        on.over.store(true);
        for (const pid_t one : all_) {
            int status = 0;
            while (::waitpid(one, &status, 0) < 0) {
            }
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++ended_badly_;
        }
    }

    outcome judge(const rates& before, const rates& during, const rates& after,
                  std::int64_t frozen_for) {
        const std::string name = "frozen peer, order=" + order_;
        std::uint64_t wrong = static_cast<std::uint64_t>(ended_badly_);
        for (const side& one : shared_->sides)
            wrong += one.wrong.load() + (one.sent.load() != one.received.load() ? 1 : 0);
        const std::size_t left = test::left_over().size();
        std::array<char, 160> text{};
        std::snprintf(text.data(), text.size(), "%.1f s", static_cast<double>(frozen_for) / 1e9);
        print_figure(name + ": stood still for", text.data());
        const double usual = (before.ratio() + after.ratio()) / 2;
        std::snprintf(text.data(), text.size(),
                      "%.1f %% (%.0f messages/s beside two that are stopped, %.0f beside two that "
                      "are idle; nobody stopped: %.0f and %.0f)",
                      100 * during.ratio() / usual, during.with_victims_working, during.beside,
                      (before.with_victims_working + after.with_victims_working) / 2,
                      (before.beside + after.beside) / 2);
        print_figure(name + ": the others' rate", text.data(), "90 %");
        print_figure(name + ": messages reclaimed alive, torn, lost or twice", with_commas(wrong),
                     "0");
        if (wrong == 0 && left == 0) return {1, 0};
        std::printf("FAILED --only frozen: %s: %llu wrong, %d processes ended badly, %zu names "
                    "left; sent %llu and %llu, received %llu and %llu\n",
                    order_.c_str(), static_cast<unsigned long long>(wrong), ended_badly_, left,
                    static_cast<unsigned long long>(shared_->sides[0].sent.load()),
                    static_cast<unsigned long long>(shared_->sides[1].sent.load()),
                    static_cast<unsigned long long>(shared_->sides[0].received.load()),
                    static_cast<unsigned long long>(shared_->sides[1].received.load()));
        return {0, 1};
    }

    [[nodiscard]] std::string name_of(int which) const {
        return "shm:frozen-" + order_ + (which == 0 ? "-a" : "-b");
    }

    const std::string order_;
    const std::int64_t frozen_ns_;
    test::shared<stand> shared_;
    std::vector<pid_t> all_;
    std::array<pid_t, 2> victims_{};
    int ended_badly_ = 0;
};

} // namespace

outcome frozen_peer(const settings& chosen) {
    test::private_directory();
    outcome all;
    for (const char* order : {"total", "sender"}) {
        // The long freeze once is enough.
        const bool first = std::string(order) == "total";
        const std::int64_t frozen_ns = first ? chosen.frozen_ns : chosen.frozen_ns / 4;
        const test::watchdog limit(std::chrono::duration_cast<std::chrono::milliseconds>(
                                       std::chrono::nanoseconds(3 * frozen_ns)) +
                                       std::chrono::seconds(60),
                                   std::string("frozen peer, order=") + order);
        const outcome one = frozen_run(order, frozen_ns).run();
        all.passed += one.passed;
        all.failed += one.failed;
    }
    return all;
}

} // namespace hawser::storm
