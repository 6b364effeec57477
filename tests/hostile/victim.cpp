// Victims: senders, receivers and visitors that do what programs do, and time each call.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <vector>

#include <hawser/hawser.hpp>
#include <hawser/inspect.hpp>

#include "battle.hpp"

namespace hawser::hostile {

namespace {

using std::chrono::nanoseconds;
using codes = std::initializer_list<errc>;

constexpr codes open_errors{errc::not_found,        errc::already_exists, errc::permission,
                            errc::no_space,         errc::corrupt,        errc::unsupported,
                            errc::invalid_argument, errc::timed_out,      errc::system};
constexpr codes send_errors{errc::would_block, errc::timed_out, errc::too_big, errc::no_space,
                            errc::closed,      errc::corrupt,   errc::system};
constexpr codes receive_errors{errc::would_block, errc::timed_out, errc::no_space, errc::closed,
                               errc::corrupt};
constexpr codes look_errors{errc::not_found, errc::permission,  errc::corrupt,
                            errc::no_space,  errc::unsupported, errc::already_exists,
                            errc::timed_out, errc::system};
constexpr nanoseconds patience_of_open = std::chrono::seconds(11); // open: twice 5 s at most

class victim {
  public:
    victim(const round& of, std::uint64_t seed) : of_(of), results_(*of.results), random_(seed) {}

    void send_all() {
        std::optional<sender> out;
        std::vector<loan> loans;
        while (!results_.stop.load()) {
            if (!out) {
                loans.clear();
                open(out, [&] { return sender::open(of_.address + policy()); });
                continue;
            }
            const nanoseconds patience = some_patience();
            std::optional<error> failed;
            switch (random_() % 8) {
            case 0:
                failed = lend(*out, loans, patience);
                break;
            case 1:
                if (!loans.empty()) failed = send_loan(*out, loans, patience);
                break;
            case 2:
                failed = timed(patience_of_open, send_errors, [&] { return out->fd(); });
                break;
            default:
                failed = timed(patience, send_errors, [&] {
                    return out->send_for(std::span(bytes_).first(size()), patience);
                });
            }
            if (is_over(failed)) {
                loans.clear();
                out.reset();
            }
        }
    }

    void receive_all() {
        std::optional<receiver> in;
        std::vector<message> held;
        while (!results_.stop.load()) {
            if (!in) {
                held.clear();
                open(in, [&] { return receiver::open(of_.address); });
                continue;
            }
            const nanoseconds patience = some_patience();
            std::optional<error> failed;
            if (random_() % 16 == 0)
                failed = timed(patience_of_open, receive_errors, [&] { return in->fd(); });
            else
                failed = timed(patience, receive_errors, [&] {
                    auto got = in->receive_for(patience);
                    if (got) keep(std::move(*got), held);
                    return got;
                });
            if (random_() % 3 == 0 && !held.empty())
                held.erase(held.begin() + static_cast<std::ptrdiff_t>(random_() % held.size()));
            if (is_over(failed)) {
                held.clear();
                in.reset();
            }
        }
    }

    // Comes and goes, looks, and clears away.
    void visit() {
        while (!results_.stop.load()) {
            switch (random_() % 6) {
            case 0:
                timed(patience_of_open, look_errors, [&] { return inspect_mailbox(of_.address); });
                break;
            case 1:
                timed(patience_of_open, look_errors, [] { return list_mailboxes(); });
                break;
            case 2:
                timed(patience_of_open, look_errors, [] { return collect_garbage(false); });
                break;
            case 3:
                timed(patience_of_open, look_errors,
                      [&] { return remove_mailbox(of_.address, removal::if_unused); });
                break;
            case 4:
                timed(patience_of_open, open_errors, [&] { return sender::open(of_.address); });
                break;
            default:
                timed(patience_of_open, open_errors, [&] { return receiver::open(of_.address); });
            }
        }
    }

