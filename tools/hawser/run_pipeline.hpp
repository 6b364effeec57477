// Programs joined by pipes, from the start of the first to the end of the last.
//
// - Each program is a child of hawser, in hawser's process group: Ctrl-C, Ctrl-Z and Ctrl-\ reach
//   all of them from the terminal.
// - SIGINT and SIGQUIT are noted, and hawser goes on waiting for its programs. SIGTERM and SIGHUP
//   are noted and passed on. What was ignored when hawser was started stays ignored.
// - Memory is bounded: two pipes and a few words for each stage.
// - Killed itself (SIGKILL), hawser leaves programs whose pipes have ended, nothing else.
#pragma once

#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <vector>

#include "run_joint.hpp"
#include "run_stage.hpp"

namespace tool::pipeline {

// Whoever watches a running pipeline.
struct watcher {
    std::chrono::milliseconds every{-1}; // how often to look; -1: never
    std::function<void()> look;
    std::function<void(std::size_t stage, int signal)> on_stop; // a program was stopped
};

class line {
  public:
    explicit line(std::vector<stage> stages) : stages_(std::move(stages)) {}
    line(const line&) = delete;
    line& operator=(const line&) = delete;
    ~line();

    struct failed_start {
        std::size_t stage = 0;
        refusal why;
    };
    // All or none: if one can't be started, those that run already are killed.
    std::optional<failed_start> start();

    // Until every program has ended, and every byte on its way is handed on.
    void run(const watcher& who);

    [[nodiscard]] const std::vector<stage>& stages() const noexcept { return stages_; }
    // joints()[i] is between stage i and stage i + 1.
    [[nodiscard]] const std::vector<joint>& joints() const noexcept { return joints_; }
    [[nodiscard]] steady::time_point began() const noexcept { return began_; }
    // The first signal that asked hawser for the end, or 0.
    [[nodiscard]] int stop_signal() const noexcept { return stop_signal_; }
    // As `set -o pipefail`: of the last stage that did not end with 0, or 0.
    [[nodiscard]] int shell_status() const;

  private:
    std::optional<refusal> start_one(std::size_t i, descriptor& in);
    void take_signals();
    void give_signals_back();
    void read_signals(const watcher& who);
    void pass_on(int signal);
    void look_at_all(const watcher& who);
    [[nodiscard]] bool is_done() const;

    std::vector<stage> stages_;
    std::vector<joint> joints_;
    descriptor signals_;
    sigset_t mask_before_{};
    steady::time_point began_;
    int stop_signal_ = 0;
};

} // namespace tool::pipeline
