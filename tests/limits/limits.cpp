#include "limits/limits.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>

#include <fcntl.h>

#include "support/child.hpp"
#include "support/place.hpp"

namespace hawser::test {

namespace {

using std::chrono_literals::operator""s;

// Far more than anything takes; only what never comes is waited for so long.
constexpr auto patience = 20s;

// Sends this kind of message until one is refused, which adds no more than `most`.
void send_until_refused(sender& out, const std::function<std::string(unsigned)>& text,
                        std::size_t most, std::vector<std::string>& sent) {
    for (std::size_t count = 0; count < most; ++count) {
        std::string next = text(static_cast<unsigned>(sent.size()));
        const auto done = out.try_send(next);
        if (!done) {
            EXPECT_TRUE(done.is(errc::would_block) || done.is(errc::no_space))
                << done.why().describe();
            if (done.is(errc::no_space)) expect_clear(done.why(), errc::no_space, "in send");
            return;
        }
        sent.push_back(std::move(next));
    }
}

} // namespace

result<both_ends> open_both(const spelling& how, const std::string& address) {
    if (how.make_both != nullptr) return how.make_both();
    auto in = receiver::open(address);
    if (!in) return in.why();
    auto out = sender::open(address);
    if (!out) return out.why();
    return both_ends{std::move(*in), std::move(*out)};
}

std::string large_text(const spelling& how, unsigned number) {
    std::string text = small_text(number);
    const std::size_t size = std::max<std::size_t>(how.large_bytes, text.size());
    while (text.size() < size) text += static_cast<char>('a' + (text.size() * 7 + number) % 23);
    return text;
}

std::string small_text(unsigned number) {
    return "message " + std::to_string(number) + " ";
}

std::vector<std::string> send_all_that_fits(const spelling& how, sender& out) {
    constexpr std::size_t enough = 100; // what finds no room is lost by design on udp
    std::vector<std::string> sent;
    const std::size_t most = how.fills ? enough : 4;
    if (how.large_bytes != 0)
        send_until_refused(
            out, [&](unsigned number) { return large_text(how, number); }, most, sent);
    send_until_refused(out, small_text, most, sent);
    return sent;
}

void expect_all(receiver& in, const std::vector<std::string>& texts) {
    for (const auto& text : texts) {
        const auto got = in.receive_for(patience);
        ASSERT_TRUE(got.has_value()) << got.why().describe();
        ASSERT_EQ(got->text().size(), text.size());
        ASSERT_TRUE(got->text() == text) << "it is torn: " << got->text().substr(0, 40);
    }
    EXPECT_FALSE(in.try_receive()) << "more came than was sent";
}

void expect_works(both_ends& ends) {
    const auto sent = ends.out.send_for("works", patience);
    ASSERT_TRUE(sent.has_value()) << sent.why().describe();
    const auto got = ends.in.receive_for(patience);
    ASSERT_TRUE(got.has_value()) << got.why().describe();
    EXPECT_EQ(got->text(), "works");
}

void expect_clear(const error& why, errc code, const char* when) {
    const std::string text = why.describe();
    EXPECT_EQ(why.code(), code) << when << ": " << text;
    EXPECT_NE(why.sys(), 0) << when << ": " << text;
    EXPECT_FALSE(why.detail().empty()) << when << ": it does not say why: " << text;
}

void remove_what_stays(const spelling& how, const std::string& address) {
    if (how.remove != nullptr) how.remove(address);
    if (!how.files_may_stay || left_over().empty()) return;
    static_cast<void>(remove_mailbox(address, removal::by_force));
    static_cast<void>(collect_system_objects()); // records of what is not there
}

std::size_t descriptors() {
    constexpr int most = 1024;
    std::size_t count = 0;
    for (int fd = 0; fd < most; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
    return count;
}

std::size_t mappings_of_mailboxes() {
    std::size_t count = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        count += line.find(private_directory()) != std::string::npos ? 1U : 0U;
    return count;
}

limited::limited(__rlimit_resource what, rlim_t most) : what_(what) {
    ::getrlimit(what, &before_);
    const rlimit less{most, before_.rlim_max};
    EXPECT_EQ(::setrlimit(what, &less), 0);
}

limited::~limited() {
    ::setrlimit(what_, &before_);
}

void every_scheme::SetUp() {
    private_directory();
}

void every_scheme::TearDown() {
    EXPECT_EQ(left_over(), std::vector<std::string>{}) << "the test left this behind";
    sweep_left_over();
}

void every_scheme::in_a_process(const std::function<void()>& body) const {
    if (!can_fork) GTEST_SKIP() << "no fork under this sanitizer";
    child one(how().label, body);
    one.end_well();
}

std::string label_of(const testing::TestParamInfo<std::size_t>& info) {
    std::string label = faults::spellings()[info.param].label;
    std::ranges::replace_if(
        label, [](char letter) { return letter == '/' || letter == '-'; }, '_');
    return label;
}

std::vector<std::size_t> schemes_with_messages() {
    std::vector<std::size_t> those;
    for (std::size_t i = 0; i < faults::spellings().size(); ++i)
        if (!faults::spellings()[i].bytes_only) those.push_back(i);
    return those;
}

} // namespace hawser::test
