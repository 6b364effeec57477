#include "conformance/matrix.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include <hawser/capabilities.hpp>

#include "support/flags.hpp"
#include "support/place.hpp"

namespace hawser::test {

namespace {

constexpr const char* kept_document = HAWSER_SOURCE_DIR "/docs/reference/conformance.md";

// Registered before main, so that its SetUp runs before any test.
[[maybe_unused]] const auto* const registered = testing::AddGlobalTestEnvironment(&the_matrix());

std::string contents_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

} // namespace

matrix& the_matrix() {
    static auto* one = new matrix; // gtest owns it
    return *one;
}

bool matrix::bullet_of_running_test(bullet& found) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    unsigned chapter = 0;
    unsigned number = 0;
    if (std::sscanf(test->name(), "c%u_%u_", &chapter, &number) != 2) return false;
    found = {chapter, number};
    return true;
}

void matrix::not_applicable(std::string_view scheme, const std::string& reason,
                            bool by_capability) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    tests_by_reason_[reason].push_back(std::string(test->test_suite_name()) + "." + test->name());
    bullet which;
    if (!bullet_of_running_test(which)) return;
    cell& one = rows_[which][std::string(scheme)];
    if (!by_capability)
        ++one.kept_from_running;
    else if (std::ranges::count(one.ruled_out_by, reason) == 0)
        one.ruled_out_by.push_back(reason);
}

void matrix::note(std::string_view scheme) {
    bullet which;
    if (!bullet_of_running_test(which)) return;
    cell& one = rows_[which][std::string(scheme)];
    if (testing::Test::HasFailure())
        ++one.failed;
    else if (!testing::Test::IsSkipped())
        ++one.passed;
}

std::string matrix::cell::text() const {
    if (failed > 0) return "FAIL";
    if (passed > 0) return "pass";
    if (kept_from_running > 0) return "";
    std::string text;
    for (const std::string& reason : ruled_out_by) text += (text.empty() ? "" : ", ") + reason;
    return text;
}

void matrix::SetUp() {
    private_directory();
}

// What has bytes only is in no test of messages.
void matrix::rule_out_streams() {
    for (auto& [which, cells] : rows_)
        for (const transport_info& one : transports())
            if (one.can.boundaries == boundary_kind::stream &&
                !cells.contains(std::string(one.scheme)))
                cells[std::string(one.scheme)].ruled_out_by.emplace_back("boundaries");
}

void matrix::TearDown() {
    rule_out_streams();
    print_not_applicable();
    print_chapters();
    if (!matrix_file().empty()) {
        write(matrix_file());
        return;
    }
    const auto& all = *testing::UnitTest::GetInstance();
    if (all.test_to_run_count() == all.total_test_count()) compare();
}

void matrix::print_not_applicable() const {
    for (const auto& [reason, tests] : tests_by_reason_) {
        std::printf("not applicable: %zu tests: %s\n", tests.size(), reason.c_str());
        for (const std::string& test : tests) std::printf("    %s\n", test.c_str());
    }
}

void matrix::print_chapters() const {
    struct count {
        unsigned passed = 0, ruled_out = 0, failed = 0, unknown = 0;
    };
    std::map<unsigned, std::map<std::string, count>> chapters;
    for (const auto& [which, cells] : rows_) {
        for (const auto& [scheme, one] : cells) {
            const std::string text = one.text();
            for (const unsigned chapter : {which.chapter, 0U}) {
                count& sum = chapters[chapter][scheme];
                ++(text == "FAIL"   ? sum.failed
                   : text == "pass" ? sum.passed
                   : text.empty()   ? sum.unknown
                                    : sum.ruled_out);
            }
        }
    }
    if (chapters.empty()) return;
    const auto width_of = [](const transport_info& one) { // of a column: 154/31/0 fits in 9
        return static_cast<int>(std::max<std::size_t>(one.scheme.size(), 9));
    };
    std::printf("matrix: bullets passed/not applicable/failed\nmatrix: %-4s", "");
    for (const transport_info& one : transports())
        std::printf(" %*s", width_of(one), std::string(one.scheme).c_str());
    std::printf("\n");
    for (const auto& [chapter, cells] : chapters) {
        std::printf("matrix: %-4s", chapter == 0 ? "all" : ("C" + std::to_string(chapter)).c_str());
        for (const transport_info& one : transports()) {
            const auto found = cells.find(std::string(one.scheme));
            const count sum = found == cells.end() ? count{} : found->second;
            std::printf(" %*s", width_of(one),
                        (std::to_string(sum.passed) + "/" +
                         std::to_string(sum.ruled_out + sum.unknown) + "/" +
                         std::to_string(sum.failed))
                            .c_str());
        }
        std::printf("\n");
    }
}

std::string matrix::document() const {
    std::ostringstream text;
    text << "# The contract on each transport\n\n"
            "Made by `hawser_conformance_tests --matrix=docs/reference/conformance.md`; a run of "
            "all the tests fails when\nthis is not what it finds. "
            "[contract.md](contract.md) says what each bullet is.\n\n"
            "`pass`, or the capability (`hawser transports --json`) that rules the bullet out "
            "there. Nothing else does.\n\n| bullet |";
    for (const transport_info& one : transports()) text << " `" << one.scheme << ":` |";
    text << "\n|---|";
    for (std::size_t i = 0; i < transports().size(); ++i) text << "---|";
    text << "\n";
    for (const auto& [which, cells] : rows_) {
        text << "| C" << which.chapter << "." << which.number << " |";
        for (const transport_info& one : transports()) {
            const auto found = cells.find(std::string(one.scheme));
            const std::string said = found == cells.end() ? "" : found->second.text();
            text << " " << said << (said.empty() ? "|" : " |");
        }
        text << "\n";
    }
    return text.str();
}

void matrix::write(const std::string& path) const {
    std::ofstream file(path, std::ios::trunc);
    file << document();
    EXPECT_TRUE(file.good()) << "can't write " << path;
}

// Line by line; cells that this machine could not fill are taken as they are kept.
void matrix::compare() const {
    const auto found = lines_of(document());
    const auto kept = lines_of(contents_of(kept_document));
    const auto cells_of = [](const std::string& line) {
        std::vector<std::string> cells;
        std::istringstream stream(line);
        for (std::string part; std::getline(stream, part, '|');) cells.push_back(part);
        return cells;
    };
    std::string differences;
    for (std::size_t i = 0; i < std::max(found.size(), kept.size()); ++i) {
        const auto now = cells_of(i < found.size() ? found[i] : "(no line)");
        const auto then = cells_of(i < kept.size() ? kept[i] : "(no line)");
        bool same = now.size() == then.size();
        for (std::size_t k = 0; same && k < now.size(); ++k)
            same = now[k] == then[k] || now[k] == " ";
        if (!same && differences.size() < 2000)
            differences += "  found: " + (i < found.size() ? found[i] : "(no line)") +
                           "\n  kept:  " + (i < kept.size() ? kept[i] : "(no line)") + "\n";
    }
    EXPECT_TRUE(differences.empty())
        << "docs/reference/conformance.md is not what this run found. If the run is right, write "
           "it again with --matrix=docs/reference/conformance.md.\n"
        << differences;
}

} // namespace hawser::test
