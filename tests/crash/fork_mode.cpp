// Another thread of the victim forks while the operation stands at k. The child finds its parent's
// end points, which it must not use; it ends at once, or lives on with whatever it has inherited
// while the parent is killed: that must be noticed all the same.
//
// - If the operation stands in the middle of something that fork waits for (the allocator, the list
//   of descriptors that a child must not keep), it goes on until the fork is done.

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit.hpp"
#include "modes.hpp"
#include "support/asleep.hpp"
#include "support/shared.hpp"
#include "support/watchdog.hpp"

namespace hawser::crash {

namespace {

enum class verdict : int { none, good, bad };

struct notes {
    std::atomic<pid_t> child;
    std::atomic<verdict> found;
};

// The wires between the harness, the victim's second thread and the fork child; made anew for each
// case, as the end of `hold` is what lets the child go.
class desk {
  public:
    desk() {
        notes_->child = 0;
        notes_->found = verdict::none;
        if (::pipe(ask_) != 0 || ::pipe(hold_) != 0) throw std::runtime_error("no more pipes");
    }
    ~desk() {
        let_go();
        for (const int fd : {ask_[0], ask_[1], hold_[0]}) ::close(fd);
        if (notes_->child == 0) return;
        // The harness is the next one to wait for it, once its parent is gone (subreaper).
        while (::waitpid(notes_->child, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    desk(const desk&) = delete;
    desk& operator=(const desk&) = delete;

    void ask() { static_cast<void>(::write(ask_[1], "f", 1)); }
    void let_go() {
        if (hold_[1] >= 0) ::close(hold_[1]);
        hold_[1] = -1;
    }
    [[nodiscard]] notes& said() const { return *notes_; }

    // In the victim: a thread that forks when it is asked.
    void serve(const scene& at, bool lives_on) {
        ::close(hold_[1]);
        ::close(ask_[1]);
        mine(); // made now: a child must not find it half made, with nobody left to finish it
        std::atomic<pid_t> thread = 0;
        std::thread([this, &at, lives_on, &thread] {
            thread = ::gettid();
            char asked = 0;
            if (::read(ask_[0], &asked, 1) != 1) return;
            const pid_t child = ::fork();
            if (child == 0) be_child(at, lives_on);
            notes_->child = child;
        }).detach();
        // Only this thread is traced: a breakpoint that the other one runs into ends them both. So
        // it sleeps before there is any.
        while (thread == 0 || test::state_of(thread) != 'S') std::this_thread::yield();
    }

  private:
    [[noreturn]] void be_child(const scene& at, bool lives_on) const;

    int ask_[2] = {-1, -1};
    int hold_[2] = {-1, -1};
    static inline test::shared<notes> notes_;
};

// What the child of an operation in mid-air can rely on.
bool parents_ends_are_refused(const scene& at, bool destroys) {
    victims_ends& theirs = mine();
    bool good = true;
    if (theirs.out) good = good && theirs.out->try_send("x").is(errc::invalid_argument);
    if (theirs.in) good = good && theirs.in->try_receive().is(errc::invalid_argument);
    // One of its own works; where its parent does not stand in the door just now.
    if (at.survivors && door_of(at.name()) != door::shut) {
        const auto own = sender::open(at.where + "?create=open");
        good = good && (own || own.is(errc::no_space));
    }
    if (!destroys) return good;
    theirs.held.reset(), theirs.lent.reset();
    theirs.out.reset(), theirs.in.reset();
    return good;
}

void desk::be_child(const scene& at, bool lives_on) const {
    const bool good = parents_ends_are_refused(at, !lives_on);
    notes_->found = good ? verdict::good : verdict::bad;
    char until_the_end = 0;
    while (lives_on && ::read(hold_[0], &until_the_end, 1) < 0 && errno == EINTR) {
    }
    ::_exit(0);
}

bool within(std::chrono::milliseconds limit, const std::function<bool()>& is_so) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!is_so()) {
        if (std::chrono::steady_clock::now() > end) return false;
        ::poll(nullptr, 0, 0); // gives the CPU away
        std::this_thread::yield();
    }
    return true;
}

// Lets the second thread fork, and the operation go on as far as that needs: without a breakpoint,
// which the child would have in its code, too.
std::string let_it_fork(desk& wires, victim& who, std::uint64_t& waited) {
    const auto forked = [&] { return wires.said().child != 0; };
    wires.ask();
    if (!within(4ms, forked)) ++waited;
    while (!forked() && who.step_plainly()) {
        for (int i = 0; i < 30 && who.step_plainly(); ++i) {
        }
        within(2ms, forked);
    }
    if (!within(patience, forked)) return "fork does not return";
    if (!within(patience, [&] { return wires.said().found != verdict::none; }))
        return "the fork child hangs";
    return wires.said().found == verdict::good
               ? std::string{}
               : "the fork child could use its parent's end point, or had none of its own";
}

std::string fork_at(stage& on, std::uint64_t k, const route* known, std::uint64_t& waited) {
    const bool lives_on = k % 2 == 0;
    desk wires;
    on.before_act = [&] { wires.serve(on.at(), lives_on); };
    visit there(on, k, known);
    victim& who = there.who();
    if (who.failed()) return "the victim ended by itself";
    std::string wrong = let_it_fork(wires, who, waited);
    if (!lives_on && !who.finish() && wrong.empty())
        wrong = "after the fork, the victim did not come to its end";
    who.kill();
    const std::string after = on.played().check(on.at()); // while the child lives on
    return wrong.empty() ? after : wrong;
}

} // namespace

tally fork_everywhere(const operation& op, const extent& how) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    tally result;
    stage on(op);
    const auto attempt = [&](std::uint64_t k, const route* known) {
        const std::string arguments = "--fork --op " + op.name + " --k " + std::to_string(k);
        const test::watchdog limit(std::chrono::minutes(5), arguments);
        try {
            result.note(fork_at(on, k, known, result.besides), arguments);
        } catch (const std::exception& why) {
            result.note(why.what(), arguments);
        }
    };
    if (how.only_one()) return attempt(how.k, nullptr), result;
    desk nobody_asks;
    on.before_act = [&] { nobody_asks.serve(on.at(), false); };
    on.kind_of_victim = " with a thread";
    const exploration& found = explore_once(on, result);
    const auto points = spread(result.instructions, how.most(2, 200));
    result.all_instructions = points.size() > result.instructions;
    for (const std::uint64_t k : points) {
        if (result.hopeless()) break;
        attempt(k, &found.way);
    }
    return result;
}

} // namespace hawser::crash
