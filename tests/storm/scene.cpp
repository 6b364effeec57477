#include "scene.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/place.hpp"

namespace hawser::storm {

namespace {

constexpr std::int64_t hang_ns = 10'000'000'000; // in one call, of a process that may run
constexpr std::int64_t mean_gap_ns = 4'000'000;  // between two events
constexpr std::int64_t longest_stop_ns = 3'000'000'000;
constexpr std::size_t usual_senders = 3; // beside the survivor
constexpr std::size_t usual_receivers = 3;
constexpr std::size_t most_members = 12;

std::vector<scene*>& all_scenes() {
    static std::vector<scene*> all;
    return all;
}

std::string address_of(const kind& of, const std::string& name) {
    if (of.shared_memory()) return of.scheme + name + of.options;
    if (of.is == facility::mq) return of.scheme + "/" + name;
    if (of.is == facility::sysv_mq) {
        const auto number = std::hash<std::string>{}(name)&0x0FFF'FFFFU;
        return of.scheme + std::to_string(0x4000'0000U + number);
    }
    if (of.scheme.ends_with('@')) return of.scheme + name;
    return of.scheme + test::private_directory() + "/" + name;
}

} // namespace

scene::scene(std::string label, std::size_t place, std::uint64_t seed)
    : label_(std::move(label)), name_("storm-" + std::to_string(::getpid()) + "-" + label_),
      kind_(all_kinds()[place]), stage_{&ledger_, nullptr, ::getpid()}, random_(seed) {
    const std::string address = address_of(kind_, name_);
    std::copy(address.begin(), address.end(), ledger_->address.begin());
    ledger_->kind.store(static_cast<std::uint32_t>(place));
    ledger_->seed.store(seed);
    if (kind_.by_inheritance) {
        link_ =
            std::make_unique<hawser::pipe>(hawser::pipe::create({}, pipe_mode::packets).value());
        stage_.link = link_.get();
    }
    all_scenes().push_back(this);
}

scene::~scene() {
    std::erase(all_scenes(), this);
}

void scene::fail(const std::string& what) {
    failures_.push_back(kind_.name + ": " + what);
}

bool scene::over_early() const {
    return hung_ || !failures_.empty() || ledger_->complaints.load() != 0 ||
           // While the scene ends, receivers that are to leave still wait for a message.
           ledger_->messages_used.load() > most_messages / 4 * 3 ||
           ledger_->lives_used.load() > most_lives - 100;
}

// --- members -----------------------------------------------------------------------------------

// Its life of now: after exec it has another one than that with which it began.
life& scene::life_of(const member& one) const {
    std::uint32_t now = one.life;
    const std::uint32_t last = std::min(ledger_->lives_used.load(), most_lives - 1);
    for (std::uint32_t i = now + 1; ledger_->lives[now].left.load() && i <= last; ++i)
        if (ledger_->lives[i].pid.load() == one.pid) now = i;
    return ledger_->lives[now];
}

bool scene::at_work(const member& one) const {
    const doing at = life_of(one).at.load();
    return at != doing::nothing && at != doing::opening;
}

std::size_t scene::living(role as) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(members_, [as](const member& one) { return one.as == as; }));
}

void scene::spawn(role as, bool survivor) {
    const std::uint32_t born = ledger_->be_born(as, survivor);
    if (born == 0) return;
    ++happened_.joins;
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ledger_->lives[born].pid.store(::getpid());
        play(stage_, born);
    }
    ledger_->lives[born].pid.store(pid);
    members_.push_back({pid, as, born, survivor});
    if (as == role::receiver) deeds_.last_receiver = born;
}

scene::member& scene::help(const std::function<void()>& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (link_) link_->close();
        try {
            body();
        } catch (const std::exception& why) {
            ledger_->complain(std::string("helper: ") + why.what());
        }
        ::_exit(0);
    }
    members_.push_back({pid, role::observer, 0, true});
    return members_.back();
}

void scene::help_and_wait(const char* what, const std::function<void()>& body) {
    const pid_t pid = help(body).pid;
    wait_until(what, [&] {
        return std::ranges::none_of(members_, [pid](const member& one) { return one.pid == pid; });
    });
}

