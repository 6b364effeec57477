// Senders and receivers killed in a tight loop, at moments of chance, while others live through it.
//
//   hawser_kill_loop [--kills N] [--order total|sender] [--seed S]
//
// One sender and one receiver survive; beside them one of each is killed and replaced, again and
// again. A ledger in shared memory, which no kill can take back, says what became of every message:
// each one whose send() returned must arrive, and one that arrives twice must be flagged.
// Statistical: no failure in N kills says that the rate is below 3/N (at 95 %), no more.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "support/place.hpp"
#include "support/shared.hpp"
#include "support/watchdog.hpp"

namespace {

using namespace hawser;
using clock = std::chrono::steady_clock;

constexpr std::uint64_t most_senders = 4096;
constexpr std::uint64_t most_ids = 1 << 17;          // of a sender that is killed
constexpr std::uint64_t most_survivor_ids = 1 << 28; // of the one that lives
constexpr std::uint64_t survivor = 0;

struct ledger {
    std::atomic<bool> stop;
    std::atomic<std::uint64_t> ready; // raised by each process when it is at work
    std::array<std::atomic<std::uint64_t>, most_senders> committed;
    std::array<std::atomic<std::uint8_t>, most_survivor_ids / 8> survivor_bits;
    std::array<std::array<std::atomic<std::uint8_t>, most_ids / 8>, most_senders> bits;
    std::atomic<std::uint64_t> delivered;
    std::atomic<std::uint64_t> flagged;
    std::atomic<std::uint64_t> duplicates; // that nobody had flagged
    std::atomic<std::int64_t> sender_stall_us;
    std::atomic<std::int64_t> receiver_stall_us;

    bool mark(std::uint64_t sender, std::uint64_t id) {
        auto& byte = sender == survivor ? survivor_bits[id / 8] : bits[sender][id / 8];
        const auto bit = static_cast<std::uint8_t>(1U << (id % 8));
        return (byte.fetch_or(bit) & bit) == 0;
    }
    [[nodiscard]] bool has(std::uint64_t sender, std::uint64_t id) const {
        const auto& byte = sender == survivor ? survivor_bits[id / 8] : bits[sender][id / 8];
        return (byte.load() >> (id % 8) & 1) != 0;
    }
};

struct mail {
    std::uint64_t sender;
    std::uint64_t id;
};

// The longest time between two signs of life.
class stopwatch {
  public:
    explicit stopwatch(std::atomic<std::int64_t>* longest_us) : longest_us_(longest_us) {}
    void lap() {
        const auto now = clock::now();
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now - last_).count();
        if (longest_us_ != nullptr && us > longest_us_->load()) longest_us_->store(us);
        last_ = now;
    }

  private:
    std::atomic<std::int64_t>* longest_us_;
    clock::time_point last_ = clock::now();
};

void send_on(ledger& book, const std::string& address, std::uint64_t me) {
    auto out = sender::open(address).value();
    book.ready.fetch_add(1);
    const std::uint64_t most = me == survivor ? most_survivor_ids : most_ids;
    stopwatch watch(me == survivor ? &book.sender_stall_us : nullptr);
    for (std::uint64_t id = 0; id < most && !book.stop.load(); ++id) {
        out.send_value(mail{me, id}).value();
        book.committed[me].store(id + 1);
        watch.lap();
    }
    if (me != survivor)
        while (!book.stop.load()) ::pause(); // waits to be killed
}

void receive_on(ledger& book, const std::string& address, bool survives) {
    auto in = receiver::open(address).value();
    book.ready.fetch_add(1);
    stopwatch watch(survives ? &book.receiver_stall_us : nullptr);
    for (;;) {
        const auto got = in.receive();
        if (got.is(errc::closed)) return;
        const auto read = got.value().value_as<mail>().value();
        watch.lap();
        const bool first = book.mark(read.sender, read.id);
        book.delivered.fetch_add(1);
        if (got->redelivered()) book.flagged.fetch_add(1);
        if (!first && !got->redelivered()) book.duplicates.fetch_add(1);
    }
}

