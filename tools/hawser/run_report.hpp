// What `hawser run` says about a pipeline: while it runs, and when it has ended.
//
// - On stderr, or as a JSON document in a file; stdout belongs to the last program.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "context.hpp"
#include "output/json.hpp"
#include "run_pipeline.hpp"

namespace tool::pipeline {

// How it goes, on one line of a terminal: bytes so far and rate of each stage but the last.
class progress_line {
  public:
    progress_line(const line& work, bool shown) noexcept : work_(work), shown_(shown) {}
    progress_line(const progress_line&) = delete;
    progress_line& operator=(const progress_line&) = delete;
    ~progress_line() { clear(); }

    // How often show() is worth a call; -1: never.
    [[nodiscard]] std::chrono::milliseconds every() const noexcept;
    void show();
    // Takes the line away, before something else is said.
    void clear() noexcept;

  private:
    const line& work_;
    bool shown_;
    bool dirty_ = false;
    steady::time_point next_{};
};

// The table, and what the exit status comes from.
void print_report(const context& here, const line& work, int status);

// A line for each program that a signal ended, as a shell says it: not for the ordinary ends by
// SIGPIPE, and by the signal that asked hawser for the end.
void print_kills(const context& here, const line& work);

json report_document(const line& work, int status);

} // namespace tool::pipeline
