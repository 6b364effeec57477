#include "cases.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <stdexcept>

#include <unistd.h>

#include "support/place.hpp"
#include "support/shared.hpp"

namespace hawser::crash {

namespace {

ledger& the_book() {
    static test::shared<ledger> book;
    return *book;
}

// A port that was free a moment ago.
std::string free_port() {
    const auto in = receiver::open("tcp://127.0.0.1:0").value();
    const std::string where = in.where().to_text();
    return where.substr(where.rfind(':') + 1);
}

std::string place_for(const std::string& scheme) {
    const std::string name = test::unique_name("crash");
    if (scheme == "shm") return "shm:" + name;
    if (scheme == "pipe") return "pipe:";
    if (scheme == "tcp" || scheme == "udp") return scheme + "://127.0.0.1:" + free_port();
    if (scheme == "mq") return "mq:/hawser-" + name + "-" + std::to_string(::getpid());
    if (scheme == "sysv-mq")
        return "sysv-mq:" + std::to_string(0x4877'0000U + static_cast<unsigned>(::getpid()));
    return scheme + ":" + test::private_directory() + "/" + name;
}

} // namespace

stage::stage(const operation& played) : played_(&played) {
    const std::size_t colon = played.address.find(':');
    at_.where = place_for(played.address.substr(0, colon));
    at_.options = played.address.substr(colon + 1);
    at_.book = &the_book();
    at_.own = &own_;
    at_.survivors = played.survivors;
    at_.book->clear();
    if (!played.survivors) return;
    own_.out.emplace(sender::open(at_.address()).value());
    own_.in.emplace(receiver::open(at_.address()).value());
}

stage::~stage() {
    own_.leave();
    if (at_.where.starts_with("mq:") || at_.where.starts_with("sysv-mq:"))
        static_cast<void>(remove_mailbox(at_.where, removal::by_force));
}

void stage::prepare() {
    if (!at_.survivors) own_.leave(); // what a case that failed left open
    at_.book->clear();
    played_->prepare(at_);
    died_before_ = at_.book->receiving;
}

void tally::note(const std::string& wrong, const std::string& how_to_repeat) {
    ++points;
    if (wrong.empty()) return;
    ++failures;
    std::printf("FAILED %s: %s\n", how_to_repeat.c_str(), wrong.c_str());
    std::fflush(stdout);
}

std::unique_ptr<victim> enter(stage& on) {
    on.prepare();
    auto who = std::make_unique<victim>([&] {
        on.before_act();
        on.played().act(on.at());
    });
    if (!who->failed()) on.played().joined(on.at());
    return who;
}

namespace {

exploration explore_now(stage& on, tally& result) {
    auto who = enter(on);
    snapshot world(on.at().path(), *on.at().book);
    exploration found = explore(*who, world);
    const bool failed = who->failed();
    who->kill();
    result.note(failed ? "the victim ended by itself" : on.played().check(on.at()),
                "--op " + on.played().name + " (to its end)");
    return found;
}

} // namespace

const exploration& explore_once(stage& on, tally& result) {
    // One process runs several modes, and their victims go the same way: stepped through once. (Not
    // those with a second thread: theirs is another.)
    static std::map<std::string, exploration> known;
    const std::string& name = on.played().name;
    exploration& found = known[name.substr(0, name.find('+')) + on.kind_of_victim];
    if (found.way.length() == 0) found = explore_now(on, result);
    result.instructions = found.way.length();
    result.states = found.states.size();
    return found;
}

visit::visit(stage& on, std::uint64_t k, const route* known) : who_(enter(on)) {
    if (k == to_the_end) {
        static_cast<void>(who_->finish());
        return;
    }
    if (known == nullptr) {
        who_->step_to(k);
        return;
    }
    if (who_->run_to(k, *known) || who_->failed()) return;
    // It took another way. What it did is a case, too, and then the scene is made anew.
    who_->kill();
    const std::string wrong = on.played().check(on.at());
    if (!wrong.empty()) throw std::runtime_error("strayed: " + wrong);
    who_ = enter(on);
    who_->step_to(k);
}

std::vector<std::uint64_t> some_of(const std::vector<std::uint64_t>& points, std::size_t most) {
    if (points.size() <= most) return points;
    std::vector<std::uint64_t> chosen;
    for (std::size_t i = 0; i < most; ++i) chosen.push_back(points[i * points.size() / most]);
    return chosen;
}

std::vector<std::uint64_t> spread(std::uint64_t last, std::size_t most) {
    std::vector<std::uint64_t> chosen;
    const std::uint64_t stride = last / std::max<std::uint64_t>(most, 1) + 1;
    for (std::uint64_t k = 0; k <= last; k += stride) chosen.push_back(k);
    return chosen;
}

} // namespace hawser::crash
