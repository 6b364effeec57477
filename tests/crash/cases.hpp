// One case of a proof: an operation on its stage, and what is done to it at instruction k.
//
// - A stage lasts as long as its operation is tried; survivors live on it from case to case.
// - Blocks: each case has a watchdog of five minutes, which ends the run with the arguments that
//   repeat the case.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "operations.hpp"
#include "snapshot.hpp"
#include "stepper.hpp"

namespace hawser::crash {

inline constexpr std::uint64_t to_the_end = UINT64_MAX;

class stage {
  public:
    explicit stage(const operation& played);
    ~stage();
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;

    [[nodiscard]] const operation& played() const { return *played_; }
    [[nodiscard]] const scene& at() const { return at_; }
    // An empty ledger, the operation prepared.
    void prepare();
    // Receivers that the preparation has killed.
    [[nodiscard]] std::uint32_t died_before() const { return died_before_; }
    // In every victim, before its operation.
    std::function<void()> before_act = [] {};
    std::string kind_of_victim; // says that before_act makes them take another way

  private:
    const operation* played_;
    others own_;
    scene at_;
    std::uint32_t died_before_ = 0;
};

// What became of all cases of an operation.
struct tally {
    std::uint64_t instructions = 0;
    std::uint64_t states = 0; // that kills can leave
    std::uint64_t points = 0; // cases tried
    std::uint64_t failures = 0;
    std::uint64_t besides = 0; // the mode's own: forks that had to wait, kills of repairers …
    bool all_instructions = false;
    bool all_states = false;

    // Counts a case, and prints its failure with what repeats it.
    void note(const std::string& wrong, const std::string& how_to_repeat);
    [[nodiscard]] bool hopeless() const { return failures >= 5; }
};

// Forks the victim of the stage's operation: it stands at begin().
std::unique_ptr<victim> enter(stage& on);

// One run from begin() to end(), stepped, and all that it goes through. Checked as every case.
const exploration& explore_once(stage& on, tally& result);

// Brings a victim to instruction k: by its route if it is known, and all the way by steps if it
// strays from that. The victim stands there, or at end() if that comes first.
class visit {
  public:
    visit(stage& on, std::uint64_t k, const route* known);
    [[nodiscard]] victim& who() { return *who_; }

  private:
    std::unique_ptr<victim> who_;
};

// `most` of these, evenly spread; all if there are not more.
std::vector<std::uint64_t> some_of(const std::vector<std::uint64_t>& points, std::size_t most);
// 0 … last, at most so many, evenly spread.
std::vector<std::uint64_t> spread(std::uint64_t last, std::size_t most);

} // namespace hawser::crash