bool scene::wait_until(const char* what, const std::function<bool()>& is_so) {
    const std::int64_t begin = now_ns();
    while (!is_so()) {
        tend_all();
        if (!hung_ && now_ns() - begin > 3 * hang_ns) report_hang(what);
        if (hung_) return false;
        let_pass(500'000);
    }
    return true;
}

bool scene::tend_all() {
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid < 0) return false;
        if (pid == 0) break;
        const bool known =
            std::ranges::any_of(all_scenes(), [&](scene* one) { return one->ended(pid, status); });
        if (!known && WIFSIGNALED(status) && !all_scenes().empty())
            all_scenes().front()->fail("a child of a player died of signal " +
                                       std::to_string(WTERMSIG(status)));
    }
    for (scene* one : all_scenes()) one->tend();
    return true;
}

std::size_t scene::members_of_all() {
    std::size_t count = 0;
    for (const scene* one : all_scenes()) count += one->members_.size();
    return count;
}

bool scene::ended(pid_t process, int status) {
    const auto found = std::ranges::find(members_, process, &member::pid);
    if (found == members_.end()) return false;
    if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL || !found->doomed))
        fail("life " + std::to_string(found->life) + " died of signal " +
             std::to_string(WTERMSIG(status)));
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fail("life " + std::to_string(found->life) + " ended with " +
             std::to_string(WEXITSTATUS(status)));
    if (WIFEXITED(status) && found->leaving) ++happened_.leaves;
    members_.erase(found);
    return true;
}

void scene::tend() {
    const std::int64_t now = now_ns();
    for (member& one : members_)
        if (one.stopped_until_ns != 0 && one.stopped_until_ns < now) let_go_on(one);
    adopt_new_lives();
    if (!hung_) check_for_hang();
}

// Children of players that have become players, and are ours by now.
void scene::adopt_new_lives() {
    const std::uint32_t last = std::min(ledger_->lives_used.load(), most_lives - 1);
    for (std::uint32_t i = 1; i <= last; ++i) {
        life& one = ledger_->lives[i];
        if (!one.adopted.exchange(false)) continue;
        members_.push_back({one.pid.load(), one.as.load(), i, false});
        ++happened_.joins;
    }
}

void scene::check_for_hang() {
    const std::int64_t now = now_ns();
    for (const member& one : members_) {
        if (one.life == 0 || one.doomed || one.stopped_until_ns != 0) continue;
        const life& its = life_of(one);
        const doing at = its.at.load();
        if (at == doing::parked || at == doing::over) continue;
        if (now - its.since_ns.load() > hang_ns)
            return report_hang("life " + std::to_string(one.life) + ", pid " +
                               std::to_string(one.pid));
    }
}

// --- events ------------------------------------------------------------------------------------

void scene::begin() {
    if (kind_.many_receivers) spawn(role::receiver, true);
    spawn(role::sender, true);
    wait_until("the survivors to open", [this] {
        return std::ranges::all_of(members_, [this](const member& one) { return at_work(one); });
    });
    keep_up_the_number();
    next_event_ns_ = now_ns();
}

void scene::keep_up_the_number() {
    const std::size_t receivers = kind_.many_receivers ? usual_receivers + 1 : 1;
    if (living(role::receiver) < receivers) spawn(role::receiver, false);
    if (living(role::sender) < usual_senders + 1) spawn(role::sender, false);
}

void scene::go_on(std::int64_t ends_ns) {
    tend_all();
    const std::int64_t now = now_ns();
    if (now < next_event_ns_ || over_early()) return;
    const double share = static_cast<double>(1 + chance(1000)) / 1001;
    next_event_ns_ = now + static_cast<std::int64_t>(-std::log(share) * mean_gap_ns);
    one_event(ends_ns);
}

