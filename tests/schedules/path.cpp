#include "path.hpp"

#include <limits>
#include <stdexcept>

namespace hawser::schedules {

const char* name_of(deviation kind) {
    constexpr std::array<const char*, deviation_kinds> names{"none",  "turn", "stale",   "spurious",
                                                             "crash", "stop", "give-up", "sunk"};
    return names[static_cast<std::size_t>(kind)];
}

path path::exhaustive(const bounds& at_most) {
    return path(mode::exhaustive, at_most);
}

path path::random(std::uint64_t seed, const bounds& at_most) {
    path made(mode::random, at_most);
    made.state_ = seed;
    return made;
}

path path::replay(const std::string& text) {
    bounds all{};
    all.fill(std::numeric_limits<std::uint8_t>::max());
    path made(mode::replay, all);
    const auto bad = [&text] {
        return std::invalid_argument("'" + text + "' is not a list like 12:1,40:3");
    };
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        const std::string one = text.substr(at, end - at);
        const std::size_t colon = one.find(':');
        if (colon == std::string::npos) throw bad();
        made.written_[std::stoul(one.substr(0, colon))] =
            static_cast<std::uint32_t>(std::stoul(one.substr(colon + 1)));
        at = end + 1;
    }
    return made;
}

bool path::next() {
    const bool first = executions_ == 0;
    if (!first && how_ == mode::replay) return false;
    if (how_ == mode::exhaustive) {
        if (!first && !to_the_next_branch()) return false;
    } else {
        points_.clear();
    }
    used_.fill(0);
    used_all_ = 0;
    if (how_ == mode::random) draw_rates();
    depth_ = 0;
    ++executions_;
    return true;
}

void path::use(deviation kind, int more) {
    used_[static_cast<std::size_t>(kind)] += static_cast<std::uint32_t>(more);
    if (kind != deviation::none) used_all_ += static_cast<std::uint32_t>(more);
}

// The last choice that has another alternative left takes it; what came after is forgotten.
bool path::to_the_next_branch() {
    points_.resize(depth_); // an execution that failed ends early
    while (!points_.empty()) {
        point& last = points_.back();
        use(last.from[last.chosen], -1);
        for (++last.chosen; last.chosen < last.from.count(); ++last.chosen)
            if (allowed(last.from[last.chosen])) return true;
        points_.pop_back();
    }
    return false;
}

std::uint32_t path::choose(const alternatives& from) {
    if (from.count() <= 1) return 0;
    std::uint32_t chosen = 0;
    if (how_ == mode::exhaustive && depth_ < points_.size()) {
        chosen = points_[depth_].chosen;
    } else {
        if (how_ == mode::random) chosen = draw(from);
        if (how_ == mode::replay)
            if (const auto found = written_.find(depth_); found != written_.end())
                chosen = found->second < from.count() ? found->second : 0;
        points_.push_back({from, chosen});
    }
    use(from[chosen], 1);
    ++depth_;
    return chosen;
}

std::string path::text() const {
    std::string text;
    for (std::size_t i = 0; i < depth_; ++i) {
        if (points_[i].chosen == 0) continue;
        if (!text.empty()) text += ',';
        text += std::to_string(i) + ':' + std::to_string(points_[i].chosen);
    }
    return text;
}

// splitmix64
std::uint64_t path::random_number() {
    std::uint64_t z = state_ += 0x9e37'79b9'7f4a'7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebULL;
    return z ^ (z >> 31);
}

// Some executions switch all the time and some hardly ever; the same for all that may go wrong.
void path::draw_rates() {
    constexpr std::array<std::uint32_t, 4> rates{20, 60, 200, 500};
    const auto draw_rate = [&](deviation kind, std::uint32_t divisor) {
        per_mille_[static_cast<std::size_t>(kind)] = rates[random_number() % 4] / divisor;
    };
    draw_rate(deviation::turn, 1);
    draw_rate(deviation::stale, 1);
    draw_rate(deviation::spurious, 1);
    draw_rate(deviation::crash, 4);
    draw_rate(deviation::stop, 4);
    draw_rate(deviation::give_up, 1);
    draw_rate(deviation::sunk, 1);
}

// Kind by kind, whether one of that kind happens; then which one of them.
std::uint32_t path::draw(const alternatives& from) {
    std::array<std::uint32_t, deviation_kinds> of_kind{};
    for (std::uint32_t i = 0; i < from.count(); ++i) ++of_kind[static_cast<std::size_t>(from[i])];
    std::size_t kind = 0;
    for (std::size_t k = 1; k < deviation_kinds && kind == 0; ++k)
        if (of_kind[k] != 0 && allowed(static_cast<deviation>(k)) &&
            random_number() % 1000 < per_mille_[k])
            kind = k;
    auto skip = static_cast<std::uint32_t>(random_number() % of_kind[kind]);
    for (std::uint32_t i = 0;; ++i)
        if (static_cast<std::size_t>(from[i]) == kind && skip-- == 0) return i;
}

} // namespace hawser::schedules
