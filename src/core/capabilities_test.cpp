#include <hawser/capabilities.hpp>

#include <gtest/gtest.h>

namespace hawser {
namespace {

TEST(capabilities, are_spelled_as_in_the_documents) {
    EXPECT_EQ(name_of(boundary_kind::message), "message");
    EXPECT_EQ(name_of(boundary_kind::stream), "stream");
    EXPECT_EQ(name_of(ordering_kind::total), "total");
    EXPECT_EQ(name_of(ordering_kind::per_sender), "per_sender");
    EXPECT_EQ(name_of(ordering_kind::none), "none");
    EXPECT_EQ(name_of(lifetime_kind::process), "process");
    EXPECT_EQ(name_of(lifetime_kind::kernel), "kernel");
    EXPECT_EQ(name_of(lifetime_kind::file), "file");
    EXPECT_EQ(name_of(lifetime_kind::server), "server");
    EXPECT_EQ(name_of(relation_kind::none), "none");
    EXPECT_EQ(name_of(relation_kind::parent_child), "parent_child");
    EXPECT_EQ(name_of(survival_kind::neither), "neither");
    EXPECT_EQ(name_of(survival_kind::sender), "sender");
    EXPECT_EQ(name_of(survival_kind::receiver), "receiver");
    EXPECT_EQ(name_of(survival_kind::both), "both");
}

TEST(capabilities, a_value_that_is_none_is_unknown) {
    EXPECT_EQ(name_of(static_cast<boundary_kind>(2)), "unknown");
    EXPECT_EQ(name_of(static_cast<survival_kind>(255)), "unknown");
}

} // namespace
} // namespace hawser