void scene::one_event(std::int64_t ends_ns) {
    const std::uint64_t drawn = chance(100);
    member* one = somebody();
    if (drawn >= 94 && kind_.removals && ends_ns - now_ns() > 300'000'000) return remove_by_force();
    if (drawn >= 90) return look_around();
    if (drawn >= 75 || one == nullptr) return keep_up_the_number();
    if (drawn < 40) {
        kill(*one);
        if (chance(3) != 0) keep_up_the_number();
    } else if (drawn < 42) {
        kill_all(false);
    } else if (drawn < 58) {
        stop(*one);
    } else if (drawn < 62) {
        tell(*one, order::leave);
    } else if (drawn < 65) {
        tell(*one, order::exec);
    } else {
        constexpr order forks[] = {order::fork_idle, order::fork_holding, order::fork_user,
                                   order::fork_opening};
        const order what = forks[chance(std::size(forks))];
        if (what != order::fork_opening || members_.size() < most_members) tell(*one, what);
    }
}

scene::member* scene::somebody(role as) {
    std::vector<member*> some;
    for (member& one : members_)
        if (!one.survivor && !one.doomed && (as == role::none || one.as == as))
            some.push_back(&one);
    return some.empty() ? nullptr : some[chance(some.size())];
}

// The note first: who gets a message of its again must find it dead.
void scene::kill(member& one) {
    one.doomed = true;
    ledger_->doom(one.pid);
    ++(one.as == role::receiver ? deeds_.receiver_kills : deeds_.sender_kills);
    ++happened_.kills;
    ledger_->note_event();
    ::kill(one.pid, SIGKILL);
}

void scene::kill_all(bool survivors_too) {
    ++happened_.massacres;
    for (member& one : members_)
        if (!one.doomed && one.as != role::observer && (survivors_too || !one.survivor)) kill(one);
}

// A thousandth of a second to several seconds, more often short.
void scene::stop(member& one) {
    if (one.stopped_until_ns != 0) return;
    const double share = static_cast<double>(chance(1001)) / 1000;
    const double most = static_cast<double>(longest_stop_ns) / 1'000'000;
    const auto span = static_cast<std::int64_t>(1'000'000 * std::pow(most, share * share));
    ++happened_.stops;
    ledger_->note_event();
    ::kill(one.pid, SIGSTOP);
    one.stopped_until_ns = now_ns() + span;
}

void scene::let_go_on(member& one) {
    one.stopped_until_ns = 0;
    life_of(one).since_ns.store(now_ns()); // its time in the call begins again
    ::kill(one.pid, SIGCONT);
}

void scene::tell(member& one, order what) {
    if (one.leaving) return;
    if (what == order::exec && kind_.by_inheritance) return;
    one.leaving = what == order::leave;
    if (what == order::exec) {
        // Its end points end as by a kill.
        ++happened_.execs;
        ++(one.as == role::receiver ? deeds_.receiver_kills : deeds_.sender_kills);
    } else if (what != order::leave) {
        ++happened_.forks;
    }
    life_of(one).told.store(what);
}

void scene::look_around() {
    if (living(role::observer) > 1) return;
    ++happened_.looks;
    const std::uint64_t what = chance(4);
    const std::string address = ledger_->address.data();
    member& looking = help([&] {
        if (what == 0) static_cast<void>(collect_garbage());
        if (what == 1) static_cast<void>(list_mailboxes());
        if (what == 2) static_cast<void>(collect_system_objects());
        if (what == 3) static_cast<void>(inspect_mailbox(address.substr(0, address.find('?'))));
    });
    // An observer may be killed, too; it holds the door at most.
    if (chance(3) == 0) {
        let_pass(static_cast<std::int64_t>(chance(1'000'000)));
        looking.doomed = true;
        ::kill(looking.pid, SIGKILL);
        ++happened_.kills;
        ++deeds_.sender_kills; // gc repairs and counts
    }
}

void scene::remove_by_force() {
    if (ledger_->removals_begun.load() != ledger_->removals_done.load()) return;
    ++happened_.removals;
    ledger_->removals_begun.fetch_add(1);
    help([this] {
        const auto done = remove_mailbox(kind_.scheme + name_, removal::by_force);
        if (!done && !done.is(errc::not_found))
            ledger_->complain("removal by force: " + done.why().describe());
        ledger_->removals_done.fetch_add(1);
    });
}

} // namespace hawser::storm
