// Havoc: the shm transport, from open to gc, in a world where every answer of shared memory and of
// the kernel is the fuzzer's. docs/design/hostile-peer.md says what is shown by it.
//
// An input is {geometry, malice, n, n bytes of script, answers}. Each step of the script is a call
// on one of two senders, two receivers or the mailbox; after each, the promise is checked:
// - no access outside of a living mapping (world.cpp), none around the accessor (PROT_NONE),
// - no more accesses than segment::access_bound says,
// - a call that waits ends with its deadline and one slice,
// - errors only of those documented, spans only inside the mailbox, memory within a limit.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <utility>
#include <vector>

#include <sanitizer/allocator_interface.h>

#include <hawser/hawser.hpp>
#include <hawser/inspect.hpp>

#include "core/transport.hpp"
#include "segment/access_bound.hpp"
#include "segment/participant.hpp"
#include "transport/shm/shm.hpp"
#include "world.hpp"

// The table of transports has one row here.
namespace hawser {
inline namespace v1 {

std::span<const transport_info> transports() noexcept {
    return {&shm::transport.info, 1};
}

namespace detail {

const transport* find_transport(std::string_view scheme) noexcept {
    return scheme == "shm" ? &shm::transport : nullptr;
}

} // namespace detail
} // namespace v1
} // namespace hawser

namespace hawser::havoc {

namespace {

struct figures {
    std::uint64_t runs = 0;
    std::uint64_t calls = 0;
    std::uint64_t accesses = 0;
    std::uint64_t most_in_call = 0;
    std::uint64_t bound_of_most = 0;
    double fullest = 0; // the largest share of a bound that was used
    std::int64_t latest_ns = 0;

    ~figures() {
        std::fprintf(stderr,
                     "havoc: runs=%llu calls=%llu accesses=%llu most_in_call=%llu of=%llu "
                     "fullest=%.4f latest_us=%lld\n",
                     static_cast<unsigned long long>(runs), static_cast<unsigned long long>(calls),
                     static_cast<unsigned long long>(accesses),
                     static_cast<unsigned long long>(most_in_call),
                     static_cast<unsigned long long>(bound_of_most), fullest,
                     static_cast<long long>(latest_ns / 1000));
    }
};
figures total;

// --- memory ------------------------------------------------------------------------------------

constexpr std::int64_t most_live_bytes = 512 * 1024;
std::int64_t live_bytes = 0;
bool counting = false;

void count_malloc(const volatile void* /*at*/, std::size_t bytes) {
    if (!counting) return;
    live_bytes += static_cast<std::int64_t>(bytes);
    if (live_bytes > most_live_bytes) broken("more memory than any call needs");
}

void count_free(const volatile void* at) {
    if (!counting || at == nullptr) return;
    live_bytes -=
        static_cast<std::int64_t>(__sanitizer_get_allocated_size(const_cast<const void*>(at)));
}

// What is sent; nobody looks at it.
const std::vector<std::byte> payload((1 << 20) + 64);

// --- geometries --------------------------------------------------------------------------------

struct sketch {
    std::uint64_t capacity;
    std::uint32_t participants;
    std::uint32_t loans;
    std::uint64_t max_message;
    std::uint64_t max_memory;
    order_policy order;
    delivery_policy delivery;
    bool persist;
};

constexpr std::array<sketch, 8> sketches{{
    {1, 2, 2, 64, 64, order_policy::total, delivery_policy::at_least_once, false},
    {2, 3, 2, 8192, 16384, order_policy::total, delivery_policy::at_least_once, false},
    {4, 4, 3, 100, 100, order_policy::sender, delivery_policy::at_least_once, false},
    {3, 4, 2, 20'000, 40'000, order_policy::sender, delivery_policy::at_most_once, true},
    {3, 4, 2, 6000, 8192, order_policy::total, delivery_policy::at_most_once, false},
    {8, 24, 2, 64, 64, order_policy::total, delivery_policy::at_least_once, true},
    {64, 4, 32, 500, 500, order_policy::total, delivery_policy::at_least_once, false},
    {5, 5, 4, 1 << 20, 4 << 20, order_policy::total, delivery_policy::at_least_once, false},
}};

options options_of(const sketch& of) {
    options made;
    made.capacity = of.capacity;
    made.participants = of.participants;
    made.loans = of.loans;
    made.max_message = of.max_message;
    made.max_memory = of.max_memory;
    made.order = of.order;
    made.delivery = of.delivery;
    made.persist = of.persist;
    return made;
}

segment::access_bound bound_of(const sketch& of) {
    const auto shape = segment::geometry::from(options_of(of)).value();
    return segment::access_bound::of(shape, segment::layout::of(shape).value());
}

// --- one run -----------------------------------------------------------------------------------

using codes = std::initializer_list<errc>;

constexpr codes open_errors{errc::not_found,        errc::already_exists, errc::permission,
                            errc::no_space,         errc::corrupt,        errc::unsupported,
                            errc::invalid_argument, errc::timed_out,      errc::system};
constexpr codes try_send_errors{errc::would_block, errc::too_big, errc::no_space,
                                errc::closed,      errc::corrupt, errc::system};
constexpr codes send_errors{errc::would_block, errc::timed_out,        errc::too_big,
                            errc::no_space,    errc::closed,           errc::corrupt,
                            errc::interrupted, errc::invalid_argument, errc::system};
constexpr codes try_receive_errors{errc::would_block, errc::closed, errc::no_space, errc::corrupt};
constexpr codes receive_errors{errc::timed_out, errc::closed, errc::no_space, errc::corrupt,
                               errc::interrupted};
constexpr codes fd_errors{errc::system, errc::closed, errc::corrupt};
constexpr codes look_errors{errc::not_found,      errc::permission, errc::corrupt, errc::no_space,
                            errc::already_exists, errc::timed_out,  errc::system};

class run {
  public:
    run(const sketch& of, const segment::access_bound& bound, decisions script)
        : wanted_(options_of(of)), bound_(bound), script_(script), largest_(of.max_message) {}

