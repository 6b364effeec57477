#include "segment/geometry.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "segment/format.hpp"

namespace hawser::segment {
namespace {

constexpr std::uint64_t page = 4096;
constexpr std::optional<errc> no_error;

geometry defaults() {
    return geometry::from({}).value();
}

TEST(Geometry, Defaults) {
    const geometry shape = defaults();
    EXPECT_EQ(shape.capacity, 1024U);
    EXPECT_EQ(shape.participants, 64U);
    EXPECT_EQ(shape.loans, 8U);
    EXPECT_EQ(shape.max_message, 16U << 20);
    EXPECT_EQ(shape.max_memory, 64U << 20);
    EXPECT_EQ(shape.sharing, sharing_policy::any);
    EXPECT_EQ(shape.order, order_policy::total);
    EXPECT_EQ(shape.delivery, delivery_policy::at_least_once);
    EXPECT_FALSE(shape.persist);
    options large;
    large.max_message = std::uint64_t{1} << 30;
    EXPECT_EQ(geometry::from(large)->max_memory, std::uint64_t{2} << 30) << "room for two";
}

TEST(Geometry, LimitsAreRefusedAndWhatTouchesThemIsNot) {
    const auto with = [](const std::function<void(options&)>& set) {
        options wanted;
        set(wanted);
        const auto made = geometry::from(wanted);
        return made ? no_error : std::optional(made.why().code());
    };
    EXPECT_EQ(with([](options& o) { o.capacity = 0; }), errc::unsupported);
    EXPECT_EQ(with([](options& o) { o.capacity = unbounded; }), errc::unsupported);
    EXPECT_EQ(with([](options& o) { o.sharing = sharing_policy::all; }), errc::unsupported);
    EXPECT_EQ(with([](options& o) { o.capacity = 1; }), no_error);
    EXPECT_EQ(with([](options& o) { o.capacity = sync::max_chunks + 1; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.capacity = sync::max_chunks - 64 * 8; }), no_error);
    EXPECT_EQ(with([](options& o) { o.capacity = sync::max_chunks - 64 * 8 + 1; }),
              errc::invalid_argument)
        << "with the hands, one chunk too many";
    EXPECT_EQ(with([](options& o) { o.participants = 0; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.participants = 2047; }), no_error);
    EXPECT_EQ(with([](options& o) { o.participants = 2048; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.loans = 1; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.loans = 2; }), no_error);
    EXPECT_EQ(with([](options& o) { o.loans = 32; }), no_error);
    EXPECT_EQ(with([](options& o) { o.loans = 33; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.max_message = 0; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.max_message = std::uint64_t{1} << 47; }),
              errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.max_memory = (16U << 20) - 1; }), errc::invalid_argument);
    EXPECT_EQ(with([](options& o) { o.max_memory = 16U << 20; }), no_error);
}

TEST(Geometry, NumbersOfAFileThatAreOutOfRangeAreCorrupt) {
    const auto broken = [](const std::function<void(geometry&)>& breakage) {
        geometry shape = defaults();
        breakage(shape);
        return shape.check().is(errc::corrupt);
    };
    EXPECT_TRUE(defaults().check());
    EXPECT_TRUE(broken([](geometry& g) { g.capacity = 0; }));
    EXPECT_TRUE(broken([](geometry& g) { g.capacity = sync::max_chunks + 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.participants = 0; }));
    EXPECT_TRUE(broken([](geometry& g) { g.participants = sync::max_participants + 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.loans = 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.loans = max_loans + 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.max_message = 0; }));
    EXPECT_TRUE(broken([](geometry& g) { // more classes of blocks than there are bits for them
        g.max_message = (std::uint64_t{1} << 40) + 1;
        g.max_memory = std::uint64_t{1} << 45;
    }));
    EXPECT_TRUE(broken([](geometry& g) { g.max_memory = g.max_message - 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.max_memory = (std::uint64_t{1} << 46) + 1; }));
    EXPECT_TRUE(broken([](geometry& g) { g.sharing = static_cast<sharing_policy>(4); }));
    EXPECT_TRUE(broken([](geometry& g) { g.order = static_cast<order_policy>(2); }));
    EXPECT_TRUE(broken([](geometry& g) { g.delivery = static_cast<delivery_policy>(2); }));
}

