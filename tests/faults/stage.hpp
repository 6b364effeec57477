// What the victim of a fault works with: it opens end points, has one call made under the fault,
// and says what came of it and what is wrong afterwards.
//
// - Runs in the child of injector.hpp. What it has to say goes into memory that outlives it.
// - Everything that is not under the fault must work: wrong() ends the child with a finding.
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <hawser/hawser.hpp>

#include "addresses.hpp"
#include "injector.hpp"

namespace hawser::faults {

struct report {
    bool finished; // the operation has been looked at to its end
    bool failed;   // the call under the fault returned an error:
    errc code;     //
    int sys;       //
    bool faulty;   // a fault is to come, says the parent
    errc expected; // what it says when nothing fails; 0 is success
    std::array<char, 600> described;
    std::array<char, 1200> wrong; // what is wrong, or nothing
};

// Thrown to end an operation with a finding.
struct finding {
    std::string what;
};
[[noreturn]] void wrong(const std::string& what);

// What a process has from the system, to be compared.
struct holdings {
    std::size_t descriptors = 0;
    std::size_t mappings = 0; // of files in the private directory
    std::multiset<std::string> files;
    std::size_t objects = 0; // of the facility

    static holdings of_now(const spelling& how);
    // What there is here and was not before, as text; empty if nothing.
    [[nodiscard]] std::string more_than(const holdings& before) const;
};

class stage {
  public:
    stage(const spelling& how, std::string address, report& said)
        : how_(how), address_(std::move(address)), said_(said), before_(holdings::of_now(how)) {}

    [[nodiscard]] const spelling& how() const noexcept { return how_; }
    [[nodiscard]] const std::string& address() const noexcept { return address_; }

    // Under the fault; the first error is the outcome. Only hawser::exception may leave a call, and
    // none of these throws that either.
    template <typename Act>
    auto under_fault(Act&& act) {
        begin();
        try {
            auto outcome = act();
            end();
            if (!outcome) note(outcome.why());
            return outcome;
        } catch (const std::exception& thrown) {
            end();
            wrong(std::string("an exception left the call: ") + thrown.what());
        }
    }
    // The same for what returns nothing.
    template <typename Act>
    void quietly_under_fault(Act&& act) {
        static_cast<void>(under_fault([&]() -> result<void> {
            act();
            return {};
        }));
    }
    // What the call says when nothing is made to fail.
    void expect(errc code) noexcept { said_.expected = code; }
    [[nodiscard]] bool failed() const noexcept { return said_.failed; }
    [[nodiscard]] errc code() const noexcept { return said_.code; }
    [[nodiscard]] int sys() const noexcept { return said_.sys; }

    // These must work: an error is a finding.
    [[nodiscard]] sender open_sender() const;
    [[nodiscard]] receiver open_receiver() const;
    [[nodiscard]] both_ends open_both() const;
    [[nodiscard]] both_streams open_streams() const;
    void send(sender& out, std::string_view text) const;
    [[nodiscard]] std::string receive(receiver& in) const;
    // One message from here to there, which must be the next one.
    void exchange(sender& out, receiver& in, std::string_view text) const;

    // No more descriptors and mappings than before.
    void check_nothing_leaked(const char* when, const holdings& before) const;
    // After everything is closed: the descriptors; that the address can be used anew; that then
    // nothing stays behind.
    void check_end() const;

  private:
    void note(const error& why) noexcept;
    void use_once_more() const;

    const spelling& how_;
    std::string address_;
    report& said_;
    holdings before_;
};

} // namespace hawser::faults