    void step() {
        const std::uint8_t what = script_.byte();
        const std::size_t who = what >> 4 & 1U;
        switch (what % 16) {
        case 0:
            return open(senders_[who]);
        case 1:
            return open(receivers_[who]);
        case 2:
            return look(what);
        case 3:
            return leave(what);
        case 4:
        case 5:
        case 6:
        case 7:
            return send(senders_[who], what);
        case 8:
        case 9:
            return lend(senders_[who]);
        case 10:
            return drop(what);
        case 11:
            return descriptors(who);
        default:
            return receive(receivers_[who]);
        }
    }

  private:
    template <typename Call>
    static void check(std::uint64_t most, std::int64_t deadline_ns, codes documented, Call&& call) {
        static_cast<void>(measured(most, deadline_ns, documented, call));
    }
    // deadline_ns is 0 for a call that does not wait.
    template <typename Call>
    static auto measured(std::uint64_t most, std::int64_t deadline_ns, codes documented,
                         Call&& call) {
        world& here = the_world();
        const std::uint64_t before = here.accesses;
        here.since_clock = 0;
        here.most_since_clock = 0;
        here.allowed = most;
        here.overslept_ns = 0;
        here.out_of_time_ns = deadline_ns == 0 ? 0 : deadline_ns + segment::slice_ns;
        auto outcome = call();
        here.allowed = ~std::uint64_t{0};
        here.out_of_time_ns = 0;
        if (!outcome) {
            const errc code = outcome.why().code();
            require(std::ranges::find(documented, code) != documented.end(),
                    "an error that this call does not have", static_cast<std::uint64_t>(code));
        }
        std::uint64_t used = here.accesses - before;
        if (deadline_ns != 0) {
            used = std::max(here.most_since_clock, here.since_clock);
            total.latest_ns = std::max(total.latest_ns, here.now_ns - deadline_ns);
        }
        require(used <= most, "more accesses than the bound allows", used);
        note(used, most);
        return outcome;
    }
    static void note(std::uint64_t used, std::uint64_t most) noexcept {
        ++total.calls;
        const double share = static_cast<double>(used) / static_cast<double>(most);
        total.fullest = std::max(total.fullest, share);
        if (used <= total.most_in_call) return;
        total.most_in_call = used;
        total.bound_of_most = most;
    }