TEST(Geometry, WhatIsWantedMustBeAsItIsAndTheDifferencesAreNamed) {
    const geometry shape = defaults();
    EXPECT_TRUE(shape.satisfies({}, "m"));
    EXPECT_TRUE(shape.satisfies(shape.to_options(), "m"));
    const auto refused = [&](const std::string& name, const std::function<void(options&)>& set) {
        options wanted = shape.to_options();
        set(wanted);
        const auto fits = shape.satisfies(wanted, "m");
        ASSERT_TRUE(fits.is(errc::already_exists)) << name;
        const std::string why(fits.why().detail());
        EXPECT_EQ(why.find("asked for " + name + "="), 0U) << why;
        EXPECT_NE(why.find("capacity=1024"), std::string::npos) << why;
        EXPECT_NE(why.find("hawser rm shm:m"), std::string::npos) << why;
    };
    refused("capacity", [](options& o) { o.capacity = 7; });
    refused("max_message", [](options& o) { o.max_message = 7; });
    refused("max_memory", [](options& o) { o.max_memory = 7; });
    refused("participants", [](options& o) { o.participants = 7; });
    refused("loans", [](options& o) { o.loans = 7; });
    refused("sharing", [](options& o) { o.sharing = sharing_policy::one; });
    refused("order", [](options& o) { o.order = order_policy::sender; });
    refused("delivery", [](options& o) { o.delivery = delivery_policy::at_most_once; });
    refused("persist", [](options& o) { o.persist = true; });
}

// --- the layout --------------------------------------------------------------------------------

struct region {
    std::uint64_t at;
    std::uint64_t bytes;
    std::uint64_t alignment;
    const char* what;
};

std::vector<region> regions_of(const geometry& shape, const layout& plan) {
    std::vector<region> all;
    all.push_back({0, sizeof(header), page, "header"});
    for (std::uint32_t i = 0; i < shape.participants; ++i)
        all.push_back({plan.records_at + i * sizeof(participant_record), sizeof(participant_record),
                       line_bytes, "record"});
    // A few lanes stand for all: they are equally far apart.
    for (std::uint32_t i = 0; i < plan.lanes; ++i) {
        const std::uint64_t base = plan.lane_at(i);
        const std::uint64_t evidence =
            std::uint64_t{shape.participants} * plan.evidence_stride * sizeof(std::uint64_t);
        all.push_back({base, sizeof(lane_head), page, "lane head"});
        all.push_back({base + plan.committed_in_lane, evidence, line_bytes, "committed"});
        all.push_back({base + plan.taken_in_lane, evidence, line_bytes, "taken"});
        all.push_back(
            {base + plan.slots_in_lane, shape.capacity * sizeof(ring_slot), line_bytes, "slots"});
    }
    all.push_back({plan.chunks_at, plan.chunks * plan.chunk_bytes, page, "chunks"});
    for (std::uint32_t k = 0; k < plan.class_count; ++k) {
        const block_class& of = plan.classes[k];
        all.push_back({of.words_at, of.count * sizeof(std::uint32_t), page, "block words"});
        all.push_back({of.data_at, of.count * of.block_bytes, page, "blocks"});
    }
    return all;
}

void expect_disjoint(std::vector<region> all, std::uint64_t total) {
    std::ranges::sort(all, {}, &region::at);
    std::uint64_t end = 0;
    const char* before = "start";
    for (const region& one : all) {
        ASSERT_GE(one.at, end) << one.what << " begins within " << before;
        ASSERT_EQ(one.at % one.alignment, 0U) << one.what;
        ASSERT_GT(one.bytes, 0U) << one.what;
        end = one.at + one.bytes;
        before = one.what;
    }
    ASSERT_LE(end, total);
    ASSERT_EQ(total % page, 0U);
}