class process {
  public:
    explicit process(const std::function<void()>& body) : pid_(::fork()) {
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        try {
            body();
        } catch (const std::exception& why) {
            std::fprintf(stderr, "kill loop: %s\n", why.what());
            ::_exit(1);
        }
        ::_exit(0);
    }
    void kill() const {
        ::kill(pid_, SIGKILL);
        static_cast<void>(end());
    }
    // Its exit status; a signal counts as -1.
    [[nodiscard]] int end() const {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0) {
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

  private:
    pid_t pid_;
};

struct settings {
    std::uint64_t kills = 1000;
    std::string order = "total";
    std::uint64_t seed = std::random_device{}();
};

// Lets time pass: the only purpose is that the kill comes at a moment of chance.
void let_run(std::chrono::microseconds span) {
    const timespec duration{0, span.count() * 1000};
    ::ppoll(nullptr, 0, &duration, nullptr);
}

// Kills and replaces senders and receivers in turn. How many senders there were in all.
std::uint64_t kill_again_and_again(ledger& book, const std::string& address,
                                   const settings& chosen) {
    std::mt19937_64 random(chosen.seed);
    std::uint64_t senders = 1; // the survivor
    const auto new_sender = [&] {
        const std::uint64_t me = senders++;
        return process([&, me] { send_on(book, address, me); });
    };
    const auto new_receiver = [&] { return process([&] { receive_on(book, address, false); }); };
    process sending = new_sender();
    process receiving = new_receiver();
    for (std::uint64_t kill = 0; kill < chosen.kills; ++kill) {
        let_run(std::chrono::microseconds(random() % 3000));
        if (kill % 2 == 0) {
            sending.kill();
            sending = new_sender();
        } else {
            receiving.kill();
            receiving = new_receiver();
        }
    }
    sending.kill();
    receiving.kill();
    return senders;
}

struct verdict {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
};

verdict compare(const ledger& book, std::uint64_t senders) {
    verdict result;
    for (std::uint64_t sender = 0; sender < senders; ++sender) {
        const std::uint64_t committed = book.committed[sender].load();
        result.sent += committed;
        for (std::uint64_t id = 0; id < committed; ++id)
            if (!book.has(sender, id)) ++result.lost;
    }
    return result;
}

settings read_arguments(int count, char** words) {
    settings chosen;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string word = words[i];
        if (word == "--kills")
            chosen.kills = std::min<std::uint64_t>(2 * most_senders - 10,
                                                   std::strtoull(words[i + 1], nullptr, 10));
        else if (word == "--order")
            chosen.order = words[i + 1];
        else if (word == "--seed")
            chosen.seed = std::strtoull(words[i + 1], nullptr, 10);
        else
            std::exit((std::fprintf(stderr, "kill loop: unknown argument %s\n", words[i]), 2));
    }
    return chosen;
}

std::uint64_t report(const settings& chosen, const ledger& book, const verdict& result,
                     std::size_t leftovers, int survivors_failed) {
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf("kill loop, order=%s, seed %llu\n", chosen.order.c_str(), number(chosen.seed));
    std::printf("  SIGKILLs                     %12llu\n", number(chosen.kills));
    std::printf("  sent (send had returned)     %12llu\n", number(result.sent));
    std::printf("  delivered                    %12llu\n", number(book.delivered.load()));
    std::printf("  redelivered, flagged         %12llu\n", number(book.flagged.load()));
    std::printf("  lost                         %12llu\n", number(result.lost));
    std::printf("  duplicates, not flagged      %12llu\n", number(book.duplicates.load()));
    std::printf("  sender's longest stall       %12.1f ms\n",
                static_cast<double>(book.sender_stall_us.load()) / 1000);
    std::printf("  receiver's longest stall     %12.1f ms\n",
                static_cast<double>(book.receiver_stall_us.load()) / 1000);
    std::printf("  left after gc                %12zu\n", leftovers);
    return result.lost + book.duplicates.load() + leftovers +
           static_cast<std::uint64_t>(survivors_failed) + (result.sent == 0 ? 1 : 0);
}

} // namespace

int main(int count, char** words) {
    const settings chosen = read_arguments(count, words);
    const hawser::test::watchdog limit(std::chrono::minutes(10), "kill loop");
    hawser::test::private_directory();
    static hawser::test::shared<ledger> book;
    const std::string name = "kill-loop";
    const std::string address = "shm:" + name + "?order=" + chosen.order;
    const process sending([&] { send_on(*book, address, survivor); });
    const process receiving([&] { receive_on(*book, address, true); });
    const std::uint64_t senders = kill_again_and_again(*book, address, chosen);
    book->stop.store(true);
    // The survivors end by themselves: the sender at `stop`, the receiver at the end of the stream.
    const int failed = (sending.end() != 0 ? 1 : 0) + (receiving.end() != 0 ? 1 : 0);
    static_cast<void>(collect_garbage());
    const auto left = hawser::test::left_over();
    const std::uint64_t wrong = report(chosen, *book, compare(*book, senders), left.size(), failed);
    std::printf("kill-loop: %llu passed, %llu failed\n",
                static_cast<unsigned long long>(wrong == 0 ? chosen.kills : 0),
                static_cast<unsigned long long>(wrong));
    return wrong == 0 ? 0 : 1;
}
