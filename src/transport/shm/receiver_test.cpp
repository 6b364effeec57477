// What a receiver does when the words of the mailbox send it the long way.

#include <string>

#include <gtest/gtest.h>

#include <hawser/hawser.hpp>

#include "os/file.hpp"
#include "segment/segment.hpp"
#include "support/place.hpp"

namespace hawser {
namespace {

// As a hint that was never raised leaves it: the place to begin at is where the lane once began.
void forget_hints(const std::string& name) {
    const auto path = segment::path_of(name).value();
    const auto fd = os::open_existing(path, os::access_kind::read_write).value();
    const auto file = os::status_of(fd.get()).value();
    const auto shape = segment::read_geometry(fd.get(), file).value();
    const auto memory =
        segment::observe(fd.get(), file, shape, os::access_kind::read_write).value();
    memory->lane(0).head_hint.store(0);
    memory->lane(0).tail_hint.store(0);
}

TEST(ShmReceiver, does_not_take_a_long_way_for_the_end_of_the_stream) {
    test::private_directory();
    const std::string name = test::unique_name("long-way");
    auto out = sender::open("shm:" + name + "?capacity=16").value();
    {
        auto in = receiver::open("shm:" + name).value();
        constexpr int more_than_one_look_takes = 400;
        for (int i = 0; i < more_than_one_look_takes; ++i) {
            const auto sent = out.try_send("before");
            ASSERT_TRUE(sent.has_value()) << sent.why().describe();
            ASSERT_EQ(in.receive().value().text(), "before");
        }
    }
    ASSERT_TRUE(out.try_send("last").has_value());
    forget_hints(name);
    auto in = receiver::open("shm:" + name).value();
    out.close();
    const auto got = in.receive();
    ASSERT_TRUE(got.has_value()) << got.why().describe();
    EXPECT_EQ(got->text(), "last");
    EXPECT_TRUE(in.receive().is(errc::closed));
}

} // namespace
} // namespace hawser