void expect_chunks_fit(const geometry& shape, const layout& plan) {
    ASSERT_EQ(plan.chunk_bytes % line_bytes, 0U);
    ASSERT_EQ(plan.inline_bytes + sizeof(chunk_header), plan.chunk_bytes);
    // Lanes and hands divide the chunks among them.
    const bool per_sender = shape.order == order_policy::sender;
    ASSERT_EQ(plan.lanes, per_sender ? shape.participants : 1U);
    ASSERT_EQ(plan.first_chunk_of_lane(0, shape), 0U);
    ASSERT_EQ(plan.first_chunk_of_lane(plan.lanes, shape), plan.first_chunk_of_hand(0, shape));
    ASSERT_EQ(plan.first_chunk_of_hand(shape.participants, shape), plan.chunks);
    ASSERT_LE(plan.chunks, sync::max_chunks);
}

void expect_blocks_fit(const geometry& shape, const layout& plan) {
    ASSERT_LE(plan.class_count, layout::max_classes);
    if (plan.class_count == 0) {
        ASSERT_LE(shape.max_message, plan.inline_bytes);
        ASSERT_EQ(plan.class_for(1), 0U);
        return;
    }
    std::uint64_t smaller = plan.inline_bytes;
    for (std::uint32_t k = 0; k < plan.class_count; ++k) {
        const block_class& of = plan.classes[k];
        ASSERT_GT(of.block_bytes, smaller);
        ASSERT_EQ(plan.class_for(smaller + 1), k) << "the smallest that holds it";
        ASSERT_EQ(plan.class_for(of.block_bytes), k);
        ASSERT_GE(of.count, 1U);
        ASSERT_LE(of.count, plan.chunks) << "more than one for each chunk is never used";
        ASSERT_TRUE(of.count == 1 || of.count * of.block_bytes <= shape.max_memory);
        smaller = of.block_bytes;
    }
    ASSERT_LT(plan.class_for(shape.max_message), plan.class_count);
    ASSERT_EQ(plan.class_for(smaller + 1), plan.class_count);
}

geometry random_geometry(std::mt19937_64& random) {
    const auto up_to = [&](unsigned bits) { return 1 + random() % (1ULL << (random() % bits)); };
    geometry shape = defaults();
    shape.capacity = static_cast<std::uint32_t>(up_to(19));
    shape.participants = static_cast<std::uint32_t>(std::min<std::uint64_t>(up_to(12), 2047));
    shape.loans = 2 + static_cast<std::uint32_t>(random() % 31);
    shape.max_message = up_to(41);
    if (random() % 3 == 0) shape.max_message = std::uint64_t{1} << (random() % 41);
    shape.max_memory = shape.max_message + up_to(42);
    shape.order = random() % 2 == 0 ? order_policy::total : order_policy::sender;
    return shape;
}

TEST(Layout, NothingOverlapsAndAllIsAligned) {
    const char* const given = std::getenv("HAWSER_TEST_SEED");
    const auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
    std::printf("HAWSER_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    std::mt19937_64 random(seed);
    int laid = 0;
    for (int round = 0; round < 1500; ++round) {
        const geometry shape = random_geometry(random);
        ASSERT_TRUE(shape.check()) << shape.to_text();
        const auto plan = layout::of(shape);
        if (!plan) {
            ASSERT_TRUE(plan.is(errc::invalid_argument));
            continue;
        }
        ++laid;
        expect_disjoint(regions_of(shape, *plan), plan->total_bytes);
        expect_chunks_fit(shape, *plan);
        expect_blocks_fit(shape, *plan);
        ASSERT_FALSE(HasFatalFailure()) << shape.to_text();
    }
    EXPECT_GT(laid, 300);
}

TEST(Layout, AtTheEdgesOfTheInlinePayload) {
    geometry shape = defaults();
    for (std::uint64_t size = 1; size <= 1100; ++size) {
        shape.max_message = size;
        const layout plan = layout::of(shape).value();
        expect_blocks_fit(shape, plan);
        EXPECT_EQ(plan.class_count == 0, size <= 992) << size;
        if (plan.class_count == 0) {
            EXPECT_GE(plan.inline_bytes, size);
            EXPECT_LT(plan.inline_bytes, size + line_bytes) << "and no more than it needs";
        }
    }
}

} // namespace
} // namespace hawser::segment
