// The main of every gtest program of hawser. Beyond gtest's own flags it takes
// --suite=NAME            the name in the summary line (otherwise the program's)
// --test-timeout=SECONDS  the watchdog's limit for each test
// --matrix=FILE           (conformance) writes which bullet holds on which transport
// and its last line is `NAME: N passed, N failed` (`, N skipped` where there are any). A run in
// which no test ran is a failure: a filter that matches nothing must not look like success. What
// fails after the last test counts as one.

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/flags.hpp"
#include "support/watchdog.hpp"

// Tests fork, also while the watchdog's thread runs; TSan would end such a child at its first
// thread.
extern "C" const char* __tsan_default_options() {
    return "die_after_fork=0:second_deadlock_stack=1";
}

namespace {

class watch_each_test : public testing::EmptyTestEventListener {
    void OnTestStart(const testing::TestInfo&) override {
        dog_.emplace(hawser::test::default_test_limit());
    }
    void OnTestEnd(const testing::TestInfo&) override { dog_.reset(); }

    std::optional<hawser::test::watchdog> dog_;
};

struct settings {
    std::string suite;
};

// The text after `prefix` if `argument` begins with it.
std::optional<std::string_view> value_of(std::string_view argument, std::string_view prefix) {
    if (!argument.starts_with(prefix)) return std::nullopt;
    return argument.substr(prefix.size());
}

// Reads the flags that gtest left over; an unknown one ends the program.
settings read_flags(int argc, char** argv) {
    const std::string_view program = argv[0];
    settings read{std::string(program.substr(program.rfind('/') + 1))};
    for (int i = 1; i < argc; ++i) {
        if (const auto suite = value_of(argv[i], "--suite=")) {
            read.suite = *suite;
        } else if (const auto seconds = value_of(argv[i], "--test-timeout=")) {
            hawser::test::set_default_test_limit(
                std::chrono::seconds(std::atoi(std::string(*seconds).c_str())));
        } else if (const auto file = value_of(argv[i], "--matrix=")) {
            hawser::test::matrix_file() = *file;
        } else {
            std::fprintf(stderr, "%s: unknown argument %s\n", argv[0], argv[i]);
            std::exit(2);
        }
    }
    return read;
}

int summarize(const std::string& suite, int gtest_result) {
    const auto& tests = *testing::UnitTest::GetInstance();
    const int passed = tests.successful_test_count();
    int failed = tests.failed_test_count();
    const int skipped = tests.skipped_test_count();
    if (passed + failed == 0)
        std::fprintf(stderr, "%s: no test ran\n", suite.c_str());
    else if (gtest_result != 0 && failed == 0)
        failed = 1;
    std::printf("%s: %d passed, %d failed", suite.c_str(), passed, failed);
    if (skipped > 0) std::printf(", %d skipped", skipped);
    std::printf("\n");
    return passed + failed == 0 ? 1 : gtest_result;
}

} // namespace

std::string& hawser::test::matrix_file() {
    static std::string path;
    return path;
}

int main(int argc, char** argv) {
    testing::InitGoogleMock(&argc, argv);
    const settings flags = read_flags(argc, argv);
    testing::UnitTest::GetInstance()->listeners().Append(new watch_each_test);
    const int result = RUN_ALL_TESTS();
    if (testing::GTEST_FLAG(list_tests)) return result;
    return summarize(flags.suite, result);
}
