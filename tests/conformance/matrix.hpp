// The matrix of the contract: which bullet holds on which transport, and which capability rules it
// out where it does not apply.
//
// - Collected while the tests run. At the end of the run a short table is printed (a row for each
//   chapter), then what did not apply and why.
// - docs/reference/conformance.md keeps the whole of it. A run of all tests fails when that is not
//   what it found; --matrix=FILE writes it.
// - A cell is what its variants were: failed if any failed, passed if any passed, not applicable if
//   a capability ruled out all of them. If only this machine kept all of them from running, the
//   cell is unknown, and not compared.
// - Threads: notes come from the thread that runs the tests.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace hawser::test {

class matrix : public testing::Environment {
  public:
    // Why the test that runs now is not applicable.
    void not_applicable(std::string_view scheme, const std::string& reason, bool by_capability);
    // What became of the test that runs now; called when it is over.
    void note(std::string_view scheme);

    void SetUp() override;
    void TearDown() override;

  private:
    struct bullet {
        unsigned chapter = 0;
        unsigned number = 0;
        auto operator<=>(const bullet&) const = default;
    };
    struct cell {
        unsigned passed = 0;
        unsigned failed = 0;
        unsigned kept_from_running = 0; // by this machine
        std::vector<std::string> ruled_out_by;
        [[nodiscard]] std::string text() const;
    };
    using row = std::map<std::string, cell>; // by scheme

    static bool bullet_of_running_test(bullet& found);
    void rule_out_streams();
    void print_chapters() const;
    void print_not_applicable() const;
    [[nodiscard]] std::string document() const;
    void compare() const;
    void write(const std::string& path) const;

    std::map<bullet, row> rows_;
    std::map<std::string, std::vector<std::string>> tests_by_reason_;
};

// The one of this run; gtest owns it.
matrix& the_matrix();

} // namespace hawser::test
