// The limits that a process may be under (setrlimit(2)), one by one: too few descriptors, files
// that must not grow, no locked memory, little address space, no message queues. Each gives a clear
// error or none at all, nothing leaks, and end points that were there before go on.
#include <csignal>
#include <fstream>

#include <poll.h>
#include <unistd.h>

#include "limits/limits.hpp"
#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::test {
namespace {

class limits : public every_scheme {};

// As `system`, or as the `no_space` of somebody who connects and can't be taken.
void expect_too_few_descriptors(const error& why) {
    EXPECT_EQ(why.sys(), EMFILE) << why.describe();
    EXPECT_NE(why.describe().find("ulimit -n"), std::string::npos) << why.describe();
}

// ---- descriptors ----------------------------------------------------------------------------

TEST_P(limits, every_number_of_descriptors) {
    in_a_process([] {
        const std::string old_address = how().address(unique_name("old"));
        auto old_ends = open_both(how(), old_address).value();
        expect_works(old_ends);
        const std::size_t before = descriptors();
        // Until it has been enough for a few times.
        constexpr unsigned further = 3;
        unsigned enough = 0;
        for (rlim_t most = 3; enough < further; ++most) {
            SCOPED_TRACE("with " + std::to_string(most) + " descriptors at most");
            ASSERT_LT(most, 300U) << "it never opens";
            const std::string address = how().address(unique_name("new"));
            {
                const limited few(RLIMIT_NOFILE, most);
                auto ends = open_both(how(), address);
                if (!ends) {
                    expect_too_few_descriptors(ends.why());
                    enough = 0;
                } else {
                    // On a connection the receiver takes another one when the first message comes.
                    const auto sent = ends->out.send_for("to the new one", std::chrono::seconds(5));
                    ASSERT_TRUE(sent.has_value()) << sent.why().describe();
                    const auto got = ends->in.receive_for(std::chrono::milliseconds(1));
                    if (!got && !got.is(errc::timed_out)) expect_too_few_descriptors(got.why());
                    enough = got ? enough + 1 : 0;
                }
                expect_works(old_ends);
            }
            remove_what_stays(how(), address);
            ASSERT_EQ(descriptors(), before) << "descriptors have leaked";
            if (HasFailure()) return;
        }
        remove_what_stays(how(), old_address);
    });
}

// fd() takes descriptors of its own.
TEST_P(limits, fd_with_every_number_of_descriptors) {
    in_a_process([] {
        const std::string address = how().address(unique_name("fd"));
        {
            auto ends = open_both(how(), address).value();
            expect_works(ends);
            const std::size_t before = descriptors();
            result<int> fd = error{errc::system, "fd"};
            for (rlim_t most = before; !fd && !fd.is(errc::unsupported); ++most) {
                ASSERT_LT(most, before + 20) << fd.why().describe();
                const limited few(RLIMIT_NOFILE, most);
                fd = ends.in.fd();
                if (!fd && !fd.is(errc::unsupported)) {
                    expect_too_few_descriptors(fd.why());
                    EXPECT_EQ(descriptors(), before) << "descriptors have leaked";
                }
                expect_works(ends);
            }
            if (fd) {
                ASSERT_TRUE(ends.out.send("rings").has_value());
                pollfd one{*fd, POLLIN, 0};
                ASSERT_EQ(::poll(&one, 1, -1), 1);
                EXPECT_EQ(ends.in.receive().value().text(), "rings");
            }
        }
        remove_what_stays(how(), address);
    });
}

// ---- the size of files ----------------------------------------------------------------------

// A write beyond the limit raises SIGXFSZ, which kills by default. The library must not let it.
TEST_P(limits, every_kind_of_small_files) {
    in_a_process([] {
        ASSERT_EQ(::signal(SIGXFSZ, SIG_DFL), SIG_DFL);
        const std::string old_address = how().address(unique_name("old"));
        auto old_ends = open_both(how(), old_address).value();
        const auto fd = old_ends.in.fd(); // a bell that the sender rings through the file
        expect_works(old_ends);
        const std::size_t before = descriptors();
        for (const rlim_t most : {0UL, 1UL, 100UL, 4096UL, 65'536UL, 1UL << 20U, 1UL << 24U}) {
            SCOPED_TRACE("with files of " + std::to_string(most) + " bytes at most");
            const std::string address = how().address(unique_name("new"));
            {
                const limited small(RLIMIT_FSIZE, most);
                auto ends = open_both(how(), address);
                if (ends) {
                    expect_works(*ends);
                    expect_all(ends->in, send_all_that_fits(how(), ends->out));
                } else {
                    expect_clear(ends.why(), errc::no_space, "in open");
                    EXPECT_EQ(ends.why().sys(), EFBIG);
                }
                expect_works(old_ends);
                expect_all(old_ends.in, send_all_that_fits(how(), old_ends.out));
                // One who joins what others have made.
                if (how().make_both == nullptr) {
                    auto joined = sender::open(old_address);
                    EXPECT_TRUE(joined.has_value()) << joined.why().describe();
                    if (joined) {
                        EXPECT_TRUE(joined->try_send("x").has_value());
                        EXPECT_EQ(old_ends.in.receive().value().text(), "x");
                    }
                }
            }
            EXPECT_FALSE(old_ends.in.try_receive()); // notices that a connection has ended
            remove_what_stays(how(), address);
            ASSERT_EQ(descriptors(), before) << "descriptors have leaked";
            if (HasFailure()) return;
        }
        if (fd) {
            const limited none(RLIMIT_FSIZE, 0);
            ASSERT_TRUE(old_ends.in.try_receive().is(errc::would_block));
            ASSERT_TRUE(old_ends.out.send("rings").has_value());
            pollfd one{*fd, POLLIN, 0};
            EXPECT_EQ(::poll(&one, 1, -1), 1);
            EXPECT_EQ(old_ends.in.receive().value().text(), "rings");
        }
        remove_what_stays(how(), old_address);
    });
}

// ---- memory -----------------------------------------------------------------------------------

TEST_P(limits, no_locked_memory_is_needed) {
    in_a_process([] {
        const limited none(RLIMIT_MEMLOCK, 0);
        const std::string address = how().address(unique_name("lock"));
        {
            auto ends = open_both(how(), address).value();
            expect_works(ends);
            expect_all(ends.in, send_all_that_fits(how(), ends.out));
        }
        remove_what_stays(how(), address);
    });
}

std::uint64_t address_space() {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * 4096;
}

// Room for all that the process has, and less than a mailbox maps.
TEST_P(limits, little_address_space) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "a sanitizer needs address space of its own";
#endif
    in_a_process([] {
        constexpr std::uint64_t mib = std::uint64_t{1} << 20;
        const std::string old_address = how().address(unique_name("old"));
        auto old_ends = open_both(how(), old_address).value();
        expect_works(old_ends);
        const std::string address = how().address(unique_name("new"));
        const std::size_t before = descriptors();
        {
            const limited little(RLIMIT_AS, address_space() + 2 * mib);
            auto ends = open_both(how(), address);
            EXPECT_EQ(ends.has_value(), how().scheme != "shm");
            if (!ends) {
                expect_clear(ends.why(), errc::no_space, "in open");
                EXPECT_EQ(ends.why().sys(), ENOMEM);
            }
            expect_works(old_ends);
        }
        remove_what_stays(how(), address);
        remove_what_stays(how(), old_address);
        EXPECT_EQ(descriptors(), before);
    });
}

INSTANTIATE_TEST_SUITE_P(schemes, limits, testing::ValuesIn(schemes_with_messages()), label_of);

// ---- message queues -----------------------------------------------------------------------------

TEST(queue_limits, the_bytes_of_posix_queues) {
    if (!can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    private_directory();
    child one("queues", [] {
        const std::string name = "mq:/hawser-limit-" + std::to_string(::getpid());
        for (const rlim_t most : {0UL, 1000UL}) {
            const limited few(RLIMIT_MSGQUEUE, most);
            const auto in = receiver::open(name + "?capacity=4&max_message=8192");
            ASSERT_FALSE(in.has_value());
            expect_clear(in.why(), errc::no_space, "in open");
            EXPECT_NE(in.why().describe().find("ulimit -q"), std::string::npos)
                << in.why().describe();
        }
        { auto in = receiver::open(name + "?capacity=4&max_message=8192").value(); }
        EXPECT_TRUE(remove_mailbox(name, removal::by_force).has_value());
    });
    one.end_well();
}

} // namespace
} // namespace hawser::test
