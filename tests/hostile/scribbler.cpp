// The live scribbler: rounds of victims and enemies on one real mailbox each. No victim may crash,
// hang past its deadline, take more memory than a limit, or say what its call can't say.
//
//     hawser_scribbler [--for SECONDS] [--seed S] [--round N] [--sealed | --named]
//
// Without --round, as many rounds as the time allows; a failure prints the arguments that repeat
// its round (what the processes do in it is theirs, by the seed; how they interleave is not).
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "battle.hpp"
#include "os/clock.hpp"
#include "segment/segment.hpp"
#include "support/place.hpp"

namespace hawser::hostile {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t round_ns = 700'000'000;
constexpr rlim_t most_data_bytes = 256U << 20U;
constexpr std::int64_t hung_after_ns = 30 * second_ns; // opening may take 11 s

struct settings {
    std::int64_t for_ns = 10 * second_ns;
    std::uint64_t seed = 0;
    std::int64_t only_round = -1;
    bool named = true;
    bool sealed = true;
};

struct sums {
    unsigned passed = 0;
    unsigned failed = 0;
    std::uint64_t calls = 0;
    std::uint64_t delivered = 0;
    std::uint64_t corrupt = 0;
    std::uint64_t attacks = 0;
    std::uint64_t missed = 0;
    std::int64_t worst_late_ns = 0;
};

struct fighter {
    pid_t process = -1;
    bool is_victim = false;
};

fighter start(const round& of, std::uint64_t seed, bool is_victim, part which) {
    std::fflush(nullptr);
    const pid_t process = ::fork();
    if (process != 0) return {process, is_victim};
    if (is_victim) {
        const rlimit limit{most_data_bytes, most_data_bytes};
        ::setrlimit(RLIMIT_DATA, &limit);
        be_victim(of, which, seed);
    } else {
        be_enemy(of, seed);
    }
    std::_Exit(0);
}

// Waits for its end. What was wrong, or nothing.
std::string await(const fighter& who, std::int64_t give_up_ns) {
    int status = 0;
    while (::waitpid(who.process, &status, WNOHANG) == 0) {
        if (os::monotonic_ns() > give_up_ns) {
            ::kill(who.process, SIGKILL);
            ::waitpid(who.process, &status, 0);
            return who.is_victim ? "a victim hung" : "";
        }
        os::pause_ns(1'000'000);
    }
    if (!who.is_victim || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) return {};
    if (WIFSIGNALED(status))
        return std::string("a victim crashed: ") + ::strsignal(WTERMSIG(status));
    return "a victim ended with status " + std::to_string(WEXITSTATUS(status));
}

round prepare(const settings& wanted, std::uint64_t number, board* results) {
    struct shape {
        const char* options;
        std::uint64_t max_message;
        std::uint32_t participants;
    };
    constexpr std::array<shape, 6> shapes{{
        {"capacity=4&participants=8&loans=4&max_message=100", 100, 8},
        {"capacity=16&participants=12&max_message=64KiB&max_memory=256KiB", 65536, 12},
        {"capacity=8&participants=8&order=sender&max_message=20KiB&max_memory=64KiB", 20480, 8},
        {"capacity=1&participants=6&loans=2&delivery=at_most_once&max_message=8KiB&max_memory="
         "16KiB",
         8192, 6},
        {"capacity=64&participants=64&max_message=16MiB&max_memory=64MiB", 16U << 20U, 64},
        {"capacity=32&participants=16&order=sender&persist=yes&max_message=500", 500, 16},
    }};
    const shape& of = shapes[number % shapes.size()];
    round made;
    made.seed = wanted.seed * 1'000'003 + number;
    made.sealed = wanted.sealed && (!wanted.named || number / shapes.size() % 2 == 1);
    made.name = test::unique_name("scribbled");
    made.path = segment::path_of(made.name).value();
    made.address = "shm:" + made.name + "?" + of.options;
    if (made.sealed) {
        made.address += "&trust=none";
        const auto persist = made.address.find("&persist=yes");
        if (persist != std::string::npos) made.address.erase(persist, std::strlen("&persist=yes"));
    }
    made.max_message = of.max_message;
    made.participants = of.participants;
    made.results = results;
    return made;
}

// What went wrong, one line each.
std::vector<std::string> play(const round& of) {
    constexpr std::array<part, 5> victims{part::sender, part::receiver, part::sender,
                                          part::receiver, part::visitor};
    constexpr int enemies = 2;
    std::vector<fighter> all;
    std::uint64_t seed = of.seed;
    for (const part which : victims) all.push_back(start(of, ++seed, true, which));
    for (int i = 0; i < enemies; ++i) all.push_back(start(of, ++seed, false, part::sender));
    os::pause_ns(round_ns);
    of.results->stop.store(true);
    const std::int64_t give_up_ns = os::monotonic_ns() + hung_after_ns;
    std::vector<std::string> wrong;
    for (const fighter& one : all)
        if (auto what = await(one, give_up_ns); !what.empty()) wrong.push_back(std::move(what));
    const board& seen = *of.results;
    if (seen.missed.load() != 0)
        wrong.push_back(std::to_string(seen.missed.load()) + " calls missed their deadline, by " +
                        std::to_string(seen.worst_late_ns.load() / 1000) + " us at worst");
    if (seen.odd_errors.load() != 0)
        wrong.push_back("an error that the call does not have, code " +
                        std::to_string(seen.odd_code.load()));
    if (seen.impossible.load() != 0) wrong.push_back("a message larger than any can be");
    return wrong;
}

void add(sums& all, const board& seen) {
    all.calls += seen.calls.load();
    all.delivered += seen.delivered.load();
    all.corrupt += seen.corrupt.load();
    all.attacks += seen.attacks.load();
    all.missed += seen.missed.load();
    all.worst_late_ns = std::max(all.worst_late_ns, seen.worst_late_ns.load());
}

void play_all(const settings& wanted, sums& all) {
    void* shared =
        ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    const std::int64_t end_ns = os::monotonic_ns() + wanted.for_ns;
    std::int64_t number = std::max<std::int64_t>(wanted.only_round, 0);
    do {
        auto* const results = ::new (shared) board{};
        const round of = prepare(wanted, static_cast<std::uint64_t>(number), results);
        const auto wrong = play(of);
        add(all, *results);
        for (const auto& what : wrong)
            std::printf("FAIL %s: %s\n     again: --seed %llu --round %lld%s\n", of.address.c_str(),
                        what.c_str(), static_cast<unsigned long long>(wanted.seed),
                        static_cast<long long>(number),
                        wanted.named ? (wanted.sealed ? "" : " --named") : " --sealed");
        ++(wrong.empty() ? all.passed : all.failed);
        test::sweep_left_over();
        ++number;
    } while (wanted.only_round < 0 && os::monotonic_ns() < end_ns && all.failed < 5);
    ::munmap(shared, sizeof(board));
}

settings read_arguments(int count, char** words) {
    settings wanted;
    wanted.seed = std::random_device{}();
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        const bool has_value = i + 1 < count;
        if (word == "--for" && has_value)
            wanted.for_ns = std::atoll(words[++i]) * second_ns;
        else if (word == "--seed" && has_value)
            wanted.seed = std::strtoull(words[++i], nullptr, 10);
        else if (word == "--round" && has_value)
            wanted.only_round = std::atoll(words[++i]);
        else if (word == "--named")
            wanted.sealed = false;
        else if (word == "--sealed")
            wanted.named = false;
        else {
            std::fprintf(stderr, "scribbler: unknown argument %s\n", words[i]);
            std::exit(2);
        }
    }
    return wanted;
}

} // namespace

} // namespace hawser::hostile

int main(int count, char** words) {
    using namespace hawser::hostile;
    const settings wanted = read_arguments(count, words);
    std::printf("scribbler, seed %llu\n", static_cast<unsigned long long>(wanted.seed));
    hawser::test::private_directory();
    sums all;
    play_all(wanted, all);
    std::printf("figure: scribbler rounds = %u\n", all.passed + all.failed);
    std::printf("figure: scribbler calls of victims = %llu\n",
                static_cast<unsigned long long>(all.calls));
    std::printf("figure: scribbler messages delivered = %llu\n",
                static_cast<unsigned long long>(all.delivered));
    std::printf("figure: scribbler calls that said corrupt = %llu\n",
                static_cast<unsigned long long>(all.corrupt));
    std::printf("figure: scribbler attacks = %llu\n", static_cast<unsigned long long>(all.attacks));
    std::printf("figure: scribbler missed deadlines = %llu (target: 0)\n",
                static_cast<unsigned long long>(all.missed));
    std::printf("figure: scribbler worst overrun = %.1f ms (limit: 1000 ms)\n",
                static_cast<double>(all.worst_late_ns) / 1e6);
    std::printf("scribbler: %u passed, %u failed\n", all.passed, all.failed);
    return all.failed == 0 ? 0 : 1;
}
