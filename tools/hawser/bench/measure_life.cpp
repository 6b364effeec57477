#include "measure_life.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <hawser/hawser.hpp>

#include "lane_hawser.hpp"

namespace tool::bench {
namespace {

// Removes what a measurement leaves, however it ends.
class own_mailbox {
  public:
    explicit own_mailbox(const std::string& stem, const std::string& options = "")
        : address_(mailbox_address(stem, options)) {}
    ~own_mailbox() {
        static_cast<void>(hawser::remove_mailbox(address_, hawser::removal::by_force));
    }
    own_mailbox(const own_mailbox&) = delete;
    own_mailbox& operator=(const own_mailbox&) = delete;
    [[nodiscard]] const std::string& address() const { return address_; }

  private:
    std::string address_;
};

double open_close_ns(const std::string& address, std::uint64_t times) {
    return median_ns(times, 1, [&](std::uint64_t) {
        hawser::receiver in = hawser::receiver::open(address).value();
        in.close();
    });
}

// Runs work in a member of its own, and gives what it found.
figures in_member(const std::function<figures()>& work, std::vector<std::string> names,
                  milliseconds patience) {
    struct few {
        double values[4];
    };
    const shared<few> found;
    crew one(placement::unpinned);
    one.add(0, [&](crew::board& board) {
        board.arrive();
        const figures all = work();
        for (std::size_t i = 0; i < names.size(); ++i) found->values[i] = all.at(names[i]);
    });
    one.start();
    one.finish(patience);
    figures all;
    for (std::size_t i = 0; i < names.size(); ++i) all[names[i]] = found->values[i];
    return all;
}

void allow_descriptors(std::uint64_t wanted) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
    if (limit.rlim_max < wanted) limit.rlim_cur = limit.rlim_max = wanted; // root may
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0)
        throw unsupported(fmt::format("needs {} open files, more than `ulimit -Hn`", wanted));
}

} // namespace

figures open_close_new() {
    const own_mailbox box("life");
    return in_member(
        [&] {
            return figures{{"ns", open_close_ns(box.address(), 100)}};
        },
        {"ns"}, milliseconds(30'000));
}

figures open_close_existing() {
    const own_mailbox box("there");
    const shared<signals> told;
    const shared<double> found;
    crew both(placement::unpinned);
    both.add(0, [&](crew::board& board) {
        const auto keeps = hawser::receiver::open(box.address()).value();
        board.arrive();
        while (!told->stop_receivers) rest(milliseconds(1));
    });
    both.add(1, [&](crew::board& board) {
        board.arrive();
        *found = open_close_ns(box.address(), 200);
        told->stop_receivers = true;
    });
    both.start();
    both.finish();
    return {{"ns", *found}};
}

figures idle_memory() {
    constexpr unsigned slots = 64;
    const own_mailbox box("memory", "?capacity=64&max_message=256B");
    return in_member(
        [&] {
            auto in = hawser::receiver::open(box.address()).value();
            auto out = hawser::sender::open(box.address()).value();
            const auto resident = [&] {
                return static_cast<double>(
                    hawser::inspect_mailbox(box.address()).value().memory_bytes);
            };
            const double fresh = resident();
            const std::vector<std::byte> bytes(256, std::byte{'h'});
            for (unsigned i = 0; i < slots; ++i) out.send(bytes).value();
            for (unsigned i = 0; i < slots; ++i) in.receive().value();
            return figures{{"fresh_bytes", fresh}, {"used_bytes", resident()}};
        },
        {"fresh_bytes", "used_bytes"}, milliseconds(10'000));
}

// Several processes keep them open, as one may not have so many files.
figures many_mailboxes(unsigned mailboxes) {
    constexpr unsigned kept_by_one = 1000;
    const std::string base = mailbox_address(fmt::format("many-{}", mailboxes), "");
    const auto address = [&](unsigned i) {
        return fmt::format("{}-{}?capacity=16&max_message=256B", base, i);
    };
    const shared<signals> told;
    const shared<double> found;
    crew all(placement::unpinned);
    for (unsigned first = 0; first < mailboxes; first += kept_by_one)
        all.add(0, [&, first](crew::board& board) {
            allow_descriptors(4ULL * kept_by_one + 200);
            std::vector<hawser::receiver> open;
            open.reserve(kept_by_one);
            for (unsigned i = first; i < std::min(first + kept_by_one, mailboxes); ++i)
                open.push_back(hawser::receiver::open(address(i)).value());
            board.arrive();
            while (!told->stop_receivers) rest(milliseconds(5));
        }); // its mailboxes go with it
    all.add(0, [&](crew::board& board) {
        board.arrive();
        *found = open_close_ns(address(mailboxes), 60);
        told->stop_receivers = true;
    });
    try {
        all.start(std::chrono::seconds(60));
        all.finish();
    } catch (...) {
        for (unsigned i = 0; i <= mailboxes; ++i)
            static_cast<void>(hawser::remove_mailbox(address(i), hawser::removal::by_force));
        throw;
    }
    return {{"ns", *found}};
}

figures many_participants(unsigned participants, milliseconds span) {
    lane_plan plan;
    plan.wait = wait_class::spin;
    // Both mailboxes have as many; those beyond the busy two are senders that have nothing to say.
    const lane_kind& kind = find_lane("hawser");
    const std::string options = fmt::format("participants={}", std::max(participants + 8, 64U));
    lane_kind roomy = kind;
    roomy.make = hawser_maker(options);
    plan.stem = "there";
    const own_mailbox there("there", "?wait=spin&" + options);
    const own_mailbox back("back", "?wait=spin&" + options);
    const shared<signals> told;
    crew crowd(placement::unpinned);
    crowd.add(0, [&](crew::board& board) {
        allow_descriptors(4ULL * participants + 200);
        std::vector<hawser::sender> idle;
        for (unsigned i = 2; i < participants; ++i) {
            idle.push_back(hawser::sender::open(there.address()).value());
            idle.push_back(hawser::sender::open(back.address()).value());
        }
        board.arrive();
        while (!told->stop_senders) rest(milliseconds(1));
    });
    crowd.start(std::chrono::seconds(60));
    figures found = round_trip(roomy, plan, placement::pinned, span);
    told->stop_senders = true;
    crowd.dismiss(milliseconds(2000));
    return found;
}

} // namespace tool::bench
