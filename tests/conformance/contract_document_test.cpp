// docs/reference/contract.md and the tests say the same: each bullet names its test, each test of a
// bullet is named by it.
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <gtest/gtest.h>

namespace {

// Bullet number ("2.4") to the names of tests.
using names_of_bullets = std::map<std::string, std::set<std::string>>;

names_of_bullets bullets_of_document() {
    names_of_bullets found;
    std::ifstream document(HAWSER_SOURCE_DIR "/docs/reference/contract.md");
    const std::regex bullet("^- \\*\\*C([0-9]+\\.[0-9]+)\\*\\* .*`([a-z0-9_]+)`$");
    for (std::string line; std::getline(document, line);) {
        std::smatch parts;
        if (std::regex_match(line, parts, bullet)) {
            EXPECT_TRUE(found[parts[1]].empty()) << "C" << parts[1] << " is there twice";
            found[parts[1]].insert(parts[2]);
        } else {
            EXPECT_NE(line.rfind("- **C", 0), 0U) << "not a bullet as it should be: " << line;
        }
    }
    return found;
}

names_of_bullets bullets_of_tests() {
    names_of_bullets found;
    const auto& all = *testing::UnitTest::GetInstance();
    const std::regex numbered("^(c([0-9]+)_([0-9]+)_[a-z0-9_]+)(/.*)?$");
    for (int s = 0; s < all.total_test_suite_count(); ++s) {
        const auto& suite = *all.GetTestSuite(s);
        for (int t = 0; t < suite.total_test_count(); ++t) {
            const std::string name = suite.GetTestInfo(t)->name();
            std::smatch parts;
            if (std::regex_match(name, parts, numbered))
                found[parts[2].str() + "." + parts[3].str()].insert(parts[1]);
        }
    }
    return found;
}

TEST(contract_document, bullets_and_tests_agree) {
    const auto written = bullets_of_document();
    const auto tested = bullets_of_tests();
    EXPECT_GE(written.size(), 100U);
    for (const auto& [number, names] : written) {
        const auto found = tested.find(number);
        ASSERT_NE(found, tested.end()) << "C" << number << " has no test";
        EXPECT_EQ(found->second, names) << "C" << number;
    }
    for (const auto& [number, names] : tested)
        EXPECT_TRUE(written.contains(number)) << *names.begin() << " stands for no bullet";
}

} // namespace