  private:
    // Returns the error, if there was one.
    template <typename Call>
    std::optional<error> timed(nanoseconds patience, codes documented, Call&& call) {
        using clock = std::chrono::steady_clock;
        const auto until = clock::now() + patience;
        const auto outcome = call();
        const std::int64_t late_ns = nanoseconds(clock::now() - until).count();
        results_.calls.fetch_add(1);
        std::int64_t worst_ns = results_.worst_late_ns.load();
        while (late_ns > worst_ns &&
               !results_.worst_late_ns.compare_exchange_weak(worst_ns, late_ns)) {
        }
        if (late_ns > slack_ns) results_.missed.fetch_add(1);
        if (outcome) return std::nullopt;
        const errc code = outcome.why().code();
        if (code == errc::corrupt) results_.corrupt.fetch_add(1);
        if (std::ranges::find(documented, code) == documented.end()) {
            results_.odd_errors.fetch_add(1);
            results_.odd_code.store(static_cast<std::uint32_t>(code));
        }
        return outcome.why();
    }
    template <typename End, typename Open>
    void open(std::optional<End>& end, Open&& how) {
        timed(patience_of_open, open_errors, [&] {
            auto opened = how();
            if (opened) end.emplace(std::move(*opened));
            return opened ? result<void>{} : result<void>{opened.why()};
        });
    }
    std::optional<error> lend(sender& out, std::vector<loan>& loans, nanoseconds patience) {
        const std::size_t wanted = size();
        return timed(patience, send_errors, [&] {
            auto lent = out.loan_for(wanted, deadline::after(patience));
            if (lent) {
                std::memset(lent->bytes().data(), 0x5a, lent->size());
                loans.push_back(std::move(*lent));
            }
            return lent;
        });
    }
    std::optional<error> send_loan(sender& out, std::vector<loan>& loans, nanoseconds patience) {
        const std::size_t which = random_() % loans.size();
        auto failed = timed(patience, send_errors,
                            [&] { return out.send_for(std::move(loans[which]), patience); });
        loans.erase(loans.begin() + static_cast<std::ptrdiff_t>(which));
        return failed;
    }
    // Reads all of it: each byte must be there, whatever it is.
    void keep(message got, std::vector<message>& held) {
        if (got.size() > of_.max_message + 4096) results_.impossible.fetch_add(1);
        for (const std::byte byte : got.bytes()) sum_ = sum_ + std::to_integer<unsigned>(byte);
        results_.delivered.fetch_add(1);
        if (held.size() < 3) held.push_back(std::move(got));
    }
    bool is_over(const std::optional<error>& failed) {
        if (!failed) return random_() % 4096 == 0;
        return failed->code() == errc::corrupt || failed->code() == errc::closed ||
               (failed->code() == errc::no_space && random_() % 8 == 0);
    }
    nanoseconds some_patience() {
        constexpr std::array<std::int64_t, 6> lengths_us{0, 0, 10, 300, 5'000, 60'000};
        return std::chrono::microseconds(lengths_us[random_() % lengths_us.size()]);
    }
    std::size_t size() {
        if (random_() % 4 != 0) return random_() % 200;
        return std::min<std::size_t>(random_() % (of_.max_message + 2), bytes_.size());
    }
    std::string policy() {
        constexpr std::array<const char*, 4> policies{"block", "fail", "drop_oldest",
                                                      "drop_newest"};
        constexpr std::array<const char*, 3> waits{"adaptive", "spin", "block"};
        return std::string("&full=") + policies[random_() % policies.size()] +
               "&wait=" + waits[random_() % waits.size()];
    }

    const round& of_;
    board& results_;
    std::mt19937_64 random_;
    std::vector<std::byte> bytes_ = std::vector<std::byte>(1 << 17);
    volatile unsigned sum_ = 0;
};

} // namespace

void be_victim(const round& of, part which, std::uint64_t seed) {
    victim one(of, seed);
    switch (which) {
    case part::sender:
        return one.send_all();
    case part::receiver:
        return one.receive_all();
    case part::visitor:
        return one.visit();
    }
}

} // namespace hawser::hostile