    struct patience {
        deadline until = deadline::now();
        std::int64_t at_ns = 0; // 0: does not wait
    };
    patience choose(bool spins) {
        constexpr std::array<std::int64_t, 8> lengths_ns{0,       -1,      1,          60'000,
                                                         100'000, 300'000, 20'000'000, 70'000'000};
        std::int64_t length_ns = lengths_ns[script_.byte() % lengths_ns.size()];
        if (length_ns == 0) return {};
        if (spins) length_ns = std::min<std::int64_t>(length_ns, 100'000);
        const std::int64_t at_ns = the_world().now_ns + length_ns;
        const auto when = deadline::clock::time_point(std::chrono::nanoseconds(at_ns));
        return {deadline::at(when), at_ns};
    }

    struct sender_seat {
        std::optional<sender> end;
        bool spins = false;
        bool drops = false;
    };
    struct receiver_seat {
        std::optional<receiver> end;
        bool spins = false;
    };

    [[nodiscard]] std::uint64_t most_of(const sender_seat& seat, const patience& until) const {
        if (until.at_ns != 0) return bound_.turn;
        return seat.drops ? bound_.send_dropping : bound_.send;
    }

    options choose_options() {
        const std::uint8_t how = script_.byte();
        options chosen = (how & 1U) != 0 ? options{} : wanted_;
        chosen.full = static_cast<full_policy>(how >> 1 & 3U);
        chosen.wait = static_cast<wait_mode>((how >> 3 & 3U) % 3);
        if ((how & 0x20U) != 0 || (how & 1U) != 0) chosen.create = create_policy::open;
        if ((how & 0xc0U) == 0xc0U) chosen.create = create_policy::create;
        // A mailbox of other numbers would have another bound.
        if (chosen.create != create_policy::open && !chosen.capacity) {
            const auto policy = chosen.create;
            const auto full = chosen.full;
            const auto wait = chosen.wait;
            chosen = wanted_;
            chosen.create = policy;
            chosen.full = full;
            chosen.wait = wait;
        }
        return chosen;
    }
    void open(sender_seat& seat) {
        if (seat.end) return close(seat);
        const options chosen = choose_options();
        auto opened = measured(bound_.open, the_world().now_ns + segment::patience_ns * 2,
                               open_errors, [&] { return sender::open(address_, chosen); });
        if (!opened) return;
        seat.drops = chosen.full == full_policy::drop_oldest;
        seat.end.emplace(std::move(*opened));
        seat.spins = chosen.wait == wait_mode::spin;
    }
    void open(receiver_seat& seat) {
        if (seat.end) return close(seat);
        const options chosen = choose_options();
        auto opened = measured(bound_.open, the_world().now_ns + segment::patience_ns * 2,
                               open_errors, [&] { return receiver::open(address_, chosen); });
        if (!opened) return;
        seat.end.emplace(std::move(*opened));
        seat.spins = chosen.wait == wait_mode::spin;
    }
    template <typename Seat>
    void close(Seat& seat) {
        check(bound_.open, the_world().now_ns + segment::patience_ns, {}, [&] {
            seat.end.reset();
            return result<void>{};
        });
    }

    void send(sender_seat& seat, std::uint8_t what) {
        if (!seat.end) return open(seat);
        const patience until = choose(seat.spins);
        const auto most = most_of(seat, until);
        const codes documented = until.at_ns == 0 ? try_send_errors : send_errors;
        if ((what & 1U) != 0 && !loans_.empty()) {
            auto& filled = loans_.back();
            codes all{errc::would_block, errc::timed_out,   errc::no_space,        errc::closed,
                      errc::corrupt,     errc::interrupted, errc::invalid_argument};
            const auto done = measured(most, until.at_ns, all,
                                       [&] { return seat.end->send_by(filled, until.until); });
            if (done) loans_.pop_back();
            return;
        }
        const std::span<const std::byte> bytes(payload.data(), size());
        check(most, until.at_ns, documented, [&] { return seat.end->send_by(bytes, until.until); });
    }
    void lend(sender_seat& seat) {
        if (!seat.end || loans_.size() == most_held) return drop(script_.byte());
        const patience until = choose(seat.spins);
        const std::size_t wanted = size();
        auto lent = measured(most_of(seat, until), until.at_ns,
                             until.at_ns == 0 ? try_send_errors : send_errors,
                             [&] { return seat.end->loan_for(wanted, until.until); });
        if (!lent) return;
        require(lent->size() == wanted, "a loan has the size that was asked for", lent->size());
        require(the_world().is_mapped(lent->bytes().data(), lent->size(), true),
                "a loan lies in the mailbox");
        loans_.push_back(std::move(*lent));
    }
    void receive(receiver_seat& seat) {
        if (!seat.end) return open(seat);
        if (messages_.size() == most_held) messages_.erase(messages_.begin());
        const patience until = choose(seat.spins);
        auto got = measured(until.at_ns == 0 ? bound_.receive : bound_.turn, until.at_ns,
                            until.at_ns == 0 ? try_receive_errors : receive_errors,
                            [&] { return seat.end->receive_by(until.until); });
        if (!got) return;
        require(the_world().is_mapped(got->bytes().data(), got->size(), false),
                "a message lies in the mailbox");
        if ((script_.byte() & 3U) != 0) messages_.push_back(std::move(*got));
    }
    // Gives a message or a loan back, in any order.
    void drop(std::uint8_t what) {
        const std::size_t which = script_.byte();
        check(bound_.open, the_world().now_ns + segment::patience_ns, {}, [&] {
            if ((what & 0x20U) != 0 && !loans_.empty())
                loans_.erase(loans_.begin() + static_cast<std::ptrdiff_t>(which % loans_.size()));
            else if (!messages_.empty())
                messages_.erase(messages_.begin() +
                                static_cast<std::ptrdiff_t>(which % messages_.size()));
            return result<void>{};
        });
    }
    void descriptors(std::size_t who) {
        if (senders_[who].end) {
            check(bound_.send, 0, fd_errors, [&] { return senders_[who].end->fd(); });
            static_cast<void>(senders_[who].end->stats());
        }
        if (receivers_[who].end) {
            check(bound_.receive, 0, fd_errors, [&] { return receivers_[who].end->fd(); });
            static_cast<void>(receivers_[who].end->stats());
        }
    }
    void look(std::uint8_t what) {
        const std::int64_t patient_ns = the_world().now_ns + 2 * segment::patience_ns;
        const auto on_time = [&](auto&& call) {
            check(bound_.open, patient_ns, look_errors, call);
        };
        switch (what >> 4 & 7U) {
        case 0:
            return on_time([&] { return shm::inspect(address_); });
        case 1:
            return on_time([] { return list_mailboxes(); });
        case 2:
            return on_time([] { return collect_garbage(true); });
        case 3:
        case 4:
            return on_time([] { return collect_garbage(false); });
        case 5:
            return on_time([&] { return shm::remove(address_, removal::by_force); });
        default:
            return on_time([&] { return shm::remove(address_, removal::if_unused); });
        }
    }
    void leave(std::uint8_t what) {
        if ((what & 0x40U) != 0) {
            if (senders_[what >> 4 & 1U].end) close(senders_[what >> 4 & 1U]);
        } else {
            if (receivers_[what >> 4 & 1U].end) close(receivers_[what >> 4 & 1U]);
        }
    }

    std::size_t size() {
        const std::uint8_t how = script_.byte();
        if (how < 160) return how % 65;
        if (how < 240) return largest_ * (how - 159U) / 80;
        return largest_ + how - 240; // some are too big
    }
    static constexpr std::size_t most_held = 6;
    const address address_ = address::parse("shm:havoc").value();
    options wanted_;
    segment::access_bound bound_;
    decisions script_;
    std::size_t largest_;
    std::array<sender_seat, 2> senders_;
    std::array<receiver_seat, 2> receivers_;
    std::vector<loan> loans_;
    std::vector<message> messages_;
};

void play(std::span<const std::uint8_t> data) {
    constexpr std::array<unsigned, 8> malice{0, 1, 4, 12, 32, 96, 200, 256};
    constexpr std::size_t most_steps = 24;
    static const auto bounds = [] {
        std::array<segment::access_bound, sketches.size()> all;
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = bound_of(sketches[i]);
        return all;
    }();
    const std::size_t which = data[0] % sketches.size();
    const std::size_t steps = std::min<std::size_t>(data[2] % most_steps, data.size() - 3);
    const auto script = data.subspan(3, steps);
    the_world().begin(data.subspan(3 + steps), malice[data[1] % malice.size()],
                      (data[1] & 0x80U) != 0);
    live_bytes = 0;
    counting = true;
    {
        run one(sketches[which], bounds[which], decisions(script, true));
        for (std::size_t i = 0; i < steps; ++i) one.step();
    }
    counting = false;
    total.accesses += the_world().accesses;
    ++total.runs;
    the_world().end();
}

} // namespace

} // namespace hawser::havoc

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
    __sanitizer_install_malloc_and_free_hooks(hawser::havoc::count_malloc,
                                              hawser::havoc::count_free);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 4) return 0;
    hawser::havoc::play(std::span(data, size));
    return 0;
}
